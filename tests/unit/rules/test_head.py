# SPDX-License-Identifier: Apache-2.0
"""What a decision sees of a frame: one channel tag, outermost, up to three VLAN tags, and where octets end."""

from __future__ import annotations

import pytest

from openfex.model.drops import DropReason
from openfex.model.values import ChannelKind, Mac
from openfex.rules.head import Head, judge_head, read_head
from openfex.wire import ETag, Tag, VlanTag, VnTag
from tests.unit.rules.lab import OTHER_STATION, STATION, frame

C, S = VlanTag(20, pcp=3), VlanTag(30, tpid=VlanTag.S_TPID)
VN, E = VnTag(direction=1, dvif=3, looped=1, svif=4), ETag(ecid=5, grp=2, ingress=6)


def head_of(*tags: Tag) -> Head:
    return read_head(frame(STATION, OTHER_STATION, *tags))


def test_addresses_type_and_length() -> None:
    head = head_of()
    assert (head.dst, head.src, head.type, head.octets, head.whole) == (STATION, OTHER_STATION, 0x1234, 60, True)


def test_a_channel_tag_is_read_and_not_counted_in_the_length() -> None:
    vn, e = head_of(VN), head_of(E)
    assert (vn.kind, vn.target, vn.source, vn.down, vn.list, vn.looped) == (ChannelKind.VNTAG, 3, 4, True, False, True)
    assert (e.kind, e.target, e.source, e.list) == (ChannelKind.ETAG, 0x2005, 6, True)
    assert vn.octets == e.octets == 60


def test_the_outermost_vlan_tag_is_read_and_up_to_three_are_counted() -> None:
    assert (head_of(C, S).tpid, head_of(C, S).tci, head_of(C, S).vlan_tags) == (0x8100, C.tci, 2)
    assert (head_of(S, C).tpid, head_of(S, C).tag_vid) == (0x88A8, 0)
    assert [head_of(*[C] * count).vlan_tags for count in range(6)] == [0, 1, 2, 3, 3, 3]
    assert head_of(VN, C).octets == 64


def test_a_priority_tag_has_no_vlan_id() -> None:
    assert head_of(VlanTag(0, pcp=7)).tag_vid == 0


def test_a_channel_tag_behind_anything_is_the_frame_s_type_and_forged() -> None:
    for tags in ((VN, VN), (E, E), (VN, E), (C, VN), (C, S, E), (VN, C, E)):
        assert judge_head(head_of(*tags)) is DropReason.FORGED_TAG
    assert judge_head(head_of(VN, C, S)) is DropReason.NONE


@pytest.mark.parametrize("tags", [(), (C,), (VN,), (E,), (VN, C), (E, S, C)], ids=str)
def test_a_frame_cut_in_its_head_is_not_whole_and_one_cut_behind_it_is(tags: tuple[Tag, ...]) -> None:
    octets = frame(STATION, OTHER_STATION, *tags)
    head_length = 14 + sum(tag.LENGTH for tag in tags)
    assert [length for length in range(len(octets) + 1) if read_head(octets[:length]).whole] == list(
        range(head_length, len(octets) + 1)
    )


def test_too_many_tags_hide_what_is_behind_them() -> None:
    assert judge_head(head_of(C, C, C, VN)) is DropReason.TOO_MANY_TAGS


@pytest.mark.parametrize(
    ("dst", "reason"),
    [
        ("01:80:c2:00:00:00", DropReason.BPDU),
        ("01:00:0c:cc:cc:cd", DropReason.BPDU),
        ("01:80:c2:00:00:01", DropReason.LINK_LOCAL),
        ("01:80:c2:00:00:0f", DropReason.LINK_LOCAL),
        ("01:80:c2:00:00:10", DropReason.NONE),
        ("01:80:c2:00:01:00", DropReason.NONE),
        ("00:80:c2:00:00:00", DropReason.NONE),
        ("ff:ff:ff:ff:ff:ff", DropReason.NONE),
    ],
)
def test_addresses_that_no_bridge_forwards(dst: str, reason: DropReason) -> None:
    assert judge_head(read_head(frame(Mac.parse(dst), STATION))) is reason
