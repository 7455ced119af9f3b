# SPDX-License-Identifier: Apache-2.0
"""A layout in the making: what is known so far, and what found no place."""

from __future__ import annotations

from dataclasses import dataclass, field

from openfex.errors import Problem
from openfex.model.layout import Binding, Bridge, Function, Host, Machine, Profile
from openfex.model.reader import Reading
from openfex.plan.allotment import Allotment


@dataclass
class Draft:
    """By name. `held` is what the lab gave when it was laid out before."""

    documents: Reading
    lab: str
    held: Allotment
    problems: list[Problem] = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)
    bridges: dict[str, Bridge] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    free: dict[str, dict[str, Function]] = field(default_factory=dict)
    """By host: the functions that a NIC can still be given, by name, the first one first."""
    bindings: dict[str, Binding] = field(default_factory=dict)
