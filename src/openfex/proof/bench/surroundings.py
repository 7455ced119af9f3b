# SPDX-License-Identifier: Apache-2.0
"""What a measurement depends on beside us: the machine, and who else is at work on it."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from openfex.proof.cpus import available

LOOK_S = 0.5
BUSY = 0.1
"""Share of all CPUs' time that others may take before it is worth a word."""


def machine() -> str:
    """The machine in one line."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    virtual = ", virtual" if re.search(r"^flags\s*:.*\bhypervisor\b", text, re.MULTILINE) else ""
    system = os.uname()
    name = model[1] if model else system.machine
    return f"{system.sysname} {system.release} {system.machine}, {len(available())} CPUs ({name}{virtual})"


def busy_share() -> float:
    """What part of the CPUs' time others take, seen for LOOK_S seconds in which we do nothing."""
    before = _ticks()
    time.sleep(LOOK_S)
    passed = [now - then for now, then in zip(_ticks(), before, strict=True)]
    return sum(passed[:3] + passed[5:]) / max(sum(passed), 1)


def _ticks() -> list[int]:
    """What each CPU state has had so far (proc(5)); the fourth and the fifth are idle, and idle while one reads."""
    first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    return [int(word) for word in first.split()[1:9]]
