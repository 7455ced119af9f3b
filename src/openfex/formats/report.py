# SPDX-License-Identifier: Apache-2.0
"""What reading and writing of others' configuration gives: wishes or files, and what was not carried over, and why.

Every key of a file is carried over or named in a `Note`. What cannot be read at all is a `Problem`; all of them are
told at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from openfex.errors import DocumentError, Problem
from openfex.model.functions import AdapterWish
from openfex.model.wording import as_yaml

CODES: Mapping[str, str] = {
    "other-subject": "not about functions: addresses, names, MTUs and the like stay with the program that sets them",
    "not-here": "about functions, but there is no such setting here",
    "condition": "says on which machines the file holds; a document here is for the machine it is applied on",
    "which-pf": "the PF is said in a way that cannot be said here; `pfs` is left empty, and has to be filled in",
    "which-function": "the file does not say which number the function has",
    "overridden": "something else of the same file wins",
    "ignored-there": "the program that the file is for ignores it, too",
    "out-of-range": "no such value is possible here",
    "count-from-functions": "the number of functions is not said; it follows from those that are named",
    "revert-all": "all functions are to be put back to their defaults; here this is what carving them anew does",
    "several-networks": "functions get it only when they are given out, and not all of them the same",
    "may-overlap": "it depends on the machine whether two parts of the file are about the same PF",
    "taken-as-meant": "not what the program that the file is for reads, but what was certainly meant",
    "cannot-say": "the other format has no words for it",
    "endless-range": "settings of all functions, without a count of them, cannot be written one by one",
    "name-before-rename": "a `.link` file is matched before udev renames the device: select the PF by its address",
}
"""Every code that a note can have, and what it means."""


REMARKS = frozenset({"count-from-functions", "taken-as-meant", "may-overlap", "name-before-rename"})
"""Codes of what is carried over, and yet has to be looked at."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a file says: the key as its own manual names it, the value as it is written, and the line."""

    key: str
    value: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that was not carried over, or not exactly; `code` is one of CODES. `line` is 0 where there is none."""

    code: str
    key: str
    value: str
    why: str
    line: int = 0

    def __str__(self) -> str:
        return self.told()

    def told(self, file: str = "") -> str:
        """On one line, as problems are told."""
        place = [str(part) for part in (file, self.line) if part]
        where = f"{'' if file else 'line '}{':'.join(place)}: " if place else ""
        what = f"{self.key}: {self.value}" if self.value else self.key
        lost = "" if self.code in REMARKS else "not carried over: "
        return printable(f"{where}{lost}{what}; {self.why} [{self.code}]")

    def describe(self) -> dict[str, object]:
        """The note as `--json` prints it."""
        return {name: getattr(self, name) for name in ("code", "key", "value", "why", "line")}


@dataclass(frozen=True, slots=True)
class Import:
    """What a file of the format says."""

    wishes: tuple[AdapterWish, ...]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file to be written: its name, without a folder, and what it holds."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Export:
    """A wish in the words of another format."""

    files: tuple[File, ...]
    notes: tuple[Note, ...] = ()


@dataclass
class Report:
    """Gathers what there is to say while a file is read."""

    file: str = ""
    subject: str = ""
    notes: list[Note] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def note(self, code: str, said: Said, why: str) -> None:
        """Say that something is not carried over."""
        self.notes.append(Note(code, said.key, said.value, why, said.line))

    def fault(self, code: str, said: Said, message: str, remedy: str = "") -> None:
        """Say that something is wrong."""
        self.problems.append(Problem(code, self.subject, message, remedy, self.file, said.line, said.key))

    def finish(self, wishes: tuple[AdapterWish, ...]) -> Import:
        """What was read. Raises DocumentError with everything that is wrong."""
        if not wishes and not self.problems:
            message = "nothing in it is about the functions of an adapter"
            self.fault("nothing-to-import", Said("", ""), message, "give the file that makes the functions")
        if self.problems:
            raise DocumentError(sorted(self.problems, key=lambda problem: problem.line))
        return Import(wishes, tuple(sorted(self.notes, key=lambda note: note.line)))


LONGEST_SHOWN = 60
"""Of a value in a note."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of another format: what it is here, or the code and the reason why it is nothing here."""

    theirs: str
    ours: str = ""
    code: str = ""
    why: str = ""


def one_line(value: object) -> str:
    """A value of YAML on one line, short enough for a message."""
    text = value if isinstance(value, str) else as_yaml(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def printable(text: str) -> str:
    """Without what a terminal would obey: files of others are quoted in it."""
    return "".join(one if one.isprintable() else "?" for one in text)
