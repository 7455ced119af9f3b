# SPDX-License-Identifier: Apache-2.0
"""What a bridge's agent remembers, in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from openfex.bridge.change import StationMemory
from openfex.errors import InputError
from openfex.lab.agents import read_memory, write_memory
from openfex.model.values import ChannelKind
from openfex.wire.control import HostEntry

SPOKEN = StationMemory({HostEntry.KEY: HostEntry(ChannelKind.ETAG, "h1").encode()}, {}, ())
SILENT = StationMemory({}, {}, ())


def test_what_is_remembered_is_read_as_it_was(tmp_path: Path) -> None:
    write_memory(tmp_path / "m.json", {16: SPOKEN})
    assert read_memory(tmp_path / "m.json", {16: "h1"}) == {16: SPOKEN}


def test_nothing_is_remembered_of_who_has_not_spoken_is_another_or_is_no_more(tmp_path: Path) -> None:
    write_memory(tmp_path / "m.json", {16: SILENT, 17: SILENT, 18: SPOKEN, 19: SPOKEN})
    assert read_memory(tmp_path / "m.json", {16: "h1", 18: "h2"}) == {}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 1, "stations": {"16": {"held": ["zz"]}}}'])
def test_what_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_memory(path, {16: "h1"})
    assert caught.value.code == "bad-memory"


def test_another_version_s_memory_is_none(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text('{"version": 0}')
    assert read_memory(path, {16: "h1"}) == {}
