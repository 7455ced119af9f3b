# SPDX-License-Identifier: Apache-2.0
"""What a real host has given its NICs by its documents: so an edit moves and renumbers only what it is about."""

from __future__ import annotations

import json
from pathlib import Path

from openfex.errors import VerificationError
from openfex.linux import disk
from openfex.plan.allotment import Allotment

FILE = "host.json"


def read_given(path: Path) -> Allotment | None:
    """What was given. Raises VerificationError "record-unreadable"."""
    if not path.exists():
        return None
    try:
        return Allotment.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as cause:
        remedy = "remove it: NICs may get other functions then"
        raise VerificationError(
            f"{path} was not written by this version", code="record-unreadable", remedy=remedy
        ) from cause


def write_given(path: Path, given: Allotment) -> None:
    """Keep this, if it is anything else."""
    if not path.exists() or read_given(path) != given:
        disk.keep(path, given.to_json())
