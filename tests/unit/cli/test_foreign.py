# SPDX-License-Identifier: Apache-2.0
"""`fex import`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openfex.cli.app import run

Said = pytest.CaptureFixture[str]
LINK = "[Match]\nName=eno1\n[Link]\nSR-IOVVirtualFunctions=4\nMTUBytes=9000\n[SR-IOV]\nVirtualFunction=1\nVLANId=5\n"
STATE = (
    "interfaces:\n- {name: a, ethernet: {sr-iov: {total-vfs: 2}}}\n- {name: b, ethernet: {sr-iov: {total-vfs: 3}}}\n"
)


@pytest.fixture
def link(tmp_path: Path) -> str:
    path = tmp_path / "10-eno1.link"
    path.write_text(LINK)
    return str(path)


def test_documents_on_stdout_and_what_is_lost_on_stderr(link: str, capsys: Said) -> None:
    assert run(["import", link]) == 0
    told = capsys.readouterr()
    assert told.out == (
        "kind: adapter\nname: eno1\nspec:\n  driver: sriov\n  pfs: [eno1]\n  functions: 4\n"
        '  settings:\n    "1": {vlan: 5}\n'
    )
    lost = "not carried over: [Link] MTUBytes: 9000; it is the MTU of the PF itself [other-subject]"
    assert told.err == f"fex: {link}:5: {lost}\n"


def test_for_programs(link: str, capsys: Said) -> None:
    assert run(["import", link, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    spec = {"driver": "sriov", "pfs": ["eno1"], "functions": 4, "settings": {"1": {"vlan": 5}}}
    assert told == {
        "format": "systemd",
        "documents": [{"kind": "adapter", "name": "eno1", "spec": spec}],
        "notes": [
            {
                "code": "other-subject",
                "key": "[Link] MTUBytes",
                "value": "9000",
                "why": "it is the MTU of the PF itself",
                "line": 5,
            }
        ],
    }


def test_several_documents_are_one_text(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "state"
    path.write_text(STATE)
    assert run(["import", str(path)]) == 0
    assert [one.splitlines()[1] for one in capsys.readouterr().out.split("---\n")] == ["name: a", "name: b"]


def test_a_format_that_is_named_is_not_looked_for(link: str, capsys: Said) -> None:
    assert run(["import", link, "--from", "networkmanager"]) == 1
    assert "[nothing-to-import]" in capsys.readouterr().err
    assert run(["import", link, "--from", "network-manager"]) == 1
    assert "did you mean networkmanager?) [unknown-format]" in capsys.readouterr().err


def test_bad_lines_are_told_with_their_numbers(link: str, capsys: Said) -> None:
    Path(link).write_text(f"{LINK}\x1b[31m red\n")
    assert run(["import", link]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    said = "systemd at ?[31m red: is neither a section nor KEY=VALUE in one; comment it out with # [bad-line]"
    assert told.err == f"fex: {link}:9: {said}\n"
