# SPDX-License-Identifier: Apache-2.0
"""What a policy sees of a frame behind its Ethernet head; the specification of bpf/lib/packet.h.

What is passed over, what is a fragment, and what is unreadable: docs/design/policy.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from openfex.model.policy import Fragment
from openfex.model.values import Mac

IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
ICMP, TCP, UDP, DCCP, ICMPV6, SCTP, UDPLITE = 1, 6, 17, 33, 58, 132, 136
PORTS = {TCP: 14, UDP: 4, DCCP: 4, SCTP: 4, UDPLITE: 4, ICMP: 2, ICMPV6: 2}
"""The protocols whose own head is looked at, and how many octets of it must be there."""
EXTENSIONS = {0, 43, 60, 135, 139, 140}
"""Hop-by-hop, routing, destination options, mobility, HIP, Shim6: (length + 1) * 8 octets."""
FRAGMENT, AUTHENTICATION = 44, 51
MOST_EXTENSIONS = 8


@dataclass(frozen=True, slots=True)
class Packet:
    """`source` and `destination`: 4 or 16 octets, or none. `protocol`, `ports`, `flags` None: absent.

    `ports`: (source, destination); of ICMP (type and code, None). `at`: where the protocol's own head begins in the
    frame.
    """

    ethertype: int
    source: bytes = b""
    destination: bytes = b""
    protocol: int | None = None
    fragment: Fragment = Fragment.WHOLE
    ports: tuple[int, int | None] | None = None
    flags: int | None = None
    unreadable: bool = False
    at: int = 0


def read_packet(octets: bytes, at: int) -> Packet:
    """Parse what stands at `at`, where the EtherType is that is behind all tags. Never raises."""
    ethertype = int.from_bytes(octets[at : at + 2], "big")
    if ethertype == IPV4:
        return _read_ipv4(octets, at + 2)
    if ethertype == IPV6:
        return _read_ipv6(octets, at + 2)
    return Packet(ethertype)


def _read_ipv4(octets: bytes, at: int) -> Packet:
    head = octets[at : at + 20]
    length = (head[0] & 15) * 4 if head else 0
    packet = Packet(IPV4, unreadable=True)
    if len(head) < 20 or head[0] >> 4 != 4 or length < 20 or len(octets) < at + length:
        return packet
    word = int.from_bytes(head[6:8], "big")
    fragment = Fragment.LATER if word & 0x1FFF else Fragment.FIRST if word & 0x2000 else Fragment.WHOLE
    packet = Packet(IPV4, head[12:16], head[16:20], head[9], fragment)
    return _read_ports(packet, octets, at + length)


def _read_ipv6(octets: bytes, at: int) -> Packet:
    head = octets[at : at + 40]
    if len(head) < 40 or head[0] >> 4 != 6:
        return Packet(IPV6, unreadable=True)
    packet = Packet(IPV6, head[8:24], head[24:40])
    protocol, at = head[6], at + 40
    for _ in range(MOST_EXTENSIONS + 1):
        if protocol not in EXTENSIONS | {FRAGMENT, AUTHENTICATION} or packet.fragment is Fragment.LATER:
            return _read_ports(replace(packet, protocol=protocol), octets, at)
        start = octets[at : at + 4]
        if len(start) < 4:
            break
        if protocol == FRAGMENT:
            word = int.from_bytes(start[2:4], "big")
            whole = Fragment.FIRST if word & 1 else packet.fragment
            packet = replace(packet, fragment=Fragment.LATER if word & 0xFFF8 else whole)
            at += 8
        elif protocol == AUTHENTICATION:
            at += (start[1] + 2) * 4
        else:
            at += (start[1] + 1) * 8
        protocol = start[0]
    return replace(packet, unreadable=True)


def _read_ports(packet: Packet, octets: bytes, at: int) -> Packet:
    packet = replace(packet, at=at)
    if packet.fragment is Fragment.LATER or packet.protocol not in PORTS:
        return packet
    head = octets[at : at + PORTS[packet.protocol]]
    if len(head) < PORTS[packet.protocol]:
        return replace(packet, unreadable=True)
    first = int.from_bytes(head[:2], "big")
    if packet.protocol in (ICMP, ICMPV6):
        return replace(packet, ports=(first, None))
    flags = head[13] if packet.protocol == TCP else None
    return replace(packet, ports=(first, int.from_bytes(head[2:4], "big")), flags=flags)


@dataclass(frozen=True, slots=True)
class Subject:
    """What an ACL is asked about: a packet, the frame's addresses, and its VLAN inside the bridge."""

    src: Mac
    dst: Mac
    vlan: int
    packet: Packet
