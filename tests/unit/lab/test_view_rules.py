# SPDX-License-Identifier: Apache-2.0
"""`show rules`: the rules in order with what they have decided, and what a port's policy is in short."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.errors import NotFoundError
from openfex.lab.view.policy import policy_parts, policy_row
from openfex.lab.view.rules import BEHIND, profile_line, rows_in, rule_view
from openfex.lab.view.sight import Row, Sight
from openfex.model.policy import Policy, Rate, Rule, Source, Span
from openfex.model.values import Mac, port_number
from openfex.rules.decision import Direction, Hit
from openfex.rules.tables import Terms
from tests.unit.lab.sights import BRIDGE, bridge_tables, small_sight, with_node

VM1, LOCAL, UP0 = port_number(16, 1), port_number(16, 2), port_number(1)
IN = (Rule(True, protocols=(6,), destination_ports=(Span(80, 80),), name="web"), Rule(False))


def sight_with(policy: Policy, hits: dict[tuple[Direction, int], int] | None = None) -> Sight:
    """The small lab, where the kernel's profile `web` has a policy."""
    sight = small_sight()
    tables = bridge_tables(sight)
    number = tables.ports[VM1].profile
    tables.profiles[number] = replace(tables.profiles[number], policy=policy)
    counted = {Hit(number, way, rule): frames for (way, rule), frames in (hits or {}).items()}
    return with_node(sight, BRIDGE, replace(sight.nodes[BRIDGE], hits=counted))


def told(sight: Sight, wanted: str | None = None) -> Row:
    (row,) = rule_view(sight, wanted)
    return row


def test_rules_are_told_in_order_with_what_they_decided() -> None:
    row = told(sight_with(Policy(acl_in=IN), {(Direction.IN, 0): 7, (Direction.IN, 2): 1}))
    assert (row["profile"], row["bridge"], row["note"]) == ("web", "sw-a", "")
    assert row["ports"] == [{"name": "sw-a/veth1.1", "nic": "vm1/eth0"}]
    words = "permit: {protocol: tcp, port: 80}"
    assert row["rules"] == [
        {"direction": "in", "rule": 1, "name": "web", "says": words, "frames": 7},
        {"direction": "in", "rule": 2, "name": None, "says": "deny: {}", "frames": 0},
        {"direction": "in", "rule": None, "name": None, "says": BEHIND, "frames": 1},
    ]


def test_a_list_without_rules_denies_everything_and_no_list_nothing() -> None:
    row = told(sight_with(Policy(acl_out=()), {(Direction.OUT, 0): 3}))
    assert row["rules"] == [{"direction": "out", "rule": None, "name": None, "says": BEHIND, "frames": 3}]
    assert rule_view(small_sight()) == []


@pytest.mark.parametrize("wanted", ["web", "vm1/eth0", "sw-a/veth1.1"])
def test_a_profile_is_found_by_its_name_and_by_who_has_it(wanted: str) -> None:
    (row,) = rule_view(sight_with(Policy(acl_in=IN)), wanted)[:1]
    assert row["profile"] == "web"


def test_a_profile_without_rules_is_told_when_it_is_asked_for() -> None:
    assert [(row["profile"], row["rules"]) for row in rule_view(small_sight(), "local/data0")] == [("router", [])]


def test_what_nobody_is_called_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(NotFoundError) as refused:
        rule_view(small_sight(), "wed")
    assert (refused.value.code, refused.value.remedy) == ("no-such-profile", "did you mean web?")


def test_what_is_new_is_told_beside_what_there_is() -> None:
    before, after = (sight_with(Policy(acl_in=IN), {(Direction.IN, 0): frames}) for frames in (7, 9))
    (row,) = rule_view(after, None, before)
    assert [(one["frames"], one["new"]) for one in rows_in(row, "rules")] == [(9, 2), (0, 0), (0, 0)]


def test_a_version_that_the_documents_do_not_have_is_told_by_its_counts() -> None:
    sight = sight_with(Policy(), {(Direction.OUT, 0): 4, (Direction.OUT, 1): 0})
    tables = bridge_tables(sight)
    tables.profiles[tables.ports[VM1].profile] = Terms(10, digest=99)
    row = told(sight)
    assert [(one["rule"], one["says"], one["frames"]) for one in rows_in(row, "rules")] == [
        (1, None, 4),
        (None, BEHIND, 0),
    ]
    assert "another version" in str(row["note"])


def test_the_line_above_names_the_first_who_have_it() -> None:
    row = told(sight_with(Policy(acl_in=IN)))
    assert profile_line(row) == "profile web on sw-a: sw-a/veth1.1 (vm1/eth0)"
    many = [{"name": f"sw-a/veth1.{channel}", "nic": None} for channel in range(1, 7)]
    four = ", ".join(f"sw-a/veth1.{channel}" for channel in range(1, 5))
    assert profile_line({**row, "ports": many}) == f"profile web on sw-a: {four} and 2 more"


def test_a_port_s_policy_is_told_in_short() -> None:
    source = Source(macs=(Mac(b"\2\0\0\0\0\1"),), learn=2, guard=True)
    sight = sight_with(Policy(IN, (), Rate(10**9, 65536), Rate(0, 0, 100, 64), source))
    bridge_tables(sight).memory.macs[Mac(b"\2\0\0\0\0\2")] = VM1
    row = policy_row(bridge_tables(sight), VM1)
    assert row is not None
    assert row["rate_in"] == {"bits": 10**9, "frames": None}
    rates = "rate 1Gbit in, 100/s out"
    assert policy_parts(row) == ["rules 2 in, 0 out", rates, "guard", "1 more MAC", "learnt 1 of 2 MACs"]


def test_a_port_that_asks_nothing_has_no_policy() -> None:
    tables = bridge_tables(small_sight())
    assert policy_row(tables, VM1) is None
    assert policy_row(tables, port_number(16, 3)) is None
    assert policy_row(None, VM1) is None
    assert policy_parts(None) == []
