# SPDX-License-Identifier: Apache-2.0
"""A state machine as a table: what happens in which state on which event.

The tables are what runs, what docs/ draws (docs/pages.py) and what names the tests of each transition.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Generic, TypeVar

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)
A = TypeVar("A", bound=Enum)


@dataclass(frozen=True, slots=True)
class Transition(Generic[S, E, A]):
    """In `state`, on `event`: do `action`, then be in `next`. `test` is the name of the test that shows it."""

    state: S
    event: E
    action: A
    next: S
    test: str


@dataclass(frozen=True)
class Table(Generic[S, E, A]):
    """All transitions of a machine; `start` is where it begins, `source` the text it is from."""

    name: str
    source: str
    start: S
    transitions: tuple[Transition[S, E, A], ...]

    @cached_property
    def _by_cause(self) -> dict[tuple[S, E], Transition[S, E, A]]:
        return {(one.state, one.event): one for one in self.transitions}

    def find(self, state: S, event: E) -> Transition[S, E, A] | None:
        """What `event` does in `state`; None if nothing, and the state stays."""
        return self._by_cause.get((state, event))
