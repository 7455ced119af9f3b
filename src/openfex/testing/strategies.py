# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for tables and frames; needs hypothesis, which the product does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import strategies as st

from openfex.model.layout import Layout
from openfex.model.policy import Rule
from openfex.rules.packet import Subject
from openfex.rules.tables import BridgeTables, ExtenderTables
from openfex.testing.chance import Chance, one_in
from openfex.testing.frames import Arrival, BridgeScene, ExtenderScene
from openfex.testing.layouts import make_layout
from openfex.testing.policies import make_rules, make_subject
from openfex.testing.tables import (
    make_bridge_tables,
    make_extender_tables,
    spoil_bridge_tables,
    spoil_extender_tables,
)

T = TypeVar("T")


class Drawn:
    """A Chance whose choices are hypothesis's."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def choice(self, options: Sequence[T], /) -> T:
        """One of the options."""
        return self._draw(st.sampled_from(options))

    def randint(self, low: int, high: int, /) -> int:
        """A number from `low` to `high`."""
        return self._draw(st.integers(low, high))


def by_chance(make: Callable[[Chance], T]) -> st.SearchStrategy[T]:
    """The strategy whose values a generator makes."""

    @st.composite
    def made(draw: st.DrawFn) -> T:
        return make(Drawn(draw))

    return made()


def _any_bridge_tables(chance: Chance) -> BridgeTables:
    tables = make_bridge_tables(chance)
    return spoil_bridge_tables(chance, tables) if one_in(chance, 3) else tables


def _any_extender_tables(chance: Chance) -> ExtenderTables:
    tables = make_extender_tables(chance)
    return spoil_extender_tables(chance, tables) if one_in(chance, 3) else tables


def layouts() -> st.SearchStrategy[Layout]:
    """One bridge, one to three network ports, one to four hosts of all channel kinds, NICs at most functions."""
    return by_chance(make_layout)


def bridge_tables(*, consistent: bool = False) -> st.SearchStrategy[BridgeTables]:
    """Tables of a bridge; unless `consistent` some are made wrong. Stations' `seen_ns` count from now."""
    return by_chance(make_bridge_tables if consistent else _any_bridge_tables)


def extender_tables(*, consistent: bool = False) -> st.SearchStrategy[ExtenderTables]:
    """Tables of a port extender; unless `consistent` some are made wrong."""
    return by_chance(make_extender_tables if consistent else _any_extender_tables)


@st.composite
def bridge_traffic(draw: st.DrawFn, *, consistent: bool = False, most: int = 30) -> tuple[BridgeTables, list[Arrival]]:
    """Tables of a bridge, and frames that arrive there one after the other."""
    tables = draw(bridge_tables(consistent=consistent))
    scene = BridgeScene(tables)
    return tables, draw(st.lists(by_chance(scene.arrival), min_size=1, max_size=most))


@st.composite
def extender_traffic(
    draw: st.DrawFn, *, consistent: bool = False, most: int = 30
) -> tuple[ExtenderTables, list[Arrival]]:
    """Tables of a port extender, and frames that arrive there one after the other."""
    tables = draw(extender_tables(consistent=consistent))
    scene = ExtenderScene(tables)
    return tables, draw(st.lists(by_chance(scene.arrival), min_size=1, max_size=most))


@st.composite
def acl_traffic(draw: st.DrawFn, *, most: int = 20) -> tuple[tuple[Rule, ...], list[Subject]]:
    """The rules of an ACL, and frames that it is asked about."""
    rules = draw(by_chance(make_rules))
    return rules, draw(st.lists(by_chance(lambda chance: make_subject(chance, rules)), min_size=1, max_size=most))
