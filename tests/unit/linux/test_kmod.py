# SPDX-License-Identifier: Apache-2.0
"""Modules of the kernel: what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from openfex.errors import UnsupportedError
from openfex.linux import kmod


@pytest.mark.parametrize("status", [0, 1])
def test_a_module_is_loaded_or_it_is_told(status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "modprobe"
    program.write_text(f'#!/bin/sh\necho first >&2; echo "FATAL: no $2" >&2; exit {status}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    if not status:
        kmod.load("vfio-pci")
        return
    with pytest.raises(UnsupportedError, match="cannot load vfio-pci: FATAL: no vfio-pci") as refused:
        kmod.load("vfio-pci")
    assert refused.value.code == "no-such-module"


def test_a_machine_without_modprobe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnsupportedError):
        kmod.load("vfio-pci")
