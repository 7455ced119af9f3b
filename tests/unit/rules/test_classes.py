# SPDX-License-Identifier: Apache-2.0
"""What a rule means, rule kind by rule kind, and how large a thousand of them are when they are compiled."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest

from openfex.model.policy import MOST_VALUES, Fragment, MacBlock, Network, Rule, Span
from openfex.model.values import Mac
from openfex.rules.classes import Acl, compile_acl, match, walk
from openfex.rules.packet import ARP, ICMP, ICMPV6, IPV4, IPV6, SCTP, TCP, UDP, Packet, Subject
from openfex.rules.trees import LEAF

THOUSAND = 1_000
MOST_NODES = 3_000
SRC, DST = Mac.parse("52:54:00:00:00:01"), Mac.parse("52:54:00:00:00:02")
V4 = (bytes((10, 0, 10, 1)), bytes((10, 0, 20, 255)))
V6 = (ip_network("fd00::1").network_address.packed, ip_network("fd00:1::1").network_address.packed)
TCP4 = Packet(IPV4, *V4, TCP, ports=(49152, 443), flags=0x10)
UDP6 = Packet(IPV6, *V6, UDP, ports=(53, 1024))
PING4, PING6 = Packet(IPV4, *V4, ICMP, ports=(0x0800, None)), Packet(IPV6, *V6, ICMPV6, ports=(0x8000, None))
LATER = Packet(IPV4, *V4, TCP, Fragment.LATER)
ESP, OF_ARP = Packet(IPV4, *V4, 50), Packet(ARP)
FRAMES = {"tcp4": TCP4, "udp6": UDP6, "ping4": PING4, "ping6": PING6, "later": LATER, "esp": ESP, "arp": OF_ARP}

MEANINGS: dict[str, tuple[Rule, str]] = {
    "nothing asked": (Rule(True), "tcp4 udp6 ping4 ping6 later esp arp"),
    "source MAC": (Rule(True, source_macs=(MacBlock(SRC),)), "tcp4 udp6 ping4 ping6 later esp arp"),
    "another MAC": (Rule(True, source_macs=(MacBlock(DST),)), ""),
    "a block of MACs": (
        Rule(True, destination_macs=(MacBlock(Mac(bytes(6))), MacBlock(SRC, 24))),
        "tcp4 udp6 ping4 ping6 later esp arp",
    ),
    "EtherType": (Rule(True, ethertypes=(ARP, IPV6)), "udp6 ping6 arp"),
    "VLAN": (Rule(True, vlans=(Span(1, 9), Span(10, 10))), "tcp4 udp6 ping4 ping6 later esp arp"),
    "another VLAN": (Rule(True, vlans=(Span(11, 4094),)), ""),
    "source": (Rule(True, sources=(IPv4Network("10.0.10.0/24"),)), "tcp4 ping4 later esp"),
    "all of a family": (Rule(True, sources=(IPv4Network("0.0.0.0/0"),)), "tcp4 ping4 later esp"),
    "destination, the last of its network": (
        Rule(True, destinations=(IPv4Network("10.0.20.0/24"), IPv6Network("fd00:1::/32"))),
        "tcp4 udp6 ping4 ping6 later esp",
    ),
    "both families, one a side": (
        Rule(True, sources=(IPv4Network("0.0.0.0/0"),), destinations=(IPv6Network("::/0"),)),
        "",
    ),
    "protocol": (Rule(True, protocols=(TCP, 50)), "tcp4 later esp"),
    "whole": (Rule(True, fragments=(Fragment.WHOLE, Fragment.FIRST)), "tcp4 udp6 ping4 ping6 esp"),
    "later fragment": (Rule(True, protocols=(TCP,), fragments=(Fragment.LATER,)), "later"),
    "destination port": (Rule(True, destination_ports=(Span(443, 443), Span(1024, 65535))), "tcp4 udp6"),
    "any destination port": (Rule(True, destination_ports=(Span(0, 65535),)), "tcp4 udp6"),
    "source port": (Rule(True, source_ports=(Span(53, 53),)), "udp6"),
    "a source port that looks like a ping": (Rule(True, source_ports=(Span(0x0800, 0x8000),)), ""),
    "any source port": (Rule(True, source_ports=(Span(0, 65535),)), "tcp4 udp6"),
    "ICMP type": (Rule(True, types=(8,)), "ping4"),
    "ICMP types": (Rule(True, types=(0, 8, 128)), "ping4 ping6"),
    "a type that looks like a source port": (Rule(True, types=(49152 >> 8, 0)), ""),
    "ports and types at once": (Rule(True, types=(8,), source_ports=(Span(0, 65535),)), ""),
    "a flag set": (Rule(True, flags=((0x10, 0x10),)), "tcp4"),
    "flags or others": (Rule(True, flags=((0x12, 0x02), (0x04, 0x04))), ""),
    "any flags": (Rule(True, flags=((0, 0),)), "tcp4"),
}


def about(packet: Packet) -> Subject:
    return Subject(SRC, DST, 10, packet)


@pytest.mark.parametrize("case", MEANINGS)
def test_a_rule_takes_the_frames_that_it_means(case: str) -> None:
    rule, names = MEANINGS[case]
    acl = compile_acl([rule])
    taken = [name for name, packet in FRAMES.items() if match([rule], about(packet)) == 0]
    assert taken == names.split()
    assert taken == [name for name, packet in FRAMES.items() if walk(acl, about(packet)) == 0]


def test_the_first_rule_decides() -> None:
    rules = [Rule(False, protocols=(SCTP,)), Rule(False, protocols=(TCP,)), Rule(True), Rule(False)]
    acl = compile_acl(rules)
    assert [walk(acl, about(one)) for one in (TCP4, PING6, OF_ARP)] == [1, 2, 2]
    assert (acl.words, acl.permits, acl.vectors[0]) == (1, 0b0100, 0b1111)


def test_no_rule_matches_nothing() -> None:
    acl = compile_acl([])
    assert (acl.words, acl.permits, acl.nodes, acl.vectors) == (0, 0, (), (0,))
    assert walk(acl, about(TCP4)) is None


def test_what_no_rule_asks_about_is_one_leaf() -> None:
    acl = compile_acl([Rule(True, protocols=(TCP,)), Rule(True)])
    assert [number for number, root in enumerate(acl.roots) if not root & LEAF] == [6]
    assert acl.roots[0] == acl.absent[0] == LEAF


def test_the_last_of_a_thousand_has_its_bit() -> None:
    rules = [*[Rule(False, protocols=(SCTP,))] * (THOUSAND - 1), Rule(True, protocols=(TCP,))]
    acl = compile_acl(rules)
    assert (acl.words, acl.permits) == (16, 1 << 999)
    assert walk(acl, about(TCP4)) == match(rules, about(TCP4)) == 999
    assert walk(acl, about(PING4)) is None


Make = Callable[[random.Random], Rule]
_MIXED_LENGTHS = {4: (0, 8, 12, 16, 18, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 32), 6: (0, 32, 40, 48, 52, 56, 60, 64)}


def span(chance: random.Random) -> tuple[Span, ...]:
    first, last = sorted(chance.randrange(65536) for _ in range(2))
    return chance.choice(((), (Span(first, first),), (Span(first, first),), (Span(first, last),)))


def mixed(version: int) -> Make:
    """Rules like those that hands write: networks of many lengths, protocols, ports and ranges of ports."""
    kind, bits = (IPv4Network, 32) if version == 4 else (IPv6Network, 128)

    def network(chance: random.Random) -> tuple[Network, ...]:
        length = chance.choice(_MIXED_LENGTHS[version])
        return (kind((chance.getrandbits(bits), length), strict=False),) if length else ()

    def make(chance: random.Random) -> Rule:
        rule = Rule(True, sources=network(chance), destinations=network(chance))
        protocol = chance.choice((0, TCP, UDP))
        return replace(rule, protocols=(protocol,), destination_ports=span(chance)) if protocol else rule

    return make


def host(chance: random.Random) -> Rule:
    return Rule(True, sources=(IPv6Network(chance.getrandbits(128)),), destinations=(IPv6Network(V6[1]),))


def host_pair(chance: random.Random) -> Rule:
    return Rule(True, sources=(IPv6Network(chance.getrandbits(128)),), destinations=host(chance).sources)


def port_pair(chance: random.Random) -> Rule:
    source, destination = (chance.randrange(65536) for _ in range(2))
    return Rule(
        True,
        protocols=(TCP,),
        source_ports=(Span(source, source),),
        destination_ports=(Span(destination, destination),),
    )


def port_ranges(chance: random.Random) -> Rule:
    source, destination = (tuple(sorted(chance.randrange(65536) for _ in range(2))) for _ in range(2))
    return Rule(True, protocols=(UDP,), source_ports=(Span(*source),), destination_ports=(Span(*destination),))


def four_networks(chance: random.Random) -> Rule:
    """As many values as documents allow, and of the kind that takes most: a prefix that ends within an octet."""
    lengths = [length for length in range(17, 128) if length % 8]
    networks = [
        IPv6Network((chance.getrandbits(128), chance.choice(lengths)), strict=False)
        for _ in range(MOST_VALUES // THOUSAND)
    ]
    return Rule(True, sources=tuple(networks[::2]), destinations=tuple(networks[1::2]))


THOUSANDS: dict[str, Make] = {
    "mixed, IPv4": mixed(4),
    "mixed, IPv6": mixed(6),
    "IPv6 hosts to one": host,
    "pairs of IPv6 hosts": host_pair,
    "pairs of ports": port_pair,
    "pairs of port ranges": port_ranges,
}


def compiled(name: str, make: Make) -> Acl:
    chance = random.Random(1)
    acl = compile_acl([make(chance) for _ in range(THOUSAND)])
    print(f"\n| {name} | {len(acl.nodes):,} | {len(acl.runs):,} | {len(acl.vectors):,} |")
    return acl


@pytest.mark.parametrize("name", THOUSANDS)
def test_a_thousand_rules_take_little_room(name: str) -> None:
    acl = compiled(name, THOUSANDS[name])
    assert len(acl.nodes) <= MOST_NODES
    assert acl.words == 16


def test_the_most_that_documents_allow_takes_little_more() -> None:
    assert len(compiled("4,000 IPv6 networks that end within an octet", four_networks).nodes) <= MOST_VALUES + 500
