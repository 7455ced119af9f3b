# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.wire import VlanTag

MASKS = [(0xE000, VlanTag(0, pcp=7)), (0x1000, VlanTag(0, dei=1)), (0x0FFF, VlanTag(4095))]


def test_the_constants_are_those_of_the_wire() -> None:
    assert (VlanTag.C_TPID, VlanTag.S_TPID) == (0x8100, 0x88A8)
    assert VlanTag.LENGTH == len(VlanTag(1).encode()) == 4


@pytest.mark.parametrize(("mask", "tag"), MASKS)
def test_each_field_fills_its_own_bits(mask: int, tag: VlanTag) -> None:
    octets = b"\x81\x00" + mask.to_bytes(2, "big")

    assert tag.tci == mask
    assert tag.encode() == octets
    assert VlanTag.decode(octets) == tag


@pytest.mark.parametrize(
    ("tag", "octets"),
    [
        (VlanTag(100, pcp=5), "8100 a064"),
        (VlanTag(0xABC, pcp=2, dei=1, tpid=0x88A8), "88a8 5abc"),
        (VlanTag(0), "8100 0000"),
        (VlanTag(4095, pcp=7, dei=1, tpid=0x88A8), "88a8 ffff"),
    ],
)
def test_fields_at_once(tag: VlanTag, octets: str) -> None:
    assert tag.encode() == bytes.fromhex(octets)
    assert VlanTag.decode(bytes.fromhex(octets)) == tag


def test_octets_after_the_tag_are_ignored() -> None:
    assert VlanTag.decode(bytes.fromhex("8100 a064 0806 ff")) == VlanTag(100, pcp=5)


@pytest.mark.parametrize("length", range(4))
def test_a_short_tag_is_refused(length: int) -> None:
    with pytest.raises(WireError, match=f"octets end inside a VLAN tag: {length} of 4$") as caught:
        VlanTag.decode(VlanTag(1).encode()[:length])
    assert caught.value.code == "truncated-frame"


@pytest.mark.parametrize("start", ["8926", "893f", "9100", "0806"])
def test_another_tpid_is_refused(start: str) -> None:
    with pytest.raises(WireError, match=f"a VLAN tag starts with ethertype 0x8100 or 0x88a8, not 0x{start}") as caught:
        VlanTag.decode(bytes.fromhex(start) + b"\0\1")
    assert caught.value.code == "wrong-ethertype"


@pytest.mark.parametrize("name_and_last", [("vid", 4095), ("pcp", 7), ("dei", 1)])
@pytest.mark.parametrize("below", [False, True])
def test_a_field_out_of_range_is_refused_by_name(name_and_last: tuple[str, int], below: bool) -> None:
    name, last = name_and_last
    value = -1 if below else last + 1
    with pytest.raises(WireError, match=rf"VLAN tag {name} is {value}, not in 0\.\.{last}$") as caught:
        VlanTag(**{"vid": 1, name: value})
    assert caught.value.code == "field-out-of-range"


@pytest.mark.parametrize("tpid", [0x9100, 0x8101, 0, -1, 0x18100])
def test_a_tpid_of_neither_kind_is_refused(tpid: int) -> None:
    with pytest.raises(WireError, match=r"VLAN tag tpid is -?0x[0-9a-f]+, not 0x8100 or 0x88a8") as caught:
        VlanTag(1, tpid=tpid)
    assert caught.value.code == "field-out-of-range"
