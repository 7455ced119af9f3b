# SPDX-License-Identifier: Apache-2.0
"""What the programs that the package carries cost this kernel's verifier."""

from __future__ import annotations

from dataclasses import dataclass

from openfex.datapath.budget import BUDGETS, excess
from openfex.datapath.objects import BUILDS, PROGRAMS, object_path
from openfex.datapath.stack import deepest_stack
from openfex.linux.libbpf import verify


@dataclass(frozen=True, slots=True)
class Cost:
    """One program. `instructions`: as the kernel runs them; `steps`: what the verifier walked; `stack`: in octets."""

    program: str
    role: str
    attachment: str
    instructions: int
    steps: int
    stack: int

    @property
    def over(self) -> list[str]:
        """By how much it is over its budget, in words."""
        return excess(self.steps, self.stack, BUDGETS[self.program])

    @property
    def row(self) -> dict[str, object]:
        """As it is shown."""
        budget = BUDGETS[self.program]
        row = {name: getattr(self, name) for name in ("program", "role", "attachment", "instructions", "steps")}
        return row | {"most_steps": budget.steps, "stack": self.stack, "most_stack": budget.stack, "over": self.over}


def measure_costs() -> list[Cost]:
    """Every program of every role and build, verified by this kernel now; nothing stays loaded."""
    return [
        Cost(name, role, attachment, one.instructions, one.steps, deepest_stack(one.code, one.frames))
        for role in PROGRAMS
        for attachment in BUILDS
        for name, one in verify(object_path(role, attachment)).items()
    ]
