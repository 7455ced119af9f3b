# SPDX-License-Identifier: Apache-2.0
"""What a contest's rounds say: the median of ours / theirs, and the 95 % interval of that median. Pure.

Values and ratio are those of the round in the middle when rounds are sorted by their ratios; of two such rounds, the
means of their values, whose ratio lies between the two. So ratio is ours / theirs to the last digit.

The interval lies between two of the rounds' own ratios (order statistics). The true median is above a round's ratio or
below it with equal chance, so the k-th smallest and the k-th largest of n enclose it unless fewer than k of n fair
coins fall on one side: chance 1 - 2 P(Binomial(n, 1/2) < k). k is the largest with at least 95 %: 2 of 10 rounds
(97.9 %). It supposes that rounds do not depend on each other, and nothing about how ratios are spread; there is no
chance in it, so the same rounds give the same interval. Of fewer than six rounds even the smallest and the largest
enclose less than 95 % (of three, 75 %); these two are then given.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from openfex.errors import VerificationError

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two columns of rounds, compared: what was measured in the middle round, and its ratio with the interval."""

    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    rounds: int


def coverage(rounds: int, rank: int) -> float:
    """The chance that the `rank`-th smallest and the `rank`-th largest of so many rounds enclose the true median."""
    outside: int = sum(math.comb(rounds, below) for below in range(rank))
    return 1 - 2 * outside / 2.0**rounds


def interval_rank(rounds: int) -> int:
    """How far from the ends the interval's ends are: the narrowest that has 95 %; 1, both ends, if none has."""
    ranks = range(1, (rounds + 1) // 2 + 1)
    return max((rank for rank in ranks if coverage(rounds, rank) >= CONFIDENCE), default=1)


def interval_words(rounds: int) -> str:
    """What the interval of so many rounds is."""
    return "95 % interval" if coverage(rounds, interval_rank(rounds)) >= CONFIDENCE else "lowest to highest"


def compare(ours: Sequence[float], theirs: Sequence[float]) -> Comparison:
    """Round by round. Raises VerificationError where a round measured nothing: no ratio can be made of that."""
    if not ours or len(ours) != len(theirs):
        raise VerificationError(f"{len(ours)} rounds of ours, {len(theirs)} of theirs", code="nothing-measured")
    if not all(math.isfinite(value) and value > 0 for value in (*ours, *theirs)):
        raise VerificationError("a round measured nothing", code="nothing-measured", remedy="run it again")
    rounds = sorted(zip(ours, theirs, strict=True), key=_ratio)
    count, rank = len(rounds), interval_rank(len(rounds))
    middle = rounds[(count - 1) // 2 : count // 2 + 1]
    mine, other = (statistics.fmean(column) for column in zip(*middle, strict=True))
    return Comparison(mine, other, mine / other, _ratio(rounds[rank - 1]), _ratio(rounds[-rank]), count)


def _ratio(values: tuple[float, float]) -> float:
    return values[0] / values[1]
