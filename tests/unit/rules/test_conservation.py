# SPDX-License-Identifier: Apache-2.0
"""P4: in + replicated = delivered + dropped, each drop under one reason; at every node, and over a whole fabric."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.model.values import BROADCAST, port_channel, port_number
from openfex.rules.engine import Node
from openfex.testing.chance import Chance
from openfex.testing.fabric import Fabric, Spot
from openfex.testing.frames import BridgeScene, ExtenderScene
from openfex.testing.layouts import make_layout
from openfex.testing.strategies import by_chance
from openfex.wire import VlanTag
from tests.unit.rules.lab import H1, NET1, STATION, frame, layout, mac, vnic

SEEDS = 40
FRAMES = 50


def is_conserved(node: Node) -> bool:
    rows = node.counters.values()
    came, left = sum(row.in_frames for row in rows), sum(row.out_frames for row in rows)
    return came + node.totals.replicated == left + node.drops.total()


def send_something(fabric: Fabric, plan: Layout, chance: Chance) -> None:
    """A frame at the edge: from a function, or from behind a network port."""
    if chance.randint(1, 2) == 1:
        host = chance.choice(plan.hosts)
        port = port_number(chance.choice(host.uplinks).host_link, chance.choice(host.functions).channel)
        bound = [one for one in plan.bindings if one.uplink.host == host.name and one.host_port == port]
        src = bound[0].mac if bound else STATION
        dst = chance.choice([BROADCAST, STATION, *(one.mac for one in plan.bindings)])
        tags = chance.choice([(), (VlanTag(10),), (VlanTag(0),)])
        fabric.from_function(host.name, port, frame(dst, src, *tags))
        return
    bridge = chance.choice(plan.bridges)
    arrival = BridgeScene(fabric.bridges[bridge.name].tables).arrival(chance)
    fabric.from_network(chance.choice(bridge.ports), arrival.octets)


def check(fabric: Fabric) -> None:
    assert all(is_conserved(node) for node in fabric.nodes)
    assert fabric.entered + fabric.replicated == len(fabric.delivered) + fabric.dropped
    for node in fabric.nodes:
        assert DropReason.NONE not in {reason for _, reason in node.drops}


def joined(chance: Chance) -> Layout:
    """Two bridges that both have all hosts; what is behind their network ports is not there."""
    return make_layout(chance, two_fabrics=True)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_p4_conservation_over_random_traffic(seed: int) -> None:
    chance = random.Random(seed)
    plan = joined(chance)
    fabric = Fabric(plan)
    for _ in range(FRAMES):
        send_something(fabric, plan, chance)
    check(fabric)


@given(by_chance(joined), st.data())
def test_p4_conservation_over_what_hypothesis_finds(plan: Layout, data: st.DataObject) -> None:
    fabric = Fabric(plan)
    for _ in range(10):
        data.draw(by_chance(lambda chance: send_something(fabric, plan, chance)))
    check(fabric)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_p4_conservation_of_everything_that_can_come_down_an_uplink(seed: int) -> None:
    chance = random.Random(seed)
    plan = joined(chance)
    fabric = Fabric(plan)
    for host in plan.hosts:
        node = fabric.hosts[host.name]
        scene = ExtenderScene(node.tables)
        for _ in range(FRAMES):
            arrival = scene.arrival(chance)
            if port_channel(arrival.at):
                node.from_function(arrival.at, arrival.octets)
            else:
                node.from_uplink(arrival.at >> 12, arrival.octets)
    assert all(is_conserved(node) for node in fabric.nodes)


def test_p4_a_broadcast_in_numbers() -> None:
    """One in; three copies at the bridge (two uplinks, one network port), of which the hosts make three receivers'."""
    fabric = Fabric(layout())
    fabric.from_function("h1", port_number(1, 1), frame(BROADCAST, mac(H1, 1)))
    assert fabric.entered == 1
    assert fabric.bridges["sw-a"].totals.replicated == 2
    assert fabric.hosts["h1"].totals.replicated == 1
    assert len(fabric.delivered) == 4
    assert fabric.dropped == 0


def test_p4_octets_are_counted_without_the_channel_s_tag() -> None:
    fabric = Fabric(layout())
    octets = frame(mac(H1, 2), mac(H1, 1))
    fabric.from_function("h1", port_number(1, 1), octets)
    assert fabric.delivered == [(vnic(H1, 2), octets)]
    for node in fabric.nodes:
        for row in node.counters.values():
            assert (row.in_octets, row.out_octets) == (60 * row.in_frames, 60 * row.out_frames)


def test_p4_a_drop_is_counted_where_the_frame_came_in() -> None:
    fabric = Fabric(layout())
    fabric.from_function("h1", port_number(1, 3), frame(BROADCAST, mac(H1, 3)))
    fabric.from_function("h1", port_number(1, 1), frame(BROADCAST, mac(H1, 2)))
    assert fabric.hosts["h1"].drops == {(port_number(1, 3), DropReason.PORT_DOWN): 1}
    assert fabric.bridges["sw-a"].drops == {(port_number(H1, 1), DropReason.SPOOFED_SOURCE): 1}
    assert fabric.delivered == []
    assert Spot("sw-a", NET1) not in [spot for spot, _ in fabric.delivered]
