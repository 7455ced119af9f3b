# SPDX-License-Identifier: Apache-2.0
"""Virtual machines as QEMU processes: starting and ending them, and finding those that are ours. Decides nothing.

A QEMU lives in the name space of its host, where the TAPs are that it opens. It outlives every process of ours, and is
known again by its arguments alone.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from openfex.errors import NotFoundError, UnsupportedError, VerificationError
from openfex.linux import netns
from openfex.linux.border import crossing
from openfex.machine.command_line import PROGRAM, SERIAL_LOG, Hardware, read_command, write_command
from openfex.machine.image import make_image
from openfex.machine.kvm import kvm_runs
from openfex.plan.objects import GuestSpec

READY = b"openfex: guest ready"
"""What a guest says on its console when its NICs are up."""
PANIC = b"Kernel panic"
START_S = 30.0
END_S = 10.0
LOOK_S = 0.05
TAIL_LINES = 30


@dataclass(frozen=True, slots=True)
class Process:
    """A QEMU of ours that runs, and what it was started with. A NIC whose TAP it has lost has no device."""

    pid: int
    name: str
    netns: str
    spec: GuestSpec


def check_program() -> None:
    """Raises UnsupportedError if there is no QEMU."""
    if shutil.which(PROGRAM) is None:
        raise UnsupportedError(
            "QEMU is not installed, which virtual machines need",
            code="no-qemu",
            remedy="apt-get install --no-install-recommends qemu-system-x86",
        )


def find_all(prefix: str) -> list[Process]:
    """The guests whose names begin with `prefix`, those in a name space without a name included."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            process = _read_process(folder, prefix)
        except OSError:  # it ended meanwhile
            continue
        if process:
            found.append(process)
    return found


def _read_process(folder: Path, prefix: str) -> Process | None:
    argv = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    told = read_command(argv)
    if told is None or not told[0].startswith(prefix) or folder.stat().st_uid != os.geteuid():
        return None
    name, spec = told
    taps = _taps(folder)
    nics = tuple(nic if nic.device in taps else replace(nic, device="") for nic in spec.nics)
    pid = int(folder.name)
    return Process(pid, name, netns.of_process(pid), replace(spec, nics=nics))


def _taps(process: Path) -> set[str]:
    """The TAPs that a process has open; one that was deleted is none any more."""
    found = set()
    for one in (process / "fdinfo").iterdir():
        with suppress(FileNotFoundError):  # it opens and closes files while we look
            words = [line.split() for line in one.read_text().splitlines() if line.startswith("iff:")]
            found |= {parts[1] for parts in words if len(parts) == 2}
    return found


def start(name: str, spec: GuestSpec, space: str, folder: Path) -> None:
    """Start a guest in a name space. Raises UnsupportedError with what QEMU says if it does not start."""
    hardware = _hardware(spec)
    with crossing(f"make {folder}"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
    argv = write_command(name, spec, hardware, folder)
    try:
        done = netns.run(space, argv, stdin=subprocess.DEVNULL, timeout=START_S, start_new_session=True)
    except subprocess.TimeoutExpired as cause:
        raise UnsupportedError(f"QEMU did not start within {START_S:.0f} s", code="qemu-failed") from cause
    if done.returncode:
        raise UnsupportedError(f"QEMU did not start: {done.stderr.strip()}", code="qemu-failed")


def _hardware(spec: GuestSpec) -> Hardware:
    image = make_image()
    hardware = Hardware("kvm" if kvm_runs() else "tcg", image.kernel, image.initrd)
    if spec.kernel:
        hardware = replace(hardware, kernel=Path(spec.kernel))
    if spec.image:
        hardware = replace(hardware, initrd=Path(spec.image))
    for path in (hardware.kernel, hardware.initrd):
        if not path.is_file():
            raise NotFoundError(f"there is no file {path} to boot from", code="no-such-file")
    return hardware


def stop(pid: int) -> None:
    """End a guest at once, as pulling the plug does; it has nothing to write back. Idempotent."""
    with crossing(f"end process {pid}"), _watched(pid) as (handle, ended):
        if handle is not None:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            ended.poll(END_S * 1000)


def wait_ready(pid: int, name: str, folder: Path, deadline_s: float) -> None:
    """Wait until a guest says that it is ready. Raises VerificationError with the end of its console."""
    log, end = folder / SERIAL_LOG, time.monotonic() + deadline_s
    with crossing(f"watch process {pid}"), _watched(pid) as (handle, ended):
        while READY not in _read_log(log):
            what = ""
            if time.monotonic() >= end:
                what = f"did not say within {deadline_s:.0f} s that it is ready"
            elif handle is None or ended.poll(LOOK_S * 1000):
                what = "ended while it booted"
            said = _read_log(log)  # what it said last before it ended
            if PANIC in said:
                what = "does not boot"
            if what:
                tail = "\n".join(said.decode(errors="replace").splitlines()[-TAIL_LINES:]) or "(nothing)"
                message = f"guest {name} {what}; the end of its console:\n{tail}"
                raise VerificationError(message, code="guest-not-ready")


def _read_log(log: Path) -> bytes:
    return log.read_bytes() if log.exists() else b""


@contextmanager
def _watched(pid: int) -> Iterator[tuple[int | None, select.poll]]:
    """A handle on a process, None if it is gone, and a poll that wakes when it ends."""
    ended = select.poll()
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None, ended
        return
    try:
        ended.register(handle, select.POLLIN)
        yield handle, ended
    finally:
        os.close(handle)
