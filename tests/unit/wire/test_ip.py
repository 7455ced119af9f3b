# SPDX-License-Identifier: Apache-2.0
"""Headers octet by octet; that others find the checksums right is shown in tests/interop/test_wire_tshark.py."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from openfex.errors import WireError
from openfex.model.values import BROADCAST, Mac
from openfex.wire import (
    arp_reply,
    arp_request,
    checksum,
    ip_packet,
    ipv4_icmp,
    ipv4_tcp,
    ipv4_udp,
    ipv6_icmp,
    ipv6_tcp,
    ipv6_udp,
)

MAC_1 = Mac.parse("52:54:00:00:0a:01")
MAC_2 = Mac.parse("52:54:00:00:0b:02")
A4, B4 = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
A6, B6 = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        ("", 0xFFFF),
        ("0000", 0xFFFF),
        ("ffff", 0x0000),
        ("01", 0xFEFF),
        ("ffff ffff 0001", 0xFFFE),
        ("0001 f203 f4f5 f6f7", 0x220D),  # the example of RFC 1071, 3
    ],
)
def test_the_internet_checksum(octets: str, expected: int) -> None:
    assert checksum(bytes.fromhex(octets)) == expected


def test_an_arp_request() -> None:
    assert arp_request(MAC_1, A4, BROADCAST, B4) == bytes.fromhex(
        "0001 0800 06 04 0001 525400000a01 0a000001 ffffffffffff 0a000002"
    )


def test_an_arp_reply() -> None:
    assert arp_reply(MAC_2, B4, MAC_1, A4) == bytes.fromhex(
        "0001 0800 06 04 0002 525400000b02 0a000002 525400000a01 0a000001"
    )


def test_a_udp_datagram_in_ipv4() -> None:
    packet = ipv4_udp(A4, B4, 1000, 2000, b"hello", ttl=3)

    assert packet[:10] == bytes.fromhex("4500 0021 0000 4000 03 11")
    assert checksum(packet[:20]) == 0
    assert packet[12:26] == bytes.fromhex("0a000001 0a000002 03e8 07d0 000d")
    assert checksum(bytes.fromhex("0a000001 0a000002 0011 000d") + packet[20:]) == 0
    assert packet[28:] == b"hello"
    assert ipv4_udp(A4, B4, 1000, 2000, b"hello") == ipv4_udp(A4, B4, 1000, 2000, b"hello", ttl=64)


def test_a_udp_datagram_in_ipv6() -> None:
    packet = ipv6_udp(A6, B6, 1000, 2000, b"hello")

    assert packet[:8] == bytes.fromhex("60000000 000d 11 40")
    assert packet[8:40] == A6.packed + B6.packed
    assert packet[40:46] == bytes.fromhex("03e8 07d0 000d")
    assert checksum(A6.packed + B6.packed + bytes.fromhex("0000000d 00000011") + packet[40:]) == 0


def test_a_udp_checksum_of_zero_is_sent_as_ones() -> None:
    without = ipv4_udp(A4, B4, 0, 0, b"\0\0")
    value = int.from_bytes(without[26:28], "big")
    datagram = ipv4_udp(A4, B4, 0, 0, value.to_bytes(2, "big"))

    assert datagram[26:28] == b"\xff\xff"


def test_a_tcp_segment_in_ipv4() -> None:
    packet = ipv4_tcp(A4, B4, 1000, 2000, 0x01020304, 0xFFFFFFFF, 0x18, b"abc")

    assert packet[:10] == bytes.fromhex("4500 002b 0000 4000 40 06")
    assert checksum(packet[:20]) == 0
    assert packet[20:36] == bytes.fromhex("03e8 07d0 01020304 ffffffff 50 18 ffff")
    assert packet[38:] == b"\0\0abc"
    assert checksum(bytes.fromhex("0a000001 0a000002 0006 0017") + packet[20:]) == 0


def test_a_tcp_segment_in_ipv6() -> None:
    packet = ipv6_tcp(A6, B6, 1, 2, 3, 4, 2, b"")

    assert packet[:8] == bytes.fromhex("60000000 0014 06 40")
    assert checksum(A6.packed + B6.packed + bytes.fromhex("00000014 00000006") + packet[40:]) == 0


def test_a_partial_checksum_is_the_sum_of_the_pseudo_header() -> None:
    packet = ipv4_tcp(A4, B4, 1000, 2000, 1, 2, 0x10, b"abc", partial_checksum=True)

    assert packet[36:38] == bytes.fromhex("1420")  # 0a00 + 0001 + 0a00 + 0002 + 0006 + 0017


def test_a_device_that_finishes_a_partial_checksum_makes_the_full_one() -> None:
    for full, partial, at in (
        (ipv4_tcp(A4, B4, 5, 6, 7, 8, 2, b"odd"), ipv4_tcp(A4, B4, 5, 6, 7, 8, 2, b"odd", partial_checksum=True), 20),
        (ipv6_tcp(A6, B6, 5, 6, 7, 8, 2, b"odd"), ipv6_tcp(A6, B6, 5, 6, 7, 8, 2, b"odd", partial_checksum=True), 40),
    ):
        finished = checksum(partial[at:]).to_bytes(2, "big")
        assert partial[: at + 16] + finished + partial[at + 18 :] == full


@pytest.mark.parametrize("value", [-1, 0x10000])
def test_a_port_out_of_range_is_refused_by_name(value: int) -> None:
    with pytest.raises(WireError, match=rf"UDP sport is {value}, not in 0\.\.65535"):
        ipv4_udp(A4, B4, value, 1, b"")
    with pytest.raises(WireError, match=rf"UDP dport is {value}, not in 0\.\.65535"):
        ipv6_udp(A6, B6, 1, value, b"")
    with pytest.raises(WireError, match=rf"TCP sport is {value}, not in 0\.\.65535"):
        ipv4_tcp(A4, B4, value, 1, 0, 0, 0, b"")
    with pytest.raises(WireError, match=rf"TCP dport is {value}, not in 0\.\.65535"):
        ipv6_tcp(A6, B6, 1, value, 0, 0, 0, b"")


def test_other_numbers_out_of_range_are_refused_by_name() -> None:
    with pytest.raises(WireError, match=r"IPv4 ttl is 256, not in 0\.\.255"):
        ipv4_udp(A4, B4, 1, 1, b"", ttl=256)
    with pytest.raises(WireError, match=r"IPv6 ttl is -1, not in 0\.\.255"):
        ipv6_udp(A6, B6, 1, 1, b"", ttl=-1)
    with pytest.raises(WireError, match="TCP seq is 4294967296"):
        ipv4_tcp(A4, B4, 1, 1, 1 << 32, 0, 0, b"")
    with pytest.raises(WireError, match="TCP ack is 4294967296"):
        ipv4_tcp(A4, B4, 1, 1, 0, 1 << 32, 0, b"")
    with pytest.raises(WireError, match="TCP flags is 256"):
        ipv6_tcp(A6, B6, 1, 1, 0, 0, 256, b"")


def test_the_longest_packets_are_made_and_longer_ones_refused() -> None:
    assert len(ipv4_udp(A4, B4, 1, 1, bytes(0xFFFF - 28))) == 0xFFFF
    assert len(ipv6_tcp(A6, B6, 1, 1, 0, 0, 0, bytes(0xFFFF - 20))) == 0xFFFF + 40
    with pytest.raises(WireError, match="IPv4 packet would have 65536 octets, more than 65535") as caught:
        ipv4_udp(A4, B4, 1, 1, bytes(0x10000 - 28))
    assert caught.value.code == "too-long"
    with pytest.raises(WireError, match="IPv6 payload would have 65536 octets"):
        ipv6_tcp(A6, B6, 1, 1, 0, 0, 0, bytes(0x10000 - 20))
    with pytest.raises(WireError, match="UDP datagram would have 65536 octets"):
        ipv6_udp(A6, B6, 1, 1, bytes(0x10000 - 8))


def test_icmp_octet_by_octet() -> None:
    echo = ipv4_icmp(A4, B4, 8, 0, bytes.fromhex("00010002"))
    assert echo[9] == 1
    assert echo[20:] == bytes.fromhex("0800 f7fc 0001 0002")  # RFC 792; 0x0800 + 0x0001 + 0x0002, complemented
    assert checksum(echo[:20]) == 0


def test_icmpv6_sums_the_addresses_too() -> None:
    echo = ipv6_icmp(A6, B6, 128, 0, bytes.fromhex("00010002"))
    assert (echo[6], echo[7]) == (58, 255)
    pseudo = A6.packed + B6.packed + bytes.fromhex("00000008 0000003a")
    assert checksum(pseudo + echo[40:]) == 0


def test_a_packet_of_any_protocol() -> None:
    assert ip_packet(A4, B4, 47, b"abc")[9:10] + ip_packet(A4, B4, 47, b"abc")[20:] == b"\x2fabc"
    assert ip_packet(A6, B6, 47, b"abc")[6:7] + ip_packet(A6, B6, 47, b"abc")[40:] == b"\x2fabc"
    with pytest.raises(WireError, match="not of one IP version"):
        ip_packet(A4, B6, 47, b"")
