# SPDX-License-Identifier: Apache-2.0
"""What is asked of an NVMe adapter: what it comes to, and every reason why it cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.errors import DocumentError, Problem
from openfex.model.functions import FunctionDriver
from openfex.model.storage import (
    FunctionGoal,
    Namespace,
    Share,
    StorageAdapter,
    StorageFunction,
    StorageSettings,
    StorageWish,
)
from openfex.plan.storage import goal_of, settle

FUNCTIONS = tuple(StorageFunction(number, number + 1) for number in range(4))
NAMESPACES = (Namespace(1, False, 1 << 20), Namespace(2, False, 1 << 20, (0,)), Namespace(3, True, 1 << 20, (0,)))
FOUND = StorageAdapter(
    "0000:01:00.0", 0, 4, 0, True, Share(8, private=5, most=4), Share(4, private=8, most=2), FUNCTIONS, NAMESPACES
)


def wish(functions: int | None = 4, *settings: tuple[int, int, StorageSettings]) -> StorageWish:
    return StorageWish("disks", (), functions, settings)


def problems(asked: StorageWish, found: StorageAdapter = FOUND) -> tuple[Problem, ...]:
    with pytest.raises(DocumentError) as refused:
        settle(asked, found)
    return refused.value.problems


def test_who_says_nothing_gets_an_equal_share() -> None:
    goal = settle(wish(), FOUND)
    assert [(one.queues, one.interrupts, one.driver) for one in goal.functions] == [(2, 1, "nvme")] * 4


def test_an_equal_share_is_of_what_the_others_leave() -> None:
    goal = settle(wish(3, (0, 0, StorageSettings(queues=4))), FOUND)
    assert [one.queues for one in goal.functions] == [4, 2, 2]


def test_an_equal_share_is_no_more_than_one_can_have_and_in_whole_steps() -> None:
    assert [one.queues for one in settle(wish(1), FOUND).functions] == [4]
    stepped = replace(FOUND, queues=Share(9, most=4, step=2))
    assert [one.queues for one in settle(wish(3), stepped).functions] == [2, 2, 2]


def test_the_later_range_wins_setting_by_setting() -> None:
    ranges = (0, 3, StorageSettings(queues=2, interrupts=1)), (2, 3, StorageSettings(driver=FunctionDriver.VFIO))
    goal = settle(wish(4, *ranges), FOUND)
    assert [(one.queues, one.driver) for one in goal.functions] == [(2, "nvme")] * 2 + [(2, "vfio-pci")] * 2


def test_the_primary_keeps_what_the_functions_leave() -> None:
    taken = replace(FOUND, queues=Share(8, own=6, most=4))
    assert settle(wish(1, (0, 0, StorageSettings(queues=2))), taken).own_queues == 6
    assert settle(wish(2, (0, 1, StorageSettings(queues=3))), taken).own_queues == 2


def test_the_primary_keeps_what_it_is_to_keep() -> None:
    goal = settle(replace(wish(), own_queues=0), FOUND)
    assert goal.own_queues == 0
    assert [one.queues for one in settle(replace(wish(2), own_queues=4), FOUND).functions] == [2, 2]


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (wish(5), "too-many-functions", "5 storage functions, and it can have 4"),
        (
            wish(4, (0, 3, StorageSettings(queues=3))),
            "storage-overcommitted",
            "4 functions need 12 queues, and there are 8 to share out",
        ),
        (
            wish(4, (0, 0, StorageSettings(queues=4))),
            "storage-overcommitted",
            "4 functions need 10 queues, and there are 8 to share out",
        ),
        (
            replace(wish(4), own_queues=2),
            "storage-overcommitted",
            "4 functions need 8 queues, and there are 6 to share out beside the 2 that the primary keeps",
        ),
        (
            replace(wish(0), own_interrupts=5),
            "storage-overcommitted",
            "the primary is to keep 5 interrupts, and 4 can be shared out",
        ),
        (
            wish(1, (0, 0, StorageSettings(queues=5))),
            "storage-share-too-large",
            "function 0 asks for 5 queues, and one function can have 4",
        ),
        (
            wish(1, (0, 0, StorageSettings(queues=1))),
            "storage-share-too-small",
            "function 0 with 1 queues could not work",
        ),
        (
            wish(1, (0, 0, StorageSettings(interrupts=0))),
            "storage-share-too-small",
            "function 0 with 0 interrupts could not work",
        ),
        (
            wish(2, (1, 2, StorageSettings(queues=2))),
            "unknown-function",
            "settings for functions 1 to 2, and 2 functions from 0 on",
        ),
        (
            wish(1, (0, 0, StorageSettings(namespaces=(9,)))),
            "no-such-namespace",
            "function 0 asks for namespace 9, and the subsystem has: 1, 2, 3",
        ),
        (
            wish(2, (0, 1, StorageSettings(namespaces=(1,)))),
            "namespace-private",
            "namespace 1 is private, and functions 0 and 1 ask for it",
        ),
        (
            wish(1, (0, 0, StorageSettings(namespaces=(2,)))),
            "namespace-taken",
            "namespace 2 is private, and controller 0 has it",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_numbers(asked: StorageWish, code: str, message: str) -> None:
    found = problems(asked)
    assert (found[0].code, found[0].message) == (code, message)
    assert found[0].subject == "adapter disks (0000:01:00.0)"
    assert found[0].remedy


def test_a_step_that_does_not_fit_is_refused() -> None:
    stepped = replace(FOUND, queues=Share(8, most=4, step=2))
    (found,) = problems(wish(1, (0, 0, StorageSettings(queues=3))), stepped)
    assert (found.code, found.remedy) == ("storage-share-step", "ask for 2 or 4")


def test_all_problems_are_told_at_once() -> None:
    settings = StorageSettings(queues=9, interrupts=9, namespaces=(7,))
    assert [one.code for one in problems(wish(1, (0, 0, settings)))] == [
        "no-such-namespace",
        *("storage-share-too-large", "storage-overcommitted") * 2,
    ]


def test_a_shared_namespace_is_for_many_whoever_has_it() -> None:
    goal = settle(wish(2, (0, 1, StorageSettings(namespaces=(3,)))), FOUND)
    assert [one.namespaces for one in goal.functions] == [(3,), (3,)]


def test_a_private_namespace_goes_from_one_function_to_another_if_both_are_spoken_of() -> None:
    held = replace(FOUND, namespaces=(Namespace(1, False, 1, (1,)),))
    move = wish(2, (0, 0, StorageSettings(namespaces=())), (1, 1, StorageSettings(namespaces=(1,))))
    assert [one.namespaces for one in settle(move, held).functions] == [(), (1,)]
    (found,) = problems(wish(2, (1, 1, StorageSettings(namespaces=(1,)))), held)
    assert (found.code, found.message) == ("namespace-taken", "namespace 1 is private, and function 0 has it")


def test_who_drives_a_function_stays_unless_it_is_said() -> None:
    working = replace(FUNCTIONS[0], online=True, queues=4, interrupts=2, address="0000:01:00.1", driver="vfio-pci")
    found = replace(FOUND, count=1, functions=(working, *FUNCTIONS[1:]))
    assert settle(wish(1), found).functions[0].driver == "vfio-pci"
    device = wish(1, (0, 0, StorageSettings(driver=FunctionDriver.DEVICE)))
    assert settle(device, found).functions[0].driver == "nvme"


def test_functions_that_go_give_their_namespaces_back() -> None:
    working = replace(FUNCTIONS[1], address="0000:01:00.2", namespaces=(1,))
    found = replace(FOUND, count=2, functions=(replace(FUNCTIONS[0], address="0000:01:00.1"), working, *FUNCTIONS[2:]))
    assert settle(wish(1), found).functions[1] == FunctionGoal(1, namespaces=())


def test_the_way_back_is_all_that_was() -> None:
    goal = goal_of(FOUND)
    assert (goal.count, goal.own_queues, len(goal.functions)) == (0, 0, 4)
    assert goal.functions[0] == FunctionGoal(0, namespaces=())
