# SPDX-License-Identifier: Apache-2.0
"""KVM is used where a kernel has run, and that is tried once."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from openfex.machine import kvm
from openfex.machine.command_line import PROGRAM
from openfex.machine.image import Image


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with /dev/kvm, and a QEMU that tests write."""
    boot = tmp_path / "boot_id"
    boot.write_text("this-start\n")
    monkeypatch.setattr(kvm, "CACHE", tmp_path)
    monkeypatch.setattr(kvm, "_BOOT_ID", boot)
    monkeypatch.setattr(kvm, "make_image", lambda: Image(tmp_path / "kernel", tmp_path / "initrd"))
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def write_qemu(folder: Path, script: str) -> None:
    path = folder / PROGRAM
    path.write_text(f"#!/bin/sh\necho >>{folder}/tries\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(
    ("script", "runs"),
    [
        ("echo 'Probing EDD... ok'; echo '[0.0] Linux version 6.1'", True),
        ("echo 'Probing EDD... ok'; exec sleep 100", False),
        ("echo 'Linux version 6.1'; exec sleep 100", True),
        ("echo 'failed to set MSR' >&2; exit 134", False),
    ],
)
def test_kvm_runs_where_a_kernel_says_its_first_words(
    machine: Path, monkeypatch: pytest.MonkeyPatch, script: str, runs: bool
) -> None:
    monkeypatch.setattr(kvm, "PATIENCE_S", 0.3)
    write_qemu(machine, script)
    assert kvm.read_answer() is None
    assert kvm.kvm_runs() is runs
    assert kvm.kvm_runs() is runs
    assert kvm.read_answer() is runs
    assert (machine / "tries").read_text() == "\n", "tried once"
    (machine / "boot_id").write_text("next-start\n")
    assert kvm.read_answer() is None


def test_without_the_device_nothing_is_tried(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    write_qemu(machine, "echo Linux version")
    assert kvm.kvm_runs() is False
    assert not (machine / "tries").exists()


def test_the_doctor_tries_where_all_is_here_and_asks_once(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_qemu(machine, "echo 'Linux version 6.1'")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(kvm, "has_image", lambda: False)
    assert kvm.find_out() is None
    monkeypatch.setattr(kvm, "has_image", lambda: True)
    assert [kvm.find_out(), kvm.find_out()] == [True, True]
    assert (machine / "tries").read_text() == "\n"
