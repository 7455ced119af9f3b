# SPDX-License-Identifier: Apache-2.0
"""P5 and P4 while a bridge gets its fifth uplink: larger tables take the places of the old ones under traffic."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openfex.datapath.tables import read_counters, read_drops, read_stations, read_totals
from openfex.lab import lab
from openfex.lab.names import netns_of
from openfex.lab.workshop import Workshop
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketSocket
from openfex.model.counters import PortCounters
from openfex.model.drops import DropReason
from openfex.model.limits import FIRST_UPLINK
from openfex.model.values import BROADCAST, Mac, port_number
from openfex.proof.bed import NodeCounts, frame
from openfex.proof.kernel_bed import KernelBed, port_place
from openfex.wire import VlanTag
from tests.netns.labs import attached
from tests.netns.streams import stream_during
from tests.netns.test_p6_apply import _crash_at, _steps

pytestmark = pytest.mark.root
LAB = "test-growth"
SOME = 500
"""Frames: fewer would say that it did not happen under traffic."""
BRIDGE = netns_of(LAB, "bridge", "sw")
BASE = f"""
kind: network
name: {LAB}
spec: {{bridges: {{sw: {{ports: [up0]}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
"""
HOST = """
---
kind: host
name: h{0}
spec: {{channel: etag, uplinks: {{a: {{device: up-a, bridge: sw}}}}}}
---
kind: adapter
name: n{0}
spec: {{host: h{0}, model: bcm-8, functions: 1}}
---
kind: machine
name: m{0}
spec: {{host: h{0}, nics: {{eth0: {{profile: web}}}}}}
"""
FOUR, FIVE = ("".join((BASE, *map(HOST.format, range(1, 1 + hosts)))) for hosts in (4, 5))
STATION = Mac(b"\x52\x54\x33\x33\x33\x01")
ONE, TWO = (port_number(FIRST_UPLINK + index, 1) for index in range(2))


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    lab.down(LAB)
    yield
    lab.down(LAB)


def _is_conserved(counts: NodeCounts) -> bool:
    rows = counts.counters.values()
    came, left = sum(row.in_frames for row in rows), sum(row.out_frames for row in rows)
    return came + counts.totals.replicated == left + counts.drops.total()


@pytest.mark.parametrize("attachment", ["tc", "xdp"])
def test_p5_a_fifth_uplink_costs_no_frame_no_count_and_no_station(attachment: str) -> None:
    four, five = (attached(text, *[attachment] * hosts) for text, hosts in ((FOUR, 4), (FIVE, 5)))
    layout = lab.up(four).layout
    with KernelBed(layout) as bed, Workshop(LAB) as workshop:
        node, place = workshop.node(BRIDGE), port_place(layout, layout.bridges[0].ports[0])
        with PacketSocket(place.device, netns=place.netns) as outside:
            outside.send(frame(BROADCAST, STATION, 1, VlanTag(10).encode()))
        before = bed.counts()["sw"]
        rows, stations = node.rows, read_stations(node)
        assert (STATION, 10) in stations
        sender, receiver = layout.bindings[:2]
        sent, arrived = stream_during(layout, sender, receiver, lambda: lab.up(five))
        assert arrived == list(range(sent))
        assert sent > SOME
        after = bed.counts()["sw"]
        assert node.rows > rows
        assert read_stations(node).items() >= stations.items()
    older = {port: before.counters.get(port, PortCounters()) for port in (ONE, TWO)}
    assert after.counters[ONE].in_frames >= older[ONE].in_frames + sent
    assert after.counters[TWO].out_frames >= older[TWO].out_frames + sent
    assert _is_conserved(after)
    assert after.drops[port_number(FIRST_UPLINK), DropReason.NOT_IN_CHANNEL] == 0


def test_p6_tables_that_have_grown_stay_so() -> None:
    lab.up(FIVE)
    lab.up(FOUR)
    assert lab.plan(FOUR).operations == ()
    lab.up(FIVE)
    assert lab.plan(FIVE).operations == ()


@pytest.mark.slow
@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.long)])
def test_p6_killed_while_growing_the_next_run_converges_and_nothing_counted_is_lost(stride: int) -> None:
    lab.up(FOUR)
    steps = _steps(FIVE)
    for step in range(1, steps + 1, stride):
        lab.down(LAB)
        lab.up(FOUR)
        with Workshop(LAB) as workshop:
            node = workshop.node(BRIDGE)
            before, drops, totals = read_counters(node), read_drops(node), read_totals(node)
        assert _crash_at(step, FIVE).returncode == -9
        lab.up(FIVE)
        assert lab.plan(FIVE).operations == ()
        with Workshop(LAB) as workshop:
            node = workshop.node(BRIDGE)
            after = read_counters(node)
            assert read_drops(node) >= drops
            assert read_totals(node).replicated >= totals.replicated
        assert all(after[port].in_frames >= row.in_frames for port, row in before.items())
        assert all(after[port].out_frames >= row.out_frames for port, row in before.items())


def test_p6_a_program_of_ours_on_a_device_that_should_have_none_is_taken_away() -> None:
    lab.up(FOUR)
    host = netns_of(LAB, "host", "h1")
    with Workshop(LAB) as workshop, Netlink(host) as netlink:
        netlink.add_veth("stray0", "stray1", mtu=1500)
        workshop.node(host).attach(netlink, [(port_number(1), "stray0")])
        assert [str(one) for one in lab.plan(FOUR).operations] == [f"change datapath of {host}"]
        lab.up(FOUR)
        assert netlink.filters("stray0") == []
        assert len(netlink.filters("up-a")) == 1
    assert lab.plan(FOUR).operations == ()
