# SPDX-License-Identifier: Apache-2.0
"""What becomes of several policies about one PF, as sriov-network-operator has it (its `api/v1/helper.go`).

Policies are taken from the lowest priority (99) to the highest (0), those of the same one by name. Each later one stays
beside what there is already if its functions are others and its resource is another, and else takes its place. The
number of functions is that of the later one; but the larger if both stay, or have the same priority.

Only policies that name the PF in the same words are certain to be about the same one. Where others may be, it is noted.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field, replace

from openfex.formats.report import Report, Said
from openfex.formats.values import Value
from openfex.model.functions import Selector

_NO_PF = Selector()


@dataclass
class Policy:
    """A SriovNetworkNodePolicy: its name, what stands for it in messages, and what it asks for."""

    name: str
    said: Said
    resource: str
    priority: int
    count: int
    settings: dict[str, Value]
    external: bool = False
    """Whether its functions are made by others."""
    claims: list[Claim] = field(default_factory=list)
    lost: bool = False
    """Whether it is about PFs that cannot be said here."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A policy's functions of one PF, first to last, of `count`."""

    policy: Policy = field(compare=False)
    first: int
    last: int
    count: int
    pf: Selector = _NO_PF

    @property
    def whole(self) -> bool:
        """Whether it is about all functions of the PF."""
        return (self.first, self.last) == (0, self.count - 1)

    def clashes(self, other: Claim) -> bool:
        """Whether only one of the two can stay."""
        same = self.policy.resource == other.policy.resource
        return same or (self.first <= other.last and other.first <= self.last)


def settle(report: Report, policies: list[Policy]) -> None:
    """Take from each policy the claims that do not hold, and give the others the number of functions that does."""
    held: dict[Selector, list[Claim]] = {}
    before = -1
    for policy in sorted(policies, key=lambda one: (-one.priority, one.name)):
        for claim in policy.claims:
            there = held.get(claim.pf, [])
            kept = [one for one in there if not one.clashes(claim)]
            for one in there:
                if one.clashes(claim):
                    why = f"policy {policy.name}, of priority {policy.priority}, is about the same functions"
                    report.note("overridden", one.policy.said, why)
            if there and (kept or policy.priority == before):
                claim = replace(claim, count=max(claim.count, there[0].count))
            held[claim.pf] = [replace(one, count=claim.count) for one in (*kept, claim)]
        before = policy.priority
    for policy in policies:
        policy.claims = [one for claim in policy.claims for one in held[claim.pf] if one.policy is policy]


def find_overlaps(report: Report, policies: list[Policy]) -> None:
    """Note each pair of policies that may be about one PF."""
    for index, one in enumerate(policies):
        for other in policies[index + 1 :]:
            pairs = ((mine.pf, theirs.pf) for mine in one.claims for theirs in other.claims)
            if any(mine != theirs and _may_be_one(mine, theirs) for mine, theirs in pairs):
                why = (
                    f"if a PF is selected by policy {one.name}, too, the one with the lower priority number holds there"
                )
                report.note("may-overlap", other.said, why)


def _may_be_one(one: Selector, other: Selector) -> bool:
    return all(not a or not b or a == b for a, b in zip(astuple(one), astuple(other), strict=True))
