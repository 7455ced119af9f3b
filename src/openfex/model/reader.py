# SPDX-License-Identifier: Apache-2.0
"""Reading documents: YAML 1.2 text to checked specs, every problem of the text reported at once with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from openfex.errors import DocumentError, Problem
from openfex.model.documents import LONGEST_NAME, NAME, SPECS, Spec

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """One document. `raw` keeps the YAML nodes, whose lines the messages name."""

    kind: str
    name: str
    spec: Spec
    file: str = ""
    raw: Any = field(default=None, compare=False, repr=False)

    @property
    def subject(self) -> str:
        """How messages call it."""
        return f"{self.kind} {self.name}"

    def problem(self, code: str, message: str, remedy: str = "", path: Path = ()) -> Problem:
        """A problem of this document, with the line that `path` (below spec) is on."""
        line = line_of(self.raw, ("spec", *path)) if self.raw is not None else 0
        return Problem(code, self.subject, message, remedy, self.file, line, _dotted(("spec", *path)))


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path)


def line_of(node: Any, path: Path) -> int:
    """The line (from 1) of the deepest part of `path` that the YAML has."""
    line: int = node.lc.line + 1 if isinstance(node, CommentedMap | CommentedSeq) else 0
    for part in path:
        try:
            position = node.lc.key(part) if isinstance(node, CommentedMap) else node.lc.item(part)
            line, node = position[0] + 1, node[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line


def _check_document(raw: Any, file: str) -> tuple[Document | None, list[Problem]]:
    if not isinstance(raw, Mapping):
        return None, [Problem("bad-document", "document", "is not a mapping of kind, name and spec", "", file, 1)]
    kind, name = str(raw.get("kind", "")), str(raw.get("name", ""))
    subject = f"{kind or 'document'} {name}".strip()
    problems = []
    if kind not in SPECS:
        remedy = f"the kinds are {', '.join(SPECS)}"
        problems.append(Problem("unknown-kind", subject, f"kind {kind!r} is not known", remedy, file, line_of(raw, ())))
    if not name:
        problems.append(Problem("missing-name", subject, "has no name", "", file, line_of(raw, ())))
    elif len(name) > LONGEST_NAME or not re.fullmatch(NAME, name):
        remedy = f"use at most {LONGEST_NAME} lower-case letters, digits and hyphens, not at either end"
        problems.append(
            Problem("bad-name", subject, f"{name!r} cannot be a name", remedy, file, line_of(raw, ("name",)))
        )
    for key in raw:
        if key not in ("kind", "name", "spec"):
            line = line_of(raw, (key,))
            problems.append(Problem("unknown-key", subject, f"{key!r} is not a key of a document", "", file, line))
    if problems:
        return None, problems
    try:
        spec = SPECS[kind].model_validate(raw.get("spec") or {})
    except ValidationError as error:
        return None, [_translate(subject, raw, file, one) for one in error.errors()]
    return Document(kind, name, spec, file, raw), []


def _translate(subject: str, raw: Any, file: str, error: Any) -> Problem:
    path: Path = ("spec", *error["loc"])
    kinds = {"extra_forbidden": "unknown-key", "missing": "missing-key", "literal_error": "bad-choice"}
    message = {"extra_forbidden": f"{error['loc'][-1]!r} is not a key here" if error["loc"] else ""}
    text = message.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    cause = error.get("ctx", {}).get("error")
    code = kinds.get(error["type"]) or getattr(cause, "code", None) or "bad-value"
    return Problem(code, subject, text, "", file, line_of(raw, path), _dotted(path))


def read_documents(text: str, file: str = "") -> list[Document]:
    """All documents of a YAML text. Raises DocumentError with every problem found."""
    yaml = YAML(typ="rt")
    try:
        raws = [raw for raw in yaml.load_all(StringIO(text)) if raw is not None]
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else 0
        raise DocumentError([Problem("bad-yaml", "YAML", str(error.problem), "", file, line)]) from error
    except YAMLError as error:
        raise DocumentError([Problem("bad-yaml", "YAML", str(error), "", file)]) from error
    documents, problems, seen = [], [], set()
    for raw in raws:
        document, found = _check_document(raw, file)
        problems += found
        if document is None:
            continue
        if (document.kind, document.name) in seen:
            problems.append(document.problem("duplicate-document", "is written twice", "give each its own name"))
        seen.add((document.kind, document.name))
        documents.append(document)
    if not raws:
        problems.append(Problem("no-documents", file or "text", "holds no documents"))
    if problems:
        raise DocumentError(problems)
    return documents


def of_kind(documents: Sequence[Document], kind: str) -> list[Document]:
    """The documents of one kind, in the order they were written."""
    return [document for document in documents if document.kind == kind]
