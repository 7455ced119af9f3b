# SPDX-License-Identifier: Apache-2.0
"""The bench on real frames, with as few rounds and frames as show that it measures; how fast is not asked here."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from openfex.errors import VerificationError
from openfex.lab.kept import document_file
from openfex.lab.lab import down, up
from openfex.linux import netns
from openfex.model.place import Place
from openfex.proof import openvswitch, peers, wires
from openfex.proof.bench import agents, contests, course, frames
from openfex.proof.bench.arena import Terms, clear
from openfex.proof.bench.course import LAB, Outcome, run
from openfex.proof.bench.labs import pair
from openfex.proof.bench.policy import acl_profile
from openfex.proof.bench.rows import ROWS
from openfex.proof.bench.traffic import Traffic, poll
from openfex.proof.residue import links_here, residue
from openfex.proof.streams import Ends, round_trip, tcp_stream

pytestmark = pytest.mark.root
MINE = "test-bench"
BENCH = [sys.executable, "-m", "openfex", "bench"]
FEW_FRAMES = 5000
DENYING = "{vlan: {access: 10}, acl: {in: [{deny: {protocol: udp}}]}}"


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    assert residue(LAB) == [], "a lab `bench` is up; take it down first"
    yield
    for lab in (MINE, LAB):
        down(lab)


def measure(name: str, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """One row, as small as it can be."""
    for room, setting, value in (
        (frames, "FRAMES", FEW_FRAMES),
        (frames, "VETHS", 24),
        (frames, "HOSTS", 3),
        (contests, "FUNCTIONS", 8),
        (agents, "FUNCTIONS", 8),
        (agents, "ASSOCIATIONS", 70),
        (agents, "SAMPLES", 2),
    ):
        monkeypatch.setattr(room, setting, value)
    before = links_here()
    outcome = run([ROWS[name]], 1, lambda done, total, what: None, MINE)
    assert residue(MINE) == []
    assert links_here() == before
    return outcome


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("tcp_stream", marks=pytest.mark.slow),
        pytest.param("round_trip", marks=pytest.mark.long),
        pytest.param("tcp_rr", marks=pytest.mark.slow),
        pytest.param("udp_64_pps", marks=pytest.mark.slow),
        "udp_64_pps_policy",
        pytest.param("acl_1000", marks=pytest.mark.slow),
        "host_cost",
        "total_cost",
        pytest.param("profile_change_4094", marks=pytest.mark.slow),
        pytest.param("counters_4094", marks=pytest.mark.slow),
        "scale_4094",
        "lab_up_256",
        "associate_256",
        "associate_one",
        pytest.param("agent_idle", marks=pytest.mark.slow),
    ],
)
def test_a_row_is_measured_beside_all_its_peers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = measure(name, monkeypatch)
    assert [str(one) for one in outcome.absences] == []
    assert [one.peer for one in outcome.results] == list(ROWS[name].peers)
    for one in outcome.results:
        row = json.loads(json.dumps(one.describe(), allow_nan=False))
        assert row["rounds"] == 1
        assert all(row[key] > 0 and math.isfinite(row[key]) for key in ("ours", "theirs", "ratio", "low", "high"))


@pytest.mark.slow
def test_a_round_trip_is_measured() -> None:
    with round_trip(peers.direct_veth(MINE)) as measure_us:
        assert 0 < measure_us() < 1e6


@pytest.mark.slow
def test_sinks_leave_what_is_not_the_bench_s_alone() -> None:
    """The NICs' own stacks go on: TCP passes both sinks."""
    ends = peers.linux_bridge(MINE)
    peers.call_netfilter(peers.bridge_space(MINE), False)
    traffic = Traffic([Place(ends.client, "eth0"), Place(ends.server, "eth0")], frames.BOTH_WAYS)
    try:
        with tcp_stream(ends) as measure_gbit:
            assert measure_gbit() > 0
        assert traffic.arrived() == 0
    finally:
        traffic.close()


def test_frames_are_counted_where_they_arrive_and_nowhere_else() -> None:
    """Every frame that is sent is counted once, at the NIC that it is for; what nobody may hear is not."""
    ends = peers.linux_bridge(MINE)
    poll([Place(peers.bridge_space(MINE), port) for port in peers.PORTS])
    nics = [Place(ends.client, "eth0"), Place(ends.server, "eth0")]
    traffic = Traffic(nics, [(0, 1), (1, 0)], burst=3)
    try:
        assert traffic.rate(FEW_FRAMES) > 0
        assert traffic.arrived() == FEW_FRAMES
        peers.ip_batch(peers.bridge_space(MINE), ["link set br0 down"])
        with pytest.raises(VerificationError) as caught:
            traffic.rate(FEW_FRAMES)
        assert caught.value.code == "nothing-measured"
        assert traffic.arrived() == FEW_FRAMES
    finally:
        traffic.close()


@pytest.mark.parametrize(
    ("program", "row"),
    [("iperf3", "tcp_stream"), ("sockperf", "round_trip"), ("sockperf", "tcp_rr"), ("ip", "lab_up_256")],
)
def test_a_row_whose_program_is_missing_says_so(program: str, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    outcome = measure(row, monkeypatch)
    assert outcome.results == []
    (absence,) = outcome.absences
    assert absence.row is ROWS[row]
    assert program in str(absence)


def test_a_peer_that_this_kernel_cannot_build_is_left_out_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(lab: str) -> Ends:
        peers.ip_batch(peers.make_spaces(lab, "macvlan-vepa", ["host"])[0], ["link add x type nothing-of-that-kind"])
        raise AssertionError

    monkeypatch.setattr(peers, "BUILDERS", {"linux-bridge": peers.linux_bridge, "macvlan-vepa": refuse})
    with contests.CONTESTS["tcp_stream"](Terms(MINE, ["linux-bridge", "macvlan-vepa"])) as contest:
        assert [name for name, _ in contest.entries] == ["ours", "linux-bridge"]
        assert contest.absent["macvlan-vepa"].code == "no-peer"


# Peers that only frames are sent through


def sent_through(found: wires.Wires) -> Traffic:
    poll(found.polling)
    return Traffic(found.nics, frames.BOTH_WAYS)


def test_the_bare_chain_carries_every_frame() -> None:
    traffic = sent_through(wires.chain_wires(MINE))
    try:
        assert traffic.send(FEW_FRAMES) == FEW_FRAMES
    finally:
        traffic.close()


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("setting", ["rule by rule", "with a set"])
def test_the_bridge_with_a_policy_carries_what_its_last_rule_permits_and_counts_it(setting: str, whole: bool) -> None:
    found = wires.policed_wires(MINE, 12, whole)
    traffic = sent_through(found)
    bridge = peers.bridge_space(MINE, wires.NFTABLES)
    try:
        with found.settings[setting]():
            assert traffic.send(FEW_FRAMES) == FEW_FRAMES
            said = netns.run(bridge, ["nft", "list", "ruleset"]).stdout
            assert re.search(rf"udp dport 9 counter packets {FEW_FRAMES} bytes \d+ accept", said)
        wires.nft(
            bridge,
            said.replace("udp dport 9", "udp dport 10").replace(
                "table netdev", "delete table netdev bench\ntable netdev", 1
            ),
        )
        with pytest.raises(VerificationError, match="none arrived"):
            traffic.send(FEW_FRAMES)
    finally:
        traffic.close()


def test_the_bridge_with_a_policy_carries_no_address_but_a_machine_s_own() -> None:
    found = wires.policed_wires(MINE, 12)
    poll(found.polling)
    traffic = Traffic(found.nics[::-1], frames.BOTH_WAYS)  # each with the other's address
    try:
        with found.settings["with a set"](), pytest.raises(VerificationError, match="none arrived"):
            traffic.send(FEW_FRAMES)
    finally:
        traffic.close()


@pytest.mark.parametrize("setting", openvswitch.KINDS)
def test_open_vswitch_carries_frames_and_ends_with_the_bench(setting: str) -> None:
    found = openvswitch.switch_wires(MINE)
    traffic = sent_through(found)
    try:
        with found.settings[setting]():
            assert 0 < traffic.send(FEW_FRAMES) <= FEW_FRAMES
        assert len(netns.processes(peers.bridge_space(MINE, openvswitch.OVS))) == 2
    finally:
        traffic.close()
    clear(MINE)
    assert residue(MINE) == []


def test_where_open_vswitch_is_not_the_row_is_measured_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(frames.WIRES, openvswitch.OVS, partial(openvswitch.switch_wires, root=tmp_path))
    with frames.frames_contest(Terms(MINE, ["bare-xdp", openvswitch.OVS])) as contest:
        assert {name for name, _ in contest.entries} == {"ours", "bare-xdp"}
        assert contest.absent[openvswitch.OVS].code == "no-openvswitch"


@pytest.mark.slow
def test_a_change_of_profile_that_loses_frames_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that no longer permit the frames stand for a change that loses some."""
    monkeypatch.setattr(frames, "acl_profile", lambda rules, first=0: acl_profile(rules) if not first else DENYING)
    outcome = measure("profile_change_4094", monkeypatch)
    assert outcome.results == []
    (absence,) = outcome.absences
    assert absence.reason.code == "frames-lost"


# The command


def test_a_lab_of_somebody_else_is_not_taken_over() -> None:
    text = pair(LAB).removeprefix("# made by `fex bench`\n")
    up(text)
    done = subprocess.run([*BENCH, "lab_up_256", "--quick"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "[lab-exists]" in done.stderr
    assert "`fex lab down bench`" in done.stderr
    assert document_file(LAB).read_text() == text
    assert len(netns.names(f"fex_{LAB}_")) == 5


@pytest.mark.slow
def test_what_a_killed_bench_left_is_taken_over() -> None:
    up(pair(LAB))
    peers.direct_veth(LAB)
    done = subprocess.run([*BENCH, "lab_up_256", "--quick", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["name"], row["peer"], row["unit"], row["rounds"]) == ("lab_up_256", "ip-batch", "s", 3)
    assert residue(LAB) == []


def test_peers_alone_are_the_bench_s_and_nodes_without_documents_are_not() -> None:
    assert course.is_ours(MINE)
    peers.direct_veth(MINE)
    assert course.is_ours(MINE)
    netns.create(f"fex_{MINE}_machine_vm1")
    assert not course.is_ours(MINE)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_bench_that_is_stopped_leaves_nothing_that_down_does_not_find(number: int) -> None:
    before = links_here()
    with subprocess.Popen([*BENCH, "tcp_stream"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as bench:
        while not netns.names(f"fex_{LAB}_peer_macvlan-vepa-host"):
            assert bench.poll() is None
        second = subprocess.run([*BENCH, "lab_up_256"], capture_output=True, text=True, check=False)
        os.kill(bench.pid, number)
        _, errors = bench.communicate(timeout=30)
    assert second.returncode == 1
    assert "[bench-running]" in second.stderr
    assert "Traceback" not in errors
    if number == signal.SIGKILL:
        assert residue(LAB)
        subprocess.run([sys.executable, "-m", "openfex", "lab", "down", LAB], capture_output=True, check=True)
    assert residue(LAB) == []
    assert links_here() == before
