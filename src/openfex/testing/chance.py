# SPDX-License-Identifier: Apache-2.0
"""Where the generators of this room get their choices: from a seeded random.Random, or from hypothesis.

Every generator takes a Chance. With `random.Random(seed)` it makes a million frames in minutes; with the strategies of
`openfex.testing.strategies` hypothesis makes the choices, and shrinks them: what is written first in a list of options,
and what is smallest, is the simplest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Chance(Protocol):
    """What random.Random has and a generator needs."""

    def choice(self, options: Sequence[T], /) -> T:
        """One of the options."""

    def randint(self, low: int, high: int, /) -> int:
        """A number from `low` to `high`, both included."""


def one_in(chance: Chance, n: int) -> bool:
    """True once in n times."""
    return chance.randint(1, n) == n


def some(chance: Chance, options: Sequence[T], least: int, most: int) -> list[T]:
    """Some of the options, each at most once, in the order of the options."""
    left = list(range(len(options)))
    taken = [left.pop(chance.randint(0, len(left) - 1)) for _ in range(min(chance.randint(least, most), len(options)))]
    return [options[index] for index in sorted(taken)]


def any_of(chance: Chance, options: Iterable[T], otherwise: T) -> T:
    """One of the options; `otherwise` if there are none."""
    known = list(options)
    return chance.choice(known) if known else otherwise
