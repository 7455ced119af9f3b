# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.model.values import BROADCAST, Mac
from openfex.wire import ETag, Frame, Tag, VlanTag, VnTag

SRC = Mac.parse("52:54:00:00:0a:01")
ADDRESSES = bytes.fromhex("ffffffffffff 525400000a01")
PLAIN = Frame(BROADCAST, SRC, 0x88B5, b"data")
FOUR_TAGS: tuple[Tag, ...] = (VlanTag(7, tpid=0x88A8), ETag(0x5A123, grp=2), VnTag(svif=3), VlanTag(0, pcp=5))
TAGGED = Frame(BROADCAST, SRC, 0x88B5, b"data", FOUR_TAGS)
TAGGED_HEX = "ffffffffffff 525400000a01 88a80007 893f 0000 2123 005a 8926 00000003 8100a000 88b5 64617461"


def test_a_plain_frame_is_addresses_ethertype_and_payload() -> None:
    assert PLAIN.encode() == ADDRESSES + b"\x88\xb5data"
    assert Frame.decode(PLAIN.encode()) == PLAIN


def test_tags_stand_in_order_outermost_first() -> None:
    assert TAGGED.encode() == bytes.fromhex(TAGGED_HEX)
    assert Frame.decode(bytes.fromhex(TAGGED_HEX)) == TAGGED


def test_a_frame_without_payload_is_a_frame() -> None:
    frame = Frame(BROADCAST, SRC, 0x88B5, b"")

    assert frame.encode() == ADDRESSES + b"\x88\xb5"
    assert Frame.decode(frame.encode()) == frame


def test_many_tags_are_read() -> None:
    frame = Frame(BROADCAST, SRC, 0x0800, b"x", (VlanTag(1), VnTag(), ETag(1)) * 500)

    assert Frame.decode(frame.encode()) == frame


@pytest.mark.parametrize("length", [0, 3, 0x26, 1500, 0x5FF])
@pytest.mark.parametrize("tags", [(), (VnTag(svif=1),)])
def test_an_8023_length_is_kept_as_it_is(length: int, tags: tuple[Tag, ...]) -> None:
    octets = Frame(BROADCAST, SRC, length, b"BB\3 and padding", tags).encode()
    frame = Frame.decode(octets)

    assert frame.ethertype == length
    assert frame.payload == b"BB\3 and padding"
    assert frame.tags == tags


def test_a_tag_behind_the_ethertype_is_payload() -> None:
    frame = Frame.decode(ADDRESSES + b"\x08\x00" + VnTag().encode())

    assert frame.tags == ()
    assert frame.payload == VnTag().encode()


def test_a_tpid_that_is_not_ours_is_an_ethertype() -> None:
    assert Frame.decode(ADDRESSES + bytes.fromhex("9100 0001 0800")).ethertype == 0x9100


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (0, "octets end inside the frame's addresses: 0 of 12"),
        (11, "octets end inside the frame's addresses: 11 of 12"),
        (12, "octets end before the frame's ethertype: 12 of 14"),
        (13, "octets end before the frame's ethertype: 13 of 14"),
        (14, "octets end inside a VLAN tag: 2 of 4"),
        (16, "octets end before the frame's ethertype: 16 of 18"),
        (23, "octets end inside an E-Tag: 7 of 8"),
        (29, "octets end inside a VN-Tag: 5 of 6"),
        (30, "octets end before the frame's ethertype: 30 of 32"),
    ],
)
def test_where_a_frame_ends_too_soon_is_said(length: int, message: str) -> None:
    with pytest.raises(WireError) as caught:
        Frame.decode(TAGGED.encode()[:length])
    assert caught.value.code == "truncated-frame"
    assert str(caught.value) == message


def test_every_end_before_the_payload_is_refused_as_truncated() -> None:
    octets = TAGGED.encode()
    for length in range(len(octets) - len(TAGGED.payload)):
        with pytest.raises(WireError) as caught:
            Frame.decode(octets[:length])
        assert caught.value.code == "truncated-frame"


@pytest.mark.parametrize("ethertype", [-1, 0x10000])
def test_an_ethertype_out_of_range_is_refused(ethertype: int) -> None:
    with pytest.raises(WireError, match=rf"frame ethertype is {ethertype}, not in 0\.\.65535") as caught:
        Frame(BROADCAST, SRC, ethertype, b"")
    assert caught.value.code == "field-out-of-range"


@pytest.mark.parametrize("ethertype", [0x8926, 0x893F, 0x8100, 0x88A8])
def test_a_tag_given_as_ethertype_is_refused_for_it_would_not_read_back(ethertype: int) -> None:
    with pytest.raises(WireError, match=f"frame ethertype 0x{ethertype:04x} starts a tag") as caught:
        Frame(BROADCAST, SRC, ethertype, bytes(20))
    assert caught.value.code == "tag-as-ethertype"


def test_push_puts_a_tag_outermost() -> None:
    frame = PLAIN.push(VlanTag(5)).push(ETag(9))

    assert frame.tags == (ETag(9), VlanTag(5))
    assert frame.outer == ETag(9)
    assert PLAIN.tags == ()


def test_pop_gives_the_outermost_tag_and_the_rest() -> None:
    tag, rest = TAGGED.pop()

    assert tag == FOUR_TAGS[0]
    assert rest == Frame(BROADCAST, SRC, 0x88B5, b"data", FOUR_TAGS[1:])


def test_pop_undoes_push() -> None:
    assert TAGGED.push(VnTag(svif=9)).pop() == (VnTag(svif=9), TAGGED)


def test_a_plain_frame_has_no_outer_tag_and_none_to_pop() -> None:
    assert PLAIN.outer is None
    with pytest.raises(WireError, match="the frame has no tag to pop") as caught:
        PLAIN.pop()
    assert caught.value.code == "no-tag"
