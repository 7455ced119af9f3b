# SPDX-License-Identifier: Apache-2.0
"""Records of NVMe adapters are on disk whole, and what is no record is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openfex.adapter.nvme_journal import Journal
from openfex.adapter.nvme_reading import observe
from openfex.errors import RefusedError, VerificationError
from openfex.testing.nvme import ADDRESS, make_adapter


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "storage")


def test_a_record_is_kept_and_forgotten(journal: Journal) -> None:
    before = observe(make_adapter().doors(), ADDRESS)
    assert journal.read(ADDRESS) is None
    journal.write(before)
    assert journal.read(ADDRESS) == before
    assert [one.name for one in journal.folder.iterdir()] == [f"{ADDRESS}.json"]
    assert journal.addresses() == [ADDRESS]
    journal.remove(ADDRESS)
    assert journal.addresses() == []
    assert journal.read(ADDRESS) is None


@pytest.mark.parametrize("key", ["version", "functions", "count", "queues", "namespaces"])
@pytest.mark.parametrize("value", [None, [], "x", {"flexible": "many"}, [{"nsid": 1}]])
def test_what_is_no_record_is_told(journal: Journal, key: str, value: object) -> None:
    if key in {"functions", "namespaces"} and value == []:
        return
    journal.write(observe(make_adapter().doors(), ADDRESS))
    path = journal.folder / f"{ADDRESS}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(VerificationError) as refused:
        journal.read(ADDRESS)
    assert refused.value.code == "record-unreadable"


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "\xff"])
def test_what_is_no_json_is_told(journal: Journal, text: str) -> None:
    journal.folder.mkdir()
    (journal.folder / f"{ADDRESS}.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(VerificationError):
        journal.read(ADDRESS)


def test_a_record_of_another_adapter_is_told(journal: Journal) -> None:
    journal.write(observe(make_adapter().doors(), ADDRESS))
    other = "0000:02:00.0"
    (journal.folder / f"{ADDRESS}.json").rename(journal.folder / f"{other}.json")
    with pytest.raises(VerificationError):
        journal.read(other)


def test_one_at_a_time_changes_adapters(journal: Journal) -> None:
    with journal.locked():
        with pytest.raises(RefusedError) as refused, Journal(journal.folder).locked():
            pass
        assert refused.value.code == "adapters-busy"
    with journal.locked():
        pass
