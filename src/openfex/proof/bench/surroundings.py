# SPDX-License-Identifier: Apache-2.0
"""What a measurement depends on beside us: the machine, and who else is at work on it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from openfex.proof.cpus import available

BUSY = 0.25
"""Of each CPU: what others may take before it is worth a word."""


def machine() -> str:
    """The machine in one line."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    virtual = ", virtual" if re.search(r"^flags\s*:.*\bhypervisor\b", text, re.MULTILINE) else ""
    system = os.uname()
    name = model[1] if model else system.machine
    return f"{system.sysname} {system.release} {system.machine}, {len(available())} CPUs ({name}{virtual})"


def load() -> float:
    """How many tasks have wanted a CPU in the last minute, on average."""
    return os.getloadavg()[0]


def is_busy() -> bool:
    """Whether others are at work here: the intervals then become wide."""
    return load() > BUSY * len(available())
