# SPDX-License-Identifier: Apache-2.0
"""A twin ends with what started it, however that ends, and leaves nothing behind. None of these waits for a boot."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openfex.errors import UnsupportedError, VerificationError
from openfex.machine import twin
from openfex.machine.emulated import Nvme
from openfex.machine.twin import Hardware

pytestmark = [pytest.mark.root, pytest.mark.slow]
DEADLINE_S = 30.0
LONG_BOOT = "openfex-test-twin-life"
"""A word for the kernel by which the QEMU of a test is known."""
PARENT = f"""
from openfex.machine.emulated import Nvme
from openfex.machine.twin import Hardware, twin
with twin([Nvme("ssd0")], Hardware(append="{LONG_BOOT}")):
    pass
"""


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Folders of twins are in a folder of the test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield
    tempfile.tempdir = None


def emulators() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if LONG_BOOT.encode() in words and b"-kernel" in words and not words.startswith(b"setpriv"):
            found.append(int(entry.name))
    return found


def started() -> tuple[subprocess.Popen[bytes], int]:
    """A process that waits for its twin to boot, and the twin's QEMU."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stderr=subprocess.DEVNULL)
    end = time.monotonic() + DEADLINE_S
    while not (found := emulators()):
        assert parent.poll() is None, "it ended without a twin"
        assert time.monotonic() < end, "no QEMU was started"
        time.sleep(0.02)
    return parent, found[0]


def ends(pid: int) -> bool:
    """Whether a process ends within the deadline."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], DEADLINE_S)[0])
    finally:
        os.close(handle)


def test_killed_its_process_takes_it_along_and_the_next_twin_takes_its_folder_away(tmp_path: Path) -> None:
    parent, emulator = started()
    parent.kill()
    parent.wait()
    assert ends(emulator)
    (left,) = tmp_path.glob("fex-twin-*")
    with twin._folder() as folder:
        assert list(tmp_path.glob("fex-twin-*")) == [folder]
        with twin._folder() as other:
            assert sorted(tmp_path.glob("fex-twin-*")) == sorted([folder, other]), "that of a twin that runs stays"
    assert not left.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_ctrl_c_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    parent, emulator = started()
    parent.send_signal(signal.SIGINT)
    assert parent.wait(DEADLINE_S) != 0
    assert ends(emulator)
    assert list(tmp_path.iterdir()) == []


def test_what_qemu_says_when_it_does_not_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="sriov_max_vfs") as refused, twin.twin([Nvme("ssd0", functions=300)]):
        pass
    assert refused.value.code == "qemu-failed"
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_boot_is_told_with_its_console(tmp_path: Path) -> None:
    with pytest.raises(VerificationError) as refused, twin.twin(hardware=Hardware(append="rdinit=/none root=none")):
        pass
    assert refused.value.code == "guest-not-ready"
    assert "Kernel panic" in refused.value.message
    assert list(tmp_path.iterdir()) == []
