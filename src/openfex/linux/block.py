# SPDX-License-Identifier: Apache-2.0
"""Door to block devices, past the kernel's cache: what is written is at the device, what is read comes from it."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Iterator

from openfex.errors import InputError
from openfex.linux.border import crossing

PIECE = 1 << 20
"""Octets of one write or read: O_DIRECT wants whole blocks, in memory that begins with a page."""


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
