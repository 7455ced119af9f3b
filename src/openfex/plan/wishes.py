# SPDX-License-Identifier: Apache-2.0
"""What documents ask of real adapters: from a document to wishes, from wishes to what a function is to be. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from openfex.model.adapters import RealAdapter
from openfex.model.functions import (
    ALL_FUNCTIONS,
    AdapterWish,
    FunctionDriver,
    HwMode,
    LinkState,
    Selector,
    Settings,
    TagProtocol,
    said,
)
from openfex.model.real import PfSpec, SettingsSpec, SriovSpec
from openfex.model.source import Place
from openfex.model.values import Mac

_LAST_MAC = (1 << 48) - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of one function, and by which of the wish's ranges each setting is said."""

    settings: Settings
    by: Mapping[str, int]


def wishes_of(name: str, spec: SriovSpec) -> tuple[AdapterWish, ...]:
    """The wishes of a document: one for each range of functions that its PFs are named with."""
    groups: dict[tuple[int, int] | None, list[Selector]] = {}
    for pf in spec.pfs:
        selector, numbers = _selector(pf)
        groups.setdefault(numbers, []).append(selector)
    settings = tuple((*(numbers or ALL_FUNCTIONS), _settings(one)) for numbers, one in spec.settings.items())
    return tuple(
        AdapterWish(
            name=name,
            pfs=tuple(pfs),
            functions=spec.functions,
            hwmode=HwMode(spec.hwmode) if spec.hwmode else None,
            autoprobe=spec.autoprobe,
            numbers=numbers,
            settings=settings,
        )
        for numbers, pfs in groups.items()
    )


def _selector(pf: PfSpec) -> tuple[Selector, tuple[int, int] | None]:
    address, name, numbers = pf.address or ("", "", None)
    return Selector(address, name, pf.vendor or "", pf.device or "", pf.driver or ""), numbers


def _settings(spec: SettingsSpec) -> Settings:
    rate = spec.rate
    return Settings(
        mac=spec.mac,
        vlan=spec.vlan,
        qos=spec.qos,
        protocol=TagProtocol(spec.protocol) if spec.protocol else None,
        min_rate=rate.min if rate else None,
        max_rate=rate.max if rate else None,
        spoof_check=spec.spoof_check,
        trust=spec.trust,
        link=LinkState(spec.link) if spec.link else None,
        rss_query=spec.rss_query,
        driver=FunctionDriver(spec.driver) if spec.driver else None,
        purpose=spec.purpose,
        mac_pool=spec.mac_pool,
    )


def place_of(spec: SriovSpec, by: int | None, key: str = "") -> Place:
    """Where in the spec of a document a setting is said: `by` counts its ranges."""
    if by is None:
        return (key,) if key else ()
    numbers = list(spec.settings)[by]
    first, last = numbers or (0, 0)
    word = "all" if numbers is None else str(first) if first == last else f"{first}-{last}"
    return ("settings", word, *(key.split(".") if key else ()))


def matches(selector: Selector, adapter: RealAdapter) -> bool:
    """Whether an adapter has all that a selector says."""
    name = adapter.net.name if adapter.net and not adapter.net.space else ""
    there = (adapter.address, name, adapter.vendor, adapter.device, adapter.driver)
    asked = (selector.address, selector.name, selector.vendor, selector.device, selector.driver)
    return any(asked) and all(not word or word == found for word, found in zip(asked, there, strict=True))


def joined(said: Sequence[AdapterWish], agreed: Iterable[AdapterWish]) -> list[AdapterWish]:
    """What is agreed on for adapters, with what is said of those of the same name beside: it is the same PF."""
    by_name = {one.name: one for one in said}
    return [_join(by_name[one.name], one) if one.name in by_name else one for one in agreed]


def _join(said: AdapterWish, agreed: AdapterWish) -> AdapterWish:
    pf = replace(said.pfs[0], name=agreed.pfs[0].name)
    return replace(said, pfs=(pf,), settings=(*said.settings, *agreed.settings))


def words_of(selector: Selector) -> str:
    """A selector as messages call it."""
    if selector.address or selector.name:
        return selector.address or selector.name
    parts = (("vendor", selector.vendor), ("device", selector.device), ("driver", selector.driver))
    return "{" + ", ".join(f"{word}: {value}" for word, value in parts if value) + "}"


def asked_of(wish: AdapterWish, turn: int, count: int) -> Iterator[tuple[int, Asked]]:
    """Each of the wish's functions of its `turn`-th PF (from 0), and what is asked of it."""
    first, last = wish.numbers or ALL_FUNCTIONS
    for index in range(first, min(last, count - 1) + 1):
        yield index, _asked(wish.settings, index, turn, count)


def _asked(ranges: Sequence[tuple[int, int, Settings]], index: int, turn: int, count: int) -> Asked:
    found = Settings()
    by: dict[str, int] = {}
    for number, (first, last, settings) in enumerate(ranges):
        if not first <= index <= last:
            continue
        values = said(settings)
        pool = values.pop("mac_pool", None)
        if pool is not None:
            values["mac"] = _next(pool, turn * (min(last, count - 1) - first + 1) + index - first)
        found = replace(found, **values)
        by |= dict.fromkeys(values, number)
    return Asked(found, by)


def _next(mac: Mac, distance: int) -> Mac:
    """The MAC so many behind; behind the last one comes zero, which no function can have."""
    number = int.from_bytes(mac.octets, "big") + distance
    return Mac((number if number <= _LAST_MAC else 0).to_bytes(6, "big"))
