# SPDX-License-Identifier: Apache-2.0
"""Whether KVM can be used here: it is where it has really run a kernel. Else QEMU interprets (TCG).

That /dev/kvm can be opened says too little: in some virtual machines it can, and no kernel gets anywhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from openfex.machine.command_line import PROGRAM
from openfex.machine.image import CACHE, has_image, make_image

PATIENCE_S = 10.0
_FIRST_WORDS = b"Linux version"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_RUNS = "runs"


def kvm_runs(program: Sequence[str] = (PROGRAM,)) -> bool:
    """Whether a stock kernel has said its first words within ten seconds; tried once for each start of this machine.

    `program` is how the command of the QEMU begins that tries it.
    """
    known = read_answer()
    if known is None:
        known = _try_kvm(make_image().kernel, program)
        (CACHE / "kvm").write_text(f"{_boot()} {_RUNS if known else 'fails'}\n")
    return known


def find_out() -> bool | None:
    """What is known, tried first if all that it takes is here: QEMU and a kernel. None if it is not."""
    known = read_answer()
    if known is None and os.geteuid() == 0 and shutil.which(PROGRAM) and has_image():
        return kvm_runs()
    return known


def read_answer() -> bool | None:
    """What is known without trying; None if nothing is."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    try:
        boot, answer = (CACHE / "kvm").read_text().split()
    except (OSError, ValueError):
        return None
    return answer == _RUNS if boot == _boot() else None


def _boot() -> str:
    return _BOOT_ID.read_text().strip()


def _try_kvm(kernel: Path, program: Sequence[str]) -> bool:
    """Boot a kernel without a file system: it says its first words, finds nothing to start, and ends by rebooting."""
    argv = [
        *program,
        "-no-user-config",
        "-nodefaults",
        "-display",
        "none",
        "-no-reboot",
        "-accel",
        "kvm",
        "-cpu",
        "max",
    ]
    argv += ["-m", "256", "-kernel", str(kernel), "-append", "console=ttyS0 earlyprintk=ttyS0 panic=-1"]
    argv += ["-serial", "stdio"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired as late:
        return _FIRST_WORDS in (late.stdout or b"")
    return _FIRST_WORDS in done.stdout
