# SPDX-License-Identifier: Apache-2.0
"""P10 and P4 on real wires: every copy of every frame, octet for octet, VLAN tags beside the octets, and the counts.

What a test run cannot show is shown here: replication and floods, and that the kernel takes the outermost VLAN tag off
a frame before the programs see it, and puts it back behind them.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from openfex.model.drops import DropReason
from openfex.model.limits import FIRST_UPLINK
from openfex.model.values import BROADCAST, ChannelKind, port_channel, port_link, port_number
from openfex.rules.compiler import list_number
from openfex.rules.engine import Bridge, Extender, Sent
from openfex.rules.tables import BridgeTables, Flood, Port, Terms
from openfex.testing.frames import BridgeScene, ExtenderScene
from openfex.testing.kernel import KernelTables, kernel_now_ns
from openfex.testing.layouts import CHANNELS
from openfex.testing.policies import make_timeless_policy
from openfex.testing.tables import (
    STATIONS,
    from_now,
    make_bridge_tables,
    make_extender_tables,
    spoil_bridge_tables,
    spoil_extender_tables,
)
from tests.bpf.trials import check_counts
from tests.bpf.wires import Wires, fits_a_wire, wired

pytestmark = pytest.mark.root

FRAMES = 2_000
A_TABLE = 40
BRIDGE_PORTS = [port_number(link) for link in (*range(1, 6), *range(FIRST_UPLINK, FIRST_UPLINK + 4))]
EXTENDER_PORTS = [port_number(link, channel) for link in (1, 2) for channel in (0, *CHANNELS)]


def check_conservation(kernel: KernelTables) -> None:
    """P4: in + replicated = delivered + dropped."""
    rows = kernel.counters().values()
    came, left = sum(row.in_frames for row in rows), sum(row.out_frames for row in rows)
    assert came + kernel.totals().replicated == left + kernel.drops().total()


def check_node(wires: Wires, node: Bridge | Extender) -> None:
    wires.check()
    frames = sum(row.in_frames for row in node.counters.values())
    assert wires.kernel_has_seen(frames)
    check_counts(wires.kernel, node)
    check_conservation(wires.kernel)


def copies_on_wires(copies: list[Sent]) -> list[Sent]:
    """A bridge's wire is its link's: a vEth's frames leave by its uplink."""
    return [Sent(port_number(port_link(one.port)), one.octets) for one in copies]


def run_bridge(wires: Wires, seed: int, sizes: Counter[int]) -> None:
    chance = random.Random(seed)
    tables = make_bridge_tables(chance, make_timeless_policy)
    if seed % 3 == 0:
        tables = spoil_bridge_tables(chance, tables)
    tables = from_now(tables, kernel_now_ns())
    wires.kernel.write(tables, wires.devices)
    node, scene = Bridge(tables=tables), BridgeScene(tables)
    for _ in range(A_TABLE):
        arrival = scene.arrival(chance)
        if arrival.at not in wires.sockets or not fits_a_wire(arrival.octets):
            continue
        copies = node.receive(port_link(arrival.at), arrival.octets, kernel_now_ns())
        wires.send(arrival.at, arrival.octets, copies_on_wires(copies))
        sizes[len(copies)] += 1
    check_node(wires, node)


def run_extender(wires: Wires, seed: int, sizes: Counter[int]) -> None:
    chance = random.Random(seed)
    tables = make_extender_tables(chance)
    if seed % 3 == 0:
        tables = spoil_extender_tables(chance, tables)
    wires.kernel.write(tables, wires.devices)
    node, scene = Extender(tables=tables), ExtenderScene(tables)
    for _ in range(A_TABLE):
        arrival = scene.arrival(chance)
        if arrival.at not in wires.sockets or not fits_a_wire(arrival.octets):
            continue
        if port_channel(arrival.at):
            copies = node.from_function(arrival.at, arrival.octets)
        else:
            copies = node.from_uplink(port_link(arrival.at), arrival.octets)
        wires.send(arrival.at, arrival.octets, copies)
        sizes[len(copies)] += 1
    check_node(wires, node)


@pytest.mark.slow
@pytest.mark.parametrize("direct", [False, True], ids=["redirect", "redirect-peer"])
def test_p10_p4_a_bridge_on_wires(direct: bool) -> None:
    sizes: Counter[int] = Counter()
    with wired("bridge", BRIDGE_PORTS, direct=direct) as wires:
        for seed in range(FRAMES // A_TABLE):
            run_bridge(wires, seed, sizes)
    assert min(sizes[copies] for copies in range(4)) > 0, sizes


@pytest.mark.slow
@pytest.mark.parametrize("direct", [False, True], ids=["redirect", "redirect-peer"])
def test_p10_p4_an_extender_on_wires(direct: bool) -> None:
    sizes: Counter[int] = Counter()
    with wired("extender", EXTENDER_PORTS, direct=direct) as wires:
        for seed in range(FRAMES // A_TABLE):
            run_extender(wires, seed, sizes)
    assert min(sizes[copies] for copies in range(4)) > 0, sizes


def test_p4_a_flood_whose_uplinks_have_no_row_yet_is_a_counted_drop() -> None:
    """The rows of floods are written before those of links, so there is such a moment for each new uplink."""
    network, uplink = BRIDGE_PORTS[0], FIRST_UPLINK
    tables = BridgeTables(
        links={1: None}, profiles={1: Terms(10)}, ports={network: Port(up=True, network=True, profile=1)}
    )
    tables.floods[1, 10] = Flood(frozenset({uplink}), frozenset(), list_number(0))
    with wired("bridge", BRIDGE_PORTS) as wires:
        wires.kernel.write(tables, wires.devices)
        wires.send(network, BROADCAST.octets + STATIONS[0].octets + b"\x12\x34" + bytes(46), [])
        assert wires.kernel_has_seen(1)
        wires.check()
        check_conservation(wires.kernel)


def test_p4_copies_are_counted_where_a_later_one_cannot_be_made() -> None:
    """The kernel grows no frame beyond four pages, so after the copy with a VN-Tag some have no room for an E-Tag.

    What is on a frame is not known when a tag could not be put on, so all that are left are one that is not sent.
    """
    network, vntag, etag = BRIDGE_PORTS[0], FIRST_UPLINK, FIRST_UPLINK + 1
    tables = BridgeTables({1: None, vntag: ChannelKind.VNTAG, etag: ChannelKind.ETAG}, {1: Terms(10)})
    tables.ports[network] = Port(up=True, network=True, profile=1)
    tables.floods[1, 10] = Flood(frozenset({vntag, etag}), frozenset(), list_number(0))
    most = os.sysconf("SC_PAGE_SIZE") << 2
    ends = set()
    with wired("bridge", BRIDGE_PORTS, mtu=most) as wires:
        for size in range(most - 400, most - 200):
            wires.kernel.write(tables, wires.devices)
            octets = BROADCAST.octets + STATIONS[0].octets + b"\x12\x34" + bytes(size - 14)
            wires.sockets[network].send(octets)
            assert wires.kernel_has_seen(1)
            check_conservation(wires.kernel)
            sent = sum(row.out_frames for row in wires.kernel.counters().values())
            ends.add((sent, wires.kernel.drops()[port_number(1), DropReason.NOT_SENT]))
    assert ends == {(2, 0), (1, 1), (0, 1)}
