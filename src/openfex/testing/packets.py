# SPDX-License-Identifier: Apache-2.0
"""What stands behind a frame's head, as octets: packets, ARP, neighbour discovery; and their flaws."""

from __future__ import annotations

from itertools import pairwise

from openfex.model.policy import Fragment
from openfex.model.values import Mac
from openfex.rules.packet import ARP, FRAGMENT, ICMPV6, IPV4, IPV6, TCP, UDP, Packet
from openfex.rules.policy import ADVERTISEMENT, SOLICITATION
from openfex.testing.chance import Chance, one_in

_EXTENSIONS = (0, 43, 60, 135, 139, 140, 51)
_REST = bytes(range(40, 80))
_CLASSES = (0, 0xB8, 0xFF, 0x03, 0x20)
"""DSCP and what is beside it."""
_CHECKSUMS = (0, 0xFFFF, 0xB861, 0x47FE)
"""Right or not: what is written is found out from what was there."""


def _own_head(packet: Packet) -> bytes:
    """The protocol's own head, as long as it is looked at, and something behind it."""
    if packet.ports is None or packet.protocol is None:
        return _REST
    first, second = packet.ports
    head = first.to_bytes(2, "big")
    if second is not None:
        head += second.to_bytes(2, "big")
    if packet.protocol == TCP:
        head += bytes(8) + b"\x50" + bytes((packet.flags or 0,)) + bytes(6)
    return head + _REST


def _ipv4(chance: Chance, packet: Packet) -> bytes:
    options = bytes(4 * chance.choice((0, 0, 0, 1, 10)))
    words = {
        Fragment.WHOLE: chance.choice((0, 0x4000)),
        Fragment.FIRST: 0x2000,
        Fragment.LATER: chance.choice((1, 0x3FFF)),
    }
    body = _own_head(packet)
    head = bytes((0x40 | 5 + len(options) // 4, chance.choice(_CLASSES)))
    head += (20 + len(options) + len(body)).to_bytes(2, "big") + bytes(2)
    head += words[packet.fragment].to_bytes(2, "big") + bytes((64, packet.protocol or 0))
    head += chance.choice(_CHECKSUMS).to_bytes(2, "big")
    return head + packet.source + packet.destination + options + body


def _extension(protocol: int, following: int) -> bytes:
    """One extension header, mostly a longer one than need be."""
    if protocol == 51:
        return bytes((following, 2)) + bytes(14)
    return bytes((following, 1)) + bytes(14)


def _ipv6(chance: Chance, packet: Packet) -> bytes:
    chain = [chance.choice(_EXTENSIONS) for _ in range(chance.choice((0, 0, 0, 1, 2, 7)))]
    if packet.protocol in _EXTENSIONS or packet.protocol == FRAGMENT:
        chain = []
    numbers = [*chain, *([FRAGMENT] if packet.fragment is not Fragment.WHOLE else []), packet.protocol or 0]
    body = b""
    for number, following in pairwise(numbers):
        if number == FRAGMENT:
            word = 1 if packet.fragment is Fragment.FIRST else chance.choice((8, 9, 0xFFF8))
            body += bytes((following, 0)) + word.to_bytes(2, "big") + bytes(4)
        else:
            body += _extension(number, following)
    body += _own_head(packet)
    start = 0x6000_0000 | chance.choice(_CLASSES) << 20 | chance.choice((0, 0xFFFFF))
    head = start.to_bytes(4, "big") + len(body).to_bytes(2, "big") + bytes((numbers[0], 64))
    return head + packet.source + packet.destination + body


def make_body(chance: Chance, packet: Packet) -> bytes:
    """The EtherType and what follows, so that read_packet reads this packet, if it is one that can be."""
    start = packet.ethertype.to_bytes(2, "big")
    if packet.ethertype == IPV4:
        return start + _ipv4(chance, packet)
    if packet.ethertype == IPV6:
        return start + _ipv6(chance, packet)
    return start + _REST


def make_arp(chance: Chance, mac: Mac, address: bytes) -> bytes:
    """ARP from this sender, or not quite."""
    kind = (
        b"\x00\x01\x08\x00\x06\x04" if not one_in(chance, 8) else chance.choice((b"\x00\x06\x08\x00\x06\x04", bytes(6)))
    )
    sender = chance.choice((mac.octets, mac.octets, mac.octets, bytes(6)))
    return ARP.to_bytes(2, "big") + kind + b"\x00\x01" + sender + address.rjust(4, b"\0")[-4:] + bytes(6) + bytes(4)


def make_neighbour(chance: Chance, mac: Mac, packet: Packet, target: bytes) -> bytes:
    """A neighbour solicitation or advertisement with some options."""
    kind = chance.choice((SOLICITATION, ADVERTISEMENT))
    options = b""
    for _ in range(chance.choice((0, 1, 1, 2, 4, 5))):
        named = chance.choice((mac.octets, mac.octets, bytes(6)))
        options += bytes((chance.choice((1, 2, 14)), chance.choice((1, 1, 1, 1, 0)))) + named
    body = bytes((kind, 0)) + bytes(6) + target.rjust(16, b"\0")[-16:] + options
    head = b"\x60" + bytes(3) + len(body).to_bytes(2, "big") + bytes((ICMPV6, 255))
    return IPV6.to_bytes(2, "big") + head + packet.source + packet.destination + body


def make_dhcp(chance: Chance) -> bytes:
    """What a client sends that has no address yet, or something like it."""
    ports = chance.choice(((68, 67), (68, 67), (67, 68), (68, 68)))
    return make_body(chance, Packet(IPV4, bytes(4), b"\xff" * 4, UDP, Fragment.WHOLE, ports))


def cut_body(chance: Chance, body: bytes) -> bytes:
    """The same, cut off somewhere, or with a version or a length that it does not have.

    The kernel's test runs take no IP without its own header.
    """
    least = 2 + (40 if body.startswith(IPV6.to_bytes(2, "big")) else 20)
    if one_in(chance, 2):
        return body[: chance.randint(least, max(least, len(body) - 1))]
    return body[:2] + bytes((body[2] ^ chance.choice((0x10, 0x0F, 0x05)),)) + body[3:]
