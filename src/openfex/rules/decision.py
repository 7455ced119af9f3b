# SPDX-License-Identifier: Apache-2.0
"""What is to be done with a frame, and what was learnt from it. Twin of `struct fex_decision`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from openfex.model.drops import DropReason
from openfex.model.values import Mac
from openfex.rules.tables import Station


class Verdict(IntEnum):
    """The numbers are those of `enum fex_verdict`."""

    DROP = 0
    UP = 1
    DELIVER = 2
    REPLICATE = 3
    FLOOD = 4


@dataclass(frozen=True, slots=True)
class Learnt:
    """A station to write (None: to forget), and whether it is new, has moved, or found no room."""

    mac: Mac
    vlan: int
    station: Station | None
    event: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Verdict and all that is needed to act on it; fields as in bpf/include/abi.h, masks as sets of links."""

    verdict: Verdict
    port: int
    reason: DropReason = DropReason.NONE
    out: int = 0
    list_id: int = 0
    source: int = 0
    uplinks: frozenset[int] = frozenset()
    vlan: int = 0
    tci: int = 0
    tagged: bool = False
    peers: frozenset[int] = frozenset()
    learnt: Learnt | None = None


def drop(port: int, reason: DropReason, learnt: Learnt | None = None) -> Decision:
    """The decision to drop a frame that came in by `port`."""
    return Decision(Verdict.DROP, port, reason, learnt=learnt)
