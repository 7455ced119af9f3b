# SPDX-License-Identifier: Apache-2.0
"""The compiled BPF objects that the package carries."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from openfex.errors import NotFoundError

FOLDER = Path(__file__).parent / "objects"
PROGRAMS = {"extender": ("extender_up", "extender_down"), "bridge": ("bridge_in", "bridge_start_ageing")}
"""The programs of each role that are pinned."""
ATTACHMENTS = ("tc", "xdp")


def object_path(role: str, attachment: str = "tc", *, test: bool = False) -> Path:
    """The object file of a role and attachment; `test` is the build that exports decisions. Raises NotFoundError."""
    path = FOLDER / f"{role}_{attachment}{'.test' if test else ''}.bpf.o"
    if not path.exists():
        remedy = "run `python bpf/build.py`, or install openfex from a wheel"
        raise NotFoundError(f"the compiled program {path.name} is missing", code="no-bpf-objects", remedy=remedy)
    return path


@cache
def build_of(role: str) -> str:
    """Which build of a role's tc programs this is: a digest of the object file."""
    return hashlib.sha256(object_path(role).read_bytes()).hexdigest()[:12]
