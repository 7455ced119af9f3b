# SPDX-License-Identifier: Apache-2.0
"""What writing a wish in the words of another format has in common: what the other one cannot say is noted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from openfex.errors import InputError
from openfex.formats.ranges import Ranges, each, flat
from openfex.formats.report import Note
from openfex.formats.values import LAST_FUNCTION
from openfex.model.functions import AdapterWish, Settings

KEYS = {
    "mac": "mac",
    "vlan": "vlan",
    "qos": "qos",
    "protocol": "protocol",
    "min_rate": "rate.min",
    "max_rate": "rate.max",
    "spoof_check": "spoof-check",
    "trust": "trust",
    "link": "link",
    "rss_query": "rss-query",
    "driver": "driver",
    "purpose": "purpose",
}
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
        ranges = self._limited(flat(self.wish.settings))
        unknown = [name for name in KEYS if name not in set(known)]
        for first, last, settings in ranges:
            for name in unknown:
                value = getattr(settings, name)
                if value is not None:
                    self.cannot(f"settings.{span(first, last)}.{KEYS[name]}", value)
        yield from each(ranges)

    def _limited(self, ranges: Ranges) -> Ranges:
        """Ranges of functions that there will be."""
        count = self.wish.functions
        found = []
        for first, last, settings in ranges:
            if count is None and last >= LAST_FUNCTION:
                why = f"{self.format} names each function, and the document does not say how many there are"
                self.note("endless-range", f"settings.{span(first, last)}", "", why)
                continue
            end = last if count is None else min(last, count - 1)
            if end < last and last < LAST_FUNCTION:
                self.note(
                    "cannot-say", f"settings.{span(max(first, end + 1), last)}", "", f"there are {count} functions"
                )
            if first <= end:
                found.append((first, end, settings))
        return tuple(found)


def span(first: int, last: int) -> str:
    """A range as documents write it."""
    return str(first) if first == last else f"{first}-{last}"
