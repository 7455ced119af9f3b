# SPDX-License-Identifier: Apache-2.0
"""VN-Tag: who sets what, and what the bridge and the adapter do with it; one test a rule of the specification."""

from __future__ import annotations

import pytest

from openfex.model.drops import DropReason
from openfex.model.values import BROADCAST, port_number
from openfex.rules.bridge import decide_bridge
from openfex.rules.engine import Bridge, Extender
from openfex.rules.extender import decide_down, decide_up
from openfex.rules.head import read_head
from openfex.rules.policy import read_frame
from openfex.rules.tables import ExtenderTables
from openfex.wire import ETag, Frame, VlanTag, VnTag
from tests.unit.rules.lab import H1, NET1, OTHER_STATION, STATION, bridge_tables, extender_tables, frame, mac


def tag_of(octets: bytes) -> VnTag:
    tag = Frame.decode(octets).outer
    assert isinstance(tag, VnTag)
    return tag


def up(channel: int, octets: bytes) -> list[bytes]:
    return [one.octets for one in Extender(tables=extender_tables("h1")).from_function(port_number(1, channel), octets)]


def down(tag: VnTag, *, tables: ExtenderTables | None = None) -> tuple[DropReason, int]:
    octets = frame(BROADCAST, STATION, tag)
    decision = decide_down(read_head(octets), 1, tables or extender_tables("h1"))
    return decision.reason, decision.out


def at_bridge(octets: bytes) -> DropReason:
    return decide_bridge(read_frame(octets), H1, 0, bridge_tables()).reason


def list_of(vlan: int, scope: int = 0) -> int:
    return bridge_tables().floods[scope, vlan].list_id


# 1.3 Who sets what.


def test_adapter_to_bridge_names_the_source_and_nothing_else() -> None:
    (octets,) = up(4, frame(STATION, mac(H1, 4)))
    assert tag_of(octets) == VnTag(direction=0, pointer=0, dvif=0, looped=0, svif=4)


def test_bridge_to_vif_names_the_target_and_no_source() -> None:
    (sent,) = Bridge(tables=bridge_tables()).receive(1, frame(mac(H1, 2), STATION, VlanTag(10)), 0)
    assert tag_of(sent.octets) == VnTag(direction=1, dvif=2)


def test_bridge_to_vif_behind_the_same_adapter_is_looped_and_names_the_source() -> None:
    (sent,) = Bridge(tables=bridge_tables()).receive(H1, frame(mac(H1, 2), mac(H1, 1), VnTag(svif=1)), 0)
    assert tag_of(sent.octets) == VnTag(direction=1, dvif=2, looped=1, svif=1)


def test_bridge_to_a_list_points_and_names_the_source_only_to_its_own_adapter() -> None:
    bridge = Bridge(tables=bridge_tables())
    own = next(
        one for one in bridge.receive(H1, frame(BROADCAST, mac(H1, 1), VnTag(svif=1)), 0) if one.port >> 12 == H1
    )
    assert tag_of(own.octets) == VnTag(direction=1, pointer=1, dvif=list_of(10), looped=1, svif=1)
    (foreign,) = bridge.receive(1, frame(BROADCAST, STATION, VlanTag(10)), 0)
    assert tag_of(foreign.octets) == VnTag(direction=1, pointer=1, dvif=list_of(10, scope=1))


# 1.4 The controlling bridge.


def test_1_4_1_the_tag_is_required_and_source_and_port_name_the_veth() -> None:
    decision = decide_bridge(read_frame(frame(STATION, mac(H1, 2), VnTag(svif=2))), H1, 0, bridge_tables())
    assert decision.port == port_number(H1, 2)
    assert at_bridge(frame(STATION, mac(H1, 2))) is DropReason.NOT_IN_CHANNEL
    assert at_bridge(frame(STATION, mac(H1, 2), ETag(ecid=2))) is DropReason.NOT_IN_CHANNEL


def test_1_4_2_the_tag_is_taken_off_and_the_frame_bridged() -> None:
    bridge = Bridge(tables=bridge_tables())
    bridge.receive(1, frame(BROADCAST, STATION, VlanTag(10)), 0)
    (sent,) = bridge.receive(H1, frame(STATION, mac(H1, 1), VnTag(svif=1), VlanTag(0, pcp=3)), 0)
    assert (sent.port, sent.octets) == (NET1, frame(STATION, mac(H1, 1), VlanTag(10, pcp=3)))


def test_1_4_3_a_veth_s_tag_is_pushed_outermost() -> None:
    (sent,) = Bridge(tables=bridge_tables()).receive(1, frame(mac(H1, 4), STATION, VlanTag(20, pcp=6)), 0)
    assert Frame.decode(sent.octets).tags == (VnTag(direction=1, dvif=4), VlanTag(20, pcp=6))


def test_1_4_4_a_flood_is_one_copy_an_uplink() -> None:
    sent = Bridge(tables=bridge_tables()).receive(H1, frame(BROADCAST, mac(H1, 1), VnTag(svif=1)), 0)
    assert sorted(one.port for one in sent) == [NET1, port_number(16), port_number(17)]


def test_1_4_5_a_frame_goes_back_out_of_the_port_it_came_by() -> None:
    (sent,) = Bridge(tables=bridge_tables()).receive(H1, frame(mac(H1, 4), mac(H1, 1), VnTag(svif=1)), 0)
    assert sent.port == port_number(H1, 4)


# 1.5 The adapter.


def test_1_5_uplink_ingress_discards_what_has_no_tag_and_looks_at_no_vlan() -> None:
    tables = extender_tables("h1")
    for tag in ((), (ETag(ecid=1),), (VlanTag(10),)):
        assert decide_down(read_head(frame(BROADCAST, STATION, *tag)), 1, tables).reason is DropReason.NOT_IN_CHANNEL
    octets = frame(mac(H1, 1), STATION, VnTag(direction=1, dvif=1), VlanTag(99))
    assert decide_down(read_head(octets), 1, tables).out == port_number(1, 1)


def test_1_5_downlink_ingress_discards_what_has_a_tag_and_switches_nothing() -> None:
    tables, port = extender_tables("h1"), port_number(1, 1)
    assert decide_up(read_head(frame(STATION, mac(H1, 1), VnTag(svif=1))), port, tables).reason is DropReason.FORGED_TAG
    assert decide_up(read_head(frame(mac(H1, 2), mac(H1, 1))), port, tables).out == port_number(1)


def test_1_5_downlink_egress_deletes_the_tag() -> None:
    octets = frame(mac(H1, 1), STATION, VnTag(direction=1, dvif=1), VlanTag(7))
    (sent,) = Extender(tables=extender_tables("h1")).from_uplink(1, octets)
    assert sent.octets == frame(mac(H1, 1), STATION, VlanTag(7))


def test_1_5_downlink_egress_prunes_the_source_of_a_looped_frame_only() -> None:
    assert down(VnTag(direction=1, dvif=1, looped=1, svif=1))[0] is DropReason.SOURCE_PRUNED
    assert down(VnTag(direction=1, dvif=1, looped=0, svif=1)) == (DropReason.NONE, port_number(1, 1))
    assert down(VnTag(direction=1, dvif=1, looped=1, svif=2)) == (DropReason.NONE, port_number(1, 1))


@pytest.mark.parametrize(("looped", "receivers"), [(1, {2, 4}), (0, {1, 2, 4})])
def test_1_5_the_same_holds_for_each_member_of_a_list(looped: int, receivers: set[int]) -> None:
    tag = VnTag(direction=1, pointer=1, dvif=list_of(10), looped=looped, svif=1)
    sent = Extender(tables=extender_tables("h1")).from_uplink(1, frame(BROADCAST, mac(H1, 1), tag, VlanTag(10)))
    assert {one.port & 0xFFF for one in sent} == receivers


def test_1_5_vifs_and_lists_are_two_name_spaces() -> None:
    tables = extender_tables("h1")
    tables.lists[1, 2] = tables.lists[1, list_of(10)]
    octets = frame(BROADCAST, STATION, VnTag(direction=1, pointer=1, dvif=2))
    assert decide_down(read_head(octets), 1, tables).list_id == 2
    assert down(VnTag(direction=1, dvif=2), tables=tables) == (DropReason.NONE, port_number(1, 2))


def test_1_5_each_end_drops_what_has_the_other_s_direction() -> None:
    assert at_bridge(frame(STATION, mac(H1, 1), VnTag(direction=1, svif=1))) is DropReason.WRONG_DIRECTION
    assert down(VnTag(direction=0, dvif=1))[0] is DropReason.WRONG_DIRECTION


def test_1_5_an_unknown_source_is_dropped_by_the_bridge_and_an_unknown_target_by_the_adapter() -> None:
    for channel in (0, 9, 4095):
        assert at_bridge(frame(STATION, mac(H1, 1), VnTag(svif=channel))) is DropReason.UNKNOWN_CHANNEL
    for channel in (0, 9, 4095, 0x3FFF):
        assert down(VnTag(direction=1, dvif=channel))[0] is DropReason.UNKNOWN_CHANNEL
    assert down(VnTag(direction=1, pointer=1, dvif=0x3FFF))[0] is DropReason.UNKNOWN_LIST


def test_1_1_a_version_that_we_do_not_speak_is_dropped_and_the_reserved_bit_ignored() -> None:
    assert at_bridge(frame(STATION, mac(H1, 1), VnTag(svif=1, version=1))) is DropReason.BAD_TAG
    assert down(VnTag(direction=1, dvif=1, version=3))[0] is DropReason.BAD_TAG
    assert at_bridge(frame(OTHER_STATION, mac(H1, 1), VnTag(svif=1, reserved=1))) is DropReason.NONE


def test_1_1_a_list_is_nothing_that_an_adapter_may_send_to() -> None:
    assert at_bridge(frame(STATION, mac(H1, 1), VnTag(pointer=1, svif=1))) is DropReason.BAD_TAG
