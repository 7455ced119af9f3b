# SPDX-License-Identifier: Apache-2.0
"""What the policy of a port is, in short. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from openfex.lab.view.sight import Row
from openfex.model.policy import FREE, Rate, Rule
from openfex.model.quantities import format_rate
from openfex.rules.tables import BridgeTables


def policy_row(tables: BridgeTables | None, number: int) -> Row | None:
    """How many rules, which rates, whose addresses; None where nothing is asked, or nobody here knows what."""
    port = tables.ports.get(number) if tables else None
    if tables is None or port is None or not port.up:
        return None
    policy = tables.terms_of(port).policy
    if policy == FREE:
        return None
    return {
        "rules_in": _count(policy.acl_in),
        "rules_out": _count(policy.acl_out),
        "rate_in": _rate(policy.rate_in),
        "rate_out": _rate(policy.rate_out),
        "guard": policy.source.guard,
        "macs": len(policy.source.macs),
        "learn": policy.source.learn,
        "learnt": tables.memory.learnt(number),
    }


def _count(rules: tuple[Rule, ...] | None) -> int | None:
    return None if rules is None else len(rules)


def _rate(rate: Rate) -> Row | None:
    """A rate of which nothing is limited is none."""
    return {"bits": rate.bits or None, "frames": rate.frames or None} if rate != Rate() else None


def policy_parts(row: Row | None) -> list[str]:
    """The same for people, a thing each: `rules: 5 in, 7 out`."""
    if row is None:
        return []
    learnt = f"learnt {row['learnt']} of {row['learn']} MACs" if row["learn"] else ""
    macs = f"{row['macs']} more MAC{'s' if row['macs'] != 1 else ''}" if row["macs"] else ""
    parts = (_both(row, "rules"), _both(row, "rate"), "guard" if row["guard"] else "", macs, learnt)
    return [part for part in parts if part]


def _both(row: Row, what: str) -> str:
    ways = [(way, row[f"{what}_{way}"]) for way in ("in", "out")]
    said = [f"{_said(value)} {way}" for way, value in ways if value is not None]
    return f"{what} {', '.join(said)}" if said else ""


def _said(value: object) -> str:
    return " and ".join(_limits(value)) if isinstance(value, Mapping) else str(value)


def _limits(rate: Mapping[str, object]) -> Iterator[str]:
    if isinstance(rate["bits"], int):
        yield format_rate(rate["bits"])
    if rate["frames"]:
        yield f"{rate['frames']}/s"
