# SPDX-License-Identifier: Apache-2.0
"""Plans as rows: what would be done, in order; and what of a lab is not as wanted, by node. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass

from openfex.lab.names import netns_of, outside
from openfex.lab.view.sight import Row, node_of
from openfex.model.layout import Layout
from openfex.plan.difference import Operation
from openfex.plan.objects import DeviceKey, DeviceSpec, GuestKey, Spec, TablesSpec, WireKey

VERBS = {"make": "made", "change": "changed", "remove": "removed"}


def operation_rows(operations: Iterable[Operation]) -> list[Row]:
    """One row an operation, in the order they are carried out; for a change also what differs."""
    return [
        {"step": step, "verb": one.verb, "what": str(one.key), "difference": _difference(one)}
        for step, one in enumerate(operations, start=1)
    ]


def counts(operations: Iterable[Operation]) -> dict[str, int]:
    """How many are made, changed and removed."""
    found = Counter(one.verb for one in operations)
    return {past: found[verb] for verb, past in VERBS.items()}


def _difference(operation: Operation) -> list[str]:
    if operation.old is None or operation.new is None:
        return []
    return compare(_inner(operation.old), _inner(operation.new))


def _inner(spec: Spec) -> object:
    return spec.tables if isinstance(spec, TablesSpec) else spec


def compare(old: object, new: object) -> list[str]:
    """What differs between two values of one dataclass, a sentence a field."""
    if not is_dataclass(old) or type(old) is not type(new):
        return [f"{old} to {new}"] if old != new else []
    found = []
    for one in fields(old):
        before, after = getattr(old, one.name), getattr(new, one.name)
        if before != after:
            found.append(f"{one.name}: {_compare_values(before, after)}")
    return found


def _compare_values(before: object, after: object) -> str:
    """Tables and sets can be long: of them only what comes and goes, by number."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        changed = sum(key in after and before[key] != after[key] for key in before)
        return _coming_and_going(len(after.keys() - before.keys()), changed, len(before.keys() - after.keys()))
    if isinstance(before, Set) and isinstance(after, Set):
        return _coming_and_going(len(after - before), 0, len(before - after))
    return f"{_text(before)} to {_text(after)}"


def _coming_and_going(new: int, changed: int, gone: int) -> str:
    parts = [(new, "new"), (changed, "changed"), (gone, "gone")]
    return ", ".join(f"{count} {word}" for count, word in parts if count)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None or value == "" else str(value)


def status_rows(layout: Layout, operations: Iterable[Operation], absent: Collection[str] = ()) -> list[Row]:
    """One row a node, and one a thing that belongs to no node any more: `up`, or what would still have to be done.

    `absent`: the hosts and bridges whose agents do not run, or unwatched.
    """
    missing: dict[str, list[str]] = {netns: [] for netns in _nodes(layout)}
    for operation in operations:
        missing.setdefault(_node(layout, operation), []).append(str(operation))
    rows: list[Row] = []
    for netns, left in missing.items():
        kind, name = node_of(layout, netns)
        left += [f"start agent of {name}"] if kind in {"host", "bridge"} and name in absent else []
        state = "not as wanted" if left else "up"
        rows.append({"kind": kind or "left over", "name": name, "state": state, "missing": left})
    return rows


def _nodes(layout: Layout) -> list[str]:
    names = [netns_of(layout.lab, "host", one.name) for one in layout.own_hosts]
    names += [netns_of(layout.lab, "bridge", one.name) for one in layout.bridges]
    away = {host.name for host in layout.hosts if host.remote}
    own = (one for one in layout.machines if (one.guest or not one.in_host) and one.host not in away)
    names += [netns_of(layout.lab, "machine", one.name) for one in own]
    return [*names, *([outside(layout.lab)] if layout.has_outside else [])]


def _node(layout: Layout, operation: Operation) -> str:
    """The name space of the node that an operation is about; a wire belongs to the node it is named after."""
    if isinstance(operation.key, GuestKey):
        return netns_of(layout.lab, "machine", operation.key.name)
    if isinstance(operation.key, DeviceKey):
        spec = operation.new or operation.old
        return spec.place.netns if isinstance(spec, DeviceSpec) else ""
    if not isinstance(operation.key, WireKey):
        return operation.key.netns
    bridge, slash, _ = operation.key.name.partition("/")
    if slash:
        return netns_of(layout.lab, "bridge", bridge)
    return netns_of(layout.lab, "host", operation.key.name.partition(".")[0])


def report_view(lab: str, operations: Sequence[Operation], absent: Sequence[str], duration_s: float) -> Row:
    """What `up` did, whole. `absent`: the nodes that have been given an agent."""
    found = {**counts(operations), "agents": list(absent)}
    return {"lab": lab, **found, "duration_s": round(duration_s, 3), "operations": operation_rows(operations)}


def report_line(lab: str, operations: Sequence[Operation], absent: Sequence[str], duration_s: float) -> str:
    """What `up` did, in a line."""
    if not operations and not absent:
        return f"lab {lab} is as wanted: nothing to do ({duration_s:.2f} s)"
    if not operations:
        return f"lab {lab} is up: agents of {', '.join(absent)} started ({duration_s:.2f} s)"
    done = ", ".join(f"{count} {word}" for word, count in counts(operations).items())
    return f"lab {lab} is up: {done} ({duration_s:.2f} s)"


def down_line(lab: str, removed: Sequence[str], duration_s: float) -> str:
    """What `down` did, in a line."""
    if not removed:
        return f"nothing is left of lab {lab}: nothing to do"
    spaces = sum(one.startswith("name space") for one in removed)
    return f"lab {lab} is down: {spaces} name spaces and all that was in them removed ({duration_s:.2f} s)"
