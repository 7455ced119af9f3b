# SPDX-License-Identifier: Apache-2.0
"""The border of this room: a kernel's errno becomes one of openfex's errors here, and nowhere else.

Every door uses `refusal` (for a number it got from netlink or libbpf) or `crossing` (around system calls of
Python's own).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from openfex.errors import KernelError, OpenfexError, UnsupportedError

ENOTSUPP = 524
"""Linux's own "not supported", which the C library has no name for; bpf(2) returns it."""

_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, ENOTSUPP})
_FORBIDDEN = frozenset({errno.EPERM, errno.EACCES})


def reason(number: int) -> str:
    """The C library's text for an errno."""
    return "Operation not supported by this kernel" if number == ENOTSUPP else os.strerror(number)


def refusal(number: int, action: str, detail: str = "") -> KernelError | UnsupportedError:
    """The error to raise when the kernel answered `number` to `action` ("add veth x"), and said `detail`."""
    message = f"cannot {action}: {detail or reason(number)}"
    if number in _UNSUPPORTED:
        return UnsupportedError(message)
    if number in _FORBIDDEN and os.geteuid() != 0:
        return KernelError(message, number, code="not-permitted", remedy="run it as root")
    return KernelError(message, number)


@contextmanager
def crossing(action: str) -> Iterator[None]:
    """Turn an OSError raised inside into an openfex error that says what was being done."""
    try:
        yield
    except OpenfexError:
        raise
    except OSError as cause:
        raise refusal(cause.errno or 0, action, cause.strerror or str(cause)) from cause
