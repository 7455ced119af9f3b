# SPDX-License-Identifier: Apache-2.0
"""The median of ratios, and what its interval promises."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.errors import VerificationError
from openfex.proof.bench.ratios import CONFIDENCE, compare, coverage, interval_rank, interval_words

VALUES = st.floats(min_value=1e-6, max_value=1e6)
ROUNDS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=40)


def test_the_middle_round_speaks() -> None:
    found = compare([1.0, 10.0, 3.0], [2.0, 10.0, 12.0])
    assert (found.ours, found.theirs, found.ratio) == (1.0, 2.0, 0.5)
    assert (found.low, found.high, found.rounds) == (0.25, 1.0, 3)


def test_of_two_rounds_in_the_middle_the_ratio_lies_between_theirs() -> None:
    found = compare([1.0, 8.0, 3.0, 9.0], [2.0, 10.0, 12.0, 1.0])
    assert (found.ours, found.theirs, found.ratio) == (4.5, 6.0, 0.75)


@pytest.mark.parametrize(
    ("rounds", "rank"), [(1, 1), (3, 1), (5, 1), (6, 1), (8, 1), (9, 2), (10, 2), (11, 2), (12, 3)]
)
def test_six_rounds_are_the_fewest_with_95_and_nine_the_fewest_that_leave_out_the_ends(rounds: int, rank: int) -> None:
    assert interval_rank(rounds) == rank
    assert (interval_words(rounds) == "95 % interval") == (rounds >= 6)


def test_what_is_known_of_coverage() -> None:
    assert coverage(3, 1) == 0.75
    assert coverage(6, 1) == pytest.approx(0.96875)
    assert coverage(12, 3) == pytest.approx(0.9614, abs=1e-4)


def test_the_interval_holds_the_true_median_as_often_as_it_says() -> None:
    """Of a skewed spread whose median is 1, by 2,000 benches of 10 rounds."""
    chance = random.Random(1)
    held = 0
    for _ in range(2000):
        found = compare([math.exp(chance.gauss(0, 1)) ** 2 for _ in range(10)], [1.0] * 10)
        held += found.low <= 1 <= found.high
    assert CONFIDENCE <= held / 2000 < 0.99


@given(ROUNDS)
def test_low_ratio_and_high_are_numbers_in_that_order(rounds: list[tuple[float, float]]) -> None:
    ours, theirs = zip(*rounds, strict=True)
    found = compare(ours, theirs)
    assert 0 < found.low <= found.ratio * (1 + 1e-9)
    assert found.ratio <= found.high * (1 + 1e-9) < math.inf
    assert found.ratio == found.ours / found.theirs
    ratios = sorted(mine / other for mine, other in rounds)
    middle = ratios[(len(ratios) - 1) // 2], ratios[len(ratios) // 2]
    assert middle[0] * (1 - 1e-9) <= found.ratio <= middle[1] * (1 + 1e-9)


@given(ROUNDS)
def test_the_other_way_round_it_is_the_inverse(rounds: list[tuple[float, float]]) -> None:
    ours, theirs = zip(*rounds, strict=True)
    there, back = compare(ours, theirs), compare(theirs, ours)
    assert back.low == pytest.approx(1 / there.high)
    assert back.high == pytest.approx(1 / there.low)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_round_that_measured_nothing_is_refused(bad: float) -> None:
    for columns in (([1.0, bad], [1.0, 1.0]), ([1.0, 1.0], [bad, 1.0])):
        with pytest.raises(VerificationError) as caught:
            compare(*columns)
        assert caught.value.code == "nothing-measured"


@pytest.mark.parametrize("columns", [([], []), ([1.0], [])])
def test_columns_that_are_no_rounds_are_refused(columns: tuple[list[float], list[float]]) -> None:
    with pytest.raises(VerificationError):
        compare(*columns)
