# SPDX-License-Identifier: Apache-2.0
"""The keys of a rule, and those of a rate, go together: each problem is told at the key that it is about. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from openfex.errors import Problem
from openfex.model.documents import ProfileSpec
from openfex.model.policing import MatchSpec, RateSpec, RuleSpec
from openfex.model.policy import MOST_RULES, MOST_VALUES
from openfex.model.protocols import ETHERTYPES, ICMP, ICMP_TYPES, ICMPV6, PROTOCOLS, TCP, WITH_PORTS
from openfex.model.reader import Document, of_spec
from openfex.model.wording import choose, either
from openfex.plan.inventory import Inventory

IPV4, IPV6 = 4, 6
BOTH = frozenset((IPV4, IPV6))


@dataclass(frozen=True)
class _Place:
    """Which frames a rule is about, and where that is written."""

    document: Document
    path: tuple[str | int, ...]
    match: MatchSpec

    def problem(self, code: str, message: str, remedy: str, key: str) -> Problem:
        return self.document.problem(code, message, remedy, (*self.path, key))


def check_rules(inventory: Inventory) -> Iterator[Problem]:
    """Each rule can match a frame, and there are not too many."""
    for document, profile in of_spec(inventory.reading, ProfileSpec):
        for direction, rules in (profile.acl.directions if profile.acl else {}).items():
            path = ("acl", direction)
            yield from _check_size(document, path, rules)
            for index, rule in enumerate(rules):
                place = _Place(document, (*path, index, rule.action), rule.match)
                for check in (_check_ports, _check_types, _check_flags, _check_later, _check_families):
                    yield from check(place)


def _check_size(document: Document, path: tuple[str, ...], rules: Sequence[RuleSpec]) -> Iterator[Problem]:
    if len(rules) > MOST_RULES:
        message = f"{len(rules):,} rules, a port takes {MOST_RULES:,} in each direction"
        yield document.problem("too-many-rules", message, "put several networks or ports into one rule", path)
    values = sum(_values(rule.match) for rule in rules)
    if values > MOST_VALUES:
        message = f"the rules name {values:,} values, there is room for {MOST_VALUES:,} in each direction"
        yield document.problem("too-many-rules", message, "name larger networks, or ranges", path)


def _values(match: MatchSpec) -> int:
    """How many networks, ports and so on a rule names; a range is one, and so are its VLANs."""
    lists = (getattr(match, name) for name in MatchSpec.model_fields if name != "vlan")
    return sum(map(len, lists)) + bool(match.vlan)


def _word(protocol: int) -> str:
    return next((word for word, number in PROTOCOLS.items() if number == protocol), str(protocol))


def _said(protocols: Sequence[int]) -> str:
    return f"the rule says {' and '.join(map(_word, protocols))}" if protocols else "the rule says no protocol"


def _check_ports(place: _Place) -> Iterator[Problem]:
    match = place.match
    key = "port" if match.port else "source-port"
    without = [one for one in match.protocol if one not in WITH_PORTS.values()]
    if (match.port or match.source_port) and (without or not match.protocol):
        message = f"{_word(without[0])} has no ports" if without else "it is not said of which protocol"
        remedy = f"write `protocol: tcp` beside it, or another that has ports: {either(WITH_PORTS)}"
        yield place.problem("port-needs-protocol", message, remedy, key)


def _check_types(place: _Place) -> Iterator[Problem]:
    match = place.match
    if not match.icmp_type:
        return
    known = ICMP_TYPES.get(match.protocol[0]) if len(match.protocol) == 1 else None
    if known is None:
        both = {ICMP, ICMPV6} == {*match.protocol}
        remedy = "write a rule for each" if both else "write `protocol: icmp` or `protocol: icmpv6` beside it"
        message = f"types are of icmp or of icmpv6, {_said(match.protocol)}"
        yield place.problem("type-needs-icmp", message, remedy, "icmp-type")
        return
    for word in match.icmp_type:
        if isinstance(word, str) and word not in known:
            message = f"{_word(match.protocol[0])} has no type {word}"
            yield place.problem("bad-icmp-type", message, choose(word, known, "words"), "icmp-type")


def _check_flags(place: _Place) -> Iterator[Problem]:
    if place.match.tcp and place.match.protocol != (TCP,):
        message = f"flags are of tcp, {_said(place.match.protocol)}"
        yield place.problem("flags-need-tcp", message, "write `protocol: tcp` beside it, and no other", "tcp")


def _check_later(place: _Place) -> Iterator[Problem]:
    match = place.match
    heads = {"port": match.port, "source-port": match.source_port, "icmp-type": match.icmp_type, "tcp": match.tcp}
    named = [key for key, value in heads.items() if value]
    if named and {one.name for one in match.fragment} == {"LATER"}:
        message = f"a later fragment does not have what {either(named)} asks for"
        yield place.problem("later-has-no-ports", message, f"take {either(named)} out, or `later`", "fragment")


def _check_families(place: _Place) -> Iterator[Problem]:
    """What a rule says of IP can be true of one frame."""
    left, before = BOTH, ""
    for key, families in _families(place.match):
        if before and not left & families:
            message = f"{key} is {_family(families)}, {before} is {_family(left)}: no frame is both"
            yield place.problem("families-differ", message, "write a rule for each, or take one of them out", key)
            return
        left, before = left & families, key


def _families(match: MatchSpec) -> Iterator[tuple[str, frozenset[int]]]:
    """The keys that have to do with IP, and in which versions a frame can have what they ask for."""
    versions = {ETHERTYPES["ipv4"]: IPV4, ETHERTYPES["ipv6"]: IPV6}
    if match.ethertype:
        yield "ethertype", frozenset(versions[one] for one in match.ethertype if one in versions)
    for key, networks in (("source", match.source), ("destination", match.destination)):
        if networks:
            yield key, frozenset(one.version for one in networks)
    if match.protocol:
        only = {ICMP: {IPV4}, ICMPV6: {IPV6}}
        yield "protocol", frozenset(version for one in match.protocol for version in only.get(one, BOTH))
    if match.fragment:
        yield "fragment", BOTH


def _family(families: frozenset[int]) -> str:
    return either(f"IPv{one}" for one in sorted(families)) if families else "neither IPv4 nor IPv6"


def check_rates(inventory: Inventory) -> Iterator[Problem]:
    """A burst is one of a rate."""
    for document, profile in of_spec(inventory.reading, ProfileSpec):
        rates = {"in": profile.rate.in_, "out": profile.rate.out} if profile.rate else {}
        for direction, rate in rates.items():
            if rate is not None:
                yield from _check_rate(document, ("rate", direction), rate)


def _check_rate(document: Document, path: tuple[str, ...], rate: RateSpec) -> Iterator[Problem]:
    pairs = (("burst", rate.burst, "bits", rate.bits), ("burst-frames", rate.burst_frames, "frames", rate.frames))
    for key, burst, of, limit in pairs:
        if burst is not None and limit is None:
            message = f"is a burst of no rate, {of} is not said"
            yield document.problem("burst-without-rate", message, f"write {of}, too", (*path, key))
    if not rate.model_fields_set:
        yield document.problem("bad-value", "neither bits nor frames is said", "write for example `bits: 1Gbit`", path)
