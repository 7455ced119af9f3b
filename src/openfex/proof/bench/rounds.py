# SPDX-License-Identifier: Apache-2.0
"""The rounds of a contest: everybody once a round, each time another one first, so that all meet the machine alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from openfex.errors import OpenfexError
from openfex.proof.bench.ratios import compare
from openfex.proof.bench.rows import Result, Row

OURS = "ours"
Measure = Callable[[], float]
Step = Callable[[int, str], None]
"""Told before each measurement: the round, 0 being the one that is not counted, and whose turn it is."""


@dataclass
class Contest:
    """Who takes part in a row: by name, and by setting where one tries several; and who cannot, and why."""

    entries: dict[tuple[str, str], Measure] = field(default_factory=dict)
    absent: dict[str, OpenfexError] = field(default_factory=dict)

    def enter(self, name: str, measure: Measure, setting: str = "") -> None:
        """Let somebody take part."""
        self.entries[name, setting] = measure


Columns = Mapping[tuple[str, str], Sequence[float]]


def play(contest: Contest, rounds: int, step: Step) -> Columns:
    """What everybody measured, round by round. A first round warms everything up, and is not counted."""
    columns: dict[tuple[str, str], list[float]] = {entry: [] for entry in contest.entries}
    entries = list(contest.entries.items())
    for number in range(rounds + 1):
        first = number % len(entries)
        for (name, setting), measure in entries[first:] + entries[:first]:
            step(number, " ".join(filter(None, (name, setting))))
            value = measure()
            if number:
                columns[name, setting].append(value)
    return columns


def judge(row: Row, columns: Columns) -> list[Result]:
    """Each peer beside ours, all in their better settings."""
    ours = _better(row, columns, OURS)
    results = []
    for peer in row.peers:
        if any(name == peer for name, _ in columns):
            setting = _better(row, columns, peer)
            found = compare(columns[OURS, ours], columns[peer, setting])
            results.append(Result(row, peer, found, setting, ours))
    return results


def _better(row: Row, columns: Columns, who: str) -> str:
    best = max if row.more else min
    return best((one for name, one in columns if name == who), key=lambda one: statistics.median(columns[who, one]))
