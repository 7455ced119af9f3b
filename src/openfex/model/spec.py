# SPDX-License-Identifier: Apache-2.0
"""What all specs of documents have in common, and how one value or a list of them is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo

from openfex.model.forms import Shorthand, Written


def key_of(name: str) -> str:
    """The key of a field: Python has no name `in`, and none with a hyphen."""
    return name.rstrip("_").replace("_", "-")


class Spec(BaseModel):
    """Base of all specs: strict about keys, frozen once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=key_of)

    minds_nothing: ClassVar[bool] = False
    """Whether a key with nothing behind it is wrong: where it would permit what was meant to be denied."""

    @classmethod
    def by_key(cls) -> dict[str, FieldInfo]:
        """Its fields by their keys, as these are written."""
        return {key_of(name): field for name, field in cls.model_fields.items()}

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nothing(cls, value: object) -> object:
        """A key with nothing behind it is not written."""
        if not isinstance(value, Mapping) or cls.minds_nothing:
            return value
        known = cls.by_key()
        return {key: one for key, one in value.items() if one is not None or key not in known}


def _as_list(value: object) -> object:
    return value if value is None or isinstance(value, list) else [value]


def one_or_more(value: Written) -> Shorthand:
    """One such value need not be in a list."""
    return Shorthand(value.name, _as_list, dict(value.schema))
