# SPDX-License-Identifier: Apache-2.0
"""An ACL: which rule a frame matches first. `match` says what a rule means; `compile_acl` and `walk` find it fast.

A frame has a key in each of ten dimensions, or none (docs/design/policy.md). What a rule asks is a set of keys in each
dimension; a rule that asks nothing of one takes every key there, and a frame that has none. ICMP's type and code stand
where others have their source port, and ICMP alone has a key there and none for a destination port. So a rule that
names ports, of either side, asks for a destination port's key, and one that names ICMP types asks that there is none:
neither takes the other's frames, whatever protocols the rule names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openfex.model.policy import Fragment, MacBlock, Network, Rule, Span
from openfex.model.values import Mac
from openfex.rules.packet import Packet, Subject
from openfex.rules.trees import LEAF, RUN, Forest, Node, Reach, Run, cut, vector_of

WORD = 64


def match(rules: Sequence[Rule], subject: Subject) -> int | None:
    """The index of the first rule that a frame matches."""
    return next((index for index, rule in enumerate(rules) if _matches(rule, subject)), None)


def _matches(rule: Rule, subject: Subject) -> bool:
    packet = subject.packet
    return (
        _is_in(rule.source_macs, subject.src)
        and _is_in(rule.destination_macs, subject.dst)
        and (not rule.ethertypes or packet.ethertype in rule.ethertypes)
        and _spans(rule.vlans, subject.vlan)
        and _networks(rule.sources, packet.source)
        and _networks(rule.destinations, packet.destination)
        and _has_protocol(rule, packet)
        and _has_ports(rule, packet)
        and _has_flags(rule, packet)
    )


def _is_in(blocks: Sequence[MacBlock], mac: Mac) -> bool:
    return not blocks or any(mac in block for block in blocks)


def _spans(spans: Sequence[Span], number: int) -> bool:
    return not spans or any(number in span for span in spans)


def _networks(networks: Sequence[Network], address: bytes) -> bool:
    alike = (one for one in networks if len(address) == one.max_prefixlen // 8)
    number = int.from_bytes(address, "big")
    return not networks or any(int(one[0]) <= number <= int(one[-1]) for one in alike)


def _has_protocol(rule: Rule, packet: Packet) -> bool:
    if not rule.protocols and not rule.fragments:
        return True
    right = not rule.protocols or packet.protocol in rule.protocols
    return right and packet.protocol is not None and (not rule.fragments or packet.fragment in rule.fragments)


def _has_ports(rule: Rule, packet: Packet) -> bool:
    source, destination = packet.ports or (None, None)
    if rule.types and (source is None or destination is not None or source >> 8 not in rule.types):
        return False
    if not rule.source_ports and not rule.destination_ports:
        return True
    if source is None or destination is None:
        return False
    return _spans(rule.source_ports, source) and _spans(rule.destination_ports, destination)


def _has_flags(rule: Rule, packet: Packet) -> bool:
    flags = packet.flags
    return not rule.flags or (flags is not None and any(flags & mask == value for mask, value in rule.flags))


def keys_of(subject: Subject) -> tuple[bytes | None, ...]:
    """A frame's key in each dimension, None where it has none."""
    packet = subject.packet
    source, destination = packet.ports or (None, None)
    return (
        subject.src.octets,
        subject.dst.octets,
        packet.ethertype.to_bytes(2, "big"),
        subject.vlan.to_bytes(2, "big"),
        bytes((_FAMILIES[len(packet.source)],)) + packet.source,
        bytes((_FAMILIES[len(packet.destination)],)) + packet.destination,
        None if packet.protocol is None else bytes((packet.fragment.value, packet.protocol)),
        None if source is None else source.to_bytes(2, "big"),
        None if destination is None else destination.to_bytes(2, "big"),
        None if packet.flags is None else bytes((packet.flags,)),
    )


_FAMILIES = {0: 0, 4: 4, 16: 6}
"""The first octet of an address's key, by the octets of the address."""
_OCTETS = (6, 6, 2, 2, 17, 17, 2, 2, 2, 1)
"""The octets of a key in each dimension; a shorter one is looked up as if any octets followed."""
_DESTINATION_PORT = 8
_EVERY_PORT = ((0, 0xFFFF),)
Asked = Sequence[Reach] | None
"""The keys that a rule asks for in one dimension; None: it asks nothing."""


def _of_blocks(blocks: Iterable[MacBlock]) -> Asked:
    spares = [(int.from_bytes(block.mac.octets, "big"), 48 - block.length) for block in blocks]
    return [(mac >> spare << spare, mac | (1 << spare) - 1) for mac, spare in spares] or None


def _of_spans(spans: Iterable[Span]) -> Asked:
    return [(span.first, span.last) for span in spans] or None


def _of_networks(networks: Iterable[Network]) -> Asked:
    reaches = []
    for one in networks:
        spare = 128 - one.max_prefixlen
        first, last = (one.version << 128 | int(address) << spare for address in (one[0], one[-1]))
        reaches.append((first, last | (1 << spare) - 1))
    return reaches or None


def _of_protocols(rule: Rule) -> Asked:
    if not rule.protocols and not rule.fragments:
        return None
    wanted = [(one, one) for one in rule.protocols] or [(0, 0xFF)]
    fragments = [one.value << 8 for one in rule.fragments or Fragment]
    return [(fragment | first, fragment | last) for fragment in fragments for first, last in wanted]


def _of_source_ports(rule: Rule) -> Asked:
    return [*((one << 8, one << 8 | 0xFF) for one in rule.types), *(_of_spans(rule.source_ports) or ())] or None


def _of_destination_ports(rule: Rule) -> Asked:
    if rule.types:
        return ()
    return _of_spans(rule.destination_ports) or (_EVERY_PORT if rule.source_ports else None)


def _of_flags(rule: Rule) -> Asked:
    right = (octet for octet in range(256) if any(octet & mask == value for mask, value in rule.flags))
    return [(octet, octet) for octet in right] if rule.flags else None


def _asked(rule: Rule) -> tuple[Asked, ...]:
    return (
        _of_blocks(rule.source_macs),
        _of_blocks(rule.destination_macs),
        [(one, one) for one in rule.ethertypes] or None,
        _of_spans(rule.vlans),
        _of_networks(rule.sources),
        _of_networks(rule.destinations),
        _of_protocols(rule),
        _of_source_ports(rule),
        _of_destination_ports(rule),
        _of_flags(rule),
    )


@dataclass(frozen=True, slots=True)
class Acl:
    """An ACL as the kernel holds it, in numbers of its own.

    A vector has bit i for rule i, in `words` words of 64 bits; row 0 has the bits of all rules. For each dimension
    `roots` has the tree for frames that have a key there, `absent` the leaf for those that have none.
    """

    words: int
    roots: tuple[int, ...]
    absent: tuple[int, ...]
    nodes: tuple[Node, ...]
    runs: tuple[Run, ...]
    vectors: tuple[int, ...]
    permits: int


def _bits(truths: Iterable[bool]) -> int:
    return sum(1 << index for index, truth in enumerate(truths) if truth)


def compile_acl(rules: Sequence[Rule]) -> Acl:
    """The trees of an ACL's ten dimensions; at most MOST_RULES rules."""
    forest = Forest()
    forest.leaf(_bits(True for _ in rules))
    no_port = _bits(bool(rule.types) and not (rule.source_ports or rule.destination_ports) for rule in rules)
    roots, absent = [], []
    for number, (octets, column) in enumerate(zip(_OCTETS, _columns(rules), strict=True)):
        reaches = {index: asked for index, asked in enumerate(column) if asked is not None}
        free = _bits(asked is None for asked in column)
        roots.append(forest.tree(cut(free, reaches, octets), octets))
        absent.append(forest.leaf(free | no_port if number == _DESTINATION_PORT else free))
    return Acl(
        (len(rules) + WORD - 1) // WORD,
        tuple(roots),
        tuple(absent),
        tuple(forest.nodes),
        tuple(forest.runs),
        tuple(forest.vectors),
        _bits(rule.permit for rule in rules),
    )


def _columns(rules: Sequence[Rule]) -> list[list[Asked]]:
    """What all rules ask, dimension by dimension."""
    rows = [_asked(rule) for rule in rules]
    return [[row[number] for row in rows] for number in range(len(_OCTETS))]


def walk(acl: Acl, subject: Subject) -> int | None:
    """The index of the first rule that a frame matches, found as the kernel's program finds it."""
    found = acl.vectors[0]
    for root, absent, key in zip(acl.roots, acl.absent, keys_of(subject), strict=True):
        found &= acl.vectors[vector_of(absent if key is None else _look_up(acl, root, key))]
    return (found & -found).bit_length() - 1 if found else None


def _look_up(acl: Acl, reference: int, key: bytes) -> int:
    at = 0
    while not reference & LEAF:
        if reference & RUN:
            run = acl.runs[reference & ~RUN]
            ours = key[at : at + len(run.octets)]
            at += len(run.octets)
            reference = run.equal if ours == run.octets else run.other
        else:
            reference = acl.nodes[reference][key[at]]
            at += 1
    return reference
