# SPDX-License-Identifier: Apache-2.0
"""The journal of NVMe adapters: what each was before our first change, on disk before that change.

Whatever ends the process or the machine, there is a whole record or none (linux/disk.py). An adapter that has one is
ours to change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openfex.errors import RefusedError, VerificationError
from openfex.linux import disk
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
        disk.keep(self._path(before.address), to_json(before))

    def remove(self, address: str) -> None:
        """Forget an adapter."""
        disk.forget(self._path(address))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who changes NVMe adapters. Raises RefusedError; the lock ends with the process."""
        message, remedy = "another command is changing adapters", "wait until that command has ended"
        with disk.locked(self.folder, RefusedError(message, code="adapters-busy", remedy=remedy)):
            yield

    def _path(self, address: str) -> Path:
        return self.folder / f"{address}.json"
