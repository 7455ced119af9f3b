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


ADAPTERS = """\
kind: adapter
name: low
spec: {driver: sriov, pfs: ["0000:01:00.0#0-1"], functions: 4, settings: {all: {trust: true, purpose: web}}}
---
kind: adapter
name: high
spec: {driver: sriov, pfs: ["0000:01:00.0#2-3"], functions: 4, settings: {"3": {vlan: 10}}}
"""


@pytest.fixture
def adapters(tmp_path: Path) -> str:
    path = tmp_path / "adapters.yaml"
    path.write_text(ADAPTERS)
    return str(path)


def test_documents_about_one_pf_are_one_file(adapters: str, capsys: Said) -> None:
    assert run(["export", adapters, "--to", "systemd"]) == 0
    told = capsys.readouterr()
    assert told.out == (
        "# 50-fex-low.link\n[Match]\nPath=pci-0000:01:00.0\n\n[Link]\n"
        "NamePolicy=keep kernel database onboard slot path\nAlternativeNamesPolicy=database onboard slot path\n"
        "MACAddressPolicy=persistent\nSR-IOVVirtualFunctions=4\n\n"
        "[SR-IOV]\nVirtualFunction=0\nTrust=yes\n\n[SR-IOV]\nVirtualFunction=1\nTrust=yes\n\n"
        "[SR-IOV]\nVirtualFunction=3\nVLANId=10\n"
    )
    lost = "not carried over: low: settings.0-1.purpose: web; systemd has no words for it [cannot-say]"
    assert told.err == f"fex: {adapters}: {lost}\n"


def test_what_is_exported_comes_in_again(adapters: str, tmp_path: Path, capsys: Said) -> None:
    assert run(["export", adapters, "--to", "nmstate"]) == 0
    state = tmp_path / "state.yml"
    state.write_text(capsys.readouterr().out)
    assert run(["import", str(state)]) == 0
    assert capsys.readouterr().out == (
        'kind: adapter\nname: low\nspec:\n  driver: sriov\n  pfs: ["0000:01:00.0"]\n  functions: 4\n'
        '  settings:\n    "0-1": {trust: true}\n    "3": {vlan: 10}\n'
    )


def test_files_for_programs(adapters: str, capsys: Said) -> None:
    assert run(["export", adapters, "--to", "nmstate", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], [one["name"] for one in told["files"]]) == ("nmstate", ["low.yml"])
    assert [(one["code"], one["key"], one["value"]) for one in told["notes"]] == [
        ("cannot-say", "low: settings.0-1.purpose", "web")
    ]


def test_several_files_stand_behind_their_names(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("".join(f"---\nkind: adapter\nname: {n}\nspec: {{driver: sriov, pfs: [{n}]}}\n" for n in "ab"))
    assert run(["export", str(path), "--to", "systemd"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("#")] == ["# 50-fex-a.link", "# 50-fex-b.link"]


@pytest.mark.parametrize(
    ("change", "form", "code"),
    [
        (("functions: 4, settings: {a", "functions: 5, settings: {a"), "systemd", "cannot-say"),
        (("driver: sriov", "driver: sr-iov"), "systemd", "bad-choice"),
        (("", ""), "netplan", "only-read"),
        (("", ""), "ifupdown", "unknown-format"),
    ],
)
def test_what_cannot_be_exported(adapters: str, change: tuple[str, str], form: str, code: str, capsys: Said) -> None:
    Path(adapters).write_text(ADAPTERS.replace(*change))
    assert run(["export", adapters, "--to", form]) == 1
    told = capsys.readouterr()
    assert (told.out, f"[{code}]" in told.err) == ("", True)


def test_a_lab_has_no_real_adapters(tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text("kind: profile\nname: web\nspec: {vlan: {access: 10}}\n")
    assert run(["export", str(path), "--to", "systemd"]) == 1
    assert "[nothing-to-export]" in capsys.readouterr().err
