# SPDX-License-Identifier: Apache-2.0
"""What a lab keeps beside the kernel while it is up: its documents, and what it has given by them. And who changes it.

It lies in `/run/openfex/LAB`, and goes with the next start of the machine, as all of the lab does.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from openfex.errors import InputError, RefusedError, VerificationError
from openfex.linux.border import crossing
from openfex.model.names import LONGEST_NAME, NAME
from openfex.plan.allotment import Allotment
from openfex.plan.ledger import Ledger, Tally

STATE = Path("/run/openfex")
PATIENCE_S = 3.0
_LOOK_AGAIN_S = 0.02


@dataclass(frozen=True)
class Kept:
    """The text of a lab's documents, what was given by them, and what its vEths' numbers are adjusted by.

    `bridge`: the only node of these documents that is here, a real bridge; empty: all are, for it is a lab.
    """

    text: str
    held: Allotment
    ledger: Ledger = field(default_factory=dict)
    bridge: str = ""


def is_lab_name(name: str) -> bool:
    """Whether a document may have this name."""
    return len(name) <= LONGEST_NAME and re.fullmatch(NAME, name) is not None


def folder(lab: str) -> Path:
    """Where a lab's things are kept. Raises InputError: another name could lead anywhere."""
    if not is_lab_name(lab):
        raise InputError(f"{lab!r} cannot be the name of a lab", code="bad-name")
    return STATE / lab


def document_file(lab: str) -> Path:
    """Where the documents of a lab are kept while it is up."""
    return folder(lab) / "lab.yaml"


def labs() -> list[str]:
    """The labs that something is kept of."""
    return [one.name for one in STATE.iterdir() if is_lab_name(one.name)] if STATE.is_dir() else []


def read(lab: str) -> Kept | None:
    """What is kept of a lab."""
    documents, given = document_file(lab), folder(lab) / "given.json"
    if not documents.exists():
        return None
    if not given.exists():
        return Kept(documents.read_text(), Allotment())
    try:
        raw = json.loads(given.read_text())
        ledger = {port: Tally(*numbers) for port, numbers in raw["ledger"].items()}
        return Kept(documents.read_text(), Allotment.from_json(raw["given"]), ledger, raw.get("bridge", ""))
    except (ValueError, KeyError, TypeError) as cause:
        remedy = f"start it anew: fex lab down {lab}"
        raise VerificationError(
            f"{given} was not written by this version", code="lab-incomplete", remedy=remedy
        ) from cause


def write(lab: str, kept: Kept | None) -> None:
    """Keep this instead; None: nothing any more. What is given is written first: alone it does no harm."""
    if kept is None:
        shutil.rmtree(folder(lab), ignore_errors=True)
        return
    raw = {"given": kept.held.to_json(), "ledger": kept.ledger, "bridge": kept.bridge}
    given = json.dumps(raw, indent=1)
    for name, text in (("given.json", given), ("lab.yaml", kept.text)):
        new = folder(lab) / f"{name}.new"
        new.write_text(text)
        new.replace(folder(lab) / name)


@contextmanager
def locked(lab: str) -> Iterator[None]:
    """Be the only one who changes this lab. Raises RefusedError if somebody else goes on doing so for PATIENCE_S.

    The lock ends with the process, however that ends.
    """
    with crossing(f"lock lab {lab}"):
        handle = _lock(lab)
    try:
        yield
    finally:
        os.close(handle)


def _lock(lab: str) -> int:
    end = time.monotonic() + PATIENCE_S
    while (handle := _try_lock(folder(lab))) is None:
        if time.monotonic() >= end:
            remedy = "wait until that command has ended"
            raise RefusedError(f"another command is changing lab {lab}", code="lab-busy", remedy=remedy)
        time.sleep(_LOOK_AGAIN_S)
    return handle


def _try_lock(place: Path) -> int | None:
    place.mkdir(parents=True, exist_ok=True)
    handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), place.stat()):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass  # somebody has it, or has just removed it with all that was in it
    os.close(handle)
    return None
