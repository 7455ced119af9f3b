# SPDX-License-Identifier: Apache-2.0
"""Budgets of the programs, and how deep a chain of calls gets."""

from __future__ import annotations

import struct

import pytest

from openfex.datapath.budget import BUDGETS, Budget, excess
from openfex.datapath.costs import Cost
from openfex.datapath.stack import deepest_stack
from openfex.errors import InternalError

STEP_LIMIT, STACK_LIMIT = 1_000_000, 512
LOOP = 32
"""What may be shown and is not checked, where the kernel puts a loop of its own into a function."""
EXIT = (0x95, 0, 0, 0)


def call(distance: int) -> tuple[int, int, int, int]:
    return (0x85, 1 << 4, 0, distance)


def function(distance: int) -> tuple[int, int, int, int]:
    """The first half of what loads a function's address."""
    return (0x18, 4 << 4 | 1, 0, distance)


HELPER = (0x85, 0, 0, 12)
SECOND_HALF = (0, 0, 0, 0)


def code(*instructions: tuple[int, int, int, int]) -> bytes:
    return b"".join(struct.pack("=BBhi", *one) for one in instructions)


def test_budgets_leave_the_kernel_s_limits_room() -> None:
    for budget in BUDGETS.values():
        assert budget.steps * 4 <= STEP_LIMIT
        assert budget.stack <= STACK_LIMIT + LOOP


def test_what_is_over_says_by_how_much() -> None:
    budget = Budget(1000, 128)
    assert excess(1000, 128, budget) == []
    assert excess(1001, 128, budget) == ["1 steps over 1000"]
    assert excess(1500, 160, budget) == ["500 steps over 1000", "32 octets of stack over 128"]


def test_a_program_over_its_budget_says_so_where_it_is_shown() -> None:
    most = BUDGETS["bridge_in"]
    cost = Cost("bridge_in", "bridge", "tc", 3000, most.steps + 7, most.stack)
    assert cost.over == cost.row["over"] == [f"7 steps over {most.steps}"]


def test_a_program_without_functions_takes_its_own_stack_in_steps_of_32() -> None:
    assert deepest_stack(code(HELPER, EXIT), [0]) == 32
    assert deepest_stack(code(HELPER, EXIT), [33]) == 64


def test_of_two_functions_the_deeper_one_counts() -> None:
    text = code(call(2), call(2), EXIT, EXIT, EXIT)
    assert deepest_stack(text, [32, 64, 160]) == 32 + 160


def test_a_function_that_calls_another_adds_up() -> None:
    text = code(call(1), EXIT, call(1), EXIT, EXIT)
    assert deepest_stack(text, [32, 64, 160]) == 32 + 64 + 160


def test_a_function_that_the_kernel_calls_counts_like_any_other() -> None:
    text = code(function(3), SECOND_HALF, HELPER, EXIT, EXIT)
    assert deepest_stack(text, [32, 96]) == 32 + 96


def test_frames_of_another_code_are_a_bug() -> None:
    with pytest.raises(InternalError):
        deepest_stack(code(EXIT), [8, 8])
