# SPDX-License-Identifier: Apache-2.0
"""Every object that is built goes through this kernel's verifier, within budget; its structs have Python's sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from openfex.datapath.budget import BUDGETS
from openfex.datapath.costs import Cost, measure_costs
from openfex.datapath.node import check_sizes
from openfex.datapath.objects import ATTACHMENTS, PROGRAMS, object_path
from openfex.linux.libbpf import Object

pytestmark = pytest.mark.root

VERIFIER_LIMIT = 1_000_000
ROOM = 4
"""At least this many times the steps that a program takes now are still allowed, of test builds too."""
SOURCES = sorted(path.name.removesuffix(".bpf.c") for path in (Path(__file__).parents[2] / "bpf").glob("*.bpf.c"))


@pytest.mark.parametrize("test", [False, True], ids=["wheel", "test"])
@pytest.mark.parametrize("name", SOURCES)
def test_the_verifier_takes_every_program(name: str, test: bool) -> None:
    role, attachment = name.split("_", 1)
    with Object.load(object_path(role, attachment, test=test)) as loaded:
        assert loaded.programs
        check_sizes(loaded.maps)
        assert all(one.verified_instructions * ROOM < VERIFIER_LIMIT for one in loaded.programs.values())


def test_there_are_objects_of_every_role_and_attachment() -> None:
    assert {*SOURCES} >= {f"{role}_{attachment}" for role in PROGRAMS for attachment in ATTACHMENTS}


@pytest.fixture(scope="module")
def costs() -> list[Cost]:
    return measure_costs()


def test_every_program_keeps_to_its_budget(costs: list[Cost], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        for cost in costs:
            print(f"\n{cost.program}: {cost.instructions} instructions, {cost.steps} steps, stack {cost.stack}", end="")
    assert {cost.program: cost.over for cost in costs if cost.over} == {}, "see datapath/budget.py"


def test_every_budget_is_a_program_s(costs: list[Cost]) -> None:
    assert sorted(cost.program for cost in costs) == sorted(BUDGETS)
