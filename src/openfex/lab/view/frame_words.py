# SPDX-License-Identifier: Apache-2.0
"""A frame in words: addresses, tags, and what it carries. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from openfex.lab.view.sight import Row
from openfex.model.policy import Fragment
from openfex.model.protocols import ETHERTYPES, FLAGS, ICMP, ICMP_TYPES, ICMPV6, PROTOCOLS, TCP
from openfex.rules.head import read_head
from openfex.rules.packet import ARP, Packet, read_packet

_ARP_OCTETS = 28


def octets_row(octets: bytes) -> Row:
    """A frame as plain values."""
    head = read_head(octets)
    packet = read_packet(octets, head.inner) if head.whole else Packet(0)
    return {
        "source": str(head.src),
        "destination": str(head.dst),
        "vlan": head.tci & 0xFFF if head.tpid else None,
        "type": f"0x{head.type:04x}",
        "from": str(ip_address(packet.source)) if packet.source else None,
        "to": str(ip_address(packet.destination)) if packet.destination else None,
        "protocol": None if packet.protocol is None else _word(packet.protocol, PROTOCOLS),
        "length": len(octets),
        "octets": octets.hex(),
        "says": octets_text(octets),
    }


def octets_text(octets: bytes) -> str:
    """A frame in a line."""
    head = read_head(octets)
    if not head.whole:
        return f"{len(octets)} octets, cut off inside their head"
    tags = f", VLAN tag {head.tci & 0xFFF}" if head.tpid else ""
    return f"{head.src} > {head.dst}{tags}, {_content(octets, head.inner)}, {len(octets)} octets"


def _content(octets: bytes, at: int) -> str:
    packet = read_packet(octets, at)
    if packet.ethertype == ARP and len(octets) >= at + 2 + _ARP_OCTETS:
        return _arp(octets[at + 2 : at + 2 + _ARP_OCTETS])
    if not packet.source or packet.protocol is None:
        return f"{_word(packet.ethertype, ETHERTYPES, '0x04x')}{' that cannot be read' if packet.unreadable else ''}"
    parts = f"{ip_address(packet.source)} > {ip_address(packet.destination)}, {_word(packet.protocol, PROTOCOLS)}"
    fragment = "" if packet.fragment is Fragment.WHOLE else f", {packet.fragment.name.lower()} fragment"
    return f"{parts}{_ports(packet)}{fragment}{' that cannot be read' if packet.unreadable else ''}"


def _arp(body: bytes) -> str:
    sender, target = ip_address(body[14:18]), ip_address(body[24:28])
    if body[6:8] == b"\0\x01":
        return f"arp: who has {target}? {sender} asks"
    return f"arp: {sender} is at {body[8:14].hex(':')}"


def _ports(packet: Packet) -> str:
    if packet.ports is None:
        return ""
    source, destination = packet.ports
    if packet.protocol in (ICMP, ICMPV6):
        return f" {_word(source >> 8, ICMP_TYPES[packet.protocol])}"
    flags = packet.flags if packet.protocol == TCP else None
    set_ = "" if flags is None else f" {'+'.join(word for word, bit in FLAGS.items() if flags & bit) or 'no flags'}"
    return f" {source} > {destination}{set_}"


def _word(number: int, words: Mapping[str, int], form: str = "") -> str:
    known = next((word for word, one in words.items() if one == number), "")
    return known or (f"0x{number:04x}" if form else str(number))
