# SPDX-License-Identifier: Apache-2.0
"""What was given once and is kept: numbers of ports, uplinks, adapters, profiles, and which function a NIC has. Pure.

Documents say what is wanted, not what was chosen. A lab keeps the choice beside its documents, so that what is added
or taken out elsewhere renumbers nobody and moves no NIC to another function.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from openfex.model.layout import Layout

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Span:
    """An adapter's number on its host, and the channel before its first."""

    slot: int
    base: int


@dataclass(frozen=True, slots=True)
class Seat:
    """What a NIC was given: its function, the fabric, and the network port of its vEth, if it has one.

    `generation` grows whenever it is given another function or fabric.
    """

    function: str
    fabric: str
    pin: str | None
    generation: int = 1


@dataclass(frozen=True)
class Allotment:
    """What a lab has given, by name."""

    ports: Mapping[str, int] = field(default_factory=dict)
    """`sw-a/up0` -> its link at the bridge."""
    uplinks: Mapping[str, int] = field(default_factory=dict)
    """`sw-a/h1` -> the link of the host's uplink at the bridge."""
    adapters: Mapping[str, Span] = field(default_factory=dict)
    """`h1/h1-nic0`."""
    nics: Mapping[str, Seat] = field(default_factory=dict)
    """`vm1/eth0`."""
    profiles: Mapping[str, int] = field(default_factory=dict)
    """`web` -> its row in the tables of bridges."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Allotment:
        """From the plain values of `to_json`."""
        spans = {name: Span(**one) for name, one in raw["adapters"].items()}
        seats = {name: Seat(**one) for name, one in raw["nics"].items()}
        return cls(raw["ports"], raw["uplinks"], spans, seats, raw["profiles"])


def allotment_of(layout: Layout) -> Allotment:
    """What a layout has given."""
    return Allotment(
        {f"{port.bridge}/{port.name}": port.link for bridge in layout.bridges for port in bridge.ports},
        {f"{one.bridge}/{one.host}": one.bridge_link for host in layout.hosts for one in host.uplinks},
        {f"{one.host}/{one.name}": Span(one.slot, one.base) for host in layout.hosts for one in host.adapters},
        {
            one.name: Seat(one.function.name, one.uplink.fabric, one.pin.name if one.pin else None, one.generation)
            for one in layout.bindings
        },
        {one.name: one.number for one in layout.profiles},
    )


def allot(names: Iterable[Name], held: Mapping[Name, int], numbers: Iterable[int]) -> dict[Name, int]:
    """A number for each name: those that have one keep it, the others get the first that nobody has.

    Who comes when all numbers are given gets none.
    """
    wanted = list(dict.fromkeys(names))
    allowed = list(numbers)
    kept = {name: held[name] for name in wanted if held.get(name) in allowed}
    used = set(kept.values())
    free = iter([number for number in allowed if number not in used])
    given = {name: kept[name] if name in kept else next(free, None) for name in wanted}
    return {name: number for name, number in given.items() if number is not None}


def allot_spans(sizes: Mapping[str, int], held: Mapping[str, Span], last: int) -> dict[str, Span]:
    """A slot and a run of channels for each adapter of a host, by how many it may need; `last` is the last channel.

    Those that have one keep it while it is large enough; who finds no run that is free gets none.
    """
    slots = allot(sizes, {name: span.slot for name, span in held.items()}, range(len(sizes) + len(held)))
    given: dict[str, Span] = {}

    def is_free(base: int, size: int) -> bool:
        fits = base + size <= last
        return fits and all(base + size <= one.base or one.base + sizes[name] <= base for name, one in given.items())

    def keeps(name: str) -> bool:
        """Whether its run is still long enough: nobody else begins within what it needs now."""
        start = held[name].base if name in held else -1
        return start >= 0 and not any(start < one.base < start + sizes[name] for one in held.values())

    for name in sorted(sizes, key=lambda one: not keeps(one)):
        ends = sorted(one.base + sizes[other] for other, one in given.items())
        bases = [*([held[name].base] if name in held else []), 0, *ends]
        base = next((one for one in bases if is_free(one, sizes[name])), None)
        if base is not None:
            given[name] = Span(slots[name], base)
    return given
