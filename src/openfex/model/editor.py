# SPDX-License-Identifier: Apache-2.0
"""Changes of documents as text: one word is put in another's place, and everything else stays as it was written."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from openfex.errors import NotFoundError, RefusedError


def replace_host(text: str, machine: str, host: str) -> str:
    """The documents with a machine on another host. Raises NotFoundError, RefusedError."""
    spec = _find_spec(text, machine)
    if spec.get("type") == "host":
        message = f"machine {machine} is its host itself"
        raise RefusedError(message, code="machine-is-host", remedy="move what runs in it")
    fixed = [name for name, nic in spec["nics"].items() if "function" in nic]
    if fixed:
        message = f"NIC {fixed[0]} of machine {machine} is told its function, which the other host does not have"
        raise RefusedError(message, code="function-fixed", remedy="take the key `function` out of the document")
    line, column = spec.lc.value("host")
    return _replace_word(text, line, column, str(spec["host"]), host)


def _find_spec(text: str, machine: str) -> Any:
    for raw in YAML(typ="rt").load_all(StringIO(text)):
        if isinstance(raw, Mapping) and (raw.get("kind"), raw.get("name")) == ("machine", machine):
            return raw["spec"]
    raise NotFoundError(f"there is no machine {machine}", code="no-such-machine")


def _replace_word(text: str, line: int, column: int, old: str, new: str) -> str:
    lines = text.splitlines(keepends=True)
    before, rest = lines[line][:column], lines[line][column:]
    quote = rest[0] if rest[:1] in {"'", '"'} else ""
    word = f"{quote}{old}{quote}"
    if not rest.startswith(word):
        raise RefusedError(f"{old} in line {line + 1} is not written there", code="cannot-edit", remedy="use no alias")
    lines[line] = f"{before}{quote}{new}{quote}{rest[len(word) :]}"
    return "".join(lines)
