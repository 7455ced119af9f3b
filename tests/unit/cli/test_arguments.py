# SPDX-License-Identifier: Apache-2.0
"""What commands have in common: FILE, names, and whose dashes are whose."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from openfex.cli.arguments import lab_name, read_text, shield_command, wants_json
from openfex.errors import InputError, NotFoundError


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("lab exec vm1 ls --help", "lab exec vm1 -- ls --help"),
        ("lab exec vm1 -- ls -l", "lab exec vm1 -- ls -l"),
        ("lab exec vm1 sh -c x -- y", "lab exec vm1 -- sh -c x -- y"),
        ("lab exec vm1 -- -- y", "lab exec vm1 -- -- y"),
        ("lab exec --lab two vm1 ls --lab three", "lab exec --lab two vm1 -- ls --lab three"),
        ("lab exec --lab=two vm1 ls --json", "lab exec --lab=two vm1 -- ls --json"),
        ("lab exec -- vm1 ls -l", "lab exec vm1 -- ls -l"),
        ("lab exec --help", "lab exec --help"),
        ("lab exec", "lab exec"),
        ("lab exec vm1", "lab exec vm1 --"),
        ("lab exec --lab", "lab exec --lab"),
        ("lab up -", "lab up -"),
        ("show ports --json", "show ports --json"),
    ],
)
def test_what_follows_machine_belongs_to_the_command(given: str, wanted: str) -> None:
    assert shield_command(given.split()) == wanted.split()


def test_only_our_own_json_counts() -> None:
    assert wants_json(["show", "ports", "--json"])
    assert not wants_json(["show", "ports"])
    assert not wants_json(shield_command(["lab", "exec", "vm1", "ip", "--json", "link"]))


def test_a_file_is_read_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text("kind: x\n", encoding="utf-8")
    assert read_text(str(file)) == ("kind: x\n", str(file))
    monkeypatch.setattr("sys.stdin", io.StringIO("kind: y\n"))
    assert read_text("-") == ("kind: y\n", "standard input")


def test_a_file_that_cannot_be_read_is_refused_with_a_code(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as missing:
        read_text(str(tmp_path / "nowhere"))
    assert missing.value.code == "no-such-file"
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for file in (tmp_path, binary):
        with pytest.raises(InputError) as bad:
            read_text(str(file))
        assert bad.value.code == "bad-file"


@pytest.mark.parametrize("name", ["", "*", "..", ".", "/etc", "a/b", "x[y]", "-x", "x-", "a b", "a_b", "L", "a" * 41])
def test_what_names_more_than_a_lab_is_no_name(name: str) -> None:
    with pytest.raises(InputError) as bad:
        lab_name(name)
    assert bad.value.code == "bad-name"


@pytest.mark.parametrize("name", ["lab", "two-2", "2", "a" * 40])
def test_names_are_names(name: str) -> None:
    assert lab_name(name) == name
