# SPDX-License-Identifier: Apache-2.0
"""Door to the kernel's modules, by the program that knows where they are and what they need."""

from __future__ import annotations

import subprocess

from openfex.errors import UnsupportedError

DEADLINE_S = 30.0


def load(name: str) -> None:
    """Load a module, or leave it if it is loaded: `modprobe NAME`. Raises UnsupportedError."""
    remedy = f"load {name}, or build a kernel that has it"
    try:
        done = subprocess.run(["modprobe", "--", name], capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise UnsupportedError(f"cannot load {name}: {cause}", code="no-such-module", remedy=remedy) from cause
    if done.returncode:
        said = done.stderr.strip().splitlines()
        message = f"cannot load {name}: {said[-1] if said else f'modprobe ended with {done.returncode}'}"
        raise UnsupportedError(message, code="no-such-module", remedy=remedy)
