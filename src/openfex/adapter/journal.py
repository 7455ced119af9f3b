# SPDX-License-Identifier: Apache-2.0
"""The journal of real adapters: a record a file, on disk before what it is about is changed.

Whatever ends the process or the machine, there is the old record or the new one (linux/disk.py). What is in a record:
plan/records.py.

Beside them `seen.json` holds where the network device of each function was when one of our commands last changed one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from openfex.errors import RefusedError, VerificationError
from openfex.linux import disk
from openfex.linux.border import crossing
from openfex.linux.pci import ADDRESS
from openfex.model.adapters import RealAdapter
from openfex.plan.records import Record, from_json, to_json

FOLDER = Path("/var/lib/openfex/functions")
SEEN = "seen.json"
WATCHED = "host.lock"
PATIENCE_S = 3.0


class Journal:
    """The records in a folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    def read(self) -> dict[str, Record]:
        """All records, by the addresses of their adapters. Raises VerificationError for one that cannot be read."""
        if not self.folder.is_dir():
            return {}
        found: dict[str, Record] = {}
        for path in sorted(self.folder.glob("*.json")):
            if ADDRESS.fullmatch(path.stem):
                found[path.stem] = self._read_one(path)
        return found

    def _read_one(self, path: Path) -> Record:
        remedy = f"look into {path}; `fex gc` does not touch it"
        try:
            with crossing(f"read {path}"):
                record = from_json(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, VerificationError) as cause:
            message = f"{path} was not written by this version"
            raise VerificationError(message, code="record-unreadable", remedy=remedy) from cause
        if record.adapter != path.stem:
            raise VerificationError(f"{path} is of {record.adapter}", code="record-unreadable", remedy=remedy)
        return record

    def write(self, record: Record) -> None:
        """Keep a record in place of the older one of its adapter."""
        disk.keep(self.folder / f"{record.adapter}.json", to_json(record))

    def remove(self, adapter: str) -> None:
        """Forget an adapter."""
        disk.forget(self.folder / f"{adapter}.json")

    def seen(self) -> dict[str, str]:
        """Where the network device of each function was seen last. What is not readable is nothing: it is no record."""
        try:
            raw = json.loads((self.folder / SEEN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(address): str(place) for address, place in raw.items()} if isinstance(raw, dict) else {}

    def note_places(self, adapters: Sequence[RealAdapter]) -> None:
        """Note where network devices are now; of one that cannot be found what was known stays."""
        before = self.seen()
        there = {one.address: one for adapter in adapters for one in adapter.functions}
        places = {address: place for address, place in before.items() if address in there}
        places |= {one.address: f"{one.net.name} in {one.net.space or 'host'}" for one in there.values() if one.net}
        if places != before:
            disk.keep(self.folder / SEEN, places)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who changes adapters. Raises RefusedError if somebody else goes on doing so for PATIENCE_S.

        The lock ends with the process, however that ends.
        """
        message, remedy = "another command is changing adapters", "wait until that command has ended"
        busy = RefusedError(message, code="adapters-busy", remedy=remedy)
        with disk.locked(self.folder, busy, patience_s=PATIENCE_S):
            yield

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Be the only one who keeps adapters as a file says. Raises RefusedError at once; others may change them."""
        remedy = "one is enough: SIGHUP makes it read its file again"
        busy = RefusedError("`fex host` runs already", code="host-runs", remedy=remedy)
        with disk.locked(self.folder, busy, file=WATCHED):
            yield
