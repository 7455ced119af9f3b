# SPDX-License-Identifier: Apache-2.0
"""The whole course: take the place, run one row after the other, leave nothing behind."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from openfex.datapath.node import pin_folder
from openfex.errors import OpenfexError, RefusedError, UnsupportedError
from openfex.lab import kept
from openfex.lab.names import netns_of, prefix_of
from openfex.linux import netns
from openfex.linux.border import crossing
from openfex.linux.capability import probe
from openfex.linux.signals import undisturbed
from openfex.proof.bench.arena import Terms, clear
from openfex.proof.bench.contests import CONTESTS
from openfex.proof.bench.labs import MARK
from openfex.proof.bench.rounds import judge, play
from openfex.proof.bench.rows import Result, Row
from openfex.proof.bench.traffic import BURST
from openfex.proof.peers import KIND

LAB = "bench"
Progress = Callable[[int, int, object], None]


@dataclass(frozen=True)
class Absence:
    """A row, or one of its peers, that could not be measured, and why."""

    row: Row
    peers: tuple[str, ...]
    reason: OpenfexError

    def __str__(self) -> str:
        return f"{self.row.name} beside {', '.join(self.peers)} was not measured: {self.reason} [{self.reason.code}]"


@dataclass
class Outcome:
    """What was measured, and what could not be."""

    results: list[Result] = field(default_factory=list)
    absences: list[Absence] = field(default_factory=list)


def check_machine() -> None:
    """Raise UnsupportedError where the bench cannot run at all."""
    found = probe()
    if not found.kernel_engine:
        message = f"the bench measures real frames, and cannot here: {' '.join(found.reasons)}"
        raise UnsupportedError(message, code="no-kernel-engine", remedy="`fex doctor` says more")


def is_ours(lab: str) -> bool:
    """Whether what there is of a lab was left by a bench that was killed: our documents, or nothing but peers."""
    found = kept.read(lab)
    if found is not None:
        return found.text.startswith(MARK)
    nodes = [name for name in netns.names(prefix_of(lab)) if not name.startswith(netns_of(lab, KIND, ""))]
    return not nodes and not any(pin_folder().glob(f"{prefix_of(lab)}*"))


@contextmanager
def _alone(lab: str) -> Iterator[None]:
    """One bench at a time, in a place of its own. Raises RefusedError. The kernel frees the lock however we end."""
    with crossing("lock the bench"):
        kept.STATE.mkdir(parents=True, exist_ok=True)
        lock = os.open(kept.STATE, os.O_RDONLY | os.O_DIRECTORY)  # a folder leaves no file behind
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            message = "another bench is running, and each would measure the other"
            raise RefusedError(message, code="bench-running", remedy="wait for it") from cause
        if not is_ours(lab):
            remedy = f"give it another name, or take it down with `fex lab down {lab}`"
            raise RefusedError(f"a lab named {lab} is up that no bench made", code="lab-exists", remedy=remedy)
        clear(lab)
        try:
            yield
        finally:
            with undisturbed():
                clear(lab)
    finally:
        os.close(lock)


def run(rows: Sequence[Row], rounds: int, progress: Progress, lab: str = LAB, burst: int = BURST) -> Outcome:
    """Measure these rows, so many rounds of each. Everything built is removed, also after Ctrl-C."""
    check_machine()
    outcome = Outcome()
    with _alone(lab):
        for number, row in enumerate(rows):
            done, total = number * (rounds + 1), len(rows) * (rounds + 1)

            def step(at: int, who: str, row: Row = row, done: int = done, total: int = total) -> None:
                progress(done + at, total, f"{row.name}: {who}")

            step(0, "building")
            try:
                with CONTESTS[row.name](Terms(lab, tuple(row.peers), burst)) as contest:
                    outcome.results += judge(row, play(contest, rounds, step))
                    outcome.absences += [Absence(row, (peer,), why) for peer, why in contest.absent.items()]
            except OpenfexError as error:
                outcome.absences.append(Absence(row, tuple(row.peers), error))
    return outcome
