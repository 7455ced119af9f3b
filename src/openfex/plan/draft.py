# SPDX-License-Identifier: Apache-2.0
"""A layout in the making: what is known so far, and what is wrong so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from openfex.errors import Problem
from openfex.model.layout import Binding, Bridge, Host, Machine, Profile
from openfex.model.reader import Document
from openfex.model.values import Mac
from openfex.plan.allotment import Allotment


@dataclass
class Draft:
    """By name. `held` is what the lab gave when it was laid out before."""

    documents: Sequence[Document]
    lab: str
    held: Allotment
    problems: list[Problem] = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)
    bridges: dict[str, Bridge] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    bindings: dict[str, Binding] = field(default_factory=dict)
    macs: dict[Mac, str] = field(default_factory=dict)

    def refuse(self, document: Document, code: str, message: str, remedy: str, *path: str) -> None:
        """Note a problem of a document, at a path below its spec."""
        self.problems.append(document.problem(code, message, remedy, path))

    def profile(self, document: Document, name: str, *path: str) -> Profile | None:
        """The profile that a document names; None, and a problem, if there is none."""
        profile = self.profiles.get(name)
        if profile is None:
            known = ", ".join(self.profiles) or "none"
            self.refuse(document, "unknown-profile", f"there is no profile {name}", f"the profiles are: {known}", *path)
        return profile
