# SPDX-License-Identifier: Apache-2.0
"""Settings of ranges of functions in their normal form: ranges in order, none over another, equal neighbours joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from openfex.formats.values import Value
from openfex.model.functions import Settings, said
from openfex.model.values import Mac

Ranges = tuple[tuple[int, int, Settings], ...]
NOTHING = Settings()
_MACS = 1 << 48


def overlay(under: Settings, over: Settings) -> Settings:
    """What holds where two ranges overlap: setting by setting what `over` says, else what `under` says."""
    values = said(over)
    if over.mac or over.mac_pool:  # each is a MAC for the function, so the other one is over
        values |= {"mac": over.mac, "mac_pool": over.mac_pool}
    return replace(under, **values)


def flat(ranges: Iterable[tuple[int, int, Settings]]) -> Ranges:
    """The same as ranges none of which overlaps another; where nothing is said there is no range."""
    begins: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    given = [one for one in ranges if one[0] <= one[1]]
    for index, (first, last, _) in enumerate(given):
        begins.setdefault(first, []).append(index)
        ends.setdefault(last + 1, []).append(index)
    return joined(_pieces(given, begins, ends))


def _pieces(
    given: list[tuple[int, int, Settings]], begins: Mapping[int, list[int]], ends: Mapping[int, list[int]]
) -> Iterator[tuple[int, int, Settings]]:
    points = sorted({*begins, *ends})
    active: set[int] = set()
    for point, following in pairwise(points):
        active.difference_update(ends.get(point, ()))
        active.update(begins.get(point, ()))
        merged = NOTHING
        for index in sorted(active):
            first, _, settings = given[index]
            merged = overlay(merged, onward(settings, point - first))
        yield point, following - 1, merged


def joined(pieces: Iterable[tuple[int, int, Settings]]) -> Ranges:
    """Ranges in order, with neighbours that say the same made one, and without those that say nothing."""
    found: list[tuple[int, int, Settings]] = []
    for first, last, settings in pieces:
        if settings == NOTHING:
            continue
        if found and found[-1][1] == first - 1 and found[-1][2] == settings and not settings.mac_pool:
            found[-1] = (found[-1][0], last, settings)
        else:
            found.append((first, last, settings))
    return tuple(found)


def gathered(functions: Mapping[int, Mapping[str, Value]]) -> Ranges:
    """Ranges from what is said of each function, by the names of `Settings`."""
    return joined((number, number, make_settings(functions[number])) for number in sorted(functions))


def make_settings(values: Mapping[str, Value]) -> Settings:
    """Settings from their names and values."""
    return replace(NOTHING, **values)  # type: ignore[arg-type]


def each(ranges: Ranges) -> Iterator[tuple[int, Settings]]:
    """The functions of the ranges of one PF, one by one, each with its own MAC of a pool."""
    for first, last, settings in ranges:
        for number in range(first, last + 1):
            one = onward(settings, number - first)
            yield number, replace(one, mac=one.mac or one.mac_pool, mac_pool=None)


def onward(settings: Settings, steps: int) -> Settings:
    """What is said of the function so many behind the first: a MAC pool has gone on, and is over after its last MAC."""
    if not settings.mac_pool or not steps:
        return settings
    number = int.from_bytes(settings.mac_pool.octets, "big") + steps
    return replace(settings, mac_pool=Mac(number.to_bytes(6, "big")) if number < _MACS else None)
