# SPDX-License-Identifier: Apache-2.0
"""The promises that the rules alone can keep, each by an example; the numbers are those of the design."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from openfex.model.drops import DropReason
from openfex.model.layout import NetworkPort
from openfex.model.policy import Policy, Rule
from openfex.model.values import BROADCAST, ChannelKind, Mac, port_number
from openfex.rules.bridge import decide_bridge
from openfex.rules.decision import Decision, Verdict
from openfex.rules.engine import Bridge, Extender, up_tag
from openfex.rules.extender import decide_up
from openfex.rules.head import ECP, LLDP, read_head
from openfex.rules.policy import read_frame
from openfex.rules.tables import BridgeTables, Station
from openfex.testing.fabric import Fabric, Spot
from openfex.testing.layouts import LayoutBuilder, access, trunk
from openfex.testing.tables import all_down
from openfex.wire import ETag, Frame, Tag, VlanTag, VnTag
from openfex.wire.tlv import NEAREST_CUSTOMER_BRIDGE as NCB
from tests.unit.rules.lab import (
    H1,
    H2,
    NET1,
    NET2,
    OTHER_STATION,
    SECOND_NS,
    STATION,
    bridge_tables,
    extender_tables,
    frame,
    layout,
    mac,
    vnic,
)


def at_bridge(link: int, octets: bytes, tables: BridgeTables | None = None, now_ns: int = 0) -> Decision:
    return decide_bridge(read_frame(octets), link, now_ns, tables or bridge_tables())


def from_function(channel: int, octets: bytes) -> Decision:
    return decide_up(read_head(octets), port_number(1, channel), extender_tables("h1"))


# P1: only in its own channel, and only through the bridge.


def test_p1_a_function_s_frames_leave_only_by_the_uplink_in_its_own_channel() -> None:
    host = Extender(tables=extender_tables("h1"))
    (sent,) = host.from_function(port_number(1, 2), frame(mac(H1, 1), mac(H1, 2)))
    assert sent.port == port_number(1)
    assert Frame.decode(sent.octets).tags == (VnTag(svif=2),)


def test_p1_two_functions_of_one_host_meet_only_at_the_bridge() -> None:
    fabric = Fabric(layout())
    out = fabric.from_function("h1", port_number(1, 1), frame(mac(H1, 2), mac(H1, 1)))
    assert out == [vnic(H1, 2)]
    assert fabric.bridges["sw-a"].counters[port_number(H1, 1)].in_frames == 1
    assert fabric.bridges["sw-a"].counters[port_number(H1, 2)].out_frames == 1


@pytest.mark.parametrize("judged", list(product((False, True), repeat=3)))
@pytest.mark.parametrize("sender", range(3))
def test_p1_a_broadcast_reaches_everybody_whoever_is_judged_alone(judged: tuple[bool, ...], sender: int) -> None:
    builder = LayoutBuilder()
    host = builder.host("h", ChannelKind.ETAG, [builder.bridge("sw")], [1, 2, 3])
    policies = [Policy(acl_out=(Rule(True),)) if alone else Policy() for alone in judged]
    bound = [builder.bind(host, 1 + index, access(10, policy)) for index, policy in enumerate(policies)]
    fabric = Fabric(builder.layout())
    reached = fabric.from_function("h", bound[sender].host_port, frame(BROADCAST, bound[sender].mac))
    assert sorted(spot.port for spot in reached) == [one.host_port for one in bound if one is not bound[sender]]


def test_p1_a_broadcast_reaches_everybody_in_the_vlan_once_and_not_its_sender() -> None:
    fabric = Fabric(layout())
    out = fabric.from_function("h1", port_number(1, 1), frame(BROADCAST, mac(H1, 1)))
    assert sorted(out, key=str) == sorted([vnic(H1, 2), vnic(H1, 4), vnic(H2, 1), Spot("sw-a", NET1)], key=str)


# P2: a VF is what its port says.


@pytest.mark.parametrize("tag", [VnTag(svif=2), VnTag(direction=1, dvif=2), ETag(ecid=2), ETag(ecid=1, grp=1)])
@pytest.mark.parametrize("outer", [(), (VlanTag(10),), (VlanTag(10), VlanTag(20))])
def test_p2_a_machine_that_forges_a_channel_tag_is_dropped_at_its_port(outer: tuple[Tag, ...], tag: Tag) -> None:
    assert from_function(1, frame(mac(H1, 2), mac(H1, 1), *outer, tag)).reason is DropReason.FORGED_TAG


@pytest.mark.parametrize("last", range(16))
def test_p2_a_machine_cannot_speak_as_its_host(last: int) -> None:
    """No LLDP, no ECP, no spanning tree out of a VF: 01-80-C2-00-00-00 to -0F end at the first port."""
    dst = Mac(b"\x01\x80\xc2\0\0" + bytes([last]))
    decision = from_function(1, frame(dst, mac(H1, 1)))
    assert decision.reason is (DropReason.LINK_LOCAL if last else DropReason.BPDU)


@pytest.mark.parametrize("ethertype", [LLDP, ECP])
@pytest.mark.parametrize("kind", list(ChannelKind))
def test_p2_signalling_is_taken_from_the_uplink_itself_and_from_no_machine(kind: ChannelKind, ethertype: int) -> None:
    builder = LayoutBuilder()
    host = builder.host("h", kind, [builder.bridge("sw")], [2, 3])
    one = builder.bind(host, 2, access(10))
    fabric = Fabric(builder.layout())
    octets = Frame(NCB, one.mac, ethertype, bytes(46)).encode()
    assert fabric.from_function("h", one.host_port, octets) == []
    extender, bridge = fabric.hosts["h"], fabric.bridges["sw"]
    assert extender.drops == {(one.host_port, DropReason.BPDU): 1}
    in_channel = octets[:12] + up_tag(kind, 2, 10 if kind is ChannelKind.VEPA else 0) + octets[12:]
    assert bridge.receive(one.uplink.bridge_link, in_channel, 0) == []
    assert (bridge.drops[one.bridge_port, DropReason.BPDU], bridge.totals.control) == (1, 0)
    assert bridge.receive(one.uplink.bridge_link, octets, 0) == extender.from_uplink(one.uplink.host_link, octets) == []
    assert (bridge.totals.control, extender.totals.control) == (1, 1)
    assert bridge.drops.total() + extender.drops.total() == 2, "and it is no port's frame"


def test_p2_a_per_vlan_bpdu_is_one_too() -> None:
    pvst = Mac.parse("01:00:0c:cc:cc:cd")
    assert from_function(1, frame(pvst, mac(H1, 1), VlanTag(10))).reason is DropReason.BPDU


@pytest.mark.parametrize("src", [mac(H1, 2), STATION, Mac(bytes(6)), BROADCAST])
def test_p2_a_machine_cannot_use_another_address(src: Mac) -> None:
    assert at_bridge(H1, frame(mac(H2, 1), src, VnTag(svif=1))).reason is DropReason.SPOOFED_SOURCE


def test_p2_a_machine_on_an_access_port_cannot_choose_a_vlan() -> None:
    decision = at_bridge(H1, frame(BROADCAST, mac(H1, 1), VnTag(svif=1), VlanTag(20)))
    assert decision.reason is DropReason.VLAN_NOT_ALLOWED


def test_p2_a_priority_tag_is_no_choice_and_keeps_its_priority() -> None:
    decision = at_bridge(H1, frame(STATION, mac(H1, 1), VnTag(svif=1), VlanTag(0, pcp=5)))
    assert (decision.vlan, decision.tci) == (10, VlanTag(10, pcp=5).tci)


def test_p2_a_trunk_may_use_its_vlans_and_no_others() -> None:
    allowed, forbidden = (frame(BROADCAST, mac(H1, 4), VnTag(svif=4), VlanTag(vid)) for vid in (20, 30))
    assert at_bridge(H1, allowed).vlan == 20
    assert at_bridge(H1, forbidden).reason is DropReason.VLAN_NOT_ALLOWED


def test_p2_a_service_tag_is_refused_at_an_access_port_and_data_on_a_trunk() -> None:
    tag = VlanTag(20, tpid=VlanTag.S_TPID)
    assert at_bridge(H1, frame(BROADCAST, mac(H1, 1), VnTag(svif=1), tag)).reason is DropReason.VLAN_NOT_ALLOWED
    assert at_bridge(H1, frame(BROADCAST, mac(H1, 4), VnTag(svif=4), tag)).vlan == 10


def test_p2_three_vlan_tags_are_too_many() -> None:
    tags = (VlanTag(10), VlanTag(10), VlanTag(10))
    assert from_function(1, frame(BROADCAST, mac(H1, 1), *tags)).reason is DropReason.TOO_MANY_TAGS


# P3: no profile, no traffic.


def test_p3_a_function_without_a_profile_sends_nothing() -> None:
    assert from_function(3, frame(BROADCAST, mac(H1, 3))).reason is DropReason.PORT_DOWN


def test_p3_a_function_that_was_never_carved_is_unknown() -> None:
    assert from_function(5, frame(BROADCAST, mac(H1, 5))).reason is DropReason.UNKNOWN_CHANNEL


def test_p3_a_veth_without_a_profile_takes_no_part() -> None:
    tables = all_down(bridge_tables())
    assert at_bridge(H1, frame(BROADCAST, mac(H1, 1), VnTag(svif=1)), tables).reason is DropReason.PORT_DOWN
    assert at_bridge(1, frame(BROADCAST, STATION, VlanTag(10)), tables).reason is DropReason.NO_RECEIVER


def test_p3_what_is_for_a_veth_that_went_down_is_dropped_not_flooded() -> None:
    tables = bridge_tables()
    tables.ports[port_number(H2, 1)] = all_down(tables).ports[port_number(H2, 1)]
    assert at_bridge(H1, frame(mac(H2, 1), mac(H1, 1), VnTag(svif=1)), tables).reason is DropReason.PORT_DOWN


def test_p3_what_does_not_belong_to_a_channel_does_not_enter() -> None:
    for tag in ((), (ETag(ecid=1),), (VlanTag(10),)):
        assert at_bridge(H1, frame(BROADCAST, mac(H1, 1), *tag)).reason is DropReason.NOT_IN_CHANNEL
    assert at_bridge(9, frame(BROADCAST, STATION)).reason is DropReason.NOT_IN_CHANNEL


@pytest.mark.parametrize("length", range(14 + VnTag.LENGTH + VlanTag.LENGTH))
def test_p3_a_frame_that_ends_inside_its_head_is_dropped(length: int) -> None:
    octets = frame(STATION, mac(H1, 4), VnTag(svif=4), VlanTag(20))[:length]
    assert at_bridge(H1, octets).reason is DropReason.TRUNCATED


# P11: to the network the bridge is an end host.


def test_p11_nothing_goes_from_network_port_to_network_port() -> None:
    tables = bridge_tables()
    tables.stations[OTHER_STATION, 10] = Station(NET2, 0)
    known = at_bridge(1, frame(OTHER_STATION, STATION, VlanTag(10)), tables)
    assert known.reason is DropReason.NETWORK_TO_NETWORK
    for dst in (BROADCAST, Mac.parse("02:00:00:00:00:99"), Mac.parse("01:00:5e:00:00:01")):
        decision = at_bridge(1, frame(dst, STATION, VlanTag(10)), tables)
        assert (decision.verdict, decision.out) == (Verdict.FLOOD, 0)


def test_p11_a_flood_from_the_network_reaches_only_the_veths_pinned_to_that_port() -> None:
    fabric = Fabric(layout())
    net1, net2 = layout().bridges[0].ports
    assert set(fabric.from_network(net1, frame(BROADCAST, STATION, VlanTag(10)))) == {
        vnic(H1, 1),
        vnic(H1, 2),
        vnic(H1, 4),
    }
    assert fabric.from_network(net2, frame(BROADCAST, OTHER_STATION)) == [vnic(H2, 1)]


def test_p11_a_veth_is_reached_only_through_the_network_port_it_is_pinned_to() -> None:
    assert at_bridge(1, frame(mac(H1, 1), STATION, VlanTag(10))).out == port_number(H1, 1)
    assert at_bridge(1, frame(mac(H2, 1), STATION, VlanTag(10))).reason is DropReason.NOT_PINNED


def test_p11_a_veth_sends_to_the_network_only_through_its_pin_wherever_a_station_was_learnt() -> None:
    tables = bridge_tables()
    tables.stations[STATION, 10] = Station(NET2, 0)
    decision = at_bridge(H1, frame(STATION, mac(H1, 1), VnTag(svif=1)), tables)
    assert (decision.verdict, decision.out) == (Verdict.DELIVER, NET1)


def test_p11_our_own_frames_that_come_back_from_the_network_are_dropped_and_forgotten() -> None:
    bridge = Bridge(tables=bridge_tables())
    bridge.tables.stations[mac(H1, 1), 10] = Station(NET2, 0, epoch=-1)
    assert bridge.receive(2, frame(BROADCAST, mac(H1, 1)), 0) == []
    assert bridge.drops == {(NET2, DropReason.OWN_SOURCE): 1}
    assert bridge.tables.stations == {}


SWITCHES = {"sw-a": 1, "sw-b": 4, "sw-c": 7}
"""Three bridges, and the channel of the first of each one's three vEths."""


def joined() -> Fabric:
    """Joined pairwise by peers for VLAN 10. Each has a vEth that is pinned, one that is not, and one in VLAN 20."""
    builder = LayoutBuilder()
    ups = {name: builder.port(builder.bridge(name), trunk({10, 20})) for name in SWITCHES}
    for one, other in combinations(SWITCHES, 2):
        builder.wire(builder.port(one, trunk({10}), peer=True), builder.port(other, trunk({10}), peer=True))
    for name, first in SWITCHES.items():
        host = builder.host(f"h-{name}", ChannelKind.ETAG, [name], range(first, first + 3))
        builder.bind(host, first, access(10), ups[name])
        builder.bind(host, first + 1, access(10))
        builder.bind(host, first + 2, access(20), ups[name])
    return Fabric(builder.layout())


def spot(name: str, which: int) -> Spot:
    return Spot(f"h-{name}", port_number(1, SWITCHES[name] + which))


def say(fabric: Fabric, name: str, which: int, dst: Mac) -> list[Spot]:
    """Where it comes out what the nth vEth of a bridge sends."""
    sender = spot(name, which)
    return fabric.from_function(sender.node, sender.port, frame(dst, mac(H1, SWITCHES[name] + which)))


@pytest.mark.parametrize(("name", "which"), [("sw-a", 0), ("sw-b", 1), ("sw-c", 0)])
def test_p11_a_peer_takes_what_any_veth_sends_and_gives_it_to_any_once(name: str, which: int) -> None:
    reached = say(joined(), name, which, BROADCAST)
    members = {spot(one, number) for one in SWITCHES for number in (0, 1)} - {spot(name, which)}
    assert sorted(reached, key=str) == sorted(members | ({Spot(name, NET1)} if which == 0 else set()), key=str)


def test_p11_a_peer_takes_nothing_of_vlans_it_does_not_carry() -> None:
    assert say(joined(), "sw-a", 2, BROADCAST) == [Spot("sw-a", NET1)]


def test_p11_what_the_network_sends_leaves_by_no_peer() -> None:
    up = NetworkPort("sw-a", "net1", 1, trunk({10, 20}))
    assert joined().from_network(up, frame(BROADCAST, STATION, VlanTag(10))) == [spot("sw-a", 0)]


def test_p11_a_station_behind_a_peer_is_learnt_and_reached_there() -> None:
    fabric = joined()
    say(fabric, "sw-b", 1, BROADCAST)
    assert say(fabric, "sw-a", 0, mac(H1, SWITCHES["sw-b"] + 1)) == [spot("sw-b", 1)]
    assert say(fabric, "sw-b", 1, mac(H1, SWITCHES["sw-a"])) == [spot("sw-a", 0)]
    assert fabric.dropped == 0


def test_p11_bpdus_from_the_network_go_nowhere() -> None:
    bpdu = Mac.parse("01:80:c2:00:00:00")
    assert at_bridge(2, frame(bpdu, STATION)).reason is DropReason.BPDU


def test_p11_however_it_is_cabled_there_is_no_loop() -> None:
    """Two bridges, joined twice, one also to itself: every frame comes to an end, and none twice to one place."""
    builder = LayoutBuilder()
    ports = {name: [builder.port(builder.bridge(name), access(10))] for name in ("sw-a", "sw-b")}
    for name, of in ports.items():
        of.extend(builder.port(name, access(10)) for _ in range(3))
    for index in range(2):
        builder.wire(ports["sw-a"][index], ports["sw-b"][index])
    builder.wire(ports["sw-a"][2], ports["sw-a"][3])
    for number, name in enumerate(("sw-a", "sw-b")):
        host = builder.host(f"h{number}", ChannelKind.ETAG, [name], [1, 2, 3, 4])
        for channel, pin in enumerate(ports[name], start=1):
            builder.bind(host, channel, access(10), pin)
    fabric = Fabric(builder.layout())
    for channel in range(1, 5):
        out = fabric.from_function("h0", port_number(1, channel), frame(BROADCAST, mac(16, channel)))
        assert len(out) == len(set(out))
        assert Spot("h0", port_number(1, channel)) not in out


# What is learnt, and for how long.


def test_a_station_is_where_it_was_heard_last_until_it_is_too_old() -> None:
    bridge = Bridge(tables=bridge_tables())
    bridge.receive(1, frame(BROADCAST, STATION, VlanTag(10)), 0)
    to_station = frame(STATION, mac(H1, 1), VnTag(svif=1))
    assert len(bridge.receive(H1, to_station, bridge.tables.ageing_ns - 1)) == 1
    assert len(bridge.receive(H1, to_station, bridge.tables.ageing_ns)) > 1
    bridge.sweep(bridge.tables.ageing_ns + 1)
    assert (bridge.tables.stations, bridge.totals.aged) == ({}, 1)


def test_the_same_address_in_two_vlans_is_two_stations() -> None:
    bridge = Bridge(tables=bridge_tables())
    for vid in (10, 20):
        bridge.receive(1, frame(BROADCAST, STATION, VlanTag(vid)), 0)
    assert set(bridge.tables.stations) == {(STATION, 10), (STATION, 20)}
    assert bridge.totals.learnt == 2


def test_an_address_is_written_at_most_once_a_second() -> None:
    bridge = Bridge(tables=bridge_tables())
    for now_ns in (0, SECOND_NS, SECOND_NS + 1):
        bridge.receive(1, frame(BROADCAST, STATION, VlanTag(10)), now_ns)
    assert bridge.tables.stations[STATION, 10].seen_ns == SECOND_NS + 1
    bridge.receive(1, frame(BROADCAST, STATION, VlanTag(10)), 2 * SECOND_NS)
    assert bridge.tables.stations[STATION, 10].seen_ns == SECOND_NS + 1


def test_when_the_table_is_full_frames_pass_and_it_is_counted() -> None:
    bridge = Bridge(tables=bridge_tables())
    bridge.tables.most_stations = 1
    for src in (STATION, OTHER_STATION):
        assert bridge.receive(1, frame(mac(H1, 1), src, VlanTag(10)), 0)
    assert list(bridge.tables.stations) == [(STATION, 10)]
    assert bridge.totals.not_learnt == 1
