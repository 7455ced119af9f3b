# SPDX-License-Identifier: Apache-2.0
"""A decision as programs export it: octets to values. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from openfex.datapath.abi import DECISION, MARK, TRACE, links_of
from openfex.model.drops import DropReason
from openfex.model.limits import FIRST_UPLINK
from openfex.rules.decision import Decision, Verdict


@dataclass(frozen=True, slots=True)
class Exported:
    """A decision, of a drop with all that was known when it was dropped; and what the kernel alone says of it.

    `hits`: the row of hits of the rule that decided, into the bridge and out of it, or None. `not_learnt`: there is no
    room for its sender among the stations.
    """

    decision: Decision
    hits: tuple[int | None, int | None] = (None, None)
    not_learnt: bool = False


def read_decision(row: bytes) -> Exported:
    """From `struct fex_decision`."""
    verdict, reason, port, out, number, source, uplinks, vlan, tci, tagged, not_learnt, peers, *rest = DECISION.unpack(
        row
    )
    at, judged, _, hit_in, hit_out, learns, _, _, mark, service, unwrapped, _ = rest
    floods = verdict == Verdict.FLOOD
    links = links_of(uplinks, FIRST_UPLINK) if floods else frozenset()
    joined = links_of(peers, 0) if floods else frozenset()
    found = (DropReason(reason), out, number, source, links, vlan, tci, bool(tagged), joined)
    more = {"judged": floods and judged > 0, "learns": bool(learns), "at": at, "service": service}
    more |= {"dscp": mark & ~MARK if mark else None, "unwrapped": bool(unwrapped)}
    hits = (hit_in - 1 if hit_in else None, hit_out - 1 if hit_out else None)
    return Exported(Decision(Verdict(verdict), port, *found, **more), hits, bool(not_learnt))


@dataclass(frozen=True, slots=True)
class Traced:
    """What a trace says of a frame: the decision, and what is left of it once rates have been asked."""

    decided: Exported
    settled: Exported
    now_ns: int
    """By the clock of rates."""


def read_trace(row: bytes) -> Traced:
    """From `struct fex_trace`."""
    decided, settled, now_ns = TRACE.unpack(row)
    return Traced(read_decision(decided), read_decision(settled), now_ns)
