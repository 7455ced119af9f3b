# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

import pytest

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.wire.vsi import Filter, FilterFormat, Vsiid, VsiidFormat, fill_vids

MAC, OTHER = Mac.parse("52:00:00:11:22:33"), Mac.parse("52:00:00:11:22:44")


@pytest.mark.parametrize(
    ("vsiid", "format_", "octets", "text"),
    [
        (Vsiid.ipv4(IPv4Address("10.1.2.3")), 1, "00000000000000000000ffff0a010203", "10.1.2.3"),
        (Vsiid.ipv6(IPv6Address("2001:db8::1")), 2, "20010db8000000000000000000000001", "2001:db8::1"),
        (Vsiid.mac(MAC), 3, "00000000000000000000520000112233", "52:00:00:11:22:33"),
        (Vsiid.local(bytes(range(16))), 4, "000102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e0f"),
        (
            Vsiid.uuid(UUID("11223344-5566-7788-99aa-bbccddeeff00")),
            5,
            "112233445566778899aabbccddeeff00",
            "11223344-5566-7788-99aa-bbccddeeff00",
        ),
    ],
    ids=[one.name for one in VsiidFormat],
)
def test_a_vsiid_is_made_from_what_it_is_about(vsiid: Vsiid, format_: int, octets: str, text: str) -> None:
    assert (vsiid.format, vsiid.octets.hex(), str(vsiid)) == (format_, octets, text)


@pytest.mark.parametrize("octets", [b"", bytes(15), bytes(17)])
def test_a_vsiid_has_sixteen_octets(octets: bytes) -> None:
    with pytest.raises(WireError):
        Vsiid.local(octets)


@pytest.mark.parametrize(
    ("filter_", "format_", "octets"),
    [
        (Filter(0xABC), FilterFormat.VID, "0abc"),
        (Filter(5, pcp=0), FilterFormat.VID, "8005"),
        (Filter(5, MAC, pcp=7), FilterFormat.MAC_VID, "520000112233f005"),
        (Filter(5, group=0x01020304), FilterFormat.GROUP_VID, "010203040005"),
        (Filter(5, MAC, 0x01020304, 5), FilterFormat.GROUP_MAC_VID, "01020304520000112233d005"),
    ],
)
def test_an_entry_is_as_long_as_its_format_says(filter_: Filter, format_: FilterFormat, octets: str) -> None:
    assert filter_.format is format_
    assert filter_.encode().hex() == octets
    assert len(filter_.encode()) == format_.octets
    assert Filter.decode(bytes.fromhex(octets), format_) == filter_


def test_a_pcp_that_is_not_significant_is_none() -> None:
    assert Filter.decode(b"\x70\x05", FilterFormat.VID) == Filter(5)


@pytest.mark.parametrize("fields", [{"vid": 4096}, {"vid": 1, "pcp": 8}, {"vid": 1, "group": 1 << 32}, {"vid": -1}])
def test_what_does_not_fit_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(WireError):
        Filter(fields["vid"], pcp=fields.get("pcp"), group=fields.get("group"))


def test_a_null_vid_is_filled_with_what_was_granted() -> None:
    assert fill_vids((Filter(0, MAC),), (Filter(7, MAC),)) == (Filter(7, MAC),)
    assert fill_vids((Filter(0), Filter(5)), (Filter(5), Filter(9))) == (Filter(9), Filter(5))
    assert fill_vids((Filter(0, MAC), Filter(0, MAC)), (Filter(7, MAC), Filter(8, MAC))) == (
        Filter(7, MAC),
        Filter(8, MAC),
    )


def test_a_null_vid_that_stays_one_is_the_same() -> None:
    """lldpad's bridge chooses none (wire.md 4.9)."""
    assert fill_vids((Filter(0, MAC),), (Filter(0, MAC),)) == (Filter(0, MAC),)


def test_filters_keep_the_order_in_which_they_are_wanted() -> None:
    wanted = (Filter(5, MAC), Filter(0, OTHER), Filter(6, MAC))
    assert fill_vids(wanted, (Filter(6, MAC), Filter(9, OTHER), Filter(5, MAC))) == (
        Filter(5, MAC),
        Filter(9, OTHER),
        Filter(6, MAC),
    )


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [
        ((Filter(5),), (Filter(6),)),
        ((Filter(5),), ()),
        ((), (Filter(5),)),
        ((Filter(5, MAC),), (Filter(5, OTHER),)),
        ((Filter(0, MAC),), (Filter(5, OTHER),)),
        ((Filter(0, MAC),), (Filter(5, MAC, pcp=1),)),
        ((Filter(5), Filter(0)), (Filter(6), Filter(7))),
        ((Filter(5), Filter(5)), (Filter(5), Filter(6))),
        ((Filter(0),), (Filter(5), Filter(6))),
        ((Filter(5),), (Filter(0),)),
    ],
)
def test_other_filters_are_not_the_same(wanted: tuple[Filter, ...], granted: tuple[Filter, ...]) -> None:
    assert fill_vids(wanted, granted) is None
