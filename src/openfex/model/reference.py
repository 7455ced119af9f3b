# SPDX-License-Identifier: Apache-2.0
"""What each key of the documents is: what `fex explain` prints, docs/reference/documents.md lists and messages name.

All of it is read from the models in documents.py. A path names a key from its kind on, `machine.nics.NIC.mtu`; what
people name themselves stands there in capitals.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from openfex.errors import NotFoundError
from openfex.model.forms import Named, NameOf, Otherwise, Shorthand, Written
from openfex.model.kinds import FORM_EXAMPLES, FORMS
from openfex.model.spec import Spec
from openfex.model.wording import as_yaml, choose, either, nearest

REQUIRED = "required"
"""What stands for the default of a key that has none."""


@dataclass(frozen=True, slots=True)
class Type:
    """What can be behind a key, in words. Of a mapping: the keys there (`inner`), and what people name (`named`)."""

    words: str
    form: str = ""
    choices: tuple[str, ...] = ()
    inner: type[Spec] | None = None
    named: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a document."""

    path: str
    type: Type
    meaning: str
    default: str = REQUIRED
    examples: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def required(self) -> bool:
        """Whether it has to be written."""
        return self.default == REQUIRED

    @property
    def example(self) -> str:
        """The key with the first of its examples, on one line of YAML."""
        return f"{self.name}: {self.examples[0]}" if self.examples else ""

    @property
    def item(self) -> Key:
        """Of a mapping where people name things: one of them."""
        inner = self.type.inner
        return Key(f"{self.path}.{self.type.named}", Type("mapping", inner=inner), _first_line(inner))

    @property
    def inner(self) -> list[Key]:
        """The keys of the mapping that is behind it, or behind each name there."""
        if self.type.inner is None:
            return []
        path = self.item.path if self.type.named else self.path
        return [_key(f"{path}.{name}", field) for name, field in self.type.inner.by_key().items()]


def _first_line(spec: type[Spec] | None) -> str:
    return (inspect.getdoc(spec) or "").partition("\n")[0]


def _plain(annotation: Any) -> tuple[Any, list[Any]]:
    """An annotation without `| None`, and what it is annotated with."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        annotation, more = _plain(inner)
        return annotation, [*more, *marks]
    if get_origin(annotation) in (Union, UnionType):
        return _plain(next(one for one in get_args(annotation) if one is not type(None)))
    return annotation, []


def _type(annotation: Any, more: Sequence[Any] = ()) -> Type:
    annotation, own = _plain(annotation)
    marks = {type(mark): mark for mark in (*own, *more)}
    short = f"{marks[Shorthand].form}, or " if Shorthand in marks else ""
    if Written in marks:
        value = marks[Written]
        return Type(f"name of a {marks[NameOf].what}" if NameOf in marks else value.name, value.form)
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        return Type(either(f"`{one}`" for one in choices), choices=choices)
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return Type(f"{short}mapping", inner=annotation)
    if get_origin(annotation) is dict:
        key, item = map(_type, get_args(annotation))
        named = marks[Named]
        least = ", at least one" if any(getattr(mark, "min_length", 0) for mark in more) else ""
        words = f"{short}mapping of {key.words} to {named.what}{least}"
        return Type(words, "", key.choices, item.inner, named.word)
    if get_origin(annotation) in (list, tuple):
        item = _type(get_args(annotation)[0])
        if item.inner is not None:
            return Type(f"{short}list of {marks[Named].what}s", inner=item.inner, named=marks[Named].word)
        return Type(f"{short}a list of these" if short else f"list of {item.words}s", item.form)
    return Type("anything")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return REQUIRED
    for mark in field.metadata:
        if isinstance(mark, Otherwise):
            return mark.words
    return "none" if field.default in (None, (), [], {}, frozenset()) else as_yaml(field.default)


def _key(path: str, field: FieldInfo) -> Key:
    examples = tuple(as_yaml(one) for one in field.examples or ())
    return Key(path, _type(field.annotation, field.metadata), field.description or "", _default(field), examples)


def kind_key(kind: str) -> Key:
    """A whole document of a kind, as if it were a key."""
    return Key(kind, Type("mapping", inner=FORMS[kind]), _first_line(FORMS[kind]))


def kind_example(kind: str) -> str:
    """A document of a kind."""
    word, name, spec = FORM_EXAMPLES[kind]
    return f"kind: {word}\nname: {name}\nspec: {as_yaml(spec)}\n"


def all_below(key: Key) -> Iterator[Key]:
    """Every key in it, however deep, in the order of a document. What has the keys of one before it is not entered."""
    return _below(key, {key.type.inner})


def _below(key: Key, entered: set[type[Spec] | None]) -> Iterator[Key]:
    for one in key.inner:
        yield one
        if one.type.inner not in entered:
            entered.add(one.type.inner)
            yield from _below(one, entered)


def key_at(kind: str, place: Sequence[str | int]) -> Key | None:
    """The key at a place in the spec of a document, `("nics", "eth0", "mtu")`; None if there is no such key."""
    found, is_name = kind_key(kind), False
    for part in place:
        if is_name:
            found, is_name = found.item, False
            continue
        following = next((one for one in found.inner if one.name == part), None)
        if following is None:
            return found if isinstance(part, int) else None
        found, is_name = following, bool(following.type.named)
    return found


def find_key(path: str) -> Key:
    """The key of a path as people write it: with or without `spec`, names of theirs or the capitals for them.

    Raises NotFoundError, which names the nearest.
    """
    kind, *parts = path.split(".")
    if kind not in FORMS:
        raise NotFoundError(f"there is no kind {kind}", code="unknown-kind", remedy=choose(kind, FORMS, "kinds"))
    found = kind_key(kind)
    if parts[:1] == ["spec"]:
        del parts[0]
    for part in parts:
        following = {one.name: one for one in found.inner}
        if part in following:
            found = following[part]
        elif found.type.named and not (part == parts[-1] and nearest(part, following)):
            found = found.item
        else:
            known = list(following) or [one.name for one in all_below(kind_key(kind))]
            message = f"{found.path} has no key {part}" if following else f"there are no keys below {found.path}"
            raise NotFoundError(message, code="unknown-key", remedy=choose(part, known, "keys"))
    return found
