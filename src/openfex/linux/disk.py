# SPDX-License-Identifier: Apache-2.0
"""Door to files that outlive a crash, and to the lock of who changes them.

A file is written beside its place, flushed to the disk, and put there by one rename; then the folder is flushed. So at
every moment, whatever ends the process or the machine, there is the old file or the new one, whole.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from openfex.errors import RefusedError
from openfex.linux.border import crossing

_LOOK_AGAIN_S = 0.02


def keep(path: Path, value: Mapping[str, object]) -> None:
    """Make a file hold this, as JSON; its folder is made where there is none. Raises KernelError."""
    with crossing(f"write {path}"):
        make_folder(path.parent)
        new = path.with_name(f"{path.name}.new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        _flush(path.parent)


def forget(path: Path) -> None:
    """Remove a file, if it is there. Raises KernelError."""
    with crossing(f"remove {path}"):
        path.unlink(missing_ok=True)
        _flush(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder, and those it is in, where they are not there."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)


@contextmanager
def locked(folder: Path, busy: RefusedError, *, file: str = "", patience_s: float = 0.0) -> Iterator[None]:
    """Be the only one who holds a folder, or a file in it. Raises `busy` if somebody else goes on doing so for so long.

    The lock ends with the process, however that ends.
    """
    with crossing(f"lock {folder / file}"):
        make_folder(folder)
        flags = os.O_RDWR | os.O_CREAT if file else os.O_RDONLY | os.O_DIRECTORY
        handle = os.open(folder / file, flags | os.O_CLOEXEC, 0o600)
    try:
        _lock(handle, busy, time.monotonic() + patience_s)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, busy: RefusedError, end: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as cause:
            if time.monotonic() >= end:
                raise busy from cause
        time.sleep(_LOOK_AGAIN_S)


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
