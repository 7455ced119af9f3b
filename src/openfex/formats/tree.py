# SPDX-License-Identifier: Apache-2.0
"""YAML of others, part by part, each with its place and its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from openfex.formats.report import Report, Said, one_line
from openfex.model.source import Place, Source, read_sources


@dataclass(frozen=True, slots=True)
class Part:
    """A value in a document, and where it stands."""

    source: Source
    value: object
    place: Place = ()

    @property
    def key(self) -> str:
        """The place as messages name it, `interfaces.0.name`."""
        return ".".join(map(str, self.place))

    @property
    def said(self) -> Said:
        """For notes and problems."""
        return Said(self.key, one_line(self.value), self.source.find(self.place)[0])

    def get(self, *keys: str) -> Part | None:
        """What a key holds, or a key of what a key holds; None where it says nothing."""
        value = self.value
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return None if value is None else Part(self.source, value, (*self.place, *keys))

    def items(self, report: Report) -> Iterator[tuple[str, Part]]:
        """The keys of a mapping; that it is none is a problem."""
        if isinstance(self.value, dict):
            for key, value in self.value.items():
                yield key, Part(self.source, value, (*self.place, key))
        elif self.value is not None:
            self.fault(report, "is not a mapping", "write keys, and their values behind colons")

    def parts(self, report: Report) -> Iterator[Part]:
        """The items of a list; that it is none is a problem."""
        if isinstance(self.value, list):
            for index, value in enumerate(self.value):
                yield Part(self.source, value, (*self.place, index))
        else:
            self.fault(report, "is not a list", "begin each item with `- `")

    def text(self, report: Report) -> str:
        """A text; that it is none is a problem. A number is one, too."""
        if isinstance(self.value, str | int) and not isinstance(self.value, bool):
            return str(self.value)
        self.fault(report, "is not a text", "write a word, in quotes if YAML needs them")
        return ""

    def words(self, report: Report) -> list[str]:
        """A text, or a list of texts."""
        if isinstance(self.value, list):
            return [text for part in self.parts(report) if (text := part.text(report))]
        return [text for text in [self.text(report)] if text]

    def fault(self, report: Report, message: str, remedy: str = "", code: str = "bad-value") -> None:
        """Say that it is wrong."""
        said = self.said
        report.fault(code, said, f"{said.value or 'nothing'} {message}", remedy)


def read_parts(text: str, report: Report) -> list[Part]:
    """The documents of a text; what is wrong with it as YAML is reported."""
    found = []
    for source in read_sources(text, report.file):
        report.problems.extend(source.problems)
        if source.root is not None:
            found.append(Part(source, source.value))
    return found
