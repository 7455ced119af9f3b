# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from openfex.protocol.deadlines import Deadlines


def test_the_first_deadline_is_the_earliest_of_all() -> None:
    waiting: Deadlines[str] = Deadlines()
    firsts = [waiting.first]
    for key, when in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
        waiting.set(key, when)
        firsts.append(waiting.first)
    assert firsts == [None, 2.0, 1.0, 1.0]
    assert len(waiting) == 3


def test_keys_are_taken_in_order_once_they_are_due() -> None:
    waiting: Deadlines[str] = Deadlines()
    for key, when in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        waiting.set(key, when)
    assert waiting.take(0.5) == []
    assert waiting.take(2.0) == ["a", "b"]
    assert waiting.take(2.0) == []
    assert "c" in waiting


def test_a_key_that_is_set_again_waits_for_the_new_time_alone() -> None:
    waiting: Deadlines[str] = Deadlines()
    waiting.set("a", 1.0)
    waiting.set("a", 5.0)
    assert waiting.take(4.0) == []
    waiting.set("a", 2.0)
    assert waiting.take(2.0) == ["a"]
    assert waiting.take(9.0) == []


def test_a_key_set_back_to_a_time_that_it_had_is_taken_once() -> None:
    waiting: Deadlines[str] = Deadlines()
    for when in (1.0, 5.0, 1.0):
        waiting.set("a", when)
    assert waiting.take(9.0) == ["a"]
    assert waiting.first is None


def test_a_cancelled_key_is_not_due() -> None:
    waiting: Deadlines[str] = Deadlines()
    waiting.set("a", 1.0)
    waiting.cancel("a")
    waiting.cancel("never set")
    assert waiting.first is None
    assert waiting.take(9.0) == []


def test_a_key_is_postponed_if_it_waits() -> None:
    waiting: Deadlines[str] = Deadlines()
    waiting.set("a", 1.0)
    waiting.postpone("a", 2.0)
    waiting.postpone("never set", 2.0)
    assert waiting.take(2.0) == []
    assert waiting.take(3.0) == ["a"]


def test_the_heap_does_not_grow_with_every_change() -> None:
    waiting: Deadlines[int] = Deadlines()
    for turn in range(1000):
        for key in range(10):
            waiting.set(key, 1e6 - turn)
    assert waiting.entries <= 2 * 10 + 17
    assert sorted(waiting.take(1e6)) == list(range(10))
