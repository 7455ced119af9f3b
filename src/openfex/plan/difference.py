# SPDX-License-Identifier: Apache-2.0
"""Wanted and observed -> the smallest ordered list of operations that turns the one into the other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import astuple, dataclass, replace

from openfex.model.layout import home_of
from openfex.model.place import Place
from openfex.plan.objects import (
    ORDER,
    DeviceSpec,
    FunctionKey,
    FunctionSpec,
    GuestKey,
    GuestSpec,
    Key,
    NicSpec,
    NodeKey,
    NodeSpec,
    SpaceKey,
    Spec,
    State,
    TablesKey,
    TablesSpec,
    WireSpec,
)


@dataclass(frozen=True, slots=True)
class Operation:
    """Make (old is None), take away (new is None) or change one object."""

    key: Key
    old: Spec | None
    new: Spec | None
    late: bool = False
    """It waits until the tables are written: until then they lead to what it takes away."""

    @property
    def verb(self) -> str:
        """`make`, `change` or `remove`."""
        return "make" if self.old is None else "remove" if self.new is None else "change"

    def __str__(self) -> str:
        return f"{self.verb} {self.key}"


def difference(wanted: State, observed: State) -> list[Operation]:
    """What is to be done: removals from the last kind to the first, then the rest from the first kind to the last.

    Name spaces are removed at the very end: what is in them may have to move out first.
    """
    replaced = {key for key, spec in wanted.items() if key in observed and _is_replaced(observed[key], spec)}
    gone = [Operation(key, spec, None) for key, spec in observed.items() if key not in wanted or key in replaced]
    left = _without({key: spec for key, spec in observed.items() if key not in replaced}, _devices(gone))
    made = [Operation(key, left.get(key), spec) for key, spec in wanted.items() if left.get(key) != spec]
    spaces = [one for one in gone if isinstance(one.key, SpaceKey)]
    gone = [one for one in gone if not isinstance(one.key, SpaceKey)]
    return [
        *sorted(gone, key=_rank, reverse=True),
        *sorted(_let_go_late(_clear_the_way(made)), key=_rank),
        *sorted(spaces, key=_rank),
    ]


def _rank(operation: Operation) -> tuple[int, bool, int, bool, tuple[str | bool, ...]]:
    """By kind, those that are late behind the tables; of functions those first that only make room."""
    homeward = isinstance(operation.new, FunctionSpec) and operation.new.is_home
    kind = ORDER.index(type(operation.key))
    turn = ORDER.index(TablesKey) if operation.late else kind
    return turn, operation.late, -kind if operation.late else 0, not homeward, astuple(operation.key)


def _is_replaced(old: Spec, new: Spec) -> bool:
    """Whether the one cannot become the other: a pair of devices with another kind or other ends is another pair.

    A guest is what it was started with; those that change let go of their TAPs before any is started anew.
    """
    if isinstance(old, WireSpec) and isinstance(new, WireSpec):
        return (old.near, old.far) != (new.near, new.far)
    if isinstance(old, DeviceSpec) and isinstance(new, DeviceSpec):
        return old.place.netns != new.place.netns
    if isinstance(old, NicSpec) and isinstance(new, NicSpec):
        return old.place != new.place  # lowered before it moves, or it would speak by its old tables from its new place
    if isinstance(old, FunctionSpec) and isinstance(new, FunctionSpec):
        return (old.pf_device, old.backing) != (new.pf_device, new.backing) or not old.place.netns
    return isinstance(old, GuestSpec) and old != new


def _devices(operations: Iterable[Operation]) -> set[Place]:
    """The devices that go with what is removed."""
    places: set[Place] = set()
    for one in operations:
        if isinstance(one.old, WireSpec):
            places |= {one.old.near, one.old.far}
        if isinstance(one.old, DeviceSpec):
            places.add(one.old.place)
        if isinstance(one.old, FunctionSpec) and isinstance(one.key, FunctionKey):
            places |= {one.old.place, Place(one.key.netns, one.old.pf_device)}
    return places


def _without(state: State, lost: Set[Place]) -> State:
    """What is left of a state when some devices are gone: their programs went with them, their rows lead nowhere."""
    spaces = {place.netns for place in lost}
    left: State = {}
    for key, spec in state.items():
        if (isinstance(key, TablesKey) and key.netns in spaces) or _hangs_on(lost, key, spec):
            continue
        if isinstance(key, NodeKey) and isinstance(spec, NodeSpec):
            kept = frozenset(one for one in spec.devices if Place(key.netns, one[1]) not in lost)
            left[key] = replace(spec, devices=kept)
        else:
            left[key] = spec
    return left


def _hangs_on(lost: Set[Place], key: Key, spec: Spec) -> bool:
    """Whether it is of no use without these devices: a NIC is one, a guest has its TAPs open."""
    if isinstance(key, GuestKey) and isinstance(spec, GuestSpec):
        return any(Place(key.netns, nic.device) in lost for nic in spec.nics)
    return isinstance(spec, NicSpec) and spec.place in lost


def _clear_the_way(operations: Sequence[Operation]) -> list[Operation]:
    """Send home first what stands where another function is to go: so that two may change places."""
    targets = {one.new.place for one in operations if isinstance(one.new, FunctionSpec)}
    steps: list[Operation] = []
    for one in operations:
        room = _room_made(one, targets)
        steps += [one] if room is None else [Operation(one.key, one.old, room), Operation(one.key, room, one.new)]
    return steps


def _let_go_late(operations: Iterable[Operation]) -> list[Operation]:
    """What tables lead to goes when none does any more: XDP programs, what they need of devices, lists of hosts."""
    steps: list[Operation] = []
    for one in operations:
        kept = _kept_meanwhile(one.old, one.new)
        if kept is None:
            steps.append(one)
            continue
        if kept != one.old:
            steps.append(Operation(one.key, one.old, kept))
        steps.append(Operation(one.key, kept, one.new, late=True))
    return steps


def _kept_meanwhile(old: Spec | None, new: Spec | None) -> Spec | None:
    """What is to be for as long as tables lead to the old: the new, and what they need of the old; None if nothing."""
    if isinstance(old, TablesSpec) and isinstance(new, TablesSpec):
        kept = replace(new, tables=new.tables.keeping(old.tables))
        return kept if kept != new else None
    if isinstance(old, NodeSpec) and isinstance(new, NodeSpec):
        lost = (old.xdp - new.xdp) & {device for _, device in new.devices}
        return replace(new, xdp=new.xdp | lost) if lost else None
    if isinstance(old, DeviceSpec) and isinstance(new, DeviceSpec):
        return replace(new, xdp=True) if old.xdp and not new.xdp else None
    if isinstance(old, WireSpec) and isinstance(new, WireSpec):
        return replace(new, xdp=True) if old.xdp and not new.xdp else None
    if isinstance(old, FunctionSpec) and isinstance(new, FunctionSpec):
        return replace(new, xdp=True) if old.xdp and not new.xdp else None
    return None


def _room_made(operation: Operation, targets: Set[Place]) -> FunctionSpec | None:
    """The function sent home, if it stands in the way of another and has a way to go itself."""
    key, old, new = operation.key, operation.old, operation.new
    if not (isinstance(key, FunctionKey) and isinstance(old, FunctionSpec) and isinstance(new, FunctionSpec)):
        return None
    if new.is_home or old.place == new.place or old.place not in targets:
        return None
    return replace(old, place=Place(key.netns, home_of(old.pf_device)))
