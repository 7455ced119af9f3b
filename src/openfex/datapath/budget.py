# SPDX-License-Identifier: Apache-2.0
"""What each program may cost the verifier. Pure, and the one place where it is said; tests hold the programs to it.

The kernel refuses a program at 1,000,000 steps and at 512 octets of stack, and no two kernels count the same. So a
budget leaves room: for other kernels, and for the next feature. One that is raised is a decision, and shows in review.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """The most steps that the verifier may take, and octets that the deepest chain of calls may have."""

    steps: int
    stack: int


BUDGETS = {
    "extender_up": Budget(20_000, 320),
    "extender_down": Budget(50_000, 416),
    "bridge_in": Budget(80_000, 480),
    "bridge_start_ageing": Budget(1_000, 128),
    "xdp_extender_up": Budget(10_000, 256),
    "xdp_extender_down": Budget(20_000, 320),
    "trace_extender_up": Budget(20_000, 320),
    "trace_extender_down": Budget(20_000, 320),
    "trace_bridge_in": Budget(80_000, 480),
    "trace_bridge_copy": Budget(80_000, 480),
    "xdp_bridge_in": Budget(50_000, 480),
}
"""By program. `deepest_stack` says why it may show more than the kernel checks."""


def excess(steps: int, stack: int, budget: Budget) -> list[str]:
    """By how much a program is over its budget, in words; nothing if it is not."""
    over = [(steps, budget.steps, "steps"), (stack, budget.stack, "octets of stack")]
    return [f"{found - most} {what} over {most}" for found, most, what in over if found > most]
