# SPDX-License-Identifier: Apache-2.0
"""What writing a wish in the words of another format has in common: what the other one cannot say is noted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from openfex.errors import InputError
from openfex.formats.ranges import Ranges, each, flat, onward
from openfex.formats.report import Note
from openfex.formats.values import LAST_FUNCTION
from openfex.model.functions import ALL_FUNCTIONS, ATTRIBUTES, AdapterWish, Settings

KEYS = {**ATTRIBUTES, "driver": "driver", "purpose": "purpose"}
"""The key in a document of each setting."""


@dataclass
class Writing:
    """A wish that is being written in the words of `format`."""

    wish: AdapterWish
    format: str
    notes: list[Note] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.wish.pfs:
            raise InputError(f"adapter {self.wish.name} does not say which PFs", code="bad-pf", remedy="fill in `pfs`")

    def note(self, code: str, key: str, value: object, why: str) -> None:
        """Name what is not said in the other format; the key is that of our document."""
        word = getattr(value, "value", value)
        text = str(word).lower() if isinstance(word, bool) else str(word)
        self.notes.append(Note(code, f"{self.wish.name}: {key}", text, why))

    def cannot(self, key: str, value: object, why: str = "") -> None:
        """Name what the other format has no words for."""
        self.note("cannot-say", key, value, why or f"{self.format} has no words for it")

    def functions(self, known: Iterable[str]) -> Iterator[tuple[int, Settings]]:
        """The functions one by one, with what the other format knows of their settings; the rest is noted."""
        ranges = tuple(self._with_pools(self._limited(flat(self.wish.settings))))
        unknown = [name for name in KEYS if name not in set(known)]
        for first, last, settings in ranges:
            for name in unknown:
                value = getattr(settings, name)
                if value is not None:
                    self.cannot(f"settings.{span(first, last)}.{KEYS[name]}", value)
        yield from each(ranges)

    def _with_pools(self, ranges: Ranges) -> Iterator[tuple[int, int, Settings]]:
        """Ranges with MAC pools only if these are about one PF: of several, one goes on where another has ended."""
        one = len(self.wish.pfs) == 1 and (self.wish.pfs[0].address or self.wish.pfs[0].name)
        for first, last, settings in ranges:
            if settings.mac_pool and not one:
                why = "the order of the PFs is not known here, so neither is whose these MACs are"
                self.cannot(f"settings.{span(first, last)}.mac-pool", settings.mac_pool, why)
                yield first, last, replace(settings, mac_pool=None)
            else:
                yield first, last, settings

    def _limited(self, ranges: Ranges) -> Ranges:
        """Ranges of functions that there will be, and that are ours."""
        count = self.wish.functions
        least, most = self.wish.numbers or (0, LAST_FUNCTION)
        most = most if count is None else min(most, count - 1)
        found = []
        for first, last, settings in ranges:
            begin, end = max(first, least), min(last, most)
            if end >= LAST_FUNCTION:
                why = f"{self.format} names each function, and the document does not say how many there are"
                self.note("endless-range", f"settings.{span(first, last)}", "", why)
                continue
            if last < LAST_FUNCTION and (begin, end) != (first, last):
                why = f"only functions {span(least, most)} are ours" if most >= least else "there are no functions"
                self.cannot(f"settings.{span(first, last)}", "", why)
            if begin <= end:
                found.append((begin, end, onward(settings, begin - first)))
        return tuple(found)


def together(wishes: Iterable[AdapterWish], form: str) -> tuple[AdapterWish, ...]:
    """The wishes with those about other functions of the same PFs made one: other formats say a PF in one place.

    Raises InputError where wishes are about one PF, and not the same of it.
    """
    found: list[AdapterWish] = []
    for wish in wishes:
        least, most = wish.numbers or ALL_FUNCTIONS
        ours = tuple(
            (max(first, least), min(last, most), onward(one, max(0, least - first)))
            for first, last, one in wish.settings
        )
        beside = next((one for one in found if set(one.pfs) & set(wish.pfs)), None)
        if beside is None:
            found.append(wish if wish.numbers is None else replace(wish, settings=ours))
        elif replace(beside, name="", numbers=None, settings=()) == replace(wish, name="", numbers=None, settings=()):
            found[found.index(beside)] = replace(beside, numbers=None, settings=beside.settings + ours)
        else:
            message = f"adapters {beside.name} and {wish.name} ask different things of one PF, which {form} cannot say"
            raise InputError(message, code="cannot-say", remedy="ask the same of it but for its functions' settings")
    return tuple(found)


def span(first: int, last: int) -> str:
    """A range as documents write it."""
    if first == 0 and last >= LAST_FUNCTION:
        return "all"
    last = min(last, LAST_FUNCTION)
    return str(first) if first == last else f"{first}-{last}"
