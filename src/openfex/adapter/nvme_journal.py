# SPDX-License-Identifier: Apache-2.0
"""The journal of NVMe adapters: what each was before our first change, on disk before that change.

A record is written beside its file, flushed, and put in its place by one rename: whatever ends the process or the
machine, there is a whole record or none. An adapter that has one is ours to change.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openfex.errors import RefusedError, VerificationError
from openfex.linux.border import crossing
from openfex.model.storage import StorageAdapter
from openfex.plan.storage_records import from_json, to_json

FOLDER = Path("/var/lib/openfex/storage")


class Journal:
    """The records in a folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    def read(self, address: str) -> StorageAdapter | None:
        """What an adapter was; None if we have not changed it. Raises VerificationError for what is no record."""
        path = self._path(address)
        try:
            with crossing(f"read {path}"):
                if not path.exists():
                    return None
                record = from_json(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, VerificationError) as cause:
            message, remedy = f"{path} was not written by this version", f"look into {path}"
            raise VerificationError(message, code="record-unreadable", remedy=remedy) from cause
        if record.address != address:
            raise VerificationError(f"{path} is of {record.address}", code="record-unreadable")
        return record

    def addresses(self) -> list[str]:
        """The adapters that there are records of."""
        with crossing(f"list {self.folder}"):
            return sorted(path.stem for path in self.folder.glob("*.json"))

    def write(self, before: StorageAdapter) -> None:
        """Keep what an adapter is, before it is changed."""
        path = self._path(before.address)
        with crossing(f"write {path}"):
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            with new.open("w", encoding="utf-8") as file:
                json.dump(to_json(before), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            self._flush()

    def remove(self, address: str) -> None:
        """Forget an adapter."""
        path = self._path(address)
        with crossing(f"remove {path}"):
            path.unlink(missing_ok=True)
            self._flush()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who changes NVMe adapters. Raises RefusedError; the lock ends with the process."""
        with crossing(f"lock {self.folder}"):
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as cause:
                message, remedy = "another command is changing adapters", "wait until that command has ended"
                raise RefusedError(message, code="adapters-busy", remedy=remedy) from cause
            yield
        finally:
            os.close(handle)

    def _path(self, address: str) -> Path:
        return self.folder / f"{address}.json"

    def _flush(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
