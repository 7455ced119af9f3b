# SPDX-License-Identifier: Apache-2.0
"""What an NVMe adapter was before our first change, as it is kept: all of it, so that it can be given back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from openfex.errors import VerificationError
from openfex.model.storage import Namespace, Share, StorageAdapter, StorageFunction

VERSION = 1
_PLAIN = {"int": int, "str": str, "bool": bool}


def to_json(before: StorageAdapter) -> dict[str, Any]:
    """A record as it is kept."""
    return {"version": VERSION, **asdict(before)}


def from_json(raw: object) -> StorageAdapter:
    """The way back. Raises VerificationError for what this version has not written."""
    try:
        return _from_json(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise VerificationError("a record of an NVMe adapter cannot be read", code="record-unreadable") from cause


def _from_json(raw: Any) -> StorageAdapter:
    if raw["version"] != VERSION:
        raise ValueError(raw["version"])
    functions = (_made(StorageFunction, one, namespaces=_numbers(one["namespaces"])) for one in raw["functions"])
    namespaces = (_made(Namespace, one, controllers=_numbers(one["controllers"])) for one in raw["namespaces"])
    shares = {name: _made(Share, raw[name]) for name in ("queues", "interrupts")}
    plain = {name: value for name, value in raw.items() if name != "version"}
    made: StorageAdapter = _made(
        StorageAdapter, plain, functions=tuple(functions), namespaces=tuple(namespaces), **shares
    )
    return made


def _made(kind: type[Any], raw: Mapping[str, Any], **read: Any) -> Any:
    """A value of its fields; numbers, words and truths as they are, and nothing else."""
    values = {one.name: raw[one.name] for one in fields(kind) if one.name not in read}
    odd = [one for one in fields(kind) if one.name in values and type(values[one.name]) is not _PLAIN[str(one.type)]]
    if odd or len(raw) != len(fields(kind)):
        raise TypeError(kind.__name__)
    return kind(**values, **read)


def _numbers(raw: list[Any]) -> tuple[int, ...]:
    return tuple(int(one) for one in raw)
