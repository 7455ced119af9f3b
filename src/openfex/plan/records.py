# SPDX-License-Identifier: Apache-2.0
"""What is written down of an adapter before it is changed, so that it can be given back as it was. Pure.

A record holds what our changes have taken the place of, field by field, and nothing else: so what others set
meanwhile is left to them. `pending` is what a run that has not ended would have left where it changes a thing for a
while only; the next run ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from openfex.errors import VerificationError
from openfex.model.adapters import RealAdapter
from openfex.model.functions import (
    FunctionDriver,
    HwMode,
    LinkState,
    Settings,
    TagProtocol,
    said,
)
from openfex.model.values import Mac
from openfex.plan.steps import Bind, Carve, SetAttributes, SetAutoprobe, SetHwMode, Step, Target, Unbind

VERSION = 1
_ENUMS = {"protocol": TagProtocol, "link": LinkState, "driver": FunctionDriver}


@dataclass(frozen=True, slots=True)
class Gift:
    """A function that was given to somebody: `space` is a name space, or empty for a virtual machine or the host.

    `name` is the device's name there, `home` the one it had here, `before` what its settings were.
    """

    generation: int
    to: str
    space: str = ""
    name: str = ""
    home: str = ""
    before: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class Pending:
    """How a run that has not been verified would have ended: autoprobe, and the drivers of functions by number."""

    autoprobe: bool
    drivers: Mapping[int, FunctionDriver] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """What an adapter was before our first change; None is what we have not changed. `functions` by their numbers."""

    adapter: str
    generation: int = 0
    adopted: bool = False
    count: int | None = None
    autoprobe: bool | None = None
    hwmode: HwMode | None = None
    functions: Mapping[int, Settings] = field(default_factory=dict)
    gifts: Mapping[int, Gift] = field(default_factory=dict)
    purposes: Mapping[int, str] = field(default_factory=dict)
    pending: Pending | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it that anybody would miss."""
        changed = (self.count, self.autoprobe, self.hwmode) != (None, None, None)
        return not (self.adopted or changed or self.functions or self.gifts or self.pending)


def noted(record: Record, adapter: RealAdapter, made: Iterable[Step]) -> Record:
    """The record with what the steps are about to take the place of. What it has already stays: it is older."""
    there = list(made)
    autoprobe, hwmode, count = record.autoprobe, record.hwmode, record.count
    if autoprobe is None and any(isinstance(step, SetAutoprobe) for step in there):
        autoprobe = adapter.autoprobe
    if count is None and any(isinstance(step, Carve) for step in there):
        count = adapter.count
    for step in there:
        if isinstance(step, SetHwMode):
            hwmode = hwmode or step.old
    first = adapter.count if record.count is None else record.count  # later ones were not there before us
    functions = dict(record.functions)
    for index, values in _replaced(adapter, there).items():
        if index < first:
            functions[index] = Settings(**{**values, **said(functions.get(index, Settings()))})
    return replace(record, count=count, autoprobe=autoprobe, hwmode=hwmode, functions=functions)


def _replaced(adapter: RealAdapter, made: Sequence[Step]) -> dict[int, dict[str, Any]]:
    """The settings that steps take the place of, by function and field."""
    found: dict[int, dict[str, Any]] = {}
    if any(isinstance(step, Carve) for step in made):
        return {one.index: {**said(one.settings), "driver": one.bound} for one in adapter.functions}
    for step in made:
        if isinstance(step, SetAttributes):
            found.setdefault(step.number, {}).update(said(step.old))
        elif isinstance(step, Unbind | Bind) and (function := adapter.function(step.number)):
            found.setdefault(step.number, {}).setdefault("driver", function.bound)
    return found


def target_of(record: Record, adapter: RealAdapter) -> Target:
    """What the adapter was, as far as we have changed it: what giving it back aims at."""
    count = adapter.count if record.count is None else record.count
    drivers = {one.index: one.bound for one in adapter.functions if one.index < count}
    drivers |= dict(record.pending.drivers) if record.pending else {}
    autoprobe = record.autoprobe
    if autoprobe is None:
        autoprobe = record.pending.autoprobe if record.pending else adapter.autoprobe
    unchanged = FunctionDriver.DEVICE if autoprobe else FunctionDriver.NONE
    drivers = {index: drivers.get(index, unchanged) for index in range(count)}
    drivers |= {index: one.driver for index, one in record.functions.items() if one.driver and index < count}
    settings = {index: one for index, one in record.functions.items() if index < count}
    return Target(count, autoprobe, record.hwmode, settings, drivers)


def settled(record: Record, adapter: RealAdapter) -> Record:
    """The record when a run has been verified: nothing is pending, and what is as it was before needs no keeping."""
    autoprobe = None if record.autoprobe is adapter.autoprobe else record.autoprobe
    hwmode = None if record.hwmode is adapter.hwmode else record.hwmode
    return replace(record, autoprobe=autoprobe, hwmode=hwmode, pending=None)


# As JSON


def settings_to_json(settings: Settings) -> dict[str, Any]:
    """Settings by field; enumerations by their words."""
    return {name: _plain(value) for name, value in said(settings).items()}


def _plain(value: object) -> object:
    if isinstance(value, Mac):
        return str(value)
    return getattr(value, "value", value)


def settings_from_json(raw: Mapping[str, Any]) -> Settings:
    """The way back."""
    values = dict(raw)
    for name in ("mac", "mac_pool"):
        if name in values:
            values[name] = Mac.parse(values[name])
    for name, enum in _ENUMS.items():
        if name in values:
            values[name] = enum(values[name])
    return Settings(**values)


def to_json(record: Record) -> dict[str, Any]:
    """A record as it is kept."""
    pending = record.pending
    return {
        "version": VERSION,
        "adapter": record.adapter,
        "generation": record.generation,
        "adopted": record.adopted,
        "count": record.count,
        "autoprobe": record.autoprobe,
        "hwmode": record.hwmode.value if record.hwmode else None,
        "functions": {str(index): settings_to_json(one) for index, one in sorted(record.functions.items())},
        "gifts": {
            str(index): {
                "generation": one.generation,
                "to": one.to,
                "space": one.space,
                "name": one.name,
                "home": one.home,
                "before": settings_to_json(one.before),
            }
            for index, one in sorted(record.gifts.items())
        },
        "purposes": {str(index): text for index, text in sorted(record.purposes.items())},
        "pending": None
        if pending is None
        else {
            "autoprobe": pending.autoprobe,
            "drivers": {str(index): driver.value for index, driver in sorted(pending.drivers.items())},
        },
    }


def from_json(raw: object) -> Record:
    """The way back. Raises VerificationError for what this version has not written."""
    try:
        return _from_json(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise VerificationError("a record of an adapter cannot be read", code="record-unreadable") from cause


def _from_json(raw: Any) -> Record:
    if raw["version"] != VERSION:
        raise ValueError(raw["version"])
    pending = raw["pending"]
    return Record(
        adapter=str(raw["adapter"]),
        generation=int(raw["generation"]),
        adopted=bool(raw["adopted"]),
        count=raw["count"],
        autoprobe=raw["autoprobe"],
        hwmode=HwMode(raw["hwmode"]) if raw["hwmode"] else None,
        functions={int(index): settings_from_json(one) for index, one in raw["functions"].items()},
        gifts={
            int(index): Gift(**{**one, "before": settings_from_json(one["before"])})
            for index, one in raw["gifts"].items()
        },
        purposes={int(index): str(text) for index, text in raw["purposes"].items()},
        pending=None
        if pending is None
        else Pending(
            bool(pending["autoprobe"]),
            {int(index): FunctionDriver(word) for index, word in pending["drivers"].items()},
        ),
    )
