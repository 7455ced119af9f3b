# SPDX-License-Identifier: Apache-2.0
"""Door to the C library, for the system calls that Python 3.11 has no name for: setns, unshare, mount, umount2.

Each call raises OSError with the kernel's errno; callers translate it at the border.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SHARED = 0x100000
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)
_libc.setns.argtypes = (ctypes.c_int, ctypes.c_int)
_libc.unshare.argtypes = (ctypes.c_int,)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)


def _check(result: int, subject: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), subject)


def setns(fd: int, kind: int) -> None:
    """Put the calling thread into the name space that `fd` is."""
    _check(_libc.setns(fd, kind), f"fd {fd}")


def unshare(kind: int) -> None:
    """Give the calling thread a new name space of its own."""
    _check(_libc.unshare(kind), "unshare")


def mount(source: str, target: Path, kind: str, flags: int = 0, data: str = "") -> None:
    """Mount `source` on `target`, as `mount -t KIND SOURCE TARGET`."""
    options = data.encode() or None
    _check(_libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, options), str(target))


def unmount(target: Path) -> None:
    """Take a mount away at once, even while it is used: `umount --lazy`."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), str(target))
