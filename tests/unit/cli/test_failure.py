# SPDX-License-Identifier: Apache-2.0
"""How errors are told."""

from __future__ import annotations

import json

import pytest

from openfex.cli.failure import as_error, lines_of, misused, refuse
from openfex.errors import DocumentError, InternalError, KernelError, Problem, RefusedError

PROBLEMS = [
    Problem("bad-vlan", "profile web", "5000 is not a VLAN id", "1 to 4094", "lab.yaml", 7, "spec.vlan.access"),
    Problem("unknown-host", "adapter nic0", "there is no host h9", "", "lab.yaml", 12, "spec.host"),
]


def test_an_error_is_one_line_with_remedy_and_code() -> None:
    error = RefusedError("2 labs are up", code="which-lab", remedy="say which with --lab")
    assert lines_of(error) == ["fex: 2 labs are up (say which with --lab) [which-lab]"]
    assert lines_of(InternalError("a bug")) == ["fex: a bug [internal]"]


def test_every_problem_of_a_document_has_its_line() -> None:
    assert lines_of(DocumentError(PROBLEMS)) == [
        "fex: lab.yaml:7: profile web at spec.vlan.access: 5000 is not a VLAN id; 1 to 4094 [bad-vlan]",
        "fex: lab.yaml:12: adapter nic0 at spec.host: there is no host h9 [unknown-host]",
    ]


def test_a_refusal_goes_to_stderr_and_as_json_to_stdout_too(capsys: pytest.CaptureFixture[str]) -> None:
    error = DocumentError(PROBLEMS)
    assert refuse(error, json=False) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 2
    assert refuse(error, json=True) == 1
    assert json.loads(capsys.readouterr().out) == error.describe()


def test_misuse_is_two_and_says_where_help_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert misused("Unknown option", "fex lab up", json=True) == 2
    said = capsys.readouterr()
    assert said.err == "fex: Unknown option (`fex lab up --help` says how) [usage]\n"
    assert json.loads(said.out)["code"] == "usage"


def test_what_the_system_refuses_becomes_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    refused = as_error(PermissionError(13, "Permission denied", "/run/openfex"))
    assert lines_of(refused) == ["fex: /run/openfex: Permission denied (run it as root) [not-permitted]"]
    full = as_error(OSError(28, "No space left on device"))
    assert isinstance(full, KernelError)
    assert (full.code, full.errno) == ("system-refused", 28)
