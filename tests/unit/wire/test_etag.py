# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.wire import ETag

# E4 of the samples, and the same with every field different from every other.
E4 = ETag(0x5A123, grp=2, ingress=0x5A064, pcp=7, dei=1)
EVERY_FIELD = ETag(0x12345, grp=1, ingress=0x6789A, pcp=5, dei=1, reserved=2)

# The masks of the 48-bit E-TCI, each with the tag in which that field (or half of one) alone is full.
MASKS = [
    (0xE000_0000_0000, ETag(0, pcp=7)),
    (0x1000_0000_0000, ETag(0, dei=1)),
    (0x0FFF_0000_0000, ETag(0, ingress=0x00FFF)),
    (0x0000_C000_0000, ETag(0, reserved=3)),
    (0x0000_3000_0000, ETag(0, grp=3)),
    (0x0000_0FFF_0000, ETag(0x00FFF)),
    (0x0000_0000_FF00, ETag(0, ingress=0xFF000)),
    (0x0000_0000_00FF, ETag(0xFF000)),
]


def test_the_constants_are_those_of_the_wire() -> None:
    assert ETag.ETHERTYPE == 0x893F
    assert ETag.LENGTH == len(ETag(0).encode()) == 8


@pytest.mark.parametrize(("mask", "tag"), MASKS)
def test_each_field_fills_its_own_bits(mask: int, tag: ETag) -> None:
    octets = b"\x89\x3f" + mask.to_bytes(6, "big")

    assert tag.encode() == octets
    assert ETag.decode(octets) == tag


def test_the_fields_together_fill_the_tci_once() -> None:
    assert sum(mask for mask, _ in MASKS) == 0xFFFF_FFFF_FFFF


@pytest.mark.parametrize(
    ("tag", "octets"),
    [(E4, "893f f064 2123 5a5a"), (EVERY_FIELD, "893f b89a 9345 6712"), (ETag(0), "893f 0000 0000 0000")],
)
def test_fields_at_once(tag: ETag, octets: str) -> None:
    assert tag.encode() == bytes.fromhex(octets)
    assert ETag.decode(bytes.fromhex(octets)) == tag


@pytest.mark.parametrize(("octets", "ecid"), [("893f 1000 00d3 0000 0800", 211), ("893f 1000 00d8 0000 0800", 216)])
def test_tags_of_a_real_fabric_decode(octets: str, ecid: int) -> None:
    assert ETag.decode(bytes.fromhex(octets)) == ETag(ecid, dei=1)


@pytest.mark.parametrize(
    ("tag", "ecid22", "target14"),
    [
        (ETag(100), 100, 100),
        (ETag(0x10, grp=1), 0x100010, 0x1010),
        (E4, 0x25A123, 0x2123),
        (ETag(0xFFFFF, grp=3), 0x3FFFFF, 0x3FFF),
        (ETag(0xFF000, ingress=0xFFFFF, pcp=7, dei=1, reserved=3), 0xFF000, 0),
    ],
)
def test_grp_counts_above_the_ecid_or_above_its_base(tag: ETag, ecid22: int, target14: int) -> None:
    assert (tag.ecid22, tag.target14) == (ecid22, target14)


def test_octets_after_the_tag_are_ignored() -> None:
    assert ETag.decode(E4.encode() + b"\xff" * 9) == E4


@pytest.mark.parametrize("length", range(8))
def test_a_short_tag_is_refused(length: int) -> None:
    with pytest.raises(WireError, match=f"octets end inside an E-Tag: {length} of 8$") as caught:
        ETag.decode(E4.encode()[:length])
    assert caught.value.code == "truncated-frame"


@pytest.mark.parametrize("start", ["8926", "8100", "0806", "0000"])
def test_another_ethertype_is_refused(start: str) -> None:
    with pytest.raises(WireError, match=f"an E-Tag starts with ethertype 0x893f, not 0x{start}") as caught:
        ETag.decode(bytes.fromhex(start) + bytes(6))
    assert caught.value.code == "wrong-ethertype"


@pytest.mark.parametrize(
    "name_and_last",
    [
        ("ecid", 0xFFFFF),
        ("grp", 3),
        ("ingress", 0xFFFFF),
        ("pcp", 7),
        ("dei", 1),
        ("reserved", 3),
    ],
)
@pytest.mark.parametrize("below", [False, True])
def test_a_field_out_of_range_is_refused_by_name(name_and_last: tuple[str, int], below: bool) -> None:
    name, last = name_and_last
    value = -1 if below else last + 1
    with pytest.raises(WireError, match=rf"E-Tag {name} is {value}, not in 0\.\.{last}$") as caught:
        ETag(**{"ecid": 0, name: value})
    assert caught.value.code == "field-out-of-range"
