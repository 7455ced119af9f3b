# SPDX-License-Identifier: Apache-2.0
"""The rules of the bridges' profiles in order, how many frames each has decided, and whose rules they are. Pure.

Hits are counted a profile, whatever port a frame passed. A rule's words are those of the documents; where a bridge
holds another version than the documents have, its rules have numbers and counts, and no words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from openfex.errors import NotFoundError
from openfex.lab.view.sight import Row, Sight, bridge_port_name
from openfex.model.layout import Bridge, Layout
from openfex.model.policy import Rule
from openfex.model.rule_words import rule_words
from openfex.model.wording import nearest
from openfex.rules.decision import Direction, Hit
from openfex.rules.tables import BridgeTables, Terms

BEHIND = "deny: all that no rule above decided"
"""What stands behind the last rule of each ACL."""
MOST_PORTS = 4
"""How many ports are named in a line."""


@dataclass(frozen=True)
class _View:
    """A bridge that has a profile."""

    sight: Sight
    bridge: Bridge
    tables: BridgeTables
    number: int

    @property
    def terms(self) -> Terms:
        """What the bridge's kernel asks of the ports."""
        return self.tables.profiles[self.number]

    @property
    def hits(self) -> Mapping[Hit, int]:
        """Of all rules of the bridge."""
        return self.sight.node("bridge", self.bridge.name).hits

    @property
    def ports(self) -> list[tuple[str, str | None]]:
        """Who has the profile: ports, and their NICs."""
        layout = self.sight.layout
        nics = {one.bridge_port: one.name for one in layout.bindings if one.uplink.bridge == self.bridge.name}
        numbers = [number for number, port in self.tables.ports.items() if port.up and port.profile == self.number]
        return [(bridge_port_name(layout, self.bridge, number), nics.get(number)) for number in sorted(numbers)]


def rule_view(sight: Sight, wanted: str | None = None, before: Sight | None = None) -> list[Row]:
    """A row a profile and bridge, with its rules; `wanted`: only this profile, or that of a port or NIC.

    `new`: how many frames each has decided since `before`. Raises NotFoundError.
    """
    older = _counts(before) if before else None
    found = [_profile_row(view, name, older) for name, view in _views(sight)]
    if wanted is None:
        return [row for row in found if row["rules"]]
    chosen = [row for row in found if wanted == row["profile"]] or [row for row in found if _has(row, wanted)]
    if not chosen and wanted not in _idle(sight.layout):
        raise _unknown(sight.layout, wanted, found)
    return chosen


def _has(row: Row, name: str) -> bool:
    return any(name in (port["name"], port["nic"]) for port in rows_in(row, "ports"))


def _idle(layout: Layout) -> set[str]:
    """Names that are right, also where no bridge has anything of them now."""
    return {one.name for one in layout.profiles} | {one.name for one in layout.bindings}


def _unknown(layout: Layout, name: str, rows: Sequence[Row]) -> NotFoundError:
    known = sorted(_idle(layout) | {str(port["name"]) for row in rows for port in rows_in(row, "ports")})
    near = nearest(name, known)
    remedy = f"did you mean {near}?" if near else "`fex show profiles` and `fex show ports` list them"
    message = f"there is no profile {name} in lab {layout.lab}, and no port of that name that has one"
    return NotFoundError(message, code="no-such-profile", remedy=remedy)


def rows_in(row: Mapping[str, object], key: str) -> list[Row]:
    """The `rules` of a profile's row, or the `ports` that have it."""
    value = row[key]
    return value if isinstance(value, list) else []


def _views(sight: Sight) -> Iterator[tuple[str, _View]]:
    """By the profile's name: in the order of the documents, and behind them what only a bridge knows."""
    names = {profile.number: profile.name for profile in sight.layout.profiles}
    for bridge in sight.layout.bridges:
        tables = sight.bridge(bridge.name)
        for number in sorted(tables.profiles, key=lambda one: (one not in names, one)) if tables else ():
            assert tables is not None
            yield names.get(number, f"number {number}"), _View(sight, bridge, tables, number)


def _profile_row(view: _View, name: str, older: Mapping[tuple[str, Hit], int] | None) -> Row:
    rules = [row for direction in Direction for row in _rule_rows(view, direction, older)]
    ports = [{"name": port, "nic": nic} for port, nic in view.ports]
    note = "the documents have another version of it: the words are not known" if view.terms.digest else ""
    return {"profile": name, "bridge": view.bridge.name, "ports": ports, "rules": rules, "note": note}


def _rule_rows(view: _View, direction: Direction, older: Mapping[tuple[str, Hit], int] | None) -> Iterator[Row]:
    """The rules in order, and what denies the rest; of a version that nobody here knows those that have a count."""
    policy = view.terms.policy
    known = policy.acl_out if direction else policy.acl_in
    last = max((one.rule for one in view.hits if (one.profile, one.direction) == (view.number, direction)), default=-1)
    if view.terms.digest:
        rules: Sequence[Rule | None] = [None] * max(last, 0)
    elif known is None:
        return
    else:
        rules = known
    if view.terms.digest and last < 0:
        return
    for at, rule in enumerate((*rules, None)):
        hit, behind = Hit(view.number, direction, at), at == len(rules)
        frames = view.hits.get(hit, 0)
        new = {} if older is None else {"new": max(0, frames - older.get((view.bridge.name, hit), 0))}
        yield {"direction": direction.name.lower(), **_said(at, rule, behind), "frames": frames, **new}


def _said(at: int, rule: Rule | None, behind: bool) -> Row:
    """What a rule is; the one behind the last has no number of its own."""
    said = BEHIND if behind else rule_words(rule) if rule else None
    name = rule.name or None if rule else None
    return {"rule": None if behind else at + 1, "name": name, "says": said}


def _counts(sight: Sight) -> dict[tuple[str, Hit], int]:
    bridges = [bridge.name for bridge in sight.layout.bridges]
    return {(name, hit): frames for name in bridges for hit, frames in sight.node("bridge", name).hits.items()}


def profile_line(row: Mapping[str, object]) -> str:
    """Whose rules they are, for people."""
    ports = [f"{port['name']} ({port['nic']})" if port["nic"] else str(port["name"]) for port in rows_in(row, "ports")]
    more = f" and {len(ports) - MOST_PORTS} more" if len(ports) > MOST_PORTS else ""
    users = f"{', '.join(ports[:MOST_PORTS])}{more}" if ports else "no port that is up"
    note = f"; {row['note']}" if row["note"] else ""
    return f"profile {row['profile']} on {row['bridge']}: {users}{note}"
