# SPDX-License-Identifier: Apache-2.0
"""Rules as they are shown: in the words of the documents, and when these are read again, the same rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from openfex.model.documents import ProfileSpec
from openfex.model.policy import Rule
from openfex.model.quantities import format_rate, parse_rate
from openfex.model.reader import of_spec, read_documents
from openfex.model.rule_words import rule_words
from openfex.plan.policy import policy_of

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "policy.yaml"


def rules_of(text: str) -> list[Rule]:
    """All rules of the profiles among some documents."""
    policies = [policy_of(spec) for _, spec in of_spec(read_documents(text), ProfileSpec)]
    return [rule for policy in policies for acl in (policy.acl_in, policy.acl_out) for rule in acl or ()]


def read(words: str) -> Rule:
    (rule,) = rules_of(f"kind: profile\nname: p\nspec: {{vlan: {{access: 10}}, acl: {{in: [{{{words}}}]}}}}\n")
    return rule


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("permit: {}", "permit: {}"),
        ("deny: {protocol: 6, port: 443}", "deny: {protocol: tcp, port: 443}"),
        ('permit: {port: [443, "80-81"], protocol: tcp}', 'permit: {protocol: tcp, port: "80-81,443"}'),
        ("permit: {source: 10.0.0.1/32}", "permit: {source: 10.0.0.1}"),
        ('permit: {destination: ["fd00::/64", "fd01::1"]}', 'permit: {destination: ["fd00::/64", "fd01::1"]}'),
        ("permit: {protocol: icmp, icmp-type: [8, 77]}", "permit: {protocol: icmp, icmp-type: [echo-request, 77]}"),
        ("permit: {protocol: icmpv6, icmp-type: 128}", "permit: {protocol: icmpv6, icmp-type: echo-request}"),
        ("permit: {protocol: tcp, tcp: [established, new]}", "permit: {protocol: tcp, tcp: [established, new]}"),
        ("permit: {protocol: tcp, tcp: ack-fin}", "permit: {protocol: tcp, tcp: -fin+ack}"),
        ("deny: {fragment: later}", "deny: {fragment: later}"),
        ("deny: {ethertype: [arp, 0x88cc]}", "deny: {ethertype: [arp, 0x88cc]}"),
        ("permit: {vlan: 10-12}", "permit: {vlan: 10-12}"),
        ("permit: {source-mac: 52:54:00:00:00:00/24}", "permit: {source-mac: 52:54:00:00:00:00/24}"),
        ("permit: {protocol: 99}", "permit: {protocol: 99}"),
    ],
)
def test_a_rule_is_shown_as_people_write_it(written: str, shown: str) -> None:
    rule = read(written)
    assert rule_words(rule) == shown
    assert read(shown) == rule


def test_every_rule_of_the_example_means_what_its_words_say() -> None:
    rules = rules_of(EXAMPLE.read_text())
    assert len(rules) > 15
    for rule in rules:
        named = f"name: {rule.name}, " if rule.name else ""
        assert read(named + rule_words(rule)) == rule


@pytest.mark.parametrize("text", ["64kbit", "1Gbit", "2500Mbit", "1234567bit"])
def test_a_rate_is_shown_as_people_write_it(text: str) -> None:
    assert format_rate(parse_rate(text)) == text
