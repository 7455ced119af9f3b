# SPDX-License-Identifier: Apache-2.0
"""The bench on real frames, with as few rounds and frames as show that it measures; how fast is not asked here."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from openfex.errors import VerificationError
from openfex.lab.kept import document_file
from openfex.lab.lab import down, up
from openfex.linux import netns
from openfex.model.place import Place
from openfex.proof import peers
from openfex.proof.bench import contests, course
from openfex.proof.bench.course import LAB, Outcome, run
from openfex.proof.bench.labs import pair
from openfex.proof.bench.rows import ROWS
from openfex.proof.bench.traffic import Traffic, poll
from openfex.proof.residue import links_here, residue
from openfex.proof.streams import Ends, round_trip

pytestmark = pytest.mark.root
MINE = "test-bench"
BENCH = [sys.executable, "-m", "openfex", "bench"]
FEW_FRAMES = 5000


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    assert residue(LAB) == [], "a lab `bench` is up; take it down first"
    yield
    for lab in (MINE, LAB):
        down(lab)


def measure(name: str, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """One row, as small as it can be."""
    for setting, value in (("FRAMES", FEW_FRAMES), ("VETHS", 24), ("HOSTS", 3), ("FUNCTIONS", 8)):
        monkeypatch.setattr(contests, setting, value)
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
        "udp_64_pps",
        "scale_4094",
        "lab_up_256",
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
    ("program", "row"), [("iperf3", "tcp_stream"), ("sockperf", "round_trip"), ("ip", "lab_up_256")]
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
    with contests.stream_contest(MINE, ["linux-bridge", "macvlan-vepa"]) as contest:
        assert [name for name, _ in contest.entries] == ["ours", "linux-bridge"]
        assert contest.absent["macvlan-vepa"].code == "no-peer"


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
