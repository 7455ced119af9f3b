# SPDX-License-Identifier: Apache-2.0
"""Packages as apt gives them: with the lists that it has, or else with new ones. apt is played by scripts here."""

from __future__ import annotations

from pathlib import Path

import pytest

from openfex.errors import UnsupportedError
from openfex.machine import packages

KNOWS = 'echo "Depends: base, linux-image-6.1.0-9-amd64 (= 6.1.27-1)"'
ONLY_THEN = '[ -e "$0.renewed" ] && '
UPDATE = 'case "$*" in *update*) touch "${0%/*}/apt-cache.renewed" "$0.renewed"; exit 0 ;; esac\n'


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose scripts are found before all others; each notes how it was called."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def play(apt: Path, name: str, script: str) -> None:
    path = apt / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >>"${{0%/*}}/calls"\n{script}\n')
    path.chmod(0o755)


def calls(apt: Path) -> list[str]:
    return (apt / "calls").read_text().splitlines()


def test_a_kernel_that_apt_knows_is_named_without_new_lists(apt: Path) -> None:
    play(apt, "apt-cache", KNOWS)
    play(apt, "apt-get", UPDATE)
    assert packages.newest_kernel("linux-image-amd64", ["-o", "A=b"]) == "linux-image-6.1.0-9-amd64"
    assert calls(apt) == ["apt-cache -o A=b show --no-all-versions linux-image-amd64"]


def test_one_that_apt_does_not_know_is_looked_for_in_new_lists(apt: Path) -> None:
    play(apt, "apt-cache", ONLY_THEN + KNOWS)
    play(apt, "apt-get", UPDATE)
    assert packages.newest_kernel("linux-image-amd64") == "linux-image-6.1.0-9-amd64"
    assert "apt-get --quiet update" in calls(apt)


def test_one_that_nobody_knows_is_refused(apt: Path) -> None:
    play(apt, "apt-cache", "exit 100")
    play(apt, "apt-get", UPDATE)
    with pytest.raises(UnsupportedError, match="apt-cache knows no linux-image-amd64"):
        packages.newest_kernel("linux-image-amd64")


def test_packages_are_tried_again_with_new_lists(apt: Path, tmp_path: Path) -> None:
    play(apt, "apt-get", UPDATE + ONLY_THEN + "touch it.deb")
    folder = tmp_path / "here"
    folder.mkdir()
    packages.download(["it"], folder)
    assert (folder / "it.deb").exists()
    assert calls(apt) == ["apt-get --quiet download it", "apt-get --quiet update", "apt-get --quiet download it"]


def test_what_apt_says_last_is_the_reason(apt: Path, tmp_path: Path) -> None:
    play(apt, "apt-get", UPDATE + "echo first >&2; echo E: no such package >&2; exit 100")
    with pytest.raises(UnsupportedError, match=r"^E: no such package"):
        packages.download(["it"], tmp_path)
