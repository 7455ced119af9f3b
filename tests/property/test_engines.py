# SPDX-License-Identifier: Apache-2.0
"""Laws of the decisions, whatever the tables and the frames; the reference engine keeps them, and P10 the others."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from openfex.model.drops import DropReason
from openfex.model.values import DEFAULT_CHANNEL, ChannelKind, Mac, port_channel, port_link, port_number
from openfex.rules.bridge import decide_bridge
from openfex.rules.decision import GOES_NOWHERE, Decision, Verdict
from openfex.rules.engine import Bridge, Extender, Node
from openfex.rules.extender import decide_down, decide_up
from openfex.rules.head import Head, read_head
from openfex.rules.policy import read_frame
from openfex.rules.priority import write_dscp
from openfex.rules.tables import BridgeTables, ExtenderTables, Port
from openfex.testing.frames import Arrival
from openfex.testing.strategies import bridge_tables, bridge_traffic, extender_tables, extender_traffic

NOW_NS = 10**12
strewn = st.lists(
    st.one_of(st.sampled_from([b"\x89\x26", b"\x89\x3f", b"\x81\x00", b"\x88\xa8", bytes(6)]), st.binary(max_size=8))
).map(b"".join)
"""Octets that are seldom a frame, and often look like the start of one."""


def at_bridge(arrival: Arrival, tables: BridgeTables) -> Decision:
    link = port_link(arrival.at)
    return decide_bridge(read_frame(arrival.octets, tables.links.get(link)), link, NOW_NS, tables)


def at_extender(arrival: Arrival, tables: ExtenderTables) -> Decision:
    if port_channel(arrival.at):
        return decide_up(read_head(arrival.octets), arrival.at, tables)
    link = port_link(arrival.at)
    return decide_down(read_frame(arrival.octets, tables.links.get(link)).head, link, tables)


def without_tag(octets: bytes) -> bytes:
    """A frame without its outermost C-tag."""
    return octets[:12] + octets[16:] if octets[12:14] == b"\x81\x00" else octets


def bare(octets: bytes, kind: ChannelKind | None) -> bytes:
    return octets[:12] + octets[12 + (kind.overhead if kind else 0) :]


@given(bridge_tables(), strewn, st.integers(0, 90))
def test_a_bridge_decides_about_any_octets(tables: BridgeTables, octets: bytes, link: int) -> None:
    at_bridge(Arrival(port_number(link), octets), tables)


@given(extender_tables(), strewn, st.integers(0, 3), st.integers(0, 4095))
def test_an_extender_decides_about_any_octets(tables: ExtenderTables, octets: bytes, link: int, channel: int) -> None:
    at_extender(Arrival(port_number(link, channel), octets), tables)


def is_conserved(node: Node) -> bool:
    rows = node.counters.values()
    came, left = sum(row.in_frames for row in rows), sum(row.out_frames for row in rows)
    return came + node.totals.replicated == left + node.drops.total()


@given(bridge_traffic())
def test_p4_a_bridge_carries_or_counts_every_frame(traffic: tuple[BridgeTables, list[Arrival]]) -> None:
    tables, arrivals = traffic
    node = Bridge(tables=tables)
    for arrival in arrivals:
        node.receive(port_link(arrival.at), arrival.octets, NOW_NS)
    assert is_conserved(node)


@given(extender_traffic())
def test_p4_an_extender_carries_or_counts_every_frame(traffic: tuple[ExtenderTables, list[Arrival]]) -> None:
    tables, arrivals = traffic
    node = Extender(tables=tables)
    for arrival in arrivals:
        if port_channel(arrival.at):
            node.from_function(arrival.at, arrival.octets)
        else:
            node.from_uplink(port_link(arrival.at), arrival.octets)
    assert is_conserved(node)


@given(bridge_traffic())
def test_a_decision_changes_nothing_and_is_the_same_again(traffic: tuple[BridgeTables, list[Arrival]]) -> None:
    tables, arrivals = traffic
    before = deepcopy(tables)
    assert [at_bridge(one, tables) for one in arrivals] == [at_bridge(one, before) for one in arrivals]
    assert tables == before


@given(bridge_traffic())
def test_a_frame_is_dropped_for_a_reason_or_goes_somewhere(traffic: tuple[BridgeTables, list[Arrival]]) -> None:
    tables, arrivals = traffic
    for arrival in arrivals:
        decision = at_bridge(arrival, tables)
        dropped = decision.verdict is Verdict.DROP
        assert dropped == (decision.reason is not DropReason.NONE)
        goes_nowhere = decision.verdict in GOES_NOWHERE
        assert goes_nowhere or decision.out or decision.uplinks or decision.peers or decision.judged
        assert decision.port == arrival.at or port_link(decision.port) == port_link(arrival.at)


@given(bridge_traffic())
def test_p11_from_a_network_port_nothing_goes_to_the_network(traffic: tuple[BridgeTables, list[Arrival]]) -> None:
    tables, arrivals = traffic
    for arrival in arrivals:
        decision = at_bridge(arrival, tables)
        port = tables.ports.get(decision.port)
        if decision.verdict is Verdict.DROP or port is None or not port.network:
            continue
        assert decision.verdict is Verdict.DELIVER or not (decision.out or decision.peers)
        if decision.out:
            assert not tables.ports[decision.out].network
        if decision.out and not port.peer:
            assert tables.ports[decision.out].pin == decision.port


@given(bridge_traffic())
def test_p3_only_ports_that_are_up_send_and_receive(traffic: tuple[BridgeTables, list[Arrival]]) -> None:
    tables, arrivals = traffic
    for arrival in arrivals:
        decision = at_bridge(arrival, tables)
        if decision.verdict not in GOES_NOWHERE:
            assert tables.ports[decision.port].up
            assert decision.out == 0 or tables.ports[decision.out].up


@given(bridge_traffic(consistent=True))
def test_p2_what_a_veth_gets_through_has_its_address_and_a_vlan_of_its_profile(
    traffic: tuple[BridgeTables, list[Arrival]],
) -> None:
    tables, arrivals = traffic
    for arrival in arrivals:
        decision = at_bridge(arrival, tables)
        if decision.verdict is not Verdict.DROP and port_channel(decision.port):
            port = tables.ports[decision.port]
            assert Mac(arrival.octets[6:12]) == port.mac or decision.learns
            assert tables.terms_of(port).is_member(decision.vlan)


def channel_of(head: Head, kind: ChannelKind | None) -> int:
    """The channel that a frame from a host is in, on an uplink of that kind."""
    if head.kind is None and kind is not None and kind.is_schannel:
        return DEFAULT_CHANNEL
    assert head.kind is kind
    return head.source if kind is ChannelKind.VNTAG else head.target


@given(extender_traffic())
def test_p1_what_goes_up_goes_in_its_own_channel_and_otherwise_unchanged(
    traffic: tuple[ExtenderTables, list[Arrival]],
) -> None:
    tables, arrivals = traffic
    node = Extender(tables=tables)
    for arrival in arrivals:
        if not port_channel(arrival.at) or port_link(arrival.at) not in tables.links:
            continue
        for sent in node.from_function(arrival.at, arrival.octets):
            kind = tables.links[port_link(arrival.at)]
            head = read_frame(sent.octets, kind).head
            assert sent.port == port_number(port_link(arrival.at))
            assert (head.down, head.list, head.bad) == (False, False, False)
            if kind is ChannelKind.VEPA:
                assert without_tag(sent.octets) == without_tag(arrival.octets)
                continue
            assert channel_of(head, kind) == port_channel(arrival.at)
            assert bare(sent.octets, head.kind) == arrival.octets


@given(extender_traffic(consistent=True))
def test_p1_by_vepa_what_goes_up_is_in_a_vlan_of_its_own_and_from_an_address_of_its_own(
    traffic: tuple[ExtenderTables, list[Arrival]],
) -> None:
    tables, arrivals = traffic
    node = Extender(tables=tables)
    for arrival in arrivals:
        link, function = port_link(arrival.at), tables.functions.get(arrival.at)
        if not port_channel(arrival.at) or tables.links.get(link) is not ChannelKind.VEPA or function is None:
            continue
        for sent in node.from_function(arrival.at, arrival.octets):
            head = read_head(sent.octets)
            assert tables.owners[link, head.src] == arrival.at
            assert head.kind is None
            own = read_head(arrival.octets).tag_vid if function.trunk else 0
            assert head.tag_vid == (own or function.vlan) > 0


@given(extender_traffic(consistent=True))
def test_what_comes_down_reaches_functions_that_are_up_and_never_its_source(
    traffic: tuple[ExtenderTables, list[Arrival]],
) -> None:
    tables, arrivals = traffic
    node = Extender(tables=tables)
    for arrival in arrivals:
        if port_channel(arrival.at):
            continue
        head = node.head_from(port_link(arrival.at), arrival.octets)
        for sent in node.from_uplink(port_link(arrival.at), arrival.octets):
            assert tables.functions[sent.port].up
            whole = bare(arrival.octets, head.kind)
            assert sent.octets in (whole, whole[:12] + whole[16:])
            if head.looped or (head.kind is ChannelKind.ETAG and head.list):
                assert port_channel(sent.port) != head.source


@given(bridge_traffic(consistent=True))
def test_a_bridge_changes_nothing_but_tags_and_a_dscp(
    traffic: tuple[BridgeTables, list[Arrival]],
) -> None:
    tables, arrivals = traffic
    node = Bridge(tables=tables)
    for arrival in arrivals:
        came = node.frame_from(port_link(arrival.at), arrival.octets).head
        decision = at_bridge(arrival, tables)
        inner = bare(write_dscp(arrival.octets, came, decision.dscp), came.kind)[12 + 4 * decision.unwrapped :]
        rest = inner[4 * inner.startswith(b"\x81\x00") :]
        for sent in node.receive(port_link(arrival.at), arrival.octets, NOW_NS):
            kind = tables.links[port_link(sent.port)]
            left = read_frame(sent.octets, kind).head
            if kind is ChannelKind.VEPA:
                assert (left.kind, left.tag_vid) == (None, decision.vlan)
            else:
                assert left.kind is kind or channel_of(left, kind) == port_channel(sent.port)
            assert sent.octets[:12] == arrival.octets[:12]
            assert sent.octets.endswith(rest)
            service = tables.terms_of(tables.ports.get(sent.port, Port())).service
            assert not service or (left.tpid, left.tci & 0xFFF) == (0x88A8, service)
            assert len(bare(sent.octets, left.kind)) - 12 - len(rest) - 4 * bool(service) in (0, 4)
