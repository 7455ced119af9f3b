# SPDX-License-Identifier: Apache-2.0
"""Every error of openfex: one tree, each leaf an answer for the caller.

    OpenfexError
    ├── InputError            what you gave is wrong: change it and try again (also a ValueError)
    │   ├── WireError         octets that are not the frame or tag they should be
    │   └── DocumentError     one or more problems in a document, all reported at once
    ├── RefusedError          well-formed, but the answer is no; `code` says which no, `remedy` what would make it a yes
    ├── NotFoundError         the thing you named does not exist here
    ├── UnsupportedError      this kernel, adapter or machine cannot do it
    ├── KernelError           the kernel said no to a door; `errno` is kept (also an OSError)
    ├── VerificationError     a change was applied, read back different, and was rolled back
    └── InternalError         our bug

Codes are stable: programs may match on them. A code is lower-case words joined by hyphens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class OpenfexError(Exception):
    """Base of all; `code` is stable, `message` is for people, `remedy` says what would make it work."""

    default_code = "error"

    def __init__(self, message: str, *, code: str | None = None, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message

    def describe(self) -> dict[str, object]:
        """The error as `--json` prints it."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}


class InputError(OpenfexError, ValueError):
    """What was given is wrong."""

    default_code = "bad-input"


class WireError(InputError):
    """Octets that are not the frame or tag they should be."""

    default_code = "malformed-frame"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document: where it is, what is wrong, what would be right."""

    code: str
    subject: str
    message: str
    remedy: str = ""
    file: str = ""
    line: int = 0
    path: str = ""
    column: int = 0
    """Known where the text is no YAML, and 0 elsewhere: there `path` says more."""

    def __str__(self) -> str:
        numbers = ":".join(str(number) for number in (self.line, self.column) if number)
        place = [part for part in (self.file, numbers) if part]
        where = f"{'' if self.file else 'line '}{':'.join(place)}: " if place else ""
        at = f" at {self.path}" if self.path else ""
        cure = f"; {self.remedy}" if self.remedy else ""
        return f"{where}{self.subject}{at}: {self.message}{cure} [{self.code}]"


class DocumentError(InputError):
    """Problems in documents, all of them at once."""

    default_code = "bad-document"

    def __init__(self, problems: Sequence[Problem]) -> None:
        code = problems[0].code if len(problems) == 1 else None
        super().__init__("\n".join(str(problem) for problem in problems), code=code)
        self.problems = tuple(problems)

    def describe(self) -> dict[str, object]:
        """The error as `--json` prints it, one entry a problem."""
        fields = ("code", "subject", "message", "remedy", "file", "line", "column", "path")
        rows = [{name: getattr(problem, name) for name in fields} for problem in self.problems]
        return {**super().describe(), "problems": rows}


class RefusedError(OpenfexError):
    """Well-formed, but the answer is no."""

    default_code = "refused"


class NotFoundError(OpenfexError):
    """The thing named does not exist here."""

    default_code = "not-found"


class UnsupportedError(OpenfexError):
    """This kernel, adapter or machine cannot do it."""

    default_code = "unsupported"


class KernelError(OpenfexError, OSError):
    """The kernel said no; `errno` is its reason."""

    default_code = "kernel-refused"

    def __init__(self, message: str, errno: int = 0, *, code: str | None = None, remedy: str = "") -> None:
        OpenfexError.__init__(self, message, code=code, remedy=remedy)
        self.errno = errno


class VerificationError(OpenfexError):
    """Applied, read back different, rolled back."""

    default_code = "not-verified"


class InternalError(OpenfexError):
    """A bug of ours."""

    default_code = "internal"
