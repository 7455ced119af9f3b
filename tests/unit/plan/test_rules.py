# SPDX-License-Identifier: Apache-2.0
"""How many profiles and rules there may be; what else is wrong with them is in tests/data/problems/policy.txt."""

from __future__ import annotations

import pytest

from openfex.model.policy import MOST_RULES, MOST_VALUES
from openfex.plan import capacity
from tests.unit.plan.problems import completed, told


def said(rules: list[str]) -> list[str]:
    listed = "".join(f"    - {rule}\n" for rule in rules)
    return told(completed(f"kind: profile\nname: web\nspec:\n  vlan: {{access: 10}}\n  acl:\n    out:\n{listed}"))


def test_as_many_rules_as_there_is_room_for() -> None:
    assert said(["permit: {vlan: 10-20}"] * MOST_RULES) == []
    (line,) = said(["permit: {}"] * (MOST_RULES + 1))
    assert line == (
        "fex: lab.yaml:6: profile web at spec.acl.out: 1,001 rules, a port takes 1,000 in each direction; "
        "put several networks or ports into one rule [too-many-rules]"
    )


def test_as_many_profiles_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert capacity.MOST_PROFILES == 4094
    monkeypatch.setattr(capacity, "MOST_PROFILES", 2)
    assert told(completed("")) == []
    (line,) = told(completed("kind: profile\nname: third\nspec: {vlan: {access: 10}}\n"))
    assert line.endswith(
        "profile router at name: is profile 3 of 3, a lab has 2 at most; give several NICs one profile "
        "[too-many-profiles]"
    )


def test_as_many_values_as_there_is_room_for() -> None:
    rules = [f"permit: {{source: [{', '.join(f'10.0.{third}.{last}' for last in range(200))}]}}" for third in range(20)]
    assert len(rules) * 200 == MOST_VALUES
    assert said(rules) == []
    (line,) = said([*rules, "deny: {protocol: tcp}"])
    assert line == (
        "fex: lab.yaml:6: profile web at spec.acl.out: the rules name 4,001 values, there is room for 4,000 in each "
        "direction; name larger networks, or ranges [too-many-rules]"
    )
