# SPDX-License-Identifier: Apache-2.0
"""How much an uplink carries, and which frames have what of it when it is full. Values."""

from __future__ import annotations

from dataclasses import dataclass

PCPS = frozenset(range(8))


@dataclass(frozen=True, slots=True)
class Share:
    """The frames of some PCPs, and how many octets a second they have at least."""

    pcps: frozenset[int]
    minimum: int


@dataclass(frozen=True, slots=True)
class Shape:
    """Octets a second in each direction, and the shares, which are all of them: each PCP is in one."""

    rate: int
    shares: frozenset[Share]
