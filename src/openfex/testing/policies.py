# SPDX-License-Identifier: Apache-2.0
"""Rules by chance, and frames that hit them, miss them, and stand at their edges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network
from typing import TypeVar

from openfex.model.policy import Fragment, MacBlock, Network, Policy, Priority, Rate, Rule, Source, Span, Trust
from openfex.model.values import Mac
from openfex.rules.packet import ARP, ICMP, ICMPV6, IPV4, IPV6, PORTS, TCP, UDP, Packet, Subject
from openfex.testing.chance import Chance, one_in

T = TypeVar("T")
PROTOCOLS = (TCP, UDP, ICMP, ICMPV6, 47, 0, 255)
ETHERTYPES = (IPV4, IPV6, ARP, 0x0600, 0xFFFF)
NUMBERS = (0, 1, 53, 80, 255, 256, 443, 1023, 1024, 32767, 32768, 65280, 65534, 65535)
VLANS = (1, 10, 11, 255, 256, 4094)
MACS = tuple(Mac(bytes.fromhex(text)) for text in ("020000000001", "020000000002", "0200000000ff", "020100000000"))
IPV4_ADDRESSES = tuple(bytes(one) for one in ((10, 0, 0, 0), (10, 0, 0, 255), (10, 1, 2, 3), (0, 0, 0, 0), (255,) * 4))
IPV6_ADDRESSES = tuple(
    bytes.fromhex(text.ljust(28, "0") + end)
    for text, end in (("fd00", "0001"), ("fd00", "ffff"), ("fd000001", "0001"), ("", "0000"), ("f" * 28, "ffff"))
)
_LENGTHS = {4: (0, 1, 7, 8, 9, 16, 23, 24, 25, 31, 32), 16: (0, 1, 7, 8, 32, 63, 64, 65, 112, 121, 127, 128)}


def _network(chance: Chance, address: bytes) -> Network:
    length = chance.choice(_LENGTHS[len(address)])
    if len(address) == 4:
        return IPv4Network((address, length), strict=False)
    return IPv6Network((address, length), strict=False)


def _span(chance: Chance, numbers: Sequence[int]) -> Span:
    first, last = sorted((chance.choice(numbers), chance.choice(numbers)))
    return Span(first, last if one_in(chance, 3) else first)


def make_rule(chance: Chance) -> Rule:
    """A rule that asks something of few dimensions, also what contradicts itself and no document may say."""

    def maybe(make: Callable[[], T]) -> tuple[T, ...]:
        return tuple(make() for _ in range(chance.randint(1, 3))) if one_in(chance, 6) else ()

    def network() -> Network:
        return _network(chance, chance.choice((*IPV4_ADDRESSES, *IPV6_ADDRESSES)))

    return Rule(
        permit=one_in(chance, 2),
        source_macs=maybe(lambda: MacBlock(chance.choice(MACS), chance.choice((48, 47, 40, 24, 1, 0)))),
        destination_macs=maybe(lambda: MacBlock(chance.choice(MACS), chance.choice((48, 41, 8)))),
        ethertypes=maybe(lambda: chance.choice(ETHERTYPES)),
        vlans=maybe(lambda: _span(chance, VLANS)),
        sources=maybe(network),
        destinations=maybe(network),
        protocols=maybe(lambda: chance.choice(PROTOCOLS)),
        source_ports=maybe(lambda: _span(chance, NUMBERS)),
        destination_ports=maybe(lambda: _span(chance, NUMBERS)),
        types=maybe(lambda: chance.choice((0, 3, 8, 128, 255))),
        flags=maybe(lambda: chance.choice(((0x12, 0x02), (0x10, 0x10), (0x04, 0x04), (0, 0), (0xFF, 0x29)))),
        fragments=maybe(lambda: chance.choice(tuple(Fragment))),
    )


def _near(chance: Chance, options: Iterable[int], last: int) -> int:
    """One of the numbers, or the one before or behind it."""
    return min(max(chance.choice(tuple(options)) + chance.choice((0, 0, 1, -1)), 0), last)


def _address(chance: Chance, options: Sequence[bytes]) -> bytes:
    length = len(options[0])
    whole = _near(chance, (int.from_bytes(one, "big") for one in options), (1 << 8 * length) - 1)
    return (whole ^ (1 << chance.randint(0, 8 * length - 1) if one_in(chance, 3) else 0)).to_bytes(length, "big")


def _edges(networks: Iterable[Network], version: int) -> list[bytes]:
    """The first and last address of those networks that are of this version."""
    return [one[end].packed for one in networks if one.version == version for end in (0, -1)]


def _make_packet(chance: Chance, rules: Sequence[Rule]) -> Packet:
    ethertype = chance.choice((IPV4, IPV6, *ETHERTYPES))
    if ethertype not in (IPV4, IPV6):
        return Packet(ethertype)
    version, known = (4, IPV4_ADDRESSES) if ethertype == IPV4 else (6, IPV6_ADDRESSES)
    sources = _edges((network for rule in rules for network in rule.sources), version)
    destinations = _edges((network for rule in rules for network in rule.destinations), version)
    source, destination = (_address(chance, (*known, *edges)) for edges in (sources, destinations))
    protocol, fragment = chance.choice(PROTOCOLS), chance.choice((Fragment.WHOLE, *Fragment))
    packet = Packet(ethertype, source, destination, protocol, fragment)
    if fragment is Fragment.LATER or protocol not in PORTS:
        return packet
    first, second = (_near(chance, NUMBERS, 0xFFFF) for _ in range(2))
    if protocol in (ICMP, ICMPV6):
        code = chance.choice((0, 1, 255))
        icmp = chance.choice((8, 0, 3, 128, 255, 7)) << 8 | code
        return Packet(ethertype, source, destination, protocol, fragment, (icmp, None))
    flags = chance.choice((0x02, 0x10, 0x12, 0x14, 0x00, 0xFF)) if protocol == TCP else None
    return Packet(ethertype, source, destination, protocol, fragment, (first, second), flags)


def make_packet(chance: Chance, rules: Sequence[Rule]) -> Packet:
    """A packet for these rules."""
    return _make_packet(chance, rules)


def _make_rate(chance: Chance) -> Rate:
    """None, or one that a few frames exhaust."""
    if not one_in(chance, 2):
        return Rate()
    return Rate(
        chance.choice((0, 10**6, 10**9)), chance.choice((0, 1500)), chance.choice((0, 10)), chance.choice((0, 2))
    )


def _make_priority(chance: Chance) -> Priority:
    if not one_in(chance, 2):
        return Priority()
    return Priority(chance.choice(tuple(Trust)), chance.choice((0, 1, 7)), chance.choice((None, 0, 1, 46, 63)))


def make_policy(chance: Chance) -> Policy:
    """Any of it, mostly little: an ACL is rather long, so that each rule says something."""
    return Policy(
        acl_in=(*make_rules(chance), Rule(True)) if one_in(chance, 3) else None,
        acl_out=(*make_rules(chance), Rule(one_in(chance, 2))) if one_in(chance, 4) else None,
        rate_in=_make_rate(chance),
        rate_out=_make_rate(chance),
        source=Source(learn=chance.choice((0, 0, 0, 1, 2)), guard=one_in(chance, 4)),
        priority=_make_priority(chance),
    )


def make_timeless_policy(chance: Chance) -> Policy:
    """The same without rates, for whose verdicts two clocks would have to agree."""
    return replace(make_policy(chance), rate_in=Rate(), rate_out=Rate())


def make_priority_policy(chance: Chance) -> Policy:
    """Nothing that could drop a frame."""
    return Policy(priority=_make_priority(chance))


def make_subject(chance: Chance, rules: Sequence[Rule]) -> Subject:
    """A frame for these rules."""
    src, dst = (Mac(_address(chance, [mac.octets for mac in MACS])) for _ in range(2))
    return Subject(src, dst, _near(chance, VLANS, 4094), _make_packet(chance, rules))


def make_rules(chance: Chance, most: int = 12) -> tuple[Rule, ...]:
    """An ACL, which may have no rule."""
    return tuple(make_rule(chance) for _ in range(chance.randint(0, most)))
