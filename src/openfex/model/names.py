# SPDX-License-Identifier: Apache-2.0
"""Names as people write them: of documents, of devices, of functions, of the ends of wires."""

from __future__ import annotations

import re

from openfex.errors import InputError
from openfex.model.wording import shown

NAME = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
"""Of documents and bridges. No underscore: it parts the names of what a lab leaves in the kernel."""
LONGEST_NAME = 40
DEVICE = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
LONGEST_DEVICE = 15
FILE = r"^/[^\n]*$"
FUNCTION = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?/(pf|0|[1-9][0-9]{0,4})$"


def parse_text(value: object, code: str = "bad-value") -> str:
    """A text. A whole number is one, too; what YAML takes for something else has to be quoted. Raises InputError."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        raise InputError(f"{shown(value)} is a truth value", code=code, remedy=f'quote it: "{shown(value)}"')
    if isinstance(value, int):
        return str(value)
    raise InputError(f"{shown(value)} is not a text", code=code, remedy="write a word, in quotes if YAML needs them")


def parse_name(value: object) -> str:
    """The name of a document or of a bridge. Raises InputError."""
    name = parse_text(value, "bad-name")
    if len(name) > LONGEST_NAME or not re.fullmatch(NAME, name):
        like = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST_NAME].rstrip("-") or "h1"
        remedy = f"use at most {LONGEST_NAME} lower-case letters, digits and inner hyphens, for example {like}"
        raise InputError(f"{shown(name)} cannot be a name", code="bad-name", remedy=remedy)
    return name


def parse_device(value: object) -> str:
    """The name of a device. Raises InputError."""
    name = parse_text(value, "bad-device")
    if len(name) > LONGEST_DEVICE or not re.fullmatch(DEVICE, name):
        remedy = f"use at most {LONGEST_DEVICE} letters, digits, `_`, `.` and `-`; the first a letter or digit"
        raise InputError(f"{shown(name)} cannot be the name of a device", code="bad-device", remedy=remedy)
    return name


def parse_function(value: object) -> str:
    """A function, `h1-nic0/3`. Raises InputError."""
    function = parse_text(value)
    if not re.fullmatch(FUNCTION, function):
        raise InputError(f"{shown(function)} is not ADAPTER/NUMBER", code="bad-value")
    return function


def parse_file(value: object) -> str:
    """The path of a file. Raises InputError: what is relative means another file wherever somebody stands."""
    path = parse_text(value)
    if not re.fullmatch(FILE, path):
        raise InputError(f"{shown(path)} is not a path from / on", code="bad-value")
    return path


def parse_wire(value: object) -> tuple[str, str]:
    """The two ends of a wire. Raises InputError."""
    ends = value if isinstance(value, list | tuple) else ()
    if len(ends) != 2 or not all(isinstance(end, str) and end.count("/") == 1 for end in ends):
        raise InputError(f"{shown(value)} is not a pair of network ports, each BRIDGE/PORT", code="bad-wire")
    return ends[0], ends[1]
