# SPDX-License-Identifier: Apache-2.0
"""What the YAML library says of a text that is not YAML, in plain words, and what may have been meant."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

INDENTATION = "the line does not fit the indentation of those above"
ALIGN = "begin the keys of one mapping, and the items of one list, in one column"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a text; `line` and `column` count from 1."""

    message: str
    remedy: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class _Saying:
    """What the library says, as a pattern, and what we say. `at_start`: where it began to look is the better place."""

    theirs: str
    message: str
    remedy: str
    at_start: bool = False


_SAYINGS = (
    _Saying(r"found character '\\t'", "a tab stands where spaces have to", "indent with spaces"),
    _Saying(
        r"found character '(.)' that cannot start",
        r"a value cannot begin with \1",
        "quote the value",
    ),
    _Saying(
        "mapping values are not allowed here",
        "a colon is not expected here",
        "quote a text that has a colon, put a space behind the colon of every key, and check the indentation",
    ),
    _Saying(
        "could not find expected ':'",
        "the line is no key: a colon and a space behind it are missing",
        "write `key: value`",
        at_start=True,
    ),
    _Saying(
        "expected ',' or '([]}])', but got '<stream end>'",
        r"the bracket is not closed with \1",
        "close it",
        at_start=True,
    ),
    _Saying(
        "expected ',' or '([]}])'",
        r"a comma is missing before this, or the \1 that closes the bracket of line {start}",
        "put a comma between the parts, and close each bracket",
    ),
    _Saying(
        "found unexpected end of stream",
        "the quotation mark is not closed",
        "close it; in single quotes write '' for an apostrophe",
        at_start=True,
    ),
    _Saying(
        "expected <block end>, but found '([]}])'",
        r"\1 closes a bracket that was not opened",
        "take it out, or open the bracket",
    ),
    _Saying(
        "expected <block end>, but found '<scalar>'",
        "text follows where the value has ended",
        "quote the value as a whole, or check the indentation",
    ),
    _Saying("expected <block end>|expected '<document start>'", INDENTATION, ALIGN),
    _Saying(
        "found undefined alias '(.*)'",
        r"*\1 refers to an anchor &\1 that is not above it in this document",
        "write the anchor, or quote a text that begins with *",
    ),
    _Saying(
        "sequence entries are not allowed here",
        "an item of a list is not expected here",
        "begin each item on a line of its own, and quote a text that begins with `- `",
    ),
    _Saying(
        "expected chomping or indentation indicators|expected a comment or a line break",
        "behind | or > the line has to end",
        "quote a text that begins with one of these",
    ),
    _Saying("while scanning a directive", "the directive of YAML is wrong", "take the line out"),
    _Saying("while (scanning|parsing) a tag", "a tag of YAML is wrong", "quote a text that begins with !"),
    _Saying("expected the node content, but found '<stream end>'", "the document ends inside a bracket", "close it"),
    _Saying("expected the node content", "a value is missing before this", "take the comma out, or write the value"),
    _Saying(
        "expected alphabetic or numeric character",
        "an anchor or alias has no name",
        "quote a text that begins with & or *",
        at_start=True,
    ),
    _Saying(
        "found unknown escape character '(.)'",
        r"\\\1 means nothing in double quotes",
        "use single quotes",
    ),
)


def explain(error: YAMLError | RecursionError, text: str, above: int) -> Complaint:
    """The complaint for what the YAML library raised about a text that has so many lines above it."""
    first = above + 1
    if isinstance(error, RecursionError):
        return Complaint("brackets or mappings are nested too deep", "write it flatter", first, 1)
    if isinstance(error, ReaderError):
        before = text[: error.position]
        line, column = first + before.count("\n"), len(before) - before.rfind("\n")
        return Complaint(f"the character U+{error.character:04X} is not allowed in YAML", "take it out", line, column)
    return _explain_marked(error, first) if isinstance(error, MarkedYAMLError) else Complaint(str(error), "", first, 1)


def _explain_marked(error: MarkedYAMLError, first: int) -> Complaint:
    theirs = f"{error.context}: {error.problem}"
    end = error.problem_mark or error.context_mark
    start = error.context_mark or end
    for saying in _SAYINGS:
        if match := re.search(saying.theirs, theirs):
            mark = start if saying.at_start else end
            message = match.expand(saying.message.format(start=first + start.line if start else first))
            break
    else:
        mark, message, saying = end, str(error.problem), _Saying("", "", "check brackets, quotes and indentation")
    return Complaint(message, saying.remedy, first + mark.line if mark else first, mark.column + 1 if mark else 1)
