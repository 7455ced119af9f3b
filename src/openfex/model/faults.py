# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the spec of a document, in words of our own: pydantic says where and what kind of fault it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from openfex.errors import InputError
from openfex.model.kinds import FORMS, form_of
from openfex.model.reference import Key, all_below, key_at, kind_key
from openfex.model.spec import Spec
from openfex.model.wording import choose, either, nearest, shown

Place = tuple[str | int, ...]
_OF_KEY = "[key]"
"""What pydantic puts behind the place of a key that is wrong itself."""
_LIST_WITHOUT_QUOTES = re.compile(r"[0-9]+(-[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a spec. `place` is below `spec`."""

    code: str
    place: Place
    message: str
    remedy: str = ""


def check_spec(kind: str, value: object) -> Spec | list[Fault]:
    """A spec from plain values, or everything that is wrong with it."""
    form = form_of(kind, value)
    try:
        return FORMS[form].model_validate(value)
    except ValidationError as error:
        return list(_faults(form, error.errors(include_url=False)))


def _faults(kind: str, errors: Sequence[ErrorDetails]) -> Iterator[Fault]:
    misspelt = {place for error in errors if error["type"] == "extra_forbidden" for place in _meant(error, errors)}
    for error in errors:
        if not (error["type"] == "missing" and error["loc"] in misspelt):
            yield _fault(kind, error)


def _meant(unknown: ErrorDetails, errors: Sequence[ErrorDetails]) -> Iterator[Place]:
    """The missing key that an unknown one beside it stands for: one mistake, not two."""
    *around, name = unknown["loc"]
    missing = [one["loc"] for one in errors if one["type"] == "missing" and one["loc"][:-1] == tuple(around)]
    found = nearest(str(name), [str(place[-1]) for place in missing])
    yield from (place for place in missing if place[-1] == found)


def _fault(kind: str, error: ErrorDetails) -> Fault:
    place = tuple(part for part in error["loc"] if part != _OF_KEY)
    cause = error.get("ctx", {}).get("error")
    key = key_at(kind, place if place == error["loc"] else place[:-1])
    example = f"see `fex explain {key.path if key else kind}`"
    if key and key.example:
        example = f"for example `{key.example}`"
    if error["type"] == "extra_forbidden":
        return _unknown(kind, place)
    if error["type"] == "missing":
        return Fault("missing-key", place, "is missing", f"write {example}")
    if error["input"] is None and isinstance(place[-1], str):
        return Fault("bad-value", place, "has nothing behind it", f"write {_wanted(key, error, example)}")
    if isinstance(cause, InputError):
        return Fault(cause.code, place, cause.message, cause.remedy or example)
    if error["type"] == "too_short":
        return Fault("bad-value", place, "is empty, at least one is needed", f"write {example}")
    if error["type"] == "literal_error":
        return _bad_choice(key, place, error)
    return Fault("bad-value", place, f"{shown(error['input'])} is not a {_shape(key, error)}", example)


def _wanted(key: Key | None, error: ErrorDetails, example: str) -> str:
    return example if key and key.example else f"a {_shape(key, error)}"


def _shape(key: Key | None, error: ErrorDetails) -> str:
    """The name of what should be there: pydantic's other faults are about mappings and lists."""
    if error["type"] == "list_type":
        return "list"
    inner = [one.name for one in key.inner] if key and not key.type.named else []
    return f"mapping with the keys {', '.join(inner)}" if inner else "mapping"


def _bad_choice(key: Key | None, place: Place, error: ErrorDetails) -> Fault:
    choices = key.type.choices if key else ()
    near = nearest(str(error["input"]), choices)
    remedy = f"did you mean {near}?" if near else ""
    return Fault("bad-choice", place, f"{shown(error['input'])} is not {either(choices)}", remedy)


def _unknown(kind: str, place: Place) -> Fault:
    *around, name = place
    mapping = key_at(kind, around)
    known = [one.name for one in mapping.inner] if mapping else []
    return Fault("unknown-key", place, f"{shown(name)} is not a key here", _remedy(kind, str(name), known))


def _remedy(kind: str, name: str, known: Sequence[str]) -> str:
    if _LIST_WITHOUT_QUOTES.fullmatch(name):
        return 'between braces a list with commas has to be quoted, "10,20-29"'
    before, colon, _ = name.partition(":")
    if colon and nearest(before, known):
        return f"write a space behind the colon, `{before}: …`"
    elsewhere = [one.path for one in all_below(kind_key(kind)) if one.name == name]
    if elsewhere and not nearest(name, known):
        return f"it is a key of {elsewhere[0].rpartition('.')[0]}"
    return choose(name, known, "keys")
