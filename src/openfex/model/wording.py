# SPDX-License-Identifier: Apache-2.0
"""Words that all messages about documents share: how a value is quoted, and what somebody may have meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache

MOST_QUOTED = 40
MOST_LISTED = 10
_LIKENESS = 0.6
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*|[0-9]+(\.[0-9]+){3}(/[0-9]+)?|[0-9]+([a-z]+|[KMG]iB|[MG]bit)")


def shown(value: object) -> str:
    """A value as messages quote it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = as_yaml(value) if isinstance(value, Mapping | list | tuple | int | float) else repr(str(value))
    return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}…"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was most likely meant."""
    return _nearest(name, tuple(known))


@lru_cache(maxsize=1000)
def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    """One mistake is often made in many places."""
    by_case = {one.casefold(): one for one in known}
    found = get_close_matches(name.casefold(), by_case, 1, _LIKENESS)
    return by_case[found[0]] if found else None


def choose(name: str, known: Iterable[str], what: str) -> str:
    """The remedy for an unknown name: the nearest one there is, or all of them. `what` names them, in the plural."""
    there = list(known)
    near = nearest(name, there)
    if near is not None:
        return f"did you mean {near}?"
    if not there:
        return f"there are no {what}"
    more = len(there) - MOST_LISTED
    return f"the {what} are: {', '.join(there[:MOST_LISTED])}{f' and {more} more' if more > 0 else ''}"


def many(count: int, what: str) -> str:
    """A count and its noun: `no function`, `1 function`, `3 functions`."""
    return f"{count or 'no'} {what}{'s' if count > 1 else ''}"


def either(words: Iterable[str]) -> str:
    """A list of alternatives: `a`, `a or b`, `a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def as_yaml(value: object) -> str:
    """A value on one line of YAML. What another reader might take for a number or a time is quoted."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {as_yaml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(as_yaml, value)) + "]"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else json.dumps(value)
    return json.dumps(value)
