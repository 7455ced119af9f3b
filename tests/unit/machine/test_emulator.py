# SPDX-License-Identifier: Apache-2.0
"""Which QEMU emulates adapters: this machine's own, or a newer one beside it. QEMU, apt and dpkg are scripts here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openfex.errors import UnsupportedError
from openfex.machine import image, suites
from openfex.machine.command_line import PROGRAM
from openfex.machine.emulator import Emulator, has_emulator, major_version, make_emulator


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose programs are in `bin`, with a cache of its own."""
    (tmp_path / "bin").mkdir()
    for name in ("env", "mkdir", "cp", "touch"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(image, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(suites, "read_release", lambda: "old")

    @contextmanager
    def options_for(suite: str, *, beside: bool = False) -> Iterator[list[str]]:
        yield ["-o", f"suite={suite},{beside}"]

    monkeypatch.setattr(suites, "options_for", options_for)
    return tmp_path


def play(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def qemu(version: str) -> str:
    return f"echo 'QEMU emulator version {version} (Debian)'"


def play_debian(here: Path, version: str) -> None:
    """Packages of that version: apt-get notes how it was called, dpkg-deb unpacks a QEMU and a library."""
    fetch = 'for word; do case $word in Dir::Cache::archives=*) touch "${word#*=}/it.deb" ;; esac; done'
    play(here / "bin/apt-get", f'echo "$*" >>{here}/calls\n{fetch}')
    play(here / "packed", qemu(version))
    unpack = (
        f'mkdir -p "$3/usr/bin" "$3/usr/lib/triplet" "$3/usr/share/seabios"; cp {here}/packed "$3/usr/bin/{PROGRAM}"'
    )
    play(here / "bin/dpkg-deb", f'{unpack}; touch "$3/usr/lib/triplet/libit.so.1"')


@pytest.mark.parametrize(
    ("said", "version"),
    [("QEMU emulator version 7.2.22 (Debian 1:7.2)", 7), ("QEMU emulator version 10.0.2\n", 10), ("", 0), ("what?", 0)],
)
def test_the_version_that_it_says(said: str, version: int) -> None:
    assert major_version(said) == version


def test_the_machines_own_is_taken_if_it_is_new_enough(here: Path) -> None:
    play(here / f"bin/{PROGRAM}", qemu("8.0.0"))
    assert has_emulator()
    assert make_emulator() == Emulator((PROGRAM,))
    assert not (here / "cache").exists()


@pytest.mark.parametrize("own", [qemu("7.2.22"), "exit 1", ""])
def test_else_a_newer_one_is_unpacked_once_and_found_by_its_folders(here: Path, own: str) -> None:
    if own:
        play(here / f"bin/{PROGRAM}", own)
    play_debian(here, "10.0.2")
    assert not has_emulator()
    made = make_emulator()
    root = here / "cache/qemu-old-backports"
    libraries = ("env", f"LD_LIBRARY_PATH={root}/usr/lib/triplet")
    assert made.argv == (*libraries, f"{root}/usr/bin/{PROGRAM}", "-L", f"{root}/usr/share/seabios")
    calls = (here / "calls").read_text().splitlines()
    assert calls[-1].startswith("-o suite=old-backports,True")
    assert "--download-only --no-install-recommends --target-release old-backports" in calls[-1]
    assert has_emulator()
    assert make_emulator() == made
    assert (here / "calls").read_text().splitlines() == calls, "nothing was asked for again"


def test_one_that_does_not_start_any_more_is_unpacked_again(here: Path) -> None:
    play_debian(here, "10.0.2")
    made = make_emulator()
    play(here / f"cache/qemu-old-backports/usr/bin/{PROGRAM}", "echo no library >&2; exit 127")
    assert not has_emulator()
    assert make_emulator() == made
    assert has_emulator()


def test_where_none_can_be_had_it_says_what_would_help(here: Path) -> None:
    play_debian(here, "7.2.0")
    with pytest.raises(UnsupportedError) as refused:
        make_emulator()
    assert refused.value.code == "no-new-qemu"
    assert "old-backports" in refused.value.remedy
    assert [one.name for one in (here / "cache").iterdir()] == ["lock"]


def test_a_download_that_fails_says_why(here: Path) -> None:
    play(here / "bin/apt-get", "echo E: no network >&2; exit 100")
    with pytest.raises(UnsupportedError, match="E: no network"):
        make_emulator()
