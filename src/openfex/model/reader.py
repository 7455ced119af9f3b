# SPDX-License-Identifier: Apache-2.0
"""Reading documents: YAML text to checked specs, and every problem of the text with its line.

What could be read is laid out even if other documents could not, so that all problems of a file are told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, overload

from openfex.errors import InputError, Problem
from openfex.model.documents import SPECS
from openfex.model.faults import Fault, check_spec
from openfex.model.names import parse_name
from openfex.model.source import Place, Source, read_sources
from openfex.model.spec import Spec
from openfex.model.wording import choose, nearest, shown

AnySpec = TypeVar("AnySpec", bound=Spec)
Identity = tuple[str, str]
"""Kind and name of a document; empty where it is not known."""
NOBODY: Identity = ("none", "")
"""What is no document at all, and cannot be referred to."""
HEAD = ("kind", "name", "spec")
_NO_SOURCE = Source(None)


@dataclass(frozen=True)
class Document:
    """One document. `source` knows the lines that messages name."""

    kind: str
    name: str
    spec: Spec
    file: str = ""
    source: Source = field(default=_NO_SOURCE, compare=False, repr=False)

    @property
    def subject(self) -> str:
        """How messages call it."""
        return f"{self.kind} {self.name}"

    def problem(self, code: str, message: str, remedy: str = "", path: Place = ()) -> Problem:
        """A problem of this document, with the line that `path` (below spec) is on; without one, that of its name."""
        place = ("spec", *path) if path else ("name",)
        return _problem(self.subject, self.source, self.file, Fault(code, place, message, remedy))


@dataclass(frozen=True)
class Reading(Sequence[Document]):
    """The documents of a text that are good, and the problems of the others.

    `unread` identifies the documents that are not good: what refers to one of them is not to blame.
    """

    good: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
    unread: frozenset[Identity] = frozenset()
    file: str = ""

    @overload
    def __getitem__(self, index: int) -> Document: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Document]: ...

    def __getitem__(self, index: int | slice) -> Document | Sequence[Document]:
        return self.good[index]

    def __len__(self) -> int:
        return len(self.good)

    def may_hold(self, kind: str, name: str = "") -> bool:
        """Whether one of the documents that are not good may be this one, or with no name, any of the kind."""
        return any(one in ("", kind) and (not name or other in ("", name)) for one, other in self.unread)


def _problem(subject: str, source: Source, file: str, fault: Fault) -> Problem:
    """A fault as a problem. The path ends where the document does, but names a key that is missing."""
    line, there = source.find(fault.place)
    path = fault.place if fault.code == "missing-key" else there
    dotted = ".".join(map(str, path))
    return Problem(fault.code, subject, fault.message, fault.remedy, file, line if source.root else 0, dotted)


def _check_head(value: dict[str, object]) -> Iterable[Fault]:
    kind, name = value.get("kind"), value.get("name")
    spec = SPECS.get(str(kind))
    misspelt = {nearest(key, HEAD) for key in value if key not in HEAD}
    if kind is None and "kind" not in misspelt:
        yield Fault("unknown-kind", (), "has no kind", f"the kinds are: {', '.join(SPECS)}")
    elif kind is not None and spec is None:
        yield Fault("unknown-kind", ("kind",), f"there is no kind {shown(kind)}", choose(str(kind), SPECS, "kinds"))
    if name is None and "name" not in misspelt:
        yield Fault("missing-name", (), "has no name", "write for example `name: h1`")
    elif name is not None:
        try:
            parse_name(name)
        except InputError as error:
            yield Fault(error.code, ("name",), error.message, error.remedy)
    if value.get("spec") is None and "spec" not in misspelt:
        remedy = f"see `fex explain {kind}`" if spec else "see `fex explain`"
        yield Fault("missing-key", ("spec",), "is missing", remedy)
    for key in value:
        if key not in HEAD:
            inside = spec is not None and key in spec.by_key()
            remedy = "it is a key of spec" if inside else choose(key, HEAD, "keys")
            yield Fault("unknown-key", (key,), f"{shown(key)} is not a key of a document", remedy)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else shown(value)


def _identity(value: dict[str, object]) -> Identity:
    """Kind and name, as far as they are known; each may also stand behind a key that is misspelt."""
    likely = {nearest(key, HEAD): one for key, one in value.items() if key not in HEAD}
    kind, name = (_as_text(value.get(key) or likely.get(key)) for key in ("kind", "name"))
    return (kind if kind in SPECS else nearest(kind, SPECS) or ""), name


def _check_document(source: Source, file: str, value: dict[str, object]) -> Document | list[Problem]:
    """The document, or everything that is wrong with it."""
    kind, name = (_as_text(value.get(key)) for key in ("kind", "name"))
    faults = list(_check_head(value))
    spec = check_spec(kind, value["spec"]) if kind in SPECS and value.get("spec") is not None else None
    if isinstance(spec, list):
        faults += [Fault(one.code, ("spec", *one.place), one.message, one.remedy) for one in spec]
    if isinstance(spec, Spec) and not faults and not source.problems:
        return Document(kind, name, spec, file, source)
    subject = f"{kind or 'document'} {name}".strip()
    return [*source.problems, *(_problem(subject, source, file, fault) for fault in faults)]


def _read_document(source: Source, file: str) -> Document | list[Problem]:
    value = source.value
    if source.root is None:
        return list(source.problems)
    if isinstance(value, dict):
        return _check_document(source, file, value)
    remedy = "write for example `kind: host`, `name: h1` and `spec: …`"
    fault = Fault("bad-document", (), f"{shown(value)} is not a mapping of kind, name and spec", remedy)
    return [*source.problems, _problem("document", source, file, fault)]


def _repeated(source: Source, file: str, seen: dict[Identity, int]) -> list[Problem]:
    """The problem that there was a document of this kind and name before; `seen` are their lines."""
    if source.root is None or not isinstance(source.value, dict):
        return []
    kind, name = (_as_text(source.value.get(key)) for key in ("kind", "name"))
    line = source.find(("name",))[0]
    first = seen.setdefault((kind, name), line) if kind and name else line
    fault = Fault("duplicate-document", ("name",), f"is written twice, first in line {first}", "give each its own name")
    return [_problem(f"{kind} {name}", source, file, fault)] if first != line else []


def read_documents(text: str, file: str = "") -> Reading:
    """All documents of a YAML text, and every problem of it."""
    good: list[Document] = []
    problems: list[Problem] = []
    unread: set[Identity] = set()
    seen: dict[Identity, int] = {}
    for source in read_sources(text, file):
        document = _read_document(source, file)
        repeated = _repeated(source, file, seen)
        problems += repeated
        if not isinstance(document, Document):
            problems += document
            unread.add(_identity(source.value) if isinstance(source.value, dict) else NOBODY)
        elif not repeated:
            good.append(document)
    if not good and not problems:
        problems.append(Problem("no-documents", "documents", "there are none", "write some, or copy an example", file))
        unread.add(("", ""))
    return Reading(tuple(good), tuple(problems), frozenset(unread), file)


def of_kind(documents: Iterable[Document], kind: str) -> list[Document]:
    """The documents of one kind, in the order they were written."""
    return [document for document in documents if document.kind == kind]


def of_spec(documents: Iterable[Document], spec: type[AnySpec]) -> list[tuple[Document, AnySpec]]:
    """The documents of one kind with their specs, in the order they were written."""
    return [(document, document.spec) for document in documents if isinstance(document.spec, spec)]
