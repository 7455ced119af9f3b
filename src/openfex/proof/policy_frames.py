# SPDX-License-Identifier: Apache-2.0
"""The frames of the proofs of policy, each with what is to become of it: the rule that decides, and the verdict."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from openfex.model.protocols import FLAGS, PROTOCOLS
from openfex.model.values import BROADCAST, Mac
from openfex.proof.bed import End, Stage
from openfex.wire import ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, arp_reply, ipv4_udp, ipv6_udp

HERE, ELSEWHERE, THERE = (IPv4Address(f"192.0.2.{last}") for last in (1, 77, 99))
"""Nobody's, of the network for documentation (RFC 5737): so nobody answers."""
REST = ""
"""The rule behind the last."""
UNREADABLE = "unreadable"
"""No rule: it cannot be told which."""
_SYN, _ACK = FLAGS["syn"], FLAGS["ack"]
_MORE, _OFFSET = 0x2000, 0x00B9


@dataclass(frozen=True)
class Case:
    """What is sent behind the addresses, which rule decides about it, and whether it passes."""

    ethertype: int
    packet: bytes
    rule: str = REST
    passes: bool = False


def _ipv4(protocol: str, content: bytes, *, source: IPv4Address = HERE, fragment: int = 0, version: int = 4) -> bytes:
    head = struct.pack("!BBHHHBBH", version << 4 | 5, 0, 20 + len(content), 1, fragment, 64, PROTOCOLS[protocol], 0)
    return head + source.packed + THERE.packed + content


def _tcp(port: int, flags: int) -> bytes:
    return struct.pack("!HHIIBBHHH", 40_000, port, 1, 0, 5 << 4, flags, 1024, 0, 0)


def _udp(port: int) -> bytes:
    return struct.pack("!HHHH", 40_000, port, 8, 0)


def _case(packet: bytes, rule: str = REST, *, passes: bool = False) -> Case:
    return Case(ETHERTYPE_IPV4, packet, rule, passes)


CASES = (
    _case(_ipv4("tcp", _tcp(443, _SYN)), "web", passes=True),
    _case(_ipv4("tcp", _tcp(80, _SYN)), "web", passes=True),
    _case(_ipv4("tcp", _tcp(443, _SYN), fragment=_MORE), "web", passes=True),
    _case(_ipv4("tcp", _tcp(443, _SYN), fragment=_OFFSET), "fragments"),
    _case(_ipv4("tcp", _tcp(442, _SYN))),
    _case(_ipv4("tcp", _tcp(22, _SYN)), "admin", passes=True),
    _case(_ipv4("tcp", _tcp(22, _SYN), source=ELSEWHERE)),
    _case(_ipv4("tcp", _tcp(5000, _ACK)), "answers", passes=True),
    _case(_ipv4("tcp", _tcp(5000, _SYN))),
    _case(_ipv4("icmp", bytes((8, 0, 0, 0, 0, 0, 0, 0))), "ping", passes=True),
    _case(_ipv4("icmp", bytes((5, 0, 0, 0, 0, 0, 0, 0)))),
    _case(_ipv4("udp", _udp(443))),
    _case(_ipv4("tcp", _tcp(443, _SYN), version=5), UNREADABLE),
)
"""Each rule of policed.RULES is hit and narrowly missed, by whole frames, fragments and one that cannot be read."""


def framed(stage: Stage, case: Case, sender: End, receiver: Mac) -> tuple[int, bytes]:
    """A case as a frame, and its number, which stands behind the packet."""
    number, proof = stage.frame(receiver, sender.mac)
    return number, proof[:12] + case.ethertype.to_bytes(2, "big") + case.packet + proof[14:]


def link_local(mac: Mac) -> IPv6Address:
    """The address that a machine makes of its MAC (RFC 4291, appendix A)."""
    octets = mac.octets
    return IPv6Address(b"\xfe\x80" + bytes(6) + bytes((octets[0] ^ 2,)) + octets[1:3] + b"\xff\xfe" + octets[3:])


def _advertisement(address: IPv6Address, sender: Mac, source: IPv6Address) -> Case:
    """Neighbour advertisement (RFC 4861, 4.4): that `address` is at the sender's MAC."""
    content = struct.pack("!BBHI", 136, 0, 0, 1 << 29) + address.packed + b"\x02\x01" + sender.octets
    head = struct.pack("!IHBB", 6 << 28, len(content), PROTOCOLS["icmpv6"], 255)
    return Case(ETHERTYPE_IPV6, head + source.packed + IPv6Address("ff02::1").packed + content)


def _arp(mac: Mac, address: IPv4Address) -> Case:
    return Case(ETHERTYPE_ARP, arp_reply(mac, address, BROADCAST, address))


def honest(mac: Mac, own: IPv4Address) -> list[Case]:
    """What a machine may send that has this MAC and this address: as itself, and as nobody where it asks for one."""
    nobody, everybody = IPv4Address(0), IPv4Address("255.255.255.255")
    own6 = link_local(mac)
    return [
        Case(ETHERTYPE_IPV4, ipv4_udp(own, THERE, 40_000, 9, b"")),
        Case(ETHERTYPE_IPV4, ipv4_udp(nobody, everybody, 68, 67, b"")),
        Case(ETHERTYPE_IPV6, ipv6_udp(own6, IPv6Address("ff02::1"), 40_000, 9, b"")),
        _arp(mac, own),
        _advertisement(own6, mac, own6),
    ]


def forged(mac: Mac, own: IPv4Address, other_mac: Mac, other: IPv4Address) -> list[Case]:
    """What it may not: as a neighbour in IPv4, IPv6, ARP and neighbour discovery, and as nobody for no good reason."""
    nobody, own6, other6 = IPv4Address(0), link_local(mac), link_local(other_mac)
    return [
        Case(ETHERTYPE_IPV4, ipv4_udp(other, THERE, 40_000, 9, b"")),
        Case(ETHERTYPE_IPV4, ipv4_udp(nobody, THERE, 40_000, 9, b"")),
        Case(ETHERTYPE_IPV6, ipv6_udp(other6, own6, 40_000, 9, b"")),
        _arp(mac, other),
        _arp(other_mac, own),
        _advertisement(other6, mac, own6),
        _advertisement(own6, other_mac, own6),
    ]
