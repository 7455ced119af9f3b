# SPDX-License-Identifier: Apache-2.0
"""Whatever a text holds, it is laid out or refused in words of our own: with a known code, at a line that there is."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from openfex.errors import DocumentError, Problem
from openfex.model.documents import EXAMPLES
from openfex.model.reader import read_documents
from openfex.plan.layout import lay_out

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [(ROOT / "examples" / name).read_text() for name in ("two-hosts.yaml", "policy.yaml")]
FOREIGN = re.compile(
    r"Input should|valid (dictionary|list|string|integer)|Field required|pydantic|ruamel|Traceback|"
    r"<(class|function|[\w.]+ object)\b"
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["web", "h1", "sw-a", "up0", "10,20-30", "52:54:00:00:00:01", "10.0.0.1/24", "5m", "h1-nic0/0", "all"]
    )
    | st.sampled_from(["tcp", "icmp", "80-90", "10.0.0.0/8", "fd00::/8", "arp", "established", "later", "1Gbit"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PIECES = st.sampled_from([*"{}[]:,-&*!|>'\"%@` \n\t#?~", "<<: ", "---\n", "null", "{}", "[]", "  "]) | st.text(
    max_size=3
)


@cache
def codes() -> frozenset[str]:
    """The codes that the reference tells."""
    return frozenset(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", (ROOT / "docs" / "reference" / "documents.md").read_text()))


def problems(text: str) -> tuple[Problem, ...]:
    """What is said of a text; nothing if it is laid out."""
    try:
        lay_out(read_documents(text, "lab.yaml"))
    except DocumentError as error:
        return error.problems
    return ()


def check(text: str) -> None:
    """Lay a text out, and look at what is said of it."""
    found = problems(text)
    assert [one.line for one in found] == sorted(one.line for one in found)
    for problem in found:
        assert problem.code in codes()
        assert problem.message
        assert problem.remedy or problem.code == "bad-choice"
        assert not FOREIGN.search(problem.message + problem.remedy)
        assert 0 <= problem.line <= len(text.splitlines()) + 1


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: object) -> object:
    """A value with something else at a path."""
    if not path:
        return new
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


@cache
def values_of(text: str) -> list[Any]:
    """The documents of a text."""
    return list(YAML(typ="safe", pure=True).load_all(text))


@given(st.data())
def test_any_value_anywhere(data: st.DataObject) -> None:
    examples = [{"kind": kind, "name": name, "spec": spec} for kind, (name, spec) in EXAMPLES.items()]
    documents: Any = data.draw(st.sampled_from([examples, *map(values_of, TEXTS)]))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(documents)[1:]))
        documents = changed(documents, path, data.draw(VALUES))
    check("\n---\n".join(map(json.dumps, documents)))


SLIPS = st.tuples(st.integers(0, max(map(len, TEXTS))), st.integers(0, 12), PIECES)


@given(st.sampled_from(TEXTS), st.lists(SLIPS, min_size=1, max_size=4))
def test_any_slip_of_the_pen(text: str, slips: list[tuple[int, int, str]]) -> None:
    for at, length, piece in slips:
        text = text[:at] + piece + text[at + length :]
    check(text)


@given(st.text())
def test_any_text(text: str) -> None:
    check(text)
