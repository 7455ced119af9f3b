# SPDX-License-Identifier: Apache-2.0
"""What commands have in common: their options, reading FILE, and keeping a command's own options from ours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from openfex.errors import InputError, NotFoundError
from openfex.model.names import parse_name

STANDARD_INPUT = "-"


def _is_no_option(_: object, value: str) -> None:
    if value.startswith("-") and value != STANDARD_INPUT:
        raise ValueError(f"{value} is no option of this command")


def _file(what: str) -> Parameter:
    return Parameter(allow_leading_hyphen=True, validator=_is_no_option, help=f"{what}; `-` reads standard input.")


File = Annotated[str, _file("The documents (YAML)")]
ForeignFile = Annotated[str, _file("A file of the other program")]
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON, for programs.")]
Lab = Annotated[str | None, Parameter(metavar="LAB", help="Which lab; not needed if only one is up.")]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]


def read_text(file: str) -> tuple[str, str]:
    """The text of FILE, and the name that messages give it. Raises NotFoundError, InputError."""
    try:
        if file == STANDARD_INPUT:
            return sys.stdin.read(), "standard input"
        return Path(file).read_text(encoding="utf-8"), file
    except FileNotFoundError as cause:
        raise NotFoundError(f"there is no file {file}", code="no-such-file") from cause
    except UnicodeDecodeError as cause:
        raise InputError(f"{file} is not text in UTF-8", code="bad-file") from cause
    except OSError as cause:
        raise InputError(f"cannot read {file}: {cause.strerror}", code="bad-file") from cause


def lab_name(name: str) -> str:
    """The name if it can be a lab's. Raises InputError: patterns and paths name more than one may want to remove."""
    return parse_name(name)


def shield_command(tokens: Sequence[str]) -> list[str]:
    """Put `--` behind MACHINE of `lab exec`: what follows belongs to the command, its dashes included.

    A `--` that is there already is the same one, and is not handed to the command.
    """
    if list(tokens[:2]) != ["lab", "exec"]:
        return list(tokens)
    at = 2
    while at < len(tokens) and tokens[at].startswith("-") and tokens[at] != "--":
        at += 2 if tokens[at] == "--lab" else 1
    options = tokens[:at]
    rest = tokens[at + 1 :] if tokens[at : at + 1] == ["--"] else tokens[at:]
    if not rest:
        return list(options)
    machine, command = rest[0], rest[1:]
    return [*options, machine, "--", *(command[1:] if command[:1] == ["--"] else command)]


def wants_json(tokens: Sequence[str]) -> bool:
    """True if --json is among our own options."""
    own = list(tokens)
    return "--json" in own[: own.index("--") if "--" in own else len(own)]
