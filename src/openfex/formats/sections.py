# SPDX-License-Identifier: Apache-2.0
"""Files of sections and assignments, exactly: with repeated sections and keys, and the line of each.

Two dialects: that of systemd (systemd.syntax(7)) and that of GLib's GKeyFile, which NetworkManager's keyfiles are in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What begins a comment, whether a backslash at its end joins a line with the next, whether values hold escapes."""

    comments: str
    continued: bool = False
    escapes: bool = False


SYSTEMD = Dialect("#;", continued=True)
KEYFILE = Dialect("#", escapes=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """An assignment; the line is that of its key, counted from 1."""

    key: str
    value: str
    line: int


@dataclass(slots=True)
class Section:
    """A section as it stands in the file; one that is written twice is there twice."""

    name: str
    line: int
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sections:
    """What a text holds, and the lines that are no part of any such file: number and text."""

    sections: tuple[Section, ...]
    bad: tuple[tuple[int, str], ...] = ()


def read_sections(text: str, dialect: Dialect) -> Sections:
    """The sections of a text, in its order."""
    found: list[Section] = []
    bad: list[tuple[int, str]] = []
    for number, line in _lines(text.removeprefix("\ufeff"), dialect):
        key, assigned, value = line.partition("=")
        if line.startswith("[") and line.endswith("]"):
            found.append(Section(line[1:-1], number))
        elif assigned and key.strip() and not line.startswith("[") and found:
            value = value.strip()
            found[-1].entries.append(Entry(key.strip(), _unescaped(value) if dialect.escapes else value, number))
        else:
            bad.append((number, line))
    return Sections(tuple(found), tuple(bad))


def _lines(text: str, dialect: Dialect) -> Iterator[tuple[int, str]]:
    """The lines that say something, joined where one goes on in the next, with the number of the first of them.

    A comment between the parts of a joined line is left out, as systemd does it (systemd.syntax(7)).
    """
    begun, parts = 0, ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line.startswith(tuple(dialect.comments)):
            continue
        begun = begun or number
        if dialect.continued and _goes_on(line):
            parts += line[:-1] + " "
            continue
        if whole := (parts + line).strip():
            yield begun, whole
        begun, parts = 0, ""
    if whole := parts.strip():
        yield begun, whole


def _goes_on(line: str) -> bool:
    """Whether the line ends in a backslash that is not itself escaped."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _unescaped(value: str) -> str:
    """A value without the escapes of a GKeyFile; other backslashes are what the value itself is to interpret."""
    return re.sub(r"\\([sntr\\])", lambda found: _ESCAPES[found[1]], value)
