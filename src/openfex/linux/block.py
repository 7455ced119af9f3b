# SPDX-License-Identifier: Apache-2.0
"""Door to block devices: who has one, and its octets past the kernel's cache.

What `write_direct` has written is at the device, and what `read_direct` reads comes from it.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from openfex.errors import InputError
from openfex.linux.border import crossing

_PROC = Path("/proc")
PIECE = 1 << 20
"""Octets of one write or read: O_DIRECT wants whole blocks, in memory that begins with a page."""


def user(path: Path) -> str:
    """Who has a block device, in words; empty if nobody has it, or it is not there.

    File systems and volumes have it for themselves, which O_EXCL asks; virtual machines and others have it open.
    """
    with crossing(f"look at {path}"):
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
        except FileNotFoundError:
            return ""
        except OSError as cause:
            if cause.errno == errno.EBUSY:
                return "it is mounted, or part of a volume"
            raise
    for fd in _PROC.glob("[0-9]*/fd/*"):
        try:
            if fd.readlink() == path:
                return f"process {fd.parts[2]} has it open"
        except OSError:  # it has ended meanwhile, or is not ours to look at
            continue
    return ""


def write_direct(path: str, pieces: Iterable[bytes]) -> int:
    """Write pieces of 1 MiB from the start of a device on, and have them on its medium; how many octets that were."""
    written = 0
    with crossing(f"write to {path}"), mmap.mmap(-1, PIECE) as page:
        fd = os.open(path, os.O_WRONLY | os.O_DIRECT | os.O_EXCL | os.O_CLOEXEC)
        try:
            for piece in pieces:
                if len(piece) != PIECE:
                    raise InputError(f"a piece has {len(piece)} octets, not {PIECE}", code="bad-piece")
                page[:] = piece
                if os.write(fd, page) != PIECE:
                    raise OSError(f"{path} took less than it was given")
                written += PIECE
            os.fsync(fd)
        finally:
            os.close(fd)
    return written


def read_direct(path: str, octets: int) -> Iterator[bytes]:
    """Read from the start of a device on, in pieces of 1 MiB."""
    with crossing(f"read from {path}"), mmap.mmap(-1, PIECE) as page:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
        try:
            for _ in range(octets // PIECE):
                if os.readv(fd, [page]) != PIECE:
                    raise OSError(f"{path} ended")
                yield page[:]
        finally:
            os.close(fd)
