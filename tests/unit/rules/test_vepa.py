# SPDX-License-Identifier: Apache-2.0
"""VEPA: without a channel's tag a frame's C-tag says its VLAN, and its MAC whose it is (802.1Qbg).

h (VEPA)    1: access 10    2: access 10    3: trunk (20 tagged, 10 native)    4: access 20    5: carved, not bound
"""

from __future__ import annotations

import pytest

from openfex.model.drops import DropReason
from openfex.model.layout import Host
from openfex.model.limits import FIRST_UPLINK
from openfex.model.policy import Policy, Rule, Source
from openfex.model.values import BROADCAST, ChannelKind, Mac, port_number
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.rules.decision import Decision, Verdict
from openfex.rules.extender import decide_down
from openfex.rules.tables import Function, Members
from openfex.testing.fabric import Fabric, Spot
from openfex.testing.layouts import LayoutBuilder, access, trunk, veth_mac
from openfex.wire import ETag, Frame, Tag, VlanTag

LINK = FIRST_UPLINK
STATION = Mac.parse("02:00:00:00:00:01")
LEARNER = Mac.parse("02:00:00:00:00:02")
NET = Spot("sw", port_number(1))


def build() -> tuple[LayoutBuilder, Host]:
    builder = LayoutBuilder()
    net = builder.port(builder.bridge("sw"), trunk({10, 20}))
    host = builder.host("h", ChannelKind.VEPA, ["sw"], [1, 2, 3, 4, 5])
    for channel, profile in enumerate((access(10), access(10), trunk({20}, native=10), access(20)), start=1):
        builder.bind(host, channel, profile, net)
    return builder, host


def fabric() -> Fabric:
    return Fabric(build()[0].layout())


def mac(channel: int) -> Mac:
    return veth_mac(LINK, channel)


def at(channel: int) -> Spot:
    return Spot("h", port_number(1, channel))


def frame(dst: Mac, src: Mac, *tags: Tag) -> bytes:
    return Frame(dst, src, 0x1234, bytes(46), tags).encode()


def send(fabric: Fabric, channel: int, dst: Mac, *tags: Tag, src: Mac | None = None) -> dict[Spot, bytes]:
    fabric.delivered.clear()
    fabric.from_function("h", port_number(1, channel), frame(dst, src or mac(channel), *tags))
    return dict(fabric.delivered)


def test_an_extender_s_tables_say_vlans_and_addresses() -> None:
    plan = build()[0].layout()
    tables = compile_extender(plan, plan.host("h"), {"sw": compile_bridge(plan, "sw")})
    assert tables.functions[port_number(1, 1)] == Function(up=True, vepa=True, vlan=10)
    assert tables.functions[port_number(1, 3)] == Function(up=True, vepa=True, vlan=10, trunk=True)
    assert tables.functions[port_number(1, 5)] == Function()
    assert tables.lists == {
        (1, 10): Members(untagged=frozenset({1, 2, 3})),
        (1, 20): Members(frozenset({3}), frozenset({4})),
    }
    assert tables.owners == {(1, mac(channel)): port_number(1, channel) for channel in (1, 2, 3, 4)}


def test_a_profile_s_addresses_are_its_function_s() -> None:
    builder, host = LayoutBuilder(), None
    builder.bridge("sw")
    host = builder.host("h", ChannelKind.VEPA, ["sw"], [1])
    builder.bind(host, 1, access(10, Policy(source=Source(macs=(STATION,)))))
    plan = builder.layout()
    tables = compile_extender(plan, host, {"sw": compile_bridge(plan, "sw")})
    assert tables.owners[1, STATION] == port_number(1, 1)
    assert send(Fabric(plan), 1, BROADCAST, src=STATION) == {}


@pytest.mark.parametrize("tags", [(), (VlanTag(0, pcp=5),)])
def test_what_is_sent_untagged_bears_its_vlan_on_the_uplink_and_nowhere_else(tags: tuple[VlanTag, ...]) -> None:
    assert send(fabric(), 1, mac(2), *tags) == {at(2): frame(mac(2), mac(1))}
    assert send(fabric(), 1, mac(3), *tags) == {at(3): frame(mac(3), mac(1))}


def test_a_trunk_s_tag_stays() -> None:
    assert send(fabric(), 3, mac(4), VlanTag(20, pcp=3)) == {at(4): frame(mac(4), mac(3))}
    assert send(fabric(), 4, mac(3)) == {at(3): frame(mac(3), mac(4), VlanTag(20))}


def test_a_priority_is_kept_on_the_way() -> None:
    found = send(fabric(), 1, STATION, VlanTag(0, pcp=5, dei=1))
    assert found[NET] == frame(STATION, mac(1), VlanTag(10, pcp=5, dei=1))


def test_a_broadcast_is_one_copy_on_the_uplink_and_comes_to_all_but_its_sender() -> None:
    one = fabric()
    found = send(one, 3, BROADCAST, VlanTag(20))
    assert found == {at(4): frame(BROADCAST, mac(3)), NET: frame(BROADCAST, mac(3), VlanTag(20))}
    assert send(one, 1, BROADCAST).keys() == {at(2), at(3), NET}
    assert one.bridges["sw"].counters[port_number(LINK)].out_broadcast == 2


def test_the_network_reaches_by_mac_and_by_vlan() -> None:
    one = fabric()
    port = next(iter(build()[0].layout().bridges[0].ports))
    one.from_network(port, frame(mac(1), STATION, VlanTag(10)))
    one.from_network(port, frame(mac(3), STATION, VlanTag(20)))
    assert dict(one.delivered) == {at(1): frame(mac(1), STATION), at(3): frame(mac(3), STATION, VlanTag(20))}
    one.delivered.clear()
    one.from_network(port, frame(BROADCAST, STATION, VlanTag(20)))
    assert dict(one.delivered).keys() == {at(3), at(4)}


@pytest.mark.parametrize("src", [mac(2), STATION, Mac(bytes(6)), BROADCAST])
def test_p2_a_forged_source_ends_at_its_function(src: Mac) -> None:
    one = fabric()
    assert send(one, 1, mac(3), src=src) == {}
    assert one.hosts["h"].drops == {(port_number(1, 1), DropReason.SPOOFED_SOURCE): 1}


@pytest.mark.parametrize(
    ("channel", "tags"),
    [
        (1, (VlanTag(10),)),
        (1, (VlanTag(20),)),
        (1, (VlanTag(0), VlanTag(20))),
        (1, (VlanTag(20, tpid=VlanTag.S_TPID),)),
    ],
)
def test_p2_an_access_port_s_tags_end_at_its_function(channel: int, tags: tuple[VlanTag, ...]) -> None:
    one = fabric()
    assert send(one, channel, mac(2), *tags) == {}
    assert one.hosts["h"].drops == {(port_number(1, channel), DropReason.VLAN_NOT_ALLOWED): 1}


def test_p2_a_trunk_s_other_vlans_end_at_its_veth() -> None:
    one = fabric()
    assert send(one, 3, BROADCAST, VlanTag(30)) == {}
    assert one.bridges["sw"].drops == {(port_number(LINK, 3), DropReason.VLAN_NOT_ALLOWED): 1}


def at_bridge(octets: bytes) -> tuple[int, DropReason]:
    one = fabric()
    one.bridges["sw"].receive(LINK, octets, 0)
    [(where, count)] = one.bridges["sw"].drops.items()
    assert count == 1
    return where


def test_what_a_bridge_cannot_tell_whose_it_is() -> None:
    uplink = port_number(LINK)
    assert at_bridge(frame(mac(2), mac(1))) == (uplink, DropReason.NOT_IN_CHANNEL)
    assert at_bridge(frame(mac(2), mac(1), VlanTag(0))) == (uplink, DropReason.NOT_IN_CHANNEL)
    assert at_bridge(frame(mac(2), mac(1), ETag(ecid=1))) == (uplink, DropReason.NOT_IN_CHANNEL)
    assert at_bridge(frame(mac(2), mac(1), VlanTag(10, tpid=VlanTag.S_TPID))) == (uplink, DropReason.NOT_IN_CHANNEL)
    assert at_bridge(frame(mac(2), STATION, VlanTag(10))) == (uplink, DropReason.UNKNOWN_CHANNEL)


@pytest.mark.parametrize("tags", [(VlanTag(20),), (VlanTag(10), VlanTag(7))])
def test_a_bridge_does_not_rely_on_the_host_for_vlans(tags: tuple[VlanTag, ...]) -> None:
    assert at_bridge(frame(mac(2), mac(1), *tags)) == (port_number(LINK, 1), DropReason.VLAN_NOT_ALLOWED)


def test_a_source_of_another_uplink_is_nobody_s_here() -> None:
    builder, _ = build()
    other = builder.host("h2", ChannelKind.VEPA, ["sw"], [1])
    builder.bind(other, 1, access(10))
    one = Fabric(builder.layout())
    one.bridges["sw"].receive(LINK, frame(mac(2), veth_mac(LINK + 1, 1), VlanTag(10)), 0)
    assert one.bridges["sw"].drops == {(port_number(LINK), DropReason.UNKNOWN_CHANNEL): 1}


def from_uplink(octets: bytes) -> Decision:
    extender = fabric().hosts["h"]
    return decide_down(extender.head_from(1, octets), 1, extender.tables)


def test_what_an_extender_does_not_take_from_its_uplink() -> None:
    assert from_uplink(frame(mac(1), STATION)).reason is DropReason.NOT_IN_CHANNEL
    assert from_uplink(frame(mac(1), STATION, ETag(ecid=1))).reason is DropReason.NOT_IN_CHANNEL
    assert from_uplink(frame(mac(1), STATION, VlanTag(20))).reason is DropReason.VLAN_MISMATCH
    assert from_uplink(frame(mac(1), STATION, VlanTag(30))).reason is DropReason.VLAN_MISMATCH
    assert from_uplink(frame(BROADCAST, STATION, VlanTag(30))).reason is DropReason.UNKNOWN_LIST
    assert from_uplink(frame(LEARNER, STATION, VlanTag(10))).verdict is Verdict.REPLICATE


def test_who_is_judged_alone_gets_no_flood_that_others_would_get_too() -> None:
    """Documents that ask for it are refused (`vepa-judges-out`); a bridge that has it does not let it pass unjudged."""
    builder, host = LayoutBuilder(), None
    builder.bridge("sw")
    host = builder.host("h", ChannelKind.VEPA, ["sw"], [1, 2])
    builder.bind(host, 1, access(10, Policy(acl_out=(Rule(True),))))
    builder.bind(host, 2, access(10))
    assert send(Fabric(builder.layout()), 2, BROADCAST) == {}
