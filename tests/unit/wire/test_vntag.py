# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.wire import VnTag

# V5 of the samples: every field at a value that only its own bits can give.
V5 = VnTag(direction=1, pointer=0, dvif=0x2ABC, looped=0, svif=0xDEF, reserved=1, version=2)

# The masks of the tag's 32-bit word, each with the tag in which that field alone is full.
MASKS = [
    (0x80000000, VnTag(direction=1)),
    (0x40000000, VnTag(pointer=1)),
    (0x3FFF0000, VnTag(dvif=0x3FFF)),
    (0x00008000, VnTag(looped=1)),
    (0x00004000, VnTag(reserved=1)),
    (0x00003000, VnTag(version=3)),
    (0x00000FFF, VnTag(svif=0xFFF)),
]


def test_the_constants_are_those_of_the_wire() -> None:
    assert VnTag.ETHERTYPE == 0x8926
    assert VnTag.LENGTH == len(VnTag().encode()) == 6


def test_a_tag_of_nothing_is_the_ethertype_and_zeros() -> None:
    assert VnTag().encode() == bytes.fromhex("8926 00000000")


@pytest.mark.parametrize(("mask", "tag"), MASKS)
def test_each_field_fills_its_own_bits(mask: int, tag: VnTag) -> None:
    octets = b"\x89\x26" + mask.to_bytes(4, "big")

    assert tag.encode() == octets
    assert VnTag.decode(octets) == tag


def test_the_fields_together_fill_the_word_once() -> None:
    assert sum(mask for mask, _ in MASKS) == 0xFFFFFFFF


def test_every_field_at_once() -> None:
    assert V5.encode() == bytes.fromhex("8926 aabc6def")
    assert VnTag.decode(V5.encode()) == V5


def test_a_tag_of_a_real_fabric_decodes() -> None:
    assert VnTag.decode(bytes.fromhex("8926 00000000 8100 000b 0800")) == VnTag()


def test_octets_after_the_tag_are_ignored() -> None:
    assert VnTag.decode(V5.encode() + b"\xff" * 9) == V5


@pytest.mark.parametrize("length", range(6))
def test_a_short_tag_is_refused(length: int) -> None:
    with pytest.raises(WireError, match=f"octets end inside a VN-Tag: {length} of 6$") as caught:
        VnTag.decode(V5.encode()[:length])
    assert caught.value.code == "truncated-frame"


@pytest.mark.parametrize("start", ["893f", "8100", "0806", "0000"])
def test_another_ethertype_is_refused(start: str) -> None:
    with pytest.raises(WireError, match=f"a VN-Tag starts with ethertype 0x8926, not 0x{start}") as caught:
        VnTag.decode(bytes.fromhex(start) + b"\0\0\0\0")
    assert caught.value.code == "wrong-ethertype"


@pytest.mark.parametrize(
    "name_and_last",
    [
        ("direction", 1),
        ("pointer", 1),
        ("dvif", 0x3FFF),
        ("looped", 1),
        ("svif", 0xFFF),
        ("reserved", 1),
        ("version", 3),
    ],
)
@pytest.mark.parametrize("below", [False, True])
def test_a_field_out_of_range_is_refused_by_name(name_and_last: tuple[str, int], below: bool) -> None:
    name, last = name_and_last
    value = -1 if below else last + 1
    with pytest.raises(WireError, match=rf"VN-Tag {name} is {value}, not in 0\.\.{last}$") as caught:
        VnTag(**{name: value})
    assert caught.value.code == "field-out-of-range"
