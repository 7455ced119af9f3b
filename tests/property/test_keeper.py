# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to adapters behind the back of `fex host`: they become as asked for again, and nobody loses his."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st

from openfex.adapter import changes
from openfex.adapter.journal import Journal
from openfex.adapter.keeper import Keeper, Woken
from openfex.model.adapters import RealAdapter
from openfex.model.functions import AdapterWish, Selector, Settings
from openfex.plan.watch import FORGOTTEN_S, Told
from openfex.testing.adapters import FakeAdapter, FakeFunction, FakeHost, vf_address

PF = "0000:01:00.0"
COUNT = 3
WISH = AdapterWish("nic0", (Selector(address=PF),), COUNT, settings=((0, COUNT - 1, Settings(vlan=7, trust=True)),))


class Living(FakeHost):
    """Functions of which some are raised or given away by hand; it notes whose were taken away from them."""

    def __init__(self) -> None:
        super().__init__(FakeAdapter())
        self.raised: set[str] = set()
        self.robbed: list[str] = []

    def observe(self, address: str = "") -> tuple[RealAdapter, ...]:
        return tuple(self._with_raised(one) for one in super().observe(address))

    def _with_raised(self, adapter: RealAdapter) -> RealAdapter:
        functions = [
            replace(one, net=replace(one.net, up=True, carrier=True)) if one.net and one.address in self.raised else one
            for one in adapter.functions
        ]
        return replace(adapter, functions=tuple(functions))

    def used(self, one: FakeFunction) -> bool:
        return one.address in self.raised or one.space == "blue" or one.open

    def unbind(self, function: str) -> None:
        self.robbed += [function] if self.used(self.function(function)) else []
        super().unbind(function)

    def set_count(self, adapter: str, count: int) -> None:
        self.robbed += [one.address for one in self.adapters[adapter].functions if self.used(one)]
        super().set_count(adapter, count)


def carve(host: Living, number: int) -> None:
    pf = host.adapters[PF]
    pf.numvfs = number + 1 if number + 1 != COUNT else 0
    pf.functions = [
        FakeFunction(vf_address(PF, index), index, driver="igbvf", space="", name=f"new{index}")
        for index in range(pf.numvfs)
    ]
    pf.late = 0
    host.raised.clear()


def unbind(one: FakeFunction) -> None:
    one.driver, one.space, one.name, one.override, one.open = "", None, "", "", False


def take(one: FakeFunction) -> None:
    one.driver, one.space, one.name, one.override, one.open = "vfio-pci", None, "", "vfio-pci", True


def change(one: FakeFunction) -> None:
    one.settings = replace(one.settings, vlan=99)


def away(one: FakeFunction) -> None:
    one.space = "blue" if one.name else None


BY_HAND: tuple[Callable[[FakeFunction], None], ...] = (unbind, take, change, away)
Happening = tuple[int, int]
HAPPENING = st.tuples(st.integers(0, len(BY_HAND) + 1), st.integers(0, COUNT - 1))
CROWDS = st.lists(st.lists(HAPPENING, min_size=1, max_size=3), max_size=6)


def happen(host: Living, kind: int, number: int) -> None:
    """One thing that somebody does."""
    functions = host.adapters[PF].functions
    if kind == len(BY_HAND):
        carve(host, number)
    elif number < len(functions):
        one = functions[number]
        if kind > len(BY_HAND):
            host.raised |= {one.address} if one.name else set()
        else:
            host.raised -= {one.address} if kind < 2 else set()
            BY_HAND[kind](one)


def all_is_let_go(host: Living) -> None:
    """Everybody ends his use: devices are set down and come home, processes let go and give the driver back."""
    host.raised.clear()
    for one in host.adapters[PF].functions:
        one.open = False
        if one.space:
            one.space = ""
        if one.driver == "vfio-pci":
            one.driver, one.override, one.space, one.name = "igbvf", "", "", f"back{one.index}"


@dataclass
class Days:
    """Each wait is the next crowd of happenings; then all is let go, and long after that it is asked to end."""

    host: Living
    crowds: list[list[Happening]]
    clock: float = 0.0
    ending: int = 2
    told: list[Told] = field(default_factory=list)

    def now(self) -> float:
        return self.clock

    def wait(self, until: float | None) -> Woken:
        self.clock += 0.5
        if self.crowds:
            for one in self.crowds.pop(0):
                happen(self.host, *one)
            return Woken()
        self.clock += FORGOTTEN_S
        self.ending -= 1
        if self.ending == 1:
            all_is_let_go(self.host)
        return Woken(end=self.ending == 0)

    def notify(self, *lines: str) -> None:
        pass

    def tell(self, told: Told) -> None:
        self.told.append(told)


@example([[(4, 0), (5, 0)]])  # carved otherwise by hand, and already in use
@given(CROWDS)
def test_adapters_become_as_asked_for_and_nobody_is_robbed(crowds: list[list[Happening]]) -> None:
    host = Living()
    with tempfile.TemporaryDirectory() as folder, patch("os.fsync"):
        journal, days = Journal(Path(folder)), Days(host, list(crowds))
        Keeper(host, journal, days, lambda: [WISH]).keep(once=False, patience_s=5)
        assert host.robbed == []
        assert changes.plan(host, journal, [WISH]).steps == ()
        (found,) = host.observe()
        assert [(one.settings.vlan, one.settings.trust) for one in found.functions] == [(7, True)] * COUNT
        assert journal.read()[PF].pending is None
        assert [one for one in days.told if one.event == "failed"] == []
