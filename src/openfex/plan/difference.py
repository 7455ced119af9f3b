# SPDX-License-Identifier: Apache-2.0
"""Wanted and observed -> the smallest ordered list of operations that turns the one into the other. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openfex.plan.objects import ORDER, Key, SpaceKey, Spec


@dataclass(frozen=True, slots=True)
class Operation:
    """Make (old is None), take away (new is None) or change one object."""

    key: Key
    old: Spec | None
    new: Spec | None

    @property
    def verb(self) -> str:
        """`make`, `change` or `remove`."""
        return "make" if self.old is None else "remove" if self.new is None else "change"

    @property
    def inverse(self) -> Operation:
        """The operation that undoes this one."""
        return Operation(self.key, self.new, self.old)

    def __str__(self) -> str:
        return f"{self.verb} {self.key}"


def difference(wanted: Mapping[Key, Spec], observed: Mapping[Key, Spec]) -> list[Operation]:
    """What is to be done: removals from the last kind to the first, then the rest from the first kind to the last.

    Name spaces are removed at the very end: what is in them may have to move out first.
    """

    def rank(operation: Operation) -> tuple[int, str]:
        return ORDER.index(type(operation.key)), str(operation.key)

    removals = [Operation(key, spec, None) for key, spec in observed.items() if key not in wanted]
    others = [Operation(key, observed.get(key), spec) for key, spec in wanted.items() if observed.get(key) != spec]
    spaces = [operation for operation in removals if isinstance(operation.key, SpaceKey)]
    removals = [operation for operation in removals if operation not in spaces]
    return [*sorted(removals, key=rank, reverse=True), *sorted(others, key=rank), *sorted(spaces, key=rank)]
