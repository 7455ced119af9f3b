# SPDX-License-Identifier: Apache-2.0
"""The bench profile: the same policy in each of its forms, and only its last rule is for the bench's frames."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from ruamel.yaml import YAML

from openfex.proof.bench.frames import VETHS
from openfex.proof.bench.policy import (
    MANY_RULES,
    PORT,
    RULES,
    SUBNET,
    Machine,
    acl_profile,
    as_a_set,
    denials,
    nftables,
    one_by_one,
    whole_profile,
)
from openfex.proof.bench.traffic import FIRST_ADDRESS

MACHINES = [Machine(f"port{number}", f"52:54:00:00:00:0{number}", f"10.0.1.{number + 1}") for number in (0, 1)]


@pytest.mark.parametrize("rules", [2, RULES, MANY_RULES])
def test_no_rule_but_the_last_is_for_the_bench_s_frames(rules: int) -> None:
    found = denials(rules)
    assert len(found) == rules - 1
    assert len({(one.destination, one.protocol, one.port) for one in found}) == rules - 1
    assert not any(FIRST_ADDRESS in IPv4Network(one.destination) for one in found)
    assert all(FIRST_ADDRESS + number in IPv4Network(SUBNET) for number in (0, VETHS - 1))


def test_the_documents_say_the_same_rules_in_the_same_order() -> None:
    spec = YAML(typ="safe").load(acl_profile(RULES))
    *denied, last = spec["acl"]["in"]
    assert [rule["deny"] for rule in denied] == [
        {
            "destination": one.destination,
            "protocol": one.protocol,
            "port": int(one.port) if one.port.isdecimal() else one.port,
        }
        for one in denials(RULES)
    ]
    assert last == {"permit": {"source": SUBNET, "protocol": "udp", "port": int(PORT)}}


def test_the_whole_profile_has_rates_and_the_guard_too() -> None:
    spec = YAML(typ="safe").load(whole_profile())
    assert spec["vlan"] == {"access": 10}
    assert spec["rate"] == {"in": "10Gbit", "out": "10Gbit"}
    assert spec["source"] == {"guard": True}
    assert len(spec["acl"]["in"]) == RULES


def test_another_first_gives_other_rules_but_the_last() -> None:
    assert not {*denials(RULES)} & {*denials(RULES, RULES)}


def test_a_third_of_the_rules_names_a_range_of_ports_and_both_protocols_are_there() -> None:
    found = denials(RULES)
    assert sum("-" in one.port for one in found) == RULES // 3
    assert {one.protocol for one in found} == {"tcp", "udp"}
    assert all(PORT not in one.port.split("-") for one in found)


def test_a_set_holds_what_the_single_rules_say() -> None:
    single, whole = one_by_one(RULES), as_a_set(RULES)
    assert single.count("ip daddr") == RULES - 1
    for one in denials(RULES):
        assert f"ip daddr {one.destination} {one.protocol} dport {one.port} counter drop\n" in single
        assert f"{one.destination} . {one.protocol} . {one.port}" in whole
    last = f"ip saddr {SUBNET} udp dport {PORT} counter accept\ncounter drop\n}}\n"
    assert single.endswith(last)
    assert whole.endswith(last)


def test_the_whole_policy_guards_and_limits_each_port_both_ways() -> None:
    text = nftables(as_a_set(RULES), MACHINES, whole=True)
    for one in MACHINES:
        for hook in ("ingress", "egress"):
            assert f'hook {hook} device "{one.port}" priority 0; policy drop;' in text
        assert f"ether saddr != {one.mac} counter drop" in text
        assert f"ip saddr != {one.address} counter drop" in text
    assert text.count("limit rate over 1250 mbytes/second") == 4


def test_an_acl_alone_is_nothing_but_that() -> None:
    text = nftables(one_by_one(3), MACHINES, whole=False)
    assert "limit" not in text
    assert "egress" not in text
    assert text.count("goto acl") == 2
