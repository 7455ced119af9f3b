# SPDX-License-Identifier: Apache-2.0
"""Turns are taken fairly, and a peer counts in its better setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from openfex.errors import VerificationError
from openfex.proof.bench.rounds import OURS, Contest, judge, play
from openfex.proof.bench.rows import Row

RATE = Row("rate", "Mpps", {"bridge": 2.0, "gone": None}, "a rate")
TIME = Row("time", "us", {"bridge": 1.1}, "a time", more=False)


def silent(number: int, who: str) -> None:
    """Progress for nobody."""


def contest_of(columns: dict[tuple[str, str], list[float]]) -> Contest:
    contest = Contest()
    for (name, setting), values in columns.items():
        contest.enter(name, iter(values).__next__, setting)
    return contest


def test_everybody_once_a_round_and_each_first_in_turn() -> None:
    turns: list[str] = []

    def taking(name: str, numbers: Iterator[int]) -> Callable[[], float]:
        def measure() -> float:
            turns.append(name)
            return float(next(numbers))

        return measure

    contest = Contest()
    for name in "abc":
        contest.enter(name, taking(name, count()))
    columns = play(contest, 3, silent)
    assert "".join(turns) == "abcbcacababc"
    assert columns == {(name, ""): [1.0, 2.0, 3.0] for name in "abc"}, "the first round is for warming up"


def test_who_is_measured_is_told_before() -> None:
    said: list[tuple[int, str]] = []
    contest = contest_of({(OURS, ""): [1, 1], ("bridge", "off"): [1, 1]})
    play(contest, 1, lambda number, who: said.append((number, who)))
    assert said == [(0, "ours"), (0, "bridge off"), (1, "bridge off"), (1, "ours")]


@pytest.mark.parametrize(("row", "setting", "theirs"), [(RATE, "on", 4.0), (TIME, "off", 2.0)])
def test_the_peer_s_better_setting_counts(row: Row, setting: str, theirs: float) -> None:
    columns = {(OURS, ""): [4.0] * 3, ("bridge", "off"): [2.0] * 3, ("bridge", "on"): [4.0] * 3}
    (found,) = judge(row, columns)
    assert (found.setting, found.found.theirs) == (setting, theirs)


@pytest.mark.parametrize(("row", "setting", "ours"), [(RATE, "new", 6.0), (TIME, "old", 5.0)])
def test_so_does_ours(row: Row, setting: str, ours: float) -> None:
    (found,) = judge(row, {(OURS, "old"): [5.0], (OURS, "new"): [6.0], ("bridge", ""): [2.0]})
    assert (found.own_setting, found.found.ours) == (setting, ours)


def test_a_peer_that_did_not_take_part_has_no_result() -> None:
    results = judge(RATE, {(OURS, ""): [1.0], ("bridge", ""): [2.0]})
    assert [one.peer for one in results] == ["bridge"]


def test_a_round_of_nothing_is_no_result() -> None:
    with pytest.raises(VerificationError):
        judge(RATE, {(OURS, ""): [0.0], ("bridge", ""): [2.0]})
