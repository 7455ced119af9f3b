# SPDX-License-Identifier: Apache-2.0
"""Commands about this machine's NVMe adapters, on one in memory that keeps a controller's rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openfex.adapter.nvme import Workplace
from openfex.adapter.nvme_reading import observe
from openfex.cli import storage
from openfex.cli.app import run
from openfex.testing.nvme import ADDRESS, FakeAdapter, make_adapter

DOCUMENT = """\
kind: adapter
name: ssd0
spec:
  driver: nvme
  pfs: [nvme0]
  functions: 3
  settings:
    all: {queues: 2}
    "0": {namespaces: [1]}
    1-2: {namespaces: [4], driver: vfio-pci}
"""
Said = pytest.CaptureFixture[str]


@pytest.fixture
def adapter() -> FakeAdapter:
    return make_adapter()


@pytest.fixture
def place(adapter: FakeAdapter, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    place = adapter.workplace()
    monkeypatch.setattr(storage, "workplace", lambda: place)
    return place


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ssd0.yaml"
    path.write_text(DOCUMENT)
    return path


def told(capsys: Said, *words: str, status: int = 0) -> Any:
    assert run([*words, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_a_file_is_planned_applied_and_released(place: Workplace, file: Path, capsys: Said) -> None:
    before = observe(place.doors, ADDRESS)
    planned = told(capsys, "plan", str(file))
    assert planned["adapters"] == [ADDRESS]
    assert observe(place.doors, ADDRESS) == before
    assert told(capsys, "apply", str(file))["steps"] == planned["steps"]
    assert told(capsys, "plan", str(file))["steps"] == []
    assert told(capsys, "apply", str(file))["steps"] == []
    assert len(told(capsys, "release", str(file))["steps"]) > 3
    assert observe(place.doors, ADDRESS) == before


def test_a_plan_says_what_each_step_disturbs(place: Workplace, file: Path, capsys: Said) -> None:
    assert run(["plan", str(file)]) == 0
    assert f"{ADDRESS}: put function 2 online" in capsys.readouterr().out
    told(capsys, "apply", str(file))
    file.write_text(DOCUMENT.replace("queues: 2", "queues: 2, driver: none"))
    (step,) = (one for one in told(capsys, "plan", str(file))["steps"] if one["disturbs"])
    assert step["what"] == f"{ADDRESS}: take the driver of function 0 (nvme)"
    assert step["disturbs"] == ["function 0"]


@pytest.mark.usefixtures("place")
def test_what_cannot_be_is_told_with_its_lines(file: Path, capsys: Said) -> None:
    file.write_text(DOCUMENT.replace("queues: 2", "queues: 3").replace("[4]", "[2]"))
    for command in ("plan", "apply"):
        problems = told(capsys, command, str(file), status=1)["problems"]
        assert [(one["code"], one["line"], one["path"]) for one in problems] == [
            ("storage-overcommitted", 6, "spec.functions"),
            ("namespace-private", 10, "spec.settings.1-2"),
        ]


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("pfs: [nvme0]", "pfs: [nvme1]", "no-such-pf", 5),
        ("pfs: [nvme0]", "pfs: [{vendor: 8086}]", "no-such-pf", 5),
        ("pfs: [nvme0]", "pfs: [nvme0]\n  host: elsewhere", "host-not-here", 6),
        ("1-2:", "1-3:", "unknown-function", 10),
        ("[1]", "[5]", "no-such-namespace", 9),
        ("functions: 3", "functions: 3\n  keep: {interrupts: 5}", "storage-overcommitted", 6),
    ],
)
def test_a_problem_has_its_line(file: Path, capsys: Said, old: str, new: str, code: str, line: int) -> None:
    file.write_text(DOCUMENT.replace(old, new))
    problems = told(capsys, "plan", str(file), status=1)["problems"]
    assert (code, line) in [(one["code"], one["line"]) for one in problems]


@pytest.mark.usefixtures("place")
def test_an_adapter_is_in_one_document(file: Path, capsys: Said) -> None:
    file.write_text(f"{DOCUMENT}---\n{DOCUMENT}".replace("name: ssd0", "name: ssd1", 1).replace("nvme0", ADDRESS, 1))
    (problem,) = told(capsys, "plan", str(file), status=1)["problems"]
    assert (problem["code"], problem["line"]) == ("function-claimed-twice", 16)


def test_real_adapters_are_in_no_lab(place: Workplace, file: Path, capsys: Said) -> None:
    file.write_text(f"{DOCUMENT}---\nkind: network\nname: lab\nspec: {{bridges: {{sw-a: {{ports: [up0]}}}}}}\n")
    problems = told(capsys, "plan", str(file), status=1)["problems"]
    assert [one["code"] for one in problems] == ["real-adapter-in-lab"]


def test_what_is_there_is_shown(place: Workplace, adapter: FakeAdapter, file: Path, capsys: Said) -> None:
    (bare,) = told(capsys, "show", "storage")
    assert (bare["state"], bare["queues"], bare["note"]) == ("0 of 4 carved", "0, 8 of 8 free", "-")
    told(capsys, "apply", str(file))
    pf, *functions = told(capsys, "show", "storage")
    assert (pf["state"], pf["queues"], pf["note"]) == ("3 of 4 carved", "0, 2 of 8 free", "ours")
    assert [(one["driver"], one["namespaces"], one["disks"]) for one in functions] == [
        ("nvme", [1], ["nvme0n1"]),
        ("vfio-pci", [4], []),
        ("vfio-pci", [4], []),
    ]
    assert run(["show", "storage"]) == 0
    assert "nvme0n1" in capsys.readouterr().out


def test_what_is_in_use_is_taken_by_force_alone(
    place: Workplace, adapter: FakeAdapter, file: Path, capsys: Said
) -> None:
    told(capsys, "apply", str(file))
    adapter.users[1] = "it is mounted"
    file.write_text(DOCUMENT.replace("functions: 3", "functions: 4"))
    for command in ("plan", "apply"):
        (problem,) = told(capsys, command, str(file), status=1)["problems"]
        assert (problem["code"], problem["line"]) == ("function-in-use", 9)
    (forced,) = told(capsys, "plan", str(file), "--force")["forced"]
    assert forced["message"] == f"function 0 of {ADDRESS} would be taken away (disk nvme0n1: it is mounted)"
    assert run(["plan", str(file), "--force"]) == 0
    assert capsys.readouterr().out.startswith("forced: function 0")
    assert told(capsys, "apply", str(file), "--force")["steps"]
    assert told(capsys, "release", ADDRESS, status=1)["code"] == "function-in-use"
    assert told(capsys, "release", ADDRESS, "--force")["steps"]


def test_adapters_that_are_gone_are_forgotten(place: Workplace, file: Path, capsys: Said) -> None:
    told(capsys, "apply", str(file))
    assert storage.clear_up() == []
    found = observe(place.doors, ADDRESS)
    place.journal.write(replace(found, address="0000:09:00.0"))
    assert storage.clear_up() == ["the record of NVMe adapter 0000:09:00.0, which is gone"]
    assert place.journal.addresses() == [ADDRESS]


def test_functions_of_others_are_adopted(place: Workplace, adapter: FakeAdapter, file: Path, capsys: Said) -> None:
    adapter.count = 1
    for command in ("plan", "apply"):
        (problem,) = told(capsys, command, str(file), "--force", status=1)["problems"]
        assert (problem["code"], problem["line"]) == ("not-ours", 5)
    assert told(capsys, "show", "storage")[0]["note"] == "by others"
    assert told(capsys, "adopt", ADDRESS) == {"adapter": ADDRESS, "adopted": True}
    assert told(capsys, "adopt", ADDRESS) == {"adapter": ADDRESS, "adopted": False}
    assert told(capsys, "apply", str(file))["steps"]
    assert told(capsys, "release", ADDRESS)["steps"]
    assert adapter.count == 1
