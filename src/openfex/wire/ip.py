# SPDX-License-Identifier: Apache-2.0
"""Just enough ARP, IPv4, IPv6, UDP and TCP to make traffic with right checksums (br_netfilter drops wrong ones)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.wire.fields import require_width

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD

Address = IPv4Address | IPv6Address

_ICMP = 1
_ICMPV6 = 58
_TCP = 6
_UDP = 17
_LONGEST = 0xFFFF
_DONT_FRAGMENT = 0x4000
_ICMP_CHECKSUM_AT = 2
_TCP_CHECKSUM_AT = 16
_UDP_CHECKSUM_AT = 6


def checksum(octets: bytes) -> int:
    """Compute the Internet checksum (RFC 1071); octets of odd number count as if a zero followed."""
    return _sum(octets) ^ 0xFFFF


def arp_request(sender_mac: Mac, sender_ip: IPv4Address, target_mac: Mac, target_ip: IPv4Address) -> bytes:
    """Ask who has `target_ip`: the payload of an 0x0806 frame."""
    return _arp(1, sender_mac, sender_ip, target_mac, target_ip)


def arp_reply(sender_mac: Mac, sender_ip: IPv4Address, target_mac: Mac, target_ip: IPv4Address) -> bytes:
    """Say that `sender_ip` is at `sender_mac`: the payload of an 0x0806 frame."""
    return _arp(2, sender_mac, sender_ip, target_mac, target_ip)


def ipv4_udp(  # noqa: PLR0913, PLR0917 - one argument a header field
    src: IPv4Address, dst: IPv4Address, sport: int, dport: int, data: bytes, ttl: int = 64
) -> bytes:
    """Make a UDP datagram in IPv4: the payload of an 0x0800 frame."""
    return _ipv4(src, dst, _UDP, _udp(src, dst, sport, dport, data), ttl)


def ipv6_udp(  # noqa: PLR0913, PLR0917 - one argument a header field
    src: IPv6Address, dst: IPv6Address, sport: int, dport: int, data: bytes, ttl: int = 64
) -> bytes:
    """Make a UDP datagram in IPv6: the payload of an 0x86DD frame; `ttl` is the hop limit."""
    return _ipv6(src, dst, _UDP, _udp(src, dst, sport, dport, data), ttl)


def ipv4_tcp(  # noqa: PLR0913, PLR0917 - one argument a header field
    src: IPv4Address,
    dst: IPv4Address,
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    data: bytes,
    partial_checksum: bool = False,
) -> bytes:
    """Make a TCP segment in IPv4; with `partial_checksum` a device must finish the sum (CHECKSUM_PARTIAL)."""
    segment = _tcp((sport, dport), seq, ack, flags, data)
    return _ipv4(src, dst, _TCP, _with_tcp_checksum(src, dst, segment, partial_checksum))


def ipv6_tcp(  # noqa: PLR0913, PLR0917 - one argument a header field
    src: IPv6Address,
    dst: IPv6Address,
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    data: bytes,
    partial_checksum: bool = False,
) -> bytes:
    """Make a TCP segment in IPv6; with `partial_checksum` a device must finish the sum (CHECKSUM_PARTIAL)."""
    segment = _tcp((sport, dport), seq, ack, flags, data)
    return _ipv6(src, dst, _TCP, _with_tcp_checksum(src, dst, segment, partial_checksum))


def ipv4_icmp(src: IPv4Address, dst: IPv4Address, kind: int, code: int, data: bytes) -> bytes:
    """Make an ICMP message in IPv4: the payload of an 0x0800 frame; `data` is what follows its checksum."""
    message = _icmp(kind, code, data)
    return _ipv4(src, dst, _ICMP, _with_word(message, _ICMP_CHECKSUM_AT, checksum(message)))


def ipv6_icmp(src: IPv6Address, dst: IPv6Address, kind: int, code: int, data: bytes) -> bytes:
    """Make an ICMPv6 message: the payload of an 0x86DD frame; `data` is what follows its checksum."""
    message = _icmp(kind, code, data)
    summed = checksum(_pseudo_header(src, dst, _ICMPV6, len(message)) + message)
    return _ipv6(src, dst, _ICMPV6, _with_word(message, _ICMP_CHECKSUM_AT, summed), 255)


def ip_packet(src: Address, dst: Address, protocol: int, content: bytes) -> bytes:
    """Make an IP packet of any protocol: the payload of an 0x0800 or 0x86DD frame."""
    if isinstance(src, IPv4Address) and isinstance(dst, IPv4Address):
        return _ipv4(src, dst, protocol, content)
    if isinstance(src, IPv6Address) and isinstance(dst, IPv6Address):
        return _ipv6(src, dst, protocol, content)
    raise WireError(f"{src} and {dst} are not of one IP version", code="mixed-versions")


def _icmp(kind: int, code: int, data: bytes) -> bytes:
    require_width("ICMP", "type", kind, 8)
    require_width("ICMP", "code", code, 8)
    return bytes((kind, code, 0, 0)) + data


def _sum(octets: bytes) -> int:
    even = octets + b"\0" if len(octets) % 2 else octets
    words: tuple[int, ...] = struct.unpack(f"!{len(even) // 2}H", even)
    total = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _arp(operation: int, sender_mac: Mac, sender_ip: IPv4Address, target_mac: Mac, target_ip: IPv4Address) -> bytes:
    head = struct.pack("!HHBBH", 1, ETHERTYPE_IPV4, 6, 4, operation)
    return head + sender_mac.octets + sender_ip.packed + target_mac.octets + target_ip.packed


def _ipv4(src: IPv4Address, dst: IPv4Address, protocol: int, content: bytes, ttl: int = 64) -> bytes:
    require_width("IPv4", "ttl", ttl, 8)
    length = _require_length("IPv4 packet", 20 + len(content))
    # The identification is 0 and may be: it means nothing in a packet that is never fragmented (RFC 6864, 4.1).
    head = struct.pack("!BBHHHBBH", 0x45, 0, length, 0, _DONT_FRAGMENT, ttl, protocol, 0) + src.packed + dst.packed
    return _with_word(head, 10, checksum(head)) + content


def _ipv6(src: IPv6Address, dst: IPv6Address, protocol: int, content: bytes, ttl: int = 64) -> bytes:
    require_width("IPv6", "ttl", ttl, 8)
    length = _require_length("IPv6 payload", len(content))
    return struct.pack("!IHBB", 6 << 28, length, protocol, ttl) + src.packed + dst.packed + content


def _udp(src: Address, dst: Address, sport: int, dport: int, data: bytes) -> bytes:
    require_width("UDP", "sport", sport, 16)
    require_width("UDP", "dport", dport, 16)
    datagram = struct.pack("!HHHH", sport, dport, _require_length("UDP datagram", 8 + len(data)), 0) + data
    # 0 would say "no checksum"; the other zero of ones' complement is sent in its place (RFC 768).
    value = checksum(_pseudo_header(src, dst, _UDP, len(datagram)) + datagram) or 0xFFFF
    return _with_word(datagram, _UDP_CHECKSUM_AT, value)


def _tcp(ports: tuple[int, int], seq: int, ack: int, flags: int, data: bytes) -> bytes:
    for name, value, bits in (("sport", ports[0], 16), ("dport", ports[1], 16), ("seq", seq, 32), ("ack", ack, 32)):
        require_width("TCP", name, value, bits)
    require_width("TCP", "flags", flags, 8)
    return struct.pack("!HHIIBBHHH", *ports, seq, ack, 5 << 4, flags, 0xFFFF, 0, 0) + data


def _with_tcp_checksum(src: Address, dst: Address, segment: bytes, partial: bool) -> bytes:
    pseudo = _pseudo_header(src, dst, _TCP, len(segment))
    # Partial: the sum itself, not its complement, so that a checksum over the whole segment comes out complete.
    return _with_word(segment, _TCP_CHECKSUM_AT, _sum(pseudo) if partial else checksum(pseudo + segment))


def _pseudo_header(src: Address, dst: Address, protocol: int, length: int) -> bytes:
    # IPv4 has a 16-bit length and IPv6 a 32-bit one, but they sum alike, so one layout serves both.
    return src.packed + dst.packed + struct.pack("!II", length, protocol)


def _with_word(octets: bytes, at: int, word: int) -> bytes:
    return octets[:at] + word.to_bytes(2, "big") + octets[at + 2 :]


def _require_length(owner: str, length: int) -> int:
    if length > _LONGEST:
        raise WireError(f"{owner} would have {length} octets, more than {_LONGEST}", code="too-long")
    return length
