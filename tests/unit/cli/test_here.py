# SPDX-License-Identifier: Apache-2.0
"""Commands about this machine's real adapters, on one that keeps the kernel's rules."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from openfex.adapter.journal import Journal
from openfex.adapter.nvme import Workplace
from openfex.adapter.nvme_journal import Journal as NvmeJournal
from openfex.adapter.nvme_reading import Doors
from openfex.cli import here, storage
from openfex.cli.app import run
from openfex.linux.nvme import Nvme
from openfex.linux.pci import Pci
from openfex.testing.adapters import FakeAdapter, FakeHost, vf_address

PF = "0000:01:00.0"
DOCUMENT = """\
kind: adapter
name: nic0
spec:
  driver: sriov
  pfs: [eno1]
  functions: 3
  settings:
    all: {trust: false}
    0-1: {vlan: 10, purpose: web}
"""
Said = pytest.CaptureFixture[str]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHost:
    monkeypatch.setattr("os.fsync", lambda handle: None)
    host, journal = FakeHost(FakeAdapter()), Journal(tmp_path / "journal")

    @contextmanager
    def machine() -> Iterator[tuple[FakeHost, Journal]]:
        yield host, journal

    monkeypatch.setattr(here, "machine", machine)
    monkeypatch.setattr(
        storage, "workplace", lambda: Workplace(Doors(Pci(tmp_path), Nvme(tmp_path)), NvmeJournal(tmp_path))
    )
    return host


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "nic0.yaml"
    path.write_text(DOCUMENT)
    return path


def told(capsys: Said, *words: str, status: int = 0) -> Any:
    assert run([*words, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_a_file_of_real_adapters_is_planned_applied_and_released(host: FakeHost, file: Path, capsys: Said) -> None:
    plan = told(capsys, "plan", str(file))
    assert host.changes == []
    assert [step["what"] for step in plan["steps"]][:2] == [f"turn autoprobe of {PF} off", f"carve 3 functions of {PF}"]
    assert told(capsys, "apply", str(file))["steps"] == plan["steps"]
    rows = told(capsys, "show", "functions", "--here")
    assert [(row["vlan"], row["purpose"]) for row in rows] == [(10, "web"), (10, "web"), (0, None)]
    (row,) = told(capsys, "show", "adapters", "--here")
    assert (row["functions"], row["managed"]) == (3, "ours")
    assert run(["apply", str(file)]) == 0
    assert capsys.readouterr().out == "all is as wanted: nothing to do\n"
    told(capsys, "release", str(file))
    assert host.adapters[PF].numvfs == 0
    assert told(capsys, "release", "01:00.0")["steps"] == []


def test_tables_are_for_people(host: FakeHost, file: Path, capsys: Said) -> None:
    assert run(["plan", str(file)]) == 0
    assert "carve 3 functions" in capsys.readouterr().out
    assert run(["apply", str(file)]) == 0
    assert capsys.readouterr().out.endswith("steps done, and read back as wanted\n")
    assert run(["show", "functions", "--here"]) == 0
    assert f"{vf_address(PF, 2)}  eno1" in capsys.readouterr().out
    assert run(["show", "adapters", "--here"]) == 0
    assert "8086:10c9" in capsys.readouterr().out


def test_refusals_have_lines_and_are_told_at_once(host: FakeHost, file: Path, capsys: Said) -> None:
    file.write_text(DOCUMENT.replace("functions: 3", "functions: 9").replace("trust: false", "link: down, qos: 3"))
    assert run(["plan", str(file)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2].partition(":")[0] for line in said] == [f"{file}", f"{file}", f"{file}"]
    assert [line.rpartition("[")[2] for line in said] == [
        "too-many-functions]", "attribute-not-supported]", "qos-without-vlan]",
    ]  # fmt: skip
    assert f"{file}:6: adapter nic0 at spec.functions: " in said[0]
    assert f"{file}:8: adapter nic0 at spec.settings.all.link: " in said[1]


def test_functions_are_given_and_taken_back(host: FakeHost, file: Path, capsys: Said) -> None:
    told(capsys, "apply", str(file))
    function = vf_address(PF, 0)
    gift = told(capsys, "give", function, "blue", "--name", "eth0")
    assert gift == {"function": function, "to": "blue", "name": "eth0", "generation": 2}
    assert told(capsys, "release", PF, status=1)["code"] == "function-given"
    assert told(capsys, "release", function, "--generation", "1")["taken_from"] is None
    assert host.function(function).space == "blue"
    assert told(capsys, "release", function.removeprefix("0000:"))["taken_from"] == "blue"
    assert run(["release", PF, "--generation", "1"]) == 2
    assert "only a function has a generation" in capsys.readouterr().err


def test_what_others_have_carved_is_adopted(host: FakeHost, file: Path, capsys: Said) -> None:
    host.set_count(PF, 2)
    host.adapters[PF].late = host.adapters[PF].dark = 0
    assert told(capsys, "apply", str(file), status=1)["code"] == "not-ours"
    assert told(capsys, "adopt", PF)["adopted"]
    host.function(vf_address(PF, 1)).space = "blue"
    assert told(capsys, "plan", str(file), status=1)["code"] == "function-in-use"
    assert [one["code"] for one in told(capsys, "plan", str(file), "--force")["forced"]] == ["function-in-use"]
    assert run(["plan", str(file), "--force"]) == 0
    assert capsys.readouterr().out.startswith("forced: this destroys function 1 of eno1")


def test_what_is_gone_is_forgotten(host: FakeHost, file: Path, capsys: Said) -> None:
    told(capsys, "apply", str(file))
    host.adapters.clear()
    assert told(capsys, "gc")["removed"] == [f"record of {PF}, which is not here any more"]
    assert run(["gc"]) == 0
    assert capsys.readouterr().out == "nothing to forget\n"


def test_a_host_that_is_not_here(host: FakeHost, file: Path, capsys: Said) -> None:
    file.write_text(DOCUMENT.replace("  driver: sriov", "  driver: sriov\n  host: elsewhere"))
    answer = told(capsys, "plan", str(file), status=1)
    assert (answer["code"], answer["problems"][0]["line"]) == ("host-not-here", 5)


def test_this_host_may_be_named(host: FakeHost, file: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    class Name:
        nodename = "h1"

    monkeypatch.setattr(os, "uname", Name)
    file.write_text(DOCUMENT.replace("  driver: sriov", "  driver: sriov\n  host: h1"))
    assert told(capsys, "plan", str(file))["steps"]


def test_a_real_adapter_is_no_part_of_a_lab(host: FakeHost, file: Path, capsys: Said) -> None:
    lab = "kind: network\nname: lab\nspec: {bridges: {sw-a: {ports: [up0]}}}\n---\n"
    file.write_text(lab + DOCUMENT)
    answer = told(capsys, "plan", str(file), status=1)
    assert (answer["code"], answer["problems"][0]["line"]) == ("real-adapter-in-lab", 8)
    file.write_text(lab)
    assert run(["plan", str(file), "--force"]) == 2
    assert "--force is for real adapters" in capsys.readouterr().err


def test_a_file_whose_only_document_is_wrong_is_about_here_too(host: FakeHost, file: Path, capsys: Said) -> None:
    file.write_text(DOCUMENT.replace("vlan: 10", "vlan: ten"))
    answer = told(capsys, "plan", str(file), status=1)
    assert [one["code"] for one in answer["problems"]] == ["bad-vlan"]
