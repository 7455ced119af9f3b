# SPDX-License-Identifier: Apache-2.0
"""What is done to a real adapter, step by step, and from what it is to what it should be. Pure.

The order is what the kernel asks for (Documentation/PCI/pci-iov-howto.rst, drivers/pci/iov.c):

1. the embedded switch, which some drivers reset themselves for;
2. the number of functions, which goes through 0 only; meanwhile autoprobe is off, so that no function is ever seen by
   its driver with attributes that are not yet its own;
3. attributes, of a function that has no driver where the driver would not take them up;
4. drivers: autoprobe on, because drivers_probe finds none for a function of a PF that has it off;
5. autoprobe as it is to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from openfex.model.adapters import RealAdapter, RealFunction
from openfex.model.functions import ATTRIBUTES, FunctionDriver, HwMode, LinkState, Settings, TagProtocol, said
from openfex.model.quirks import Quirks, quirks_of
from openfex.model.values import Mac

_TAG = ("vlan", "qos", "protocol")
_RATES = ("min_rate", "max_rate")
FRESH = Settings(
    mac=Mac(bytes(6)), vlan=0, qos=0, protocol=TagProtocol.DOT1Q, min_rate=0, max_rate=0, trust=False,
    link=LinkState.AUTO, rss_query=False,
)  # fmt: skip
"""What a function that was just carved has, as far as all drivers agree."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an adapter is to be. `drivers` has an entry for each of its `count` functions, `settings` where asked."""

    count: int
    autoprobe: bool
    hwmode: HwMode | None = None
    settings: Mapping[int, Settings] = field(default_factory=dict)
    drivers: Mapping[int, FunctionDriver] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done. `what` it is done to; `disturbs`: who notices, in words."""

    adapter: str

    @property
    def index(self) -> int | None:
        """The function it is done to; None: the adapter."""
        return None

    @property
    def disturbs(self) -> tuple[str, ...]:
        """Who notices."""
        return ()


@dataclass(frozen=True, slots=True)
class SetHwMode(Step):
    """The embedded switch."""

    old: HwMode | None
    new: HwMode
    names: tuple[str, ...] = ()

    @property
    def disturbs(self) -> tuple[str, ...]:
        """All functions: frames between them go another way, and some drivers reset the adapter."""
        return self.names

    def __str__(self) -> str:
        return f"set hwmode {self.new.value} of {self.adapter}"


@dataclass(frozen=True, slots=True)
class SetAutoprobe(Step):
    """Whether new functions get a driver by themselves."""

    on: bool

    def __str__(self) -> str:
        return f"turn autoprobe of {self.adapter} {'on' if self.on else 'off'}"


@dataclass(frozen=True, slots=True)
class Carve(Step):
    """Another number of functions: all there are go."""

    old: int
    new: int
    names: tuple[str, ...] = ()

    @property
    def disturbs(self) -> tuple[str, ...]:
        """All functions there are."""
        return self.names

    def __str__(self) -> str:
        return f"carve {self.new} functions of {self.adapter}"


@dataclass(frozen=True, slots=True)
class _OfFunction(Step):
    number: int

    @property
    def index(self) -> int | None:
        """The function it is done to."""
        return self.number


@dataclass(frozen=True, slots=True)
class Unbind(_OfFunction):
    """A function loses its driver."""

    holder: str

    @property
    def disturbs(self) -> tuple[str, ...]:
        """Whoever holds the function."""
        return (self.holder,)

    def __str__(self) -> str:
        return f"take function {self.number} of {self.adapter} from its driver"


@dataclass(frozen=True, slots=True)
class SetAttributes(_OfFunction):
    """Attributes of a function; those of `old` are what the new ones take the place of."""

    old: Settings
    new: Settings

    def __str__(self) -> str:
        words = ", ".join(f"{ATTRIBUTES[name]} {_word(value)}" for name, value in said(self.new).items())
        return f"set {words} of function {self.number} of {self.adapter}"


@dataclass(frozen=True, slots=True)
class Bind(_OfFunction):
    """A function gets its driver."""

    driver: FunctionDriver

    def __str__(self) -> str:
        return f"give function {self.number} of {self.adapter} to {_word(self.driver)}"


def _word(value: object) -> str:
    if isinstance(value, FunctionDriver) and value is FunctionDriver.DEVICE:
        return "the driver of its device"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(getattr(value, "value", value))


def steps(adapter: RealAdapter, target: Target) -> list[Step]:
    """What makes the one the other; nothing if it is already."""
    made: list[Step] = []
    names = tuple(holder_of(one) for one in adapter.functions)
    autoprobe = adapter.autoprobe
    if target.hwmode is not None and target.hwmode is not adapter.hwmode:
        made.append(SetHwMode(adapter.address, adapter.hwmode, target.hwmode, names))
    fresh = target.count != adapter.count
    if fresh:
        if autoprobe and target.count:
            made.append(SetAutoprobe(adapter.address, False))
            autoprobe = False
        made.append(Carve(adapter.address, adapter.count, target.count, names))
    known = {} if fresh else {one.index: one for one in adapter.functions}
    binds: list[Bind] = []
    for index in range(target.count):
        for step in _of_function(adapter, target, index, known.get(index)):
            if isinstance(step, Bind):
                binds.append(step)
            else:
                made.append(step)
    if not autoprobe and any(one.driver is FunctionDriver.DEVICE for one in binds):
        made.append(SetAutoprobe(adapter.address, True))
        autoprobe = True
    made += binds
    if autoprobe is not target.autoprobe:
        made.append(SetAutoprobe(adapter.address, target.autoprobe))
    return made


def _of_function(
    adapter: RealAdapter, target: Target, index: int, function: RealFunction | None
) -> Iterator[_OfFunction]:
    wanted, quirks = target.settings.get(index, Settings()), quirks_of(adapter.driver)
    old = function.settings if function else FRESH
    new = change(old, wanted, quirks)
    driver = target.drivers.get(index, FunctionDriver.NONE)
    bound = function.bound if function else FunctionDriver.NONE
    again = new.mac is not None and quirks.probe_for_mac and bound is FunctionDriver.DEVICE
    away = bound is not FunctionDriver.NONE and (again or driver is not bound)
    if away and function:
        yield Unbind(adapter.address, index, holder_of(function))
    if said(new):
        yield SetAttributes(adapter.address, index, Settings(**{name: getattr(old, name) for name in said(new)}), new)
    if driver is not FunctionDriver.NONE and (away or bound is not driver):
        yield Bind(adapter.address, index, driver)


def change(old: Settings, wanted: Settings, quirks: Quirks) -> Settings:
    """The attributes that have to be set. What the kernel sets together is told together."""
    found = {name: value for name in ATTRIBUTES if (value := getattr(wanted, name)) is not None}
    differs = {name for name, value in found.items() if not _same(name, getattr(old, name), value, quirks)}
    if {"vlan", "qos"} & differs or ("protocol" in differs and _either(found, old, "vlan")):
        differs |= set(_TAG)
        found |= {name: _either(found, old, name) for name in _TAG}
        if not found["vlan"]:
            found |= {"qos": 0, "protocol": TagProtocol.DOT1Q}
    else:
        differs.discard("protocol")
    if set(_RATES) & differs:
        differs |= set(_RATES)
        found |= {name: _either(found, old, name) or 0 for name in _RATES}
    return Settings(**{name: found[name] for name in ATTRIBUTES if name in differs})


def _either(found: Mapping[str, Any], old: Settings, name: str) -> Any:
    return found[name] if name in found else getattr(old, name)


def _same(name: str, old: object, new: object, quirks: Quirks) -> bool:
    """Whether it reads back as it was asked for: rates may be rounded."""
    if name in _RATES and isinstance(old, int) and isinstance(new, int) and old and new:
        return abs(old - new) < quirks.rate_step
    return old == new


def holder_of(function: RealFunction) -> str:
    """A function and who would notice, for people."""
    use = function.in_use
    if use:
        return f"{function.address} ({use})"
    if function.net:
        return f"{function.address} ({function.net.name})"
    return f"{function.address} ({function.driver or 'no driver'})"
