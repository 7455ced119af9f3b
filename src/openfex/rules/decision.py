# SPDX-License-Identifier: Apache-2.0
"""What is to be done with a frame, and what was learnt from it. Twin of `struct fex_decision`."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    CONTROL = 5


GOES_NOWHERE = frozenset({Verdict.DROP, Verdict.CONTROL})
"""Verdicts of frames that leave by no port."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """A station to write (None: to forget), and whether it is new, has moved, or found no room."""

    mac: Mac
    vlan: int
    station: Station | None
    event: str = ""


class Direction(IntEnum):
    """Into the bridge by a port, or out of it: the index of what a profile has twice."""

    IN = 0
    OUT = 1


@dataclass(frozen=True, slots=True)
class Hit:
    """The rule of a profile's ACL that decided; the one behind the last is what denies the rest."""

    profile: int
    direction: Direction
    rule: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Verdict and all that is needed to act on it; fields as in bpf/include/abi.h, masks as sets of links.

    `at` is the port whose rules dropped it. `hits`: the rules that decided. `vlan`: on an extender by VEPA alone; it
    then leaves as `tagged` says. `learns`: the source is a new address of the vEth. `dscp`: what is written into it.
    `service`: the VLAN of the service tag that it leaves with. `unwrapped`: the one that it came with is off.
    """

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
    judged: bool = False
    learnt: Learnt | None = None
    at: int = 0
    hits: tuple[Hit, ...] = ()
    learns: bool = False
    dscp: int | None = None
    service: int = 0
    unwrapped: bool = False


def drop(port: int, reason: DropReason, learnt: Learnt | None = None) -> Decision:
    """The decision to drop a frame that came in by `port`."""
    return Decision(Verdict.DROP, port, reason, learnt=learnt, at=port)


def deny(decision: Decision, reason: DropReason, at: int | None = None) -> Decision:
    """The same frame, dropped after all; by the port it came in by, or by `at`."""
    port = decision.port if at is None else at
    return replace(drop(decision.port, reason, decision.learnt), at=port, hits=decision.hits)


def outcome(decision: Decision) -> Decision:
    """What the engines must agree on: of a drop its port and reason, else all but what was learnt on the way."""
    if decision.verdict is Verdict.DROP:
        return replace(drop(decision.port, decision.reason), at=decision.at)
    return replace(decision, learnt=None, hits=())
