# SPDX-License-Identifier: Apache-2.0
"""The order in which an NVMe adapter is brought up, changed and taken down."""

from __future__ import annotations

from dataclasses import replace

from openfex.model.storage import FunctionGoal, Share, StorageAdapter, StorageFunction, StorageGoal
from openfex.plan.storage import goal_of
from openfex.plan.storage_steps import steps

BARE = StorageAdapter(
    "0000:01:00.0",
    0,
    2,
    0,
    True,
    Share(8, own=4, most=4),
    Share(4, own=1, most=2),
    tuple(StorageFunction(number, number + 1) for number in range(2)),
)
GOAL = StorageGoal(2, 0, 0, True, (FunctionGoal(0, 4, 2, (1,), "nvme"), FunctionGoal(1, 2, 1, (2, 3), "vfio-pci")))
UP = replace(
    BARE,
    count=2,
    queues=Share(8, 6, most=4),
    interrupts=Share(4, 3, most=2),
    functions=(
        StorageFunction(0, 1, True, 4, 2, (1,), "0000:01:00.1", "nvme"),
        StorageFunction(1, 2, True, 2, 1, (2, 3), "0000:01:00.2", "vfio-pci"),
    ),
)


def words(goal: StorageGoal, found: StorageAdapter) -> list[str]:
    return [str(one) for one in steps(goal, found)]


def with_function(number: int, goal: FunctionGoal) -> StorageGoal:
    return replace(GOAL, functions=tuple(goal if one.number == number else one for one in GOAL.functions))


def test_up() -> None:
    assert words(GOAL, BARE) == [
        "let the primary keep 0 flexible interrupts",
        "let the primary keep 0 flexible queues",
        "reset the primary",
        "let the kernel bind new functions by itself: 0",
        "carve 2 functions",
        "let the kernel bind new functions by itself: 1",
        "give function 0 2 interrupts",
        "give function 0 4 queues",
        "put function 0 online",
        "give function 1 1 interrupts",
        "give function 1 2 queues",
        "put function 1 online",
        "attach namespace 1 to function 0",
        "attach namespace 2 to function 1",
        "attach namespace 3 to function 1",
        "bind function 0 to nvme",
        "bind function 1 to vfio-pci",
    ]


def test_down() -> None:
    assert words(goal_of(BARE), UP) == [
        "take the driver of function 0 (nvme)",
        "take the driver of function 1 (vfio-pci)",
        "detach namespace 1 from function 0",
        "detach namespace 2 from function 1",
        "detach namespace 3 from function 1",
        "put function 0 offline",
        "put function 1 offline",
        "carve 0 functions",
        "let the primary keep 1 flexible interrupts",
        "let the primary keep 4 flexible queues",
        "reset the primary",
    ]


def test_what_is_there_needs_no_step() -> None:
    assert words(GOAL, UP) == []


def test_autoprobe_that_is_off_stays_off() -> None:
    quiet = replace(GOAL, autoprobe=False)
    assert not [word for word in words(quiet, replace(BARE, autoprobe=False)) if "bind new functions" in word]


def test_autoprobe_that_a_killed_run_has_left_off_is_put_on_again() -> None:
    assert words(GOAL, replace(UP, autoprobe=False)) == ["let the kernel bind new functions by itself: 1"]


def test_another_share_takes_only_that_function_down() -> None:
    assert words(with_function(0, FunctionGoal(0, 2, 1, (1,), "nvme")), UP) == [
        "take the driver of function 0 (nvme)",
        "put function 0 offline",
        "give function 0 1 interrupts",
        "give function 0 2 queues",
        "put function 0 online",
        "bind function 0 to nvme",
    ]


def test_another_driver_leaves_the_controller_online() -> None:
    assert words(with_function(0, FunctionGoal(0, 4, 2, (1,), "vfio-pci")), UP) == [
        "take the driver of function 0 (nvme)",
        "bind function 0 to vfio-pci",
    ]


def test_namespaces_are_taken_from_all_before_they_are_given_to_any() -> None:
    moved = (FunctionGoal(0, 4, 2, (2,), "nvme"), FunctionGoal(1, 2, 1, (1, 3), "vfio-pci"))
    assert words(replace(GOAL, functions=moved), UP) == [
        "detach namespace 1 from function 0",
        "detach namespace 2 from function 1",
        "attach namespace 2 to function 0",
        "attach namespace 1 to function 1",
    ]


def test_what_is_half_done_is_finished() -> None:
    half = replace(UP.functions[1], online=False, interrupts=0, driver="", namespaces=(2,))
    found = replace(UP, functions=(UP.functions[0], half))
    assert words(GOAL, found) == [
        "put function 1 offline",
        "give function 1 1 interrupts",
        "give function 1 2 queues",
        "put function 1 online",
        "attach namespace 3 to function 1",
        "bind function 1 to vfio-pci",
    ]
