# SPDX-License-Identifier: Apache-2.0
"""What a kind of value in documents is made of, and what else a key may say of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from openfex.errors import InputError
from openfex.model.quantities import parse_whole
from openfex.model.wording import shown

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A kind of value: its name and form in words, examples as they are written, and what reads it or raises."""

    name: str
    form: str
    examples: tuple[str, ...]
    codes: tuple[str, ...]
    read: Callable[[object], object]
    schema: Mapping[str, object]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Nothing of pydantic's own looks at the value, so no words of its own tell what is wrong with it."""
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return dict(self.schema)


@dataclass(frozen=True, slots=True, eq=False)
class Shorthand:
    """What may be written shorter: `form` says how, and `expand` makes the long form of it."""

    form: str
    expand: Callable[[object], object]
    schema: Mapping[str, object]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.expand, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"anyOf": [dict(self.schema), handler(core)]}


@dataclass(frozen=True, slots=True, eq=False)
class AtLeastOne:
    """Of a list: an empty one is wrong."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Not pydantic's own, which takes a list for empty when everything in it is wrong."""
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {**handler(core), "minItems": 1}

    @staticmethod
    def _check(value: object) -> object:
        if value == []:
            raise InputError("is empty, at least one is needed", code="bad-value")
        return value


@dataclass(frozen=True, slots=True)
class Named:
    """Of a mapping: what people name there, as paths show it (`NIC`), and what each of it is."""

    word: str
    what: str


@dataclass(frozen=True, slots=True)
class NameOf:
    """The value names another thing: `profile`."""

    what: str


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What is taken if the key is not written and it depends."""

    words: str


def whole(name: str, least: int, most: int, examples: tuple[str, ...]) -> Written:
    """Whole numbers from the least to the most."""

    def read(value: object) -> int:
        number = parse_whole(value)
        if number is None or not least <= number <= most:
            raise InputError(f"{shown(value)} is not a whole number from {least} to {most}", code="bad-value")
        return number

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Written(name, f"a whole number from {least} to {most}", examples, ("bad-value",), read, schema)


def words_of(words: Iterable[str]) -> str:
    """Words that may be written, for the form of a kind of value."""
    return ", ".join(f"`{word}`" for word in words)


def word_or_number(words: Iterable[str], last: int) -> Json:
    """The JSON Schema of a word, or a number up to the last."""
    return {"anyOf": [{"enum": [*words]}, {"type": "integer", "minimum": 0, "maximum": last}]}
