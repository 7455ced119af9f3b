# SPDX-License-Identifier: Apache-2.0
"""The guest's image: an archive as the kernel unpacks it, and the drivers in an order they can be loaded in."""

from __future__ import annotations

import lzma
import stat
from pathlib import Path

import pytest

from openfex.errors import UnsupportedError
from openfex.machine import cpio, image, modules


def read_archive(octets: bytes) -> list[tuple[str, int, bytes]]:
    """The format told a second time, from its description: header, name, content, each to a multiple of four."""
    found: list[tuple[str, int, bytes]] = []
    at = 0
    while True:
        assert octets[at : at + 6] == b"070701"
        fields = [int(octets[at + 6 + 8 * index : at + 14 + 8 * index], 16) for index in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = octets[at + 110 : at + 110 + length]
        at += -(-(110 + length) // 4) * 4
        assert name.endswith(b"\0")
        if name == b"TRAILER!!!\0":
            return found
        found.append((name[:-1].decode(), mode, octets[at : at + size]))
        at += -(-size // 4) * 4


def test_an_archive_holds_what_was_put_in() -> None:
    entries = [cpio.folder("bin"), cpio.file("bin/it", b"12345", executable=True), cpio.link("bin/sh", "it")]
    assert read_archive(cpio.archive(entries)) == [
        ("bin", stat.S_IFDIR | 0o755, b""),
        ("bin/it", stat.S_IFREG | 0o755, b"12345"),
        ("bin/sh", stat.S_IFLNK | 0o777, b"it"),
    ]


def test_drivers_come_after_what_they_need(tmp_path: Path) -> None:
    def module(name: str, *before: str) -> Path:
        content = b"\x7fELF\0license=GPL\0depends=" + ",".join(before).encode() + b"\0name=" + name.encode() + b"\0"
        path = tmp_path / f"{name}.ko"
        path.write_bytes(content)
        return path

    files = {"net": module("net", "ring", "base"), "ring": module("ring"), "base": module("base", "ring")}
    packed = tmp_path / "more-over.ko.xz"
    packed.write_bytes(lzma.compress(module("x", "net", "built-in").read_bytes()))
    files["more_over"] = packed
    assert modules.load_order(["more_over", "net", "not_a_module"], files) == ["ring", "base", "net", "more_over"]


def test_without_packages_it_says_which_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnsupportedError) as refused:
        image.make_image()
    assert refused.value.code == "no-guest-image"
    assert image.KERNEL_PACKAGE in refused.value.remedy
    assert not list((tmp_path / "cache").glob("guest-*"))


def test_what_was_made_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing can be downloaded any more; and half an image is none."""
    monkeypatch.setattr(image, "CACHE", tmp_path)
    built: list[Path] = []

    def build(packages: Path, folder: Path) -> None:
        built.append(folder)
        if len(built) == 1:
            raise UnsupportedError("interrupted")
        (folder / "kernel").write_bytes(b"k")
        (folder / "initrd").write_bytes(b"i")

    monkeypatch.setattr(image, "_download", lambda folder: None)
    monkeypatch.setattr(image, "_build", build)
    with pytest.raises(UnsupportedError):
        image.make_image()
    made = image.make_image()
    assert image.make_image() == made
    assert made.kernel.read_bytes() == b"k"
    assert len(built) == 2
    assert [one.name for one in tmp_path.glob("new-*")] == []
