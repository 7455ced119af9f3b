# SPDX-License-Identifier: Apache-2.0
"""The compiled BPF objects that the package carries."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from openfex.errors import NotFoundError

FOLDER = Path(__file__).parent / "objects"
PROGRAMS = {"extender": ("extender_up", "extender_down"), "bridge": ("bridge_in", "bridge_start_ageing")}
"""The tc programs of each role that are pinned."""
XDP_PROGRAMS = {"extender": ("xdp_extender_up", "xdp_extender_down"), "bridge": ("xdp_bridge_in",)}
"""The XDP programs that stand beside them, on devices that are asked to have them."""
TRACE_PROGRAMS = {
    "extender": ("trace_extender_up", "trace_extender_down"),
    "bridge": ("trace_bridge_in", "trace_bridge_copy"),
}
"""Programs that only say what the others would do; loaded by who asks, and never attached."""
TAP_PROGRAM = "xdp_tap"
"""Stands before one of these for as long as somebody listens."""
ATTACHMENTS = ("tc", "xdp")
BUILDS = (*ATTACHMENTS, "trace")
"""What there is an object of, for each role."""


def object_path(role: str, attachment: str = "tc", *, test: bool = False) -> Path:
    """The object file of a role and attachment; `test` is the build that exports decisions. Raises NotFoundError."""
    path = FOLDER / f"{role}_{attachment}{'.test' if test else ''}.bpf.o"
    if not path.exists():
        remedy = "run `python bpf/build.py`, or install openfex from a wheel"
        raise NotFoundError(f"the compiled program {path.name} is missing", code="no-bpf-objects", remedy=remedy)
    return path


@cache
def build_of(role: str) -> str:
    """Which build of a role's programs this is: a digest of the object files."""
    octets = (object_path(role, attachment).read_bytes() for attachment in ("tc", "xdp"))
    return hashlib.sha256(b"".join(octets)).hexdigest()[:12]
