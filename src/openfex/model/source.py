# SPDX-License-Identifier: Apache-2.0
"""YAML 1.2 text to plain values, and where in the text each of them stands. Every fault of the YAML is reported.

The text is cut at its lines of `---` first, so that a fault in one document hides nothing of the others. Keys are text,
and so are plain scalars but whole decimal numbers, `true`, `false` and nothing: a MAC stays a MAC, and `007` a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from openfex.errors import Problem
from openfex.model.complaints import explain
from openfex.model.wording import shown

Place = tuple[str | int, ...]
MOST_VALUES = 1_000_000
"""Of one document. Aliases of aliases can make more of a few lines than any machine can hold."""
_TAG = "tag:yaml.org,2002:"
_TAGS = frozenset({"map", "seq", "str", "int", "float", "bool", "null", "timestamp", "value", "merge"})
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_CUT = re.compile(r"^(?=---(?:\s|$))", re.MULTILINE)
_DIRECTIVES = re.compile(r"(?:(?:%.*|#.*|[ \t]*)(?:\r?\n|$))*")
_GUESS = r"^{}:[ \t]*[\"']?([\w.-]+)"


@dataclass(frozen=True)
class Source:
    """One document of a text, and what is wrong with it as YAML. Without a `root` its value is what can be guessed."""

    value: object
    problems: tuple[Problem, ...] = ()
    root: Node | None = None
    above: int = 0
    """How many lines of the text are above those that `root` counts."""

    def find(self, place: Place) -> tuple[int, Place]:
        """The line (from 1) of the deepest part of a place that there is, and the place up to that part."""
        node, line = self.root, self.root.start_mark.line if self.root else 0
        for depth, part in enumerate(place):
            found = _step(node, part)
            if found is None:
                return self.above + line + 1, place[:depth]
            line, node = found
        return self.above + line + 1, place

    def written_at(self, place: Place) -> tuple[int, int]:
        """Line and column (from 1) of the value at a place that there is."""
        node = self.root
        for part in place:
            found = _step(node, part)
            node = found[1] if found else None
        mark = node.start_mark if node else None
        return (self.above + mark.line + 1, mark.column + 1) if mark else (0, 0)


def _step(node: Node | None, part: str | int) -> tuple[int, Node] | None:
    """A part of a node: the value of a key, the nth item, or the item that is a text."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == str(part) and key.tag != f"{_TAG}merge":
                return key.start_mark.line, value
        merged = [_step(one, part) for key, value in node.value if _is_merge(key) for one in _merged(value)]
        return next((found for found in merged if found), None)
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            if index == part or (isinstance(part, str) and isinstance(item, ScalarNode) and item.value == part):
                return item.start_mark.line, item
    return None


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and key.tag == f"{_TAG}merge"


def _merged(value: Node) -> list[Node]:
    return list(value.value) if isinstance(value, SequenceNode) else [value]


def read_sources(text: str, file: str = "") -> Iterator[Source]:
    """The documents of a text, one after the other."""
    pieces = _CUT.split(text)
    if len(pieces) > 1 and _DIRECTIVES.fullmatch(pieces[0]):
        pieces[:2] = [pieces[0] + pieces[1]]
    above = 0
    for piece in pieces:
        yield from _read_piece(piece, file, above)
        above += piece.count("\n")


def _read_piece(piece: str, file: str, above: int) -> Iterator[Source]:
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False  # YAML allows to use an anchor's name again
    try:
        nodes = list(yaml.compose_all(piece))
    except (YAMLError, RecursionError) as error:
        complaint = explain(error, piece, above)
        guess = {key: found[1] for key in ("kind", "name") if (found := re.search(_GUESS.format(key), piece, re.M))}
        place = (complaint.line, "", complaint.column)
        yield Source(guess, (Problem("bad-yaml", "YAML", complaint.message, complaint.remedy, file, *place),))
        return
    for node in nodes:
        builder = _Builder(file, above)
        value = builder.build(node)
        if value is not None or builder.problems:
            yield Source(value, tuple(builder.problems), node, above)


@dataclass
class _Builder:
    """Makes plain values of nodes, and goes on where one is wrong."""

    file: str
    above: int
    problems: list[Problem] = field(default_factory=list)
    open: list[Node] = field(default_factory=list)
    """The nodes that are being made: an alias of one of them would never end."""
    made: int = 0

    def complain(self, node: Node, code: str, message: str, remedy: str = "") -> None:
        mark = node.start_mark
        line, column = self.above + mark.line + 1, mark.column + 1
        self.problems.append(Problem(code, "YAML", message, remedy, self.file, line, column=column))

    def build(self, node: Node) -> object:
        self.made += 1
        if self.made > MOST_VALUES:
            if self.made == MOST_VALUES + 1:
                message = f"with all aliases written out these are more than {MOST_VALUES} values"
                self.complain(node, "bad-yaml", message, "use fewer aliases")
            return None
        tag = (node.tag or "").removeprefix(_TAG)
        if tag not in _TAGS:
            named = tag if tag.startswith("!") else f"!!{tag}"
            self.complain(node, "bad-yaml", f"the tag {named} has no meaning here", "take it out")
        if isinstance(node, ScalarNode):
            return _scalar(tag, self.text(node))
        if any(one is node for one in self.open):
            self.complain(node, "bad-yaml", "refers to itself", "take the alias out")
            return None
        self.open.append(node)
        value = self.mapping(node) if isinstance(node, MappingNode) else [self.build(one) for one in node.value]
        self.open.pop()
        return value

    def mapping(self, node: MappingNode) -> dict[str, object]:
        found: dict[str, object] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if _is_merge(key):
                continue
            if not isinstance(key, ScalarNode):
                self.complain(key, "bad-yaml", "a key has to be a text", "quote it")
            elif (name := self.text(key)) in lines:
                message = f"the key {shown(name)} is written twice, first in line {lines[name]}"
                self.complain(key, "duplicate-key", message, "keep one of the two")
            else:
                lines[name] = self.above + key.start_mark.line + 1
                found[name] = self.build(value)
        for part in [one for key, value in node.value if _is_merge(key) for one in _merged(value)]:
            merged = self.build(part)
            if isinstance(merged, dict):
                found = {**merged, **found}
            else:
                self.complain(part, "bad-yaml", "`<<` takes a mapping, or a list of mappings", "write `<<: *anchor`")
        return found

    def text(self, node: ScalarNode) -> str:
        """The text of a scalar. An escape may have written half a character, which no text can hold."""
        text: str = node.value.encode("utf-8", "replace").decode()
        if text != node.value:
            self.complain(node, "bad-yaml", "half of a character is written", "write the character itself")
        return text


def _scalar(tag: str, text: str) -> object:
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    return int(text) if tag == "int" and _NUMBER.fullmatch(text) else text
