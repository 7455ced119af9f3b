# SPDX-License-Identifier: Apache-2.0
"""E-Tag: one test a rule of IEEE 802.1BR forwarding (wire rules 2.4).

Rules 2 and 9 are about extenders behind extenders, rule 11 about link aggregation; neither is built.
"""

from __future__ import annotations

from openfex.model.drops import DropReason
from openfex.model.values import BROADCAST, port_number
from openfex.rules.bridge import decide_bridge
from openfex.rules.engine import Bridge, Extender, Sent
from openfex.rules.extender import decide_down, decide_up
from openfex.rules.head import read_head
from openfex.rules.policy import read_frame
from openfex.rules.tables import ExtenderTables, Function, Members
from openfex.wire import ETag, Frame, VlanTag, VnTag
from tests.unit.rules.lab import H1, H2, NET2, OTHER_STATION, STATION, bridge_tables, extender_tables, frame, mac

MANY = 0x1005


def tags_of(sent: Sent) -> tuple[object, ...]:
    return Frame.decode(sent.octets).tags


def down(tag: ETag, tables: ExtenderTables | None = None) -> tuple[DropReason, int]:
    decision = decide_down(read_head(frame(BROADCAST, STATION, tag)), 1, tables or extender_tables("h2"))
    return decision.reason, decision.out


def list_tag(number: int, ingress: int = 0) -> ETag:
    return ETag(ecid=number & 0xFFF, grp=number >> 12, ingress=ingress)


def extender_with_a_list() -> ExtenderTables:
    tables = extender_tables("h2")
    tables.lists[1, MANY] = Members(tagged=frozenset({1, 3}), untagged=frozenset({2}))
    return tables


def test_2_4_1_an_extended_port_rejects_tagged_frames_and_tags_with_its_own_ecid() -> None:
    host = Extender(tables=extender_tables("h2"))
    (sent,) = host.from_function(port_number(1, 2), frame(STATION, mac(H2, 2), VlanTag(7)))
    assert tags_of(sent) == (ETag(ecid=2, grp=0, ingress=0), VlanTag(7))
    for tag in (ETag(ecid=2), VnTag(svif=2)):
        decision = decide_up(read_head(frame(STATION, mac(H2, 2), tag)), port_number(1, 2), host.tables)
        assert decision.reason is DropReason.FORGED_TAG


def test_2_4_1_an_extended_port_switches_nothing_and_learns_nothing() -> None:
    decision = decide_up(read_head(frame(mac(H2, 1), mac(H2, 2))), port_number(1, 2), extender_tables("h2"))
    assert (decision.out, decision.source, decision.learnt) == (port_number(1), 2, None)


def test_2_4_3_the_bridge_maps_cascade_port_and_ecid_to_a_veth_and_strips_the_tag() -> None:
    bridge = Bridge(tables=bridge_tables())
    bridge.receive(2, frame(BROADCAST, OTHER_STATION), 0)
    (sent,) = bridge.receive(H2, frame(OTHER_STATION, mac(H2, 1), ETag(ecid=1, pcp=3, dei=1, ingress=77)), 0)
    assert (sent.port, sent.octets) == (NET2, frame(OTHER_STATION, mac(H2, 1)))
    assert bridge.counters[port_number(H2, 1)].in_frames == 1


def test_2_4_4_unicast_to_an_extended_port_has_grp_0_its_ecid_and_no_ingress() -> None:
    bridge = Bridge(tables=bridge_tables())
    (sent,) = bridge.receive(H1, frame(mac(H2, 1), mac(H1, 1), VnTag(svif=1)), 0)
    assert tags_of(sent) == (ETag(ecid=1),)
    (sent,) = bridge.receive(2, frame(mac(H2, 1), OTHER_STATION), 0)
    assert tags_of(sent) == (ETag(ecid=1),)


def test_2_4_5_a_flood_is_one_copy_a_cascade_port_with_the_group_s_ecid() -> None:
    tables = bridge_tables()
    number = tables.floods[0, 10].list_id
    assert number >> 12 in (1, 2, 3)
    sent = Bridge(tables=tables).receive(H1, frame(BROADCAST, mac(H1, 1), VnTag(svif=1)), 0)
    (copy,) = [one for one in sent if one.port == port_number(H2)]
    assert tags_of(copy) == (list_tag(number), VlanTag(10))


def test_2_4_5_the_ingress_ecid_names_the_source_on_its_own_cascade_port() -> None:
    tables = bridge_tables()
    tables.floods[0, 10] = type(tables.floods[0, 10])(frozenset({H1, H2}), frozenset({H1, H2}), MANY)
    sent = Bridge(tables=tables).receive(H2, frame(BROADCAST, mac(H2, 1), ETag(ecid=1)), 0)
    (copy,) = [one for one in sent if one.port == port_number(H2)]
    assert tags_of(copy) == (list_tag(MANY, ingress=1), VlanTag(10))


def test_2_4_6_grp_0_goes_to_exactly_one_extended_port() -> None:
    assert down(ETag(ecid=1)) == (DropReason.NONE, port_number(1, 1))
    assert down(ETag(ecid=2, ingress=2)) == (DropReason.NONE, port_number(1, 2))


def test_2_4_7_grp_1_to_3_goes_to_every_member_but_the_one_that_ingress_names() -> None:
    host = Extender(tables=extender_with_a_list())
    host.tables.functions[port_number(1, 3)] = Function(up=True)
    for ingress, receivers in ((0, {1, 2, 3}), (2, {1, 3}), (3, {1, 2})):
        sent = host.from_uplink(1, frame(BROADCAST, STATION, list_tag(MANY, ingress), VlanTag(10)))
        assert {one.port & 0xFFF for one in sent} == receivers


def test_2_4_7_a_member_without_a_profile_gets_nothing() -> None:
    sent = Extender(tables=extender_with_a_list()).from_uplink(
        1, frame(BROADCAST, STATION, list_tag(MANY), VlanTag(10))
    )
    assert {one.port & 0xFFF for one in sent} == {1, 2}


def test_2_4_8_the_tag_is_removed_and_the_vlan_tag_too_for_the_untagged_set() -> None:
    octets = frame(BROADCAST, STATION, list_tag(MANY), VlanTag(10, pcp=3))
    sent = {one.port & 0xFFF: one.octets for one in Extender(tables=extender_with_a_list()).from_uplink(1, octets)}
    assert sent == {1: frame(BROADCAST, STATION, VlanTag(10, pcp=3)), 2: frame(BROADCAST, STATION)}


def test_2_4_10_an_unknown_ecid_is_dropped_and_counted() -> None:
    host = Extender(tables=extender_tables("h2"))
    for tag in (ETag(ecid=9), ETag(ecid=0), ETag(ecid=4095), list_tag(0x3FFF)):
        assert host.from_uplink(1, frame(BROADCAST, STATION, tag)) == []
    uplink = port_number(1)
    assert host.drops == {(uplink, DropReason.UNKNOWN_CHANNEL): 3, (uplink, DropReason.UNKNOWN_LIST): 1}


def test_2_4_10_a_list_whose_members_are_all_down_has_no_receiver() -> None:
    host = Extender(tables=extender_tables("h2"))
    host.tables.lists[1, MANY] = Members(untagged=frozenset({3}))
    assert host.from_uplink(1, frame(BROADCAST, STATION, list_tag(MANY), VlanTag(10))) == []
    assert host.drops == {(port_number(1), DropReason.NO_RECEIVER): 1}


def test_2_1_a_base_port_extender_has_14_bits_and_drops_the_extensions() -> None:
    assert down(ETag(ecid=0x1001))[0] is DropReason.BAD_TAG
    assert down(ETag(ecid=1, ingress=0x1001))[0] is DropReason.BAD_TAG
    for tag in (ETag(ecid=0x1001), ETag(ecid=1, ingress=0x1001), ETag(ecid=1, grp=1)):
        octets = frame(STATION, mac(H2, 1), tag)
        assert decide_bridge(read_frame(octets), H2, 0, bridge_tables()).reason is DropReason.BAD_TAG


def test_2_1_the_reserved_bits_are_ignored() -> None:
    assert down(ETag(ecid=1, reserved=3)) == (DropReason.NONE, port_number(1, 1))
