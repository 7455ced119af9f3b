# SPDX-License-Identifier: Apache-2.0
"""XDP wires: made, changed under traffic, captured on, killed over and refused; and what XDP leaves to tc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from openfex.adapter.soft import LEFT_UNDONE, POLLED
from openfex.datapath.objects import XDP_PROGRAMS, object_path
from openfex.datapath.xdp import attach_xdp, detach_xdp, xdp_programs
from openfex.errors import RefusedError
from openfex.lab import lab
from openfex.lab.capture import Session
from openfex.lab.names import netns_of
from openfex.lab.points import points_of
from openfex.lab.workshop import Workshop
from openfex.linux.libbpf import Object
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketSocket, collect
from openfex.linux.sysctl import sysctl
from openfex.linux.tap import Tap, open_tap
from openfex.model.layout import Binding, Layout
from openfex.model.place import Place
from openfex.model.values import port_number
from openfex.proof.bed import Stage, frame, numbers
from openfex.proof.kernel_bed import DEADLINE_S, KernelBed, nic_place
from openfex.proof.residue import residue
from openfex.proof.wire_tap import WireTap, listening
from tests.netns.labs import attached
from tests.netns.streams import stream_during
from tests.netns.test_p6_apply import _crash_at, _points, _steps

pytestmark = pytest.mark.root
LAB = "test-xdp"
HOSTS = {name: netns_of(LAB, "host", name) for name in ("h1", "h2")}
BRIDGE = netns_of(LAB, "bridge", "sw")
RING = 256
"""Frames that a veth holds between two polls."""
TEXT = """
kind: network
name: test-xdp
spec: {bridges: {sw: {ports: [up0]}}}
---
kind: profile
name: web
spec: {vlan: {access: 10}}
---
kind: host
name: h1
spec: {channel: vntag, uplinks: {a: {device: up-a, bridge: sw}}}
---
kind: host
name: h2
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
---
kind: adapter
name: n1
spec: {host: h1, model: bcm-8, functions: 3}
---
kind: adapter
name: taps
spec: {host: h1, model: bcm-8, functions: 1, backing: tap}
---
kind: adapter
name: n2
spec: {host: h2, model: bcm-8, functions: 3}
---
kind: machine
name: a1
spec: {host: h1, nics: {eth0: {profile: web, address: 10.0.10.1/24}}}
---
kind: machine
name: a2
spec: {host: h1, nics: {eth0: {profile: web, address: 10.0.10.2/24}}}
---
kind: machine
name: q1
spec: {host: h1, type: host, nics: {tap0: {profile: web, function: taps/0}}}
---
kind: machine
name: b1
spec: {host: h2, nics: {eth0: {profile: web, address: 10.0.10.3/24}}}
"""
TC, ONE, BOTH = (attached(TEXT, *pair) for pair in (("tc", "tc"), ("xdp", "tc"), ("xdp", "xdp")))


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    lab.down(LAB)
    yield
    lab.down(LAB)
    assert residue(LAB) == []


def _up(text: str) -> Layout:
    layout = lab.up(text).layout
    assert lab.plan(text).operations == ()
    return layout


def _binding(layout: Layout, machine: str) -> Binding:
    return next(one for one in layout.bindings if one.machine == machine)


def _bed(layout: Layout) -> KernelBed:
    """The machines that have a NIC to listen at: a TAP is its opener's."""
    return KernelBed(replace(layout, bindings=tuple(one for one in layout.bindings if not layout.is_tap(one))))


def _by_xdp(netns: str) -> set[str]:
    with Netlink(netns) as netlink:
        return {link.name for link in netlink.links() if link.xdp}


def _gives_to_xdp(netns: str, device: str, *, polled: bool) -> bool:
    with Netlink(netns) as netlink:
        return netlink.has_features(device, dict.fromkeys(LEFT_UNDONE, False) | ({POLLED: True} if polled else {}))


def test_one_hosts_wire_is_xdp_at_both_ends_and_at_its_bound_functions_and_nothing_else_is() -> None:
    _up(ONE)
    assert _by_xdp(HOSTS["h1"]) == {"up-a", "f0p0", "f0p1"}
    assert _by_xdp(HOSTS["h2"]) == set()
    assert _by_xdp(BRIDGE) == {"uplink16"}
    machines = [netns_of(LAB, "machine", name) for name in ("a1", "a2", "b1")]
    assert [_gives_to_xdp(name, "eth0", polled=True) for name in machines] == [True, True, False]
    ends = [(HOSTS["h1"], "up-a"), (BRIDGE, "uplink16"), (HOSTS["h2"], "up-a"), (BRIDGE, "uplink17")]
    assert [_gives_to_xdp(*end, polled=False) for end in ends] == [True, True, False, False]


def test_what_was_xdp_is_as_if_it_had_never_been() -> None:
    _up(BOTH)
    _up(TC)
    assert [_by_xdp(name) for name in (*HOSTS.values(), BRIDGE)] == [set()] * 3
    machine = netns_of(LAB, "machine", "a1")
    with Netlink(machine) as netlink:
        assert netlink.has_features("eth0", dict.fromkeys(LEFT_UNDONE, True) | {POLLED: False})
    for place, device in ((HOSTS["h1"], "up-a"), (BRIDGE, "uplink17")):
        with Netlink(place) as netlink:
            assert netlink.has_features(device, dict.fromkeys(LEFT_UNDONE, True))


@pytest.mark.parametrize("receiver", ["a2", "b1"])
@pytest.mark.parametrize("wires", [ONE, BOTH], ids=["one", "both"])
def test_p6_an_attachment_is_changed_under_traffic(wires: str, receiver: str) -> None:
    layout = _up(TC)
    ends = _binding(layout, "a1"), _binding(layout, receiver)
    sent, arrived = stream_during(layout, *ends, lambda: _up(wires))
    assert arrived == list(range(sent))
    sent, arrived = stream_during(layout, *ends, lambda: _up(TC))
    assert arrived == sorted(set(arrived))
    assert sent - len(arrived) <= RING  # what a ring holds when its program goes
    with _bed(layout) as bed:
        assert all(came == went for came, went in (node.balance for node in bed.counts().values()))


def test_p5_a_new_build_of_the_programs_replaces_the_old_under_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = _up(BOTH)

    def upgrade() -> None:
        with monkeypatch.context() as patch:
            for room in ("datapath.objects", "datapath.node", "datapath.xdp", "lab.lab", "lab.workshop"):
                patch.setattr(f"openfex.{room}.build_of", lambda role: f"next-{role}")
            with Workshop(LAB) as workshop:
                older = xdp_programs(workshop.node(BRIDGE))
            assert older == {}
            _up(BOTH)
            with Workshop(LAB) as workshop, Netlink(BRIDGE) as netlink:
                assert netlink.link("uplink16").xdp in xdp_programs(workshop.node(BRIDGE))

    sent, arrived = stream_during(layout, _binding(layout, "a1"), _binding(layout, "b1"), upgrade)
    assert arrived == list(range(sent))


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(TC, BOTH), (BOTH, TC)], ids=["to xdp", "to tc"])
@pytest.mark.parametrize("most", [8, pytest.param(10_000, marks=pytest.mark.long)])
def test_p6_killed_while_it_changes_the_next_run_converges(before: str, after: str, most: int) -> None:
    lab.up(before)
    for step in _points(steps := _steps(after), min(most, steps)):
        lab.down(LAB)
        lab.up(before)
        assert _crash_at(step, after).returncode == -9
        _up(after)
    layout = lab.up(after).layout
    with _bed(layout) as bed:
        stage = Stage(bed)
        number, octets = stage.frame(_binding(layout, "b1").mac, _binding(layout, "a1").mac)
        assert number in numbers(stage.exchange("a1", [octets], "b1")["nic:b1/eth0"])


def test_p4_counts_are_the_same_whoever_handles_a_frame() -> None:
    """Unicast and broadcast, within XDP, to tc and from there; and the same while a capture sends all of it by tc."""
    layout = _up(ONE)
    for machine in ("a1", "a2", "b1"):
        sysctl(netns_of(LAB, "machine", machine), "net.ipv6.conf.all.disable_ipv6", "1")
    with _bed(layout) as bed:
        quiet, seen = _exchange_all(bed)
        with Session(LAB, points_of(layout, "sw/veth1.1"), 200) as session:
            captured, seen_too = _exchange_all(bed)
            frames = [number for one in session.wait(0) for number in numbers([one.frame.octets])]
    assert seen == seen_too
    assert quiet == captured
    lists = 2  # what a2 and b1 send to all is counted once an uplink, and shown at each port
    assert len(frames) == sum(captured["sw"][port_number(16, 1)]) + lists


def _exchange_all(bed: KernelBed) -> tuple[dict[str, dict[int, tuple[int, int]]], dict[str, int]]:
    """What each node's ports have counted of one frame from everybody to everybody and to all; what each NIC got."""
    stage = Stage(bed, 1 << 20)
    before = bed.counts()
    got: dict[str, int] = {}
    for machine, binding in stage.bindings.items():
        frames = [stage.frame(other.mac, binding.mac)[1] for other in stage.bindings.values() if other is not binding]
        witness = "b1" if machine != "b1" else "a1"
        seen = stage.exchange(machine, [*frames, stage.broadcast(machine)[1]], witness)
        for place, heard in seen.items():
            got[f"{machine} {place}"] = len(heard)
    counts: dict[str, dict[int, tuple[int, int]]] = {}
    for name, node in bed.counts().items():
        came, went = node.balance
        assert came == went
        older = before[name].counters
        counts[name] = {
            port: (row.in_frames - older[port].in_frames, row.out_frames - older[port].out_frames)
            if port in older
            else (row.in_frames, row.out_frames)
            for port, row in node.counters.items()
        }
    return counts, got


def test_a_tap_on_an_xdp_wire_stays_at_tc_and_reaches_everybody() -> None:
    layout = _up(ONE)
    tap, others = _binding(layout, "q1"), [_binding(layout, name) for name in ("a1", "b1")]
    assert tap.function.pf_device not in _by_xdp(HOSTS["h1"])
    with open_tap(tap.function.pf_device, netns=HOSTS["h1"]) as door, Netlink(HOSTS["h1"]) as netlink:
        assert netlink.wait_ready([tap.function.pf_device], DEADLINE_S) == []
        for number, other in enumerate(others, start=1):
            place = nic_place(layout, other)
            with PacketSocket(place.device, netns=place.netns) as nic:
                door.send(frame(other.mac, tap.mac, number))
                assert _hears(nic, number)
                nic.send(frame(tap.mac, other.mac, 100 + number))
                assert _hears(door, 100 + number)


def _hears(door: PacketSocket | Tap, number: int) -> bool:
    return number in numbers(collect({"": door}, lambda seen: number in numbers(seen[""]), DEADLINE_S)[""])


def test_p5_a_listener_that_is_killed_leaves_a_wire_that_works() -> None:
    layout = _up(BOTH)
    place = Place(BRIDGE, "uplink16")
    child = os.fork()
    if not child:
        with listening([WireTap(place)]):
            os.kill(os.getpid(), 9)
    assert os.waitpid(child, 0)[1] == 9
    ends = _binding(layout, "a1"), _binding(layout, "b1")
    sent, arrived = stream_during(layout, *ends, lambda: None)
    assert arrived == list(range(sent))
    assert [str(one) for one in lab.plan(BOTH).operations] == [f"change datapath of {BRIDGE}"]
    _up(BOTH)


def test_a_machine_that_moves_gets_what_its_new_host_has() -> None:
    _up(ONE)
    machine = netns_of(LAB, "machine", "a1")
    for host, by_xdp in (("h2", False), ("h1", True)):
        layout = lab.migrate(LAB, "a1", host).layout
        assert lab.drift(LAB).operations == ()
        assert _gives_to_xdp(machine, "eth0", polled=True) is by_xdp
        assert _by_xdp(HOSTS["h1"]) >= ({"f0p0", "f0p1"} if by_xdp else {"f0p1"})
        ends = _binding(layout, "a1"), _binding(layout, "a2")
        sent, arrived = stream_during(layout, *ends, lambda: None)
        assert arrived == list(range(sent))


@pytest.mark.parametrize("device", ["up-a", "f0p1"])
def test_a_program_of_somebody_else_is_never_replaced(device: str) -> None:
    layout = _up(TC)
    with (
        Object.load(object_path("bench", "traffic"), only=["bench_xdp_sink"]) as other,
        Netlink(HOSTS["h1"]) as netlink,
    ):
        program = other.program("bench_xdp_sink")
        netlink.replace_xdp(device, program.fd, -1)
        assert lab.plan(TC).operations == ()
        with pytest.raises(RefusedError, match=f"{device} has the XDP program") as refused:
            lab.up(BOTH)
        assert refused.value.code == "xdp-not-possible"
        assert netlink.link(device).xdp == program.id
        netlink.replace_xdp(device, -1, program.fd)
    assert [_by_xdp(name) for name in (*HOSTS.values(), BRIDGE)] == [set()] * 3
    assert lab.plan(TC).operations == ()
    ends = _binding(layout, "a1"), _binding(layout, "b1")
    sent, arrived = stream_during(layout, *ends, lambda: None)
    assert arrived == list(range(sent))


def test_a_device_without_native_xdp_is_refused_by_name() -> None:
    _up(ONE)
    with Workshop(LAB) as workshop:
        node, netlink = workshop.node(HOSTS["h1"]), workshop.spaces.netlink(HOSTS["h1"])
        with pytest.raises(RefusedError, match="attach an XDP program to lo") as refused:
            attach_xdp(node, netlink, [(port_number(1), "lo")])
    assert refused.value.code == "xdp-not-possible"


def test_p5_a_program_that_was_taken_away_is_missed_and_put_back() -> None:
    _up(ONE)
    with Workshop(LAB) as workshop:
        netlink, node = workshop.spaces.netlink(BRIDGE), workshop.node(BRIDGE)
        assert sorted(xdp_programs(node).values()) == sorted(XDP_PROGRAMS["bridge"])
        link = netlink.link("uplink16")
        assert link.xdp in xdp_programs(node)
        detach_xdp(node, netlink, ["uplink16"])
        assert _by_xdp(BRIDGE) == set()
    assert [str(one) for one in lab.plan(ONE).operations] == [f"change datapath of {BRIDGE}"]
    _up(ONE)
    assert _by_xdp(BRIDGE) == {"uplink16"}
