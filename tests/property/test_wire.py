# SPDX-License-Identifier: Apache-2.0
"""Octets and values stand for each other, one to one, whatever they are."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.wire import ETag, Frame, Tag, VlanTag, VnTag, checksum, ipv4_tcp, ipv4_udp, ipv6_tcp, ipv6_udp

TAG_STARTS = (0x8926, 0x893F, 0x8100, 0x88A8)


def outcome(octets: bytes) -> bytes | str:
    """What a decoded frame encodes to, or the code of the refusal; any other exception fails the test."""
    try:
        return Frame.decode(octets).encode()
    except WireError as error:
        return error.code


def bits(width: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << width) - 1)


macs = st.binary(min_size=6, max_size=6).map(Mac)
vntags = st.builds(
    VnTag,
    direction=bits(1),
    pointer=bits(1),
    dvif=bits(14),
    looped=bits(1),
    svif=bits(12),
    reserved=bits(1),
    version=bits(2),
)
etags = st.builds(ETag, ecid=bits(20), grp=bits(2), ingress=bits(20), pcp=bits(3), dei=bits(1), reserved=bits(2))
vlan_tags = st.builds(VlanTag, vid=bits(12), pcp=bits(3), dei=bits(1), tpid=st.sampled_from((0x8100, 0x88A8)))
tags: st.SearchStrategy[Tag] = st.one_of(vntags, etags, vlan_tags)
frames = st.builds(
    Frame,
    dst=macs,
    src=macs,
    ethertype=bits(16).filter(lambda ethertype: ethertype not in TAG_STARTS),
    payload=st.binary(max_size=64),
    tags=st.lists(tags, max_size=4).map(tuple),
)
# Octets at random hold a tag once in sixteen thousand times: strew the tags' ethertypes in.
pieces = st.one_of(
    st.sampled_from([start.to_bytes(2, "big") for start in TAG_STARTS]),
    st.binary(max_size=9),
    st.sampled_from([bytes(2), bytes(4), bytes(6)]),
)
strewn = st.lists(pieces, max_size=20).map(b"".join)
v4_addresses = st.builds(IPv4Address, bits(32))
v6_addresses = st.builds(IPv6Address, bits(128))


@given(vntags, st.binary(max_size=8))
def test_a_vntag_reads_back(tag: VnTag, rest: bytes) -> None:
    assert len(tag.encode()) == VnTag.LENGTH
    assert VnTag.decode(tag.encode() + rest) == tag


@given(etags, st.binary(max_size=8))
def test_an_etag_reads_back(tag: ETag, rest: bytes) -> None:
    assert len(tag.encode()) == ETag.LENGTH
    assert ETag.decode(tag.encode() + rest) == tag
    assert tag.ecid22 & 0xFFFFF == tag.ecid
    assert tag.ecid22 >> 20 == tag.target14 >> 12 == tag.grp


@given(vlan_tags, st.binary(max_size=8))
def test_a_vlan_tag_reads_back(tag: VlanTag, rest: bytes) -> None:
    assert len(tag.encode()) == VlanTag.LENGTH
    assert VlanTag.decode(tag.encode() + rest) == tag


@given(st.binary(min_size=6, max_size=6))
def test_any_content_is_a_tag_and_written_back_as_it_was(content: bytes) -> None:
    assert VnTag.decode(b"\x89\x26" + content[:4]).encode() == b"\x89\x26" + content[:4]
    assert ETag.decode(b"\x89\x3f" + content).encode() == b"\x89\x3f" + content
    assert VlanTag.decode(b"\x81\x00" + content[:2]).encode() == b"\x81\x00" + content[:2]
    assert VlanTag.decode(b"\x88\xa8" + content[:2]).encode() == b"\x88\xa8" + content[:2]


@given(frames)
def test_a_frame_reads_back(frame: Frame) -> None:
    assert Frame.decode(frame.encode()) == frame


@given(
    st.one_of(st.binary(max_size=100), strewn, st.builds(bytes.__add__, st.binary(min_size=12, max_size=12), strewn))
)
def test_octets_are_refused_as_truncated_or_written_back_as_they_were(octets: bytes) -> None:
    assert outcome(octets) in ("truncated-frame", octets)


@given(frames, st.data())
def test_a_frame_cut_anywhere_is_truncated_or_has_less_payload(frame: Frame, data: st.DataObject) -> None:
    octets = frame.encode()
    header = len(octets) - len(frame.payload)
    length = data.draw(st.integers(0, len(octets)))
    if length < header:
        with pytest.raises(WireError) as caught:
            Frame.decode(octets[:length])
        assert caught.value.code == "truncated-frame"
    else:
        cut = Frame.decode(octets[:length])
        assert (cut.tags, cut.ethertype, cut.payload) == (frame.tags, frame.ethertype, octets[header:length])


@given(frames, tags)
def test_pop_undoes_push_and_adds_the_tags_octets_behind_the_addresses(frame: Frame, tag: Tag) -> None:
    pushed = frame.push(tag)

    assert pushed.outer == tag
    assert pushed.pop() == (tag, frame)
    assert pushed.encode() == frame.encode()[:12] + tag.encode() + frame.encode()[12:]


@given(v4_addresses, v4_addresses, bits(16), bits(16), st.binary(max_size=64))
def test_checksums_over_ipv4_come_out_even(src: IPv4Address, dst: IPv4Address, a: int, b: int, data: bytes) -> None:
    for packet in (ipv4_udp(src, dst, a, b, data), ipv4_tcp(src, dst, a, b, a * b, a, b & 0xFF, data)):
        pseudo = packet[12:20] + bytes([0, packet[9]]) + (len(packet) - 20).to_bytes(2, "big")
        assert checksum(packet[:20]) == checksum(pseudo + packet[20:]) == 0
        assert packet[9] == 6 or packet[26:28] != b"\0\0"


@given(v6_addresses, v6_addresses, bits(16), bits(16), st.binary(max_size=64))
def test_checksums_over_ipv6_come_out_even(src: IPv6Address, dst: IPv6Address, a: int, b: int, data: bytes) -> None:
    for packet in (ipv6_udp(src, dst, a, b, data), ipv6_tcp(src, dst, a, b, a * b, a, b & 0xFF, data)):
        pseudo = packet[8:40] + (len(packet) - 40).to_bytes(4, "big") + bytes([0, 0, 0, packet[6]])
        assert checksum(pseudo + packet[40:]) == 0
        assert packet[6] == 6 or packet[46:48] != b"\0\0"


@given(st.binary(max_size=100))
def test_the_checksum_is_ones_complement_arithmetic(octets: bytes) -> None:
    value = int.from_bytes(octets + bytes(len(octets) % 2), "big")
    # 2^16 is 1 modulo 65535, so the sum of the words and the number they make are the same modulo 65535.
    assert (checksum(octets) + value) % 0xFFFF == 0
    assert (checksum(octets) == 0xFFFF) == (value == 0)
