# SPDX-License-Identifier: Apache-2.0
"""What must hold whatever octets come: a function a target, which raises where something does not hold.

A fuzzer looks for octets that break one (`nox -s fuzz`, run.py); the octets that it found worth keeping are in
tests/data/fuzz and are tried with every run of the tests. The first octets of an input choose among tables, ports and
places; the rest is what comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from random import Random

from openfex.errors import WireError
from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.model.values import BROADCAST, port_link
from openfex.rules.bridge import decide_bridge
from openfex.rules.decision import Decision, Verdict
from openfex.rules.extender import decide_down, decide_up
from openfex.rules.head import BPDU_ADDRESSES, judge_head, read_head
from openfex.rules.packet import ARP, IPV4, IPV6, read_packet
from openfex.rules.policy import read_frame
from openfex.rules.tables import BridgeTables, ExtenderTables
from openfex.testing.fabric import Fabric
from openfex.testing.layouts import make_layout
from openfex.testing.tables import (
    STATIONS,
    make_bridge_tables,
    make_extender_tables,
    spoil_bridge_tables,
    spoil_extender_tables,
)
from openfex.wire import ETag, Frame, VlanTag, VnTag
from tests.fuzz.agents import agent_words, agents
from tests.fuzz.signalling import signalling_words, signals, uplinks
from tests.property.ports import check_delivered, ways_in

NOW_NS = 10**12
CODES = {"truncated-frame", "wrong-ethertype"}
"""All that is wrong with octets; the other codes are for values that cannot be."""
ETHERTYPES = (VnTag.ETHERTYPE, ETag.ETHERTYPE, VlanTag.C_TPID, VlanTag.S_TPID, IPV4, IPV6, ARP)
TABLES = 16
"""So many tables there are to choose from; every second one is spoilt."""
LONGEST_FRAME = 64
"""What several frames in one input have at most."""


def codecs(octets: bytes) -> None:
    """Octets are refused in words of our own, or stand for a value that encodes to the same octets."""
    refusals = set()
    for kind in (Frame, VnTag, ETag, VlanTag):
        try:
            written = kind.decode(octets).encode()
        except WireError as error:
            refusals.add(error.code)
        else:
            assert written == octets[: len(written)]
            assert kind is not Frame or len(written) == len(octets)
    assert refusals <= CODES


def heads(octets: bytes) -> None:
    """Every frame has a head, and a verdict on it."""
    head = read_head(octets)
    assert isinstance(judge_head(head), DropReason)
    assert 0 <= head.octets <= len(octets)
    assert head.whole <= (len(octets) >= 14)


def packets(octets: bytes) -> None:
    """What stands behind a head is read or said to be unreadable; what was read stood there."""
    at, frame = octets[0] if octets else 0, octets[1:]
    packet = read_packet(frame, at)
    assert len(packet.source) == len(packet.destination) in {0, 4, 16}
    if not packet.unreadable and packet.source:
        assert packet.source + packet.destination in frame
        assert packet.protocol is not None
    if packet.ports is not None:
        assert 0 < packet.at < len(frame)


def bridges(octets: bytes) -> None:
    """A bridge decides about anything at any link, whatever its tables."""
    tables, at, frame = bridge_tables(_number(octets, 0, 1) % TABLES), _number(octets, 1, 1), octets[2:]
    _check(decide_bridge(read_frame(frame, tables.links.get(at)), at, NOW_NS, tables))


def extenders(octets: bytes) -> None:
    """A port extender decides about anything, from any function and any uplink, whatever its tables."""
    tables, at, frame = extender_tables(_number(octets, 0, 1) % TABLES), _number(octets, 1, 2), octets[3:]
    _check(decide_up(read_head(frame), at, tables))
    link = port_link(at)
    _check(decide_down(read_frame(frame, tables.links.get(link)).head, link, tables))


def fabrics(octets: bytes) -> None:
    """Frames one after the other at any ports of a whole layout: none is lost uncounted, none comes to another VLAN."""
    layout = layout_of(_number(octets, 0, 1) % TABLES)
    fabric, ways = Fabric(layout), ways_in(layout)
    for choice, frame in _frames(octets[1:]):
        way = ways[choice % len(ways)]
        way.send(fabric, frame)
        check_delivered(layout, way, frame, fabric.delivered)
        fabric.delivered.clear()
    check_conserved(fabric)


def check_conserved(fabric: Fabric) -> None:
    """Every node has carried or counted every frame (P4)."""
    for node in fabric.nodes:
        rows = node.counters.values()
        came, went = sum(row.in_frames for row in rows), sum(row.out_frames for row in rows)
        assert came + node.totals.replicated == went + node.drops.total()


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one for one in (codecs, heads, packets, bridges, extenders, fabrics, signals, uplinks, agents)
}


def words() -> set[bytes]:
    """Octets that mean something, which a fuzzer would not guess."""
    found = {ethertype.to_bytes(2, "big") for ethertype in ETHERTYPES}
    found |= {mac.octets for number in range(TABLES) for mac in bridge_tables(number).veths}
    found |= {one.mac.octets for number in range(TABLES) for one in layout_of(number).bindings}
    return found | signalling_words() | agent_words() | {mac.octets for mac in (*STATIONS, *BPDU_ADDRESSES, BROADCAST)}


@cache
def bridge_tables(number: int) -> BridgeTables:
    """The nth bridge's tables, always the same ones."""
    chance = Random(number)
    tables = make_bridge_tables(chance)
    return spoil_bridge_tables(chance, tables) if number % 2 else tables


@cache
def extender_tables(number: int) -> ExtenderTables:
    """The nth port extender's."""
    chance = Random(number)
    tables = make_extender_tables(chance)
    return spoil_extender_tables(chance, tables) if number % 2 else tables


@cache
def layout_of(number: int) -> Layout:
    """The nth layout."""
    return make_layout(Random(number), two_fabrics=bool(number % 2))


def _number(octets: bytes, at: int, length: int) -> int:
    return int.from_bytes(octets[at : at + length], "big")


def _frames(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """A choice and a frame each: an octet that chooses, one that says how long the frame is, the frame."""
    while len(octets) > 2:
        choice, end = octets[0], 2 + octets[1] % (LONGEST_FRAME + 1)
        yield choice, octets[2:end]
        octets = octets[end:]


def _check(decision: Decision) -> None:
    """What is dropped has a reason, and what is not goes somewhere."""
    assert isinstance(decision, Decision)
    dropped = decision.verdict is Verdict.DROP
    assert dropped == (decision.reason is not DropReason.NONE)
    assert dropped != bool(decision.out or decision.uplinks or decision.peers or decision.judged or decision.list_id)
