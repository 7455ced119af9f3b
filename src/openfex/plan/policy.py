# SPDX-License-Identifier: Apache-2.0
"""What a profile's document says, as the policy of its ports. Pure; what is wrong with it is told by rules.py."""

from __future__ import annotations

from collections.abc import Iterable

from openfex.model.documents import ProfileSpec
from openfex.model.policing import AclSpec, MatchSpec, RateSpec, RuleSpec
from openfex.model.policy import Policy, Priority, Rate, Rule, Source, Span, Trust
from openfex.model.protocols import ICMP_TYPES
from openfex.model.quantities import MOST_BURST_MIB
from openfex.model.written_policy import MOST_BURST_FRAMES

BURST_MS = 250
"""What a bucket holds by default: what its rate brings in so long, but at least the following. TCP waits for 200 ms
when all that it had under way is dropped; with less it never gets to its rate (docs/guide/policy.md)."""
LEAST_BURST_OCTETS, LEAST_BURST_FRAMES = 64 << 10, 64


def policy_of(spec: ProfileSpec) -> Policy:
    """The policy of the ports that have this profile."""
    rates, source, priority = spec.rate, spec.source, spec.priority
    return Policy(
        _rules_of(spec.acl, "in"),
        _rules_of(spec.acl, "out"),
        _rate_of(rates.in_ if rates else None),
        _rate_of(rates.out if rates else None),
        Source(source.macs, source.learn, source.guard) if source else Source(),
        Priority(Trust(priority.trust), priority.pcp, priority.dscp) if priority else Priority(),
    )


def _rules_of(acl: AclSpec | None, direction: str) -> tuple[Rule, ...] | None:
    rules = acl.directions.get(direction) if acl else None
    return None if rules is None else tuple(map(rule_of, rules))


def rule_of(spec: RuleSpec) -> Rule:
    """A rule of an ACL."""
    match = spec.match
    return Rule(
        permit=spec.action == "permit",
        source_macs=match.source_mac,
        destination_macs=match.destination_mac,
        ethertypes=match.ethertype,
        vlans=tuple(_spans(match.vlan)),
        sources=match.source,
        destinations=match.destination,
        protocols=match.protocol,
        source_ports=match.source_port,
        destination_ports=match.port,
        types=tuple(_types(match)),
        flags=tuple(pair for pairs in match.tcp for pair in pairs),
        fragments=match.fragment,
        name=spec.name or "",
    )


def _spans(numbers: Iterable[int]) -> Iterable[Span]:
    """The numbers as few spans as can be."""
    spans: list[Span] = []
    for number in sorted(numbers):
        if spans and number == spans[-1].last + 1:
            spans[-1] = Span(spans[-1].first, number)
        else:
            spans.append(Span(number, number))
    return spans


def _types(match: MatchSpec) -> Iterable[int]:
    """The numbers of the types, where words have one by the protocol."""
    words = ICMP_TYPES.get(match.protocol[0], {}) if match.protocol else {}
    return (words[one] if isinstance(one, str) else one for one in match.icmp_type if one in words or one in _NUMBERS)


_NUMBERS = range(256)


def _rate_of(spec: RateSpec | None) -> Rate:
    if spec is None:
        return Rate()
    bits, frames = spec.bits or 0, spec.frames or 0
    octets = spec.burst or min(max(bits * BURST_MS // 8000, LEAST_BURST_OCTETS), MOST_BURST_MIB << 20)
    count = spec.burst_frames or min(max(frames * BURST_MS // 1000, LEAST_BURST_FRAMES), MOST_BURST_FRAMES)
    return Rate(bits, octets if bits else 0, frames, count if frames else 0)
