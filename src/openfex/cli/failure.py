# SPDX-License-Identifier: Apache-2.0
"""How a command ends that cannot do what it was asked: a line a problem on stderr, and the exit status."""

from __future__ import annotations

import os
import sys

from openfex.cli.paper import print_json
from openfex.errors import DocumentError, KernelError, OpenfexError

REFUSED = 1
USAGE = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


class Misuse(Exception):  # noqa: N818 -- no error of the program, but of how it was called
    """Options that do not go together, which the parser cannot see."""

    def __init__(self, message: str, command: str) -> None:
        super().__init__(message)
        self.command = command


def lines_of(error: OpenfexError) -> list[str]:
    """One line a problem: what, where, what would help, and the stable code."""
    if isinstance(error, DocumentError):
        return [_plain(f"fex: {problem}") for problem in error.problems]
    notes = [f"fex: {note}" for note in getattr(error, "__notes__", ())]
    return [_plain(line) for line in (f"fex: {error} [{error.code}]", *notes)]


def _plain(text: str) -> str:
    """Without what a terminal would obey: messages may quote a guest."""
    return "".join(one if one.isprintable() or one == "\n" else "?" for one in text)


def as_error(cause: OSError) -> OpenfexError:
    """What the system refused outside of any door."""
    about = f"{cause.filename}: " if cause.filename else ""
    message = f"{about}{cause.strerror or cause}"
    if isinstance(cause, PermissionError) and os.geteuid() != 0:
        return KernelError(message, cause.errno or 0, code="not-permitted", remedy="run it as root")
    return KernelError(message, cause.errno or 0, code="system-refused")


def refuse(error: OpenfexError, *, json: bool) -> int:
    """Tell the error; returns the exit status."""
    for line in lines_of(error):
        print(line, file=sys.stderr)
    if json:
        print_json(error.describe())
    return REFUSED


def misused(message: str, command: str, *, json: bool) -> int:
    """Tell a usage error; returns the exit status."""
    remedy = f"`{command} --help` says how"
    print(f"fex: {message} ({remedy}) [usage]", file=sys.stderr)
    if json:
        print_json({"code": "usage", "message": message, "remedy": remedy})
    return USAGE


def leave_quietly() -> int:
    """Nobody reads our output any more: let nothing more be written to it, not even when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
