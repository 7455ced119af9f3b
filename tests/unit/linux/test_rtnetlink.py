# SPDX-License-Identifier: Apache-2.0
"""The octets of rtnetlink messages, without a kernel."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.errors import InputError
from openfex.linux import filters, links, rtnetlink
from openfex.linux.links import Link, LinkChange
from openfex.linux.rtnetlink import Answer
from openfex.model.values import Mac

MAC = Mac.parse("52:54:00:00:00:01")


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=40)))
def test_attributes_come_back(wanted: dict[int, bytes]) -> None:
    octets = b"".join(rtnetlink.attribute(kind, payload) for kind, payload in wanted.items())
    assert len(octets) % 4 == 0
    assert rtnetlink.attributes(octets) == wanted


@given(st.binary(max_size=80))
def test_rubbish_is_read_without_a_crash(octets: bytes) -> None:
    rtnetlink.attributes(octets)


def test_flags_in_an_attribute_type_are_ignored() -> None:
    assert rtnetlink.attributes(rtnetlink.attribute(0x8000 | 18, b"x")) == {18: b"x"}


def test_a_link_is_read() -> None:
    body = b"".join(
        [
            struct.pack("=BxHiII", 0, 1, 7, 0x1043, 0),
            rtnetlink.text(3, "up-a"),
            rtnetlink.u32(4, 1600),
            rtnetlink.attribute(1, MAC.octets),
            rtnetlink.u32(5, 9),
            rtnetlink.text(20, "fex:up-a"),
            rtnetlink.attribute(33, b"\x01"),
            rtnetlink.u32(27, 3),
            rtnetlink.attribute(16, b"\x06"),
            rtnetlink.nested(18, rtnetlink.text(1, "veth")),
        ]
    )
    assert links.read_link(Answer(16, body)) == Link(
        7, "up-a", "veth", 1600, MAC, up=True, alias="fex:up-a", peer_index=9, carrier=True, group=3,
        peer_here=True, ready=True,
    )  # fmt: skip


def test_a_link_without_an_ethernet_address_has_zeroes() -> None:
    body = struct.pack("=BxHiII", 0, 1, 1, 0, 0) + rtnetlink.text(3, "sit0") + rtnetlink.attribute(1, bytes(4))
    found = links.read_link(Answer(16, body))
    assert (found.mac, found.kind, found.peer_index, found.up) == (Mac(bytes(6)), "", None, False)


def test_a_veth_has_both_ends_in_one_message() -> None:
    end = LinkChange(new_name="a", mtu=1600, mac=MAC)
    body = links.veth(end, LinkChange(new_name="b", mtu=1500, netns_fd=5))
    outer = rtnetlink.attributes(body, 16)
    assert (rtnetlink.string(outer[3]), rtnetlink.number(outer[4]), outer[1]) == ("a", 1600, MAC.octets)
    info = rtnetlink.attributes(outer[18])
    assert rtnetlink.string(info[1]) == "veth"
    peer = rtnetlink.attributes(rtnetlink.attributes(info[2])[1], 16)
    assert (rtnetlink.string(peer[3]), rtnetlink.number(peer[4]), rtnetlink.number(peer[28])) == ("b", 1500, 5)


@pytest.mark.parametrize("up", [None, True, False])
def test_up_is_a_flag_with_a_mask(up: bool | None) -> None:
    _, _, index, flags, mask = struct.unpack_from("=BxHiII", LinkChange(up=up).body(index=4))
    assert (index, flags, mask) == (4, int(bool(up)), int(up is not None))


@pytest.mark.parametrize("name", ["", "sixteen-letters-", "a/b", "a b", "a:b", ".", "..", "übernetzwerk012"])
def test_names_that_no_link_can_have_are_refused(name: str) -> None:
    with pytest.raises(InputError) as refused:
        links.name_of_link(name)
    assert refused.value.code == "bad-link-name"


@pytest.mark.parametrize("cidr", ["10.0.0.1/33", "10.0.0", "fd00::1/129", "", "x"])
def test_texts_that_are_no_address_are_refused(cidr: str) -> None:
    with pytest.raises(InputError):
        links.address(1, cidr)


@pytest.mark.parametrize("classid", [-1, 0x10000, 16 << 12 | 1])
def test_a_classid_that_a_program_would_see_cut_off_is_refused(classid: int) -> None:
    with pytest.raises(InputError) as refused:
        filters.bpf_filter(1, 3, "x", classid, 1)
    assert refused.value.code == "bad-classid"


@pytest.mark.parametrize("priority", [0, 0x10000])
def test_a_priority_outside_the_kernels_range_is_refused(priority: int) -> None:
    with pytest.raises(InputError):
        filters.named(1, priority)


def test_filters_that_are_not_bpf_are_not_ours() -> None:
    head = struct.pack("=BxxxiIII", 0, 1, 1, 0xFFFFFFF2, 1 << 16)
    assert filters.read_filter(Answer(44, head + rtnetlink.text(1, "u32"))) is None
