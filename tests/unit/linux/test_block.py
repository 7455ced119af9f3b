# SPDX-License-Identifier: Apache-2.0
"""Octets past the cache, and who has a block device open; on files, which Linux treats the same way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openfex.errors import InputError, KernelError
from openfex.linux import block
from openfex.linux.block import PIECE


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(3 * PIECE))
    pieces = [os.urandom(PIECE), os.urandom(PIECE)]
    assert block.write_direct(str(path), pieces) == 2 * PIECE
    assert list(block.read_direct(str(path), 2 * PIECE)) == pieces
    assert path.read_bytes() == b"".join(pieces) + bytes(PIECE)


def test_a_piece_is_1_mib(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.touch()
    with pytest.raises(InputError) as refused:
        block.write_direct(str(path), [b"x"])
    assert refused.value.code == "bad-piece"


def test_a_disk_that_ends_too_soon_is_told(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(PIECE))
    with pytest.raises(KernelError, match="ended"):
        list(block.read_direct(str(path), 2 * PIECE))


def test_a_disk_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(KernelError):
        list(block.read_direct(str(tmp_path / "disk"), PIECE))
    assert block.user(tmp_path / "disk") == ""


def test_whoever_has_it_open_is_named(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.touch()
    assert block.user(path) == ""
    with path.open("rb"):
        assert block.user(path) == f"process {os.getpid()} has it open"
