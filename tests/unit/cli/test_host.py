# SPDX-License-Identifier: Apache-2.0
"""`fex host`: which files it takes, and how its log reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openfex.cli.app import run
from openfex.cli.host import _write, asked_of
from openfex.errors import DocumentError, InputError, NotFoundError, RefusedError, VerificationError
from openfex.plan.schannels import wishes_for
from openfex.plan.watch import Told
from openfex.plan.wishes import joined

ROOT = Path(__file__).resolve().parents[3]


def test_documents_of_adapters_are_taken(tmp_path: Path) -> None:
    (wish,) = asked_of(str(ROOT / "examples/adapter.yaml"), None, tmp_path).wishes
    assert wish.name == "nic0"


def test_documents_of_a_network_are_taken_by_the_host_that_is_named(tmp_path: Path) -> None:
    file = str(ROOT / "examples/real-network.yaml")
    asked = asked_of(file, "h1", tmp_path)
    assert asked.layout is not None
    assert asked.layout.host("h1").remote
    assert asked_of(file, "h1", tmp_path) == asked, "what was given is kept, and given again"
    with pytest.raises(NotFoundError) as refused:
        asked_of(file, "h9", tmp_path)
    assert refused.value.code == "no-such-node"


def test_what_is_said_of_a_network_s_adapter_is_asked_for_beside_what_is_agreed_on(tmp_path: Path) -> None:
    asked = asked_of(str(ROOT / "examples/real-network.yaml"), "h1", tmp_path)
    assert asked.layout is not None
    [wish] = joined(asked.wishes, wishes_for(asked.layout, "h1"))
    assert [(one.trust, one.vlan) for _, _, one in wish.settings] == [(False, None), (None, 2), (None, 3)]
    assert (wish.functions, [pf.name for pf in wish.pfs]) == (2, ["eno1"])


def test_a_host_without_an_adapter_is_refused(tmp_path: Path) -> None:
    text = (ROOT / "examples/real-network.yaml").read_text()
    file = tmp_path / "network.yaml"
    file.write_text(text[: text.index("---\nkind: adapter")])
    with pytest.raises(InputError) as refused:
        asked_of(str(file), "h1", tmp_path)
    assert refused.value.code == "not-for-host"


@pytest.mark.parametrize("agent", [True, False])
def test_a_host_for_which_no_adapter_has_anything_to_do_is_refused_for_that(tmp_path: Path, *, agent: bool) -> None:
    """And not for having no adapter: with one it would be refused all the same."""
    text = (ROOT / "examples/real-network.yaml").read_text()
    text = text.replace("channel: schannel-q", f"agent: {str(agent).lower()}\n  channel: vepa")
    file = tmp_path / "network.yaml"
    file.write_text(text[: text.index("---\nkind: adapter")])
    with pytest.raises(RefusedError) as refused:
        asked_of(str(file), "h1", tmp_path)
    assert (refused.value.code, "schannel-q" in refused.value.remedy) == ("remote-needs-schannel", True)


def test_a_host_without_an_agent_only_keeps_its_adapter(tmp_path: Path) -> None:
    asked = asked_of(str(ROOT / "examples/real-host.yaml"), "h1", tmp_path)
    assert (asked.layout, [wish.name for wish in asked.wishes]) == (None, ["h1-nic0"])


def test_what_cannot_be_read_of_what_was_given_is_told(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("{}")
    with pytest.raises(VerificationError) as refused:
        asked_of(str(ROOT / "examples/real-network.yaml"), "h1", tmp_path)
    assert refused.value.code == "record-unreadable"


@pytest.mark.parametrize("example", ["storage", "two-hosts"])
def test_other_documents_are_refused(example: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        asked_of(str(ROOT / f"examples/{example}.yaml"), None, tmp_path)
    assert refused.value.code == "not-for-host"


def test_problems_of_documents_are_told(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    file.write_text("kind: adapter\nname: a\nspec: {driver: sriov, pfs: [eno1], functions: many}\n")
    with pytest.raises(DocumentError):
        asked_of(str(file), None, tmp_path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        asked_of("/nonexistent/host.yaml", None, tmp_path)


def test_a_line_of_the_log_is_words_or_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    told = Told("health", "0000:01:00.0", "eno1 was good\x1b[1m", {"was": ["good"], "is": ["no-carrier"]})
    _write(told, json=False)
    _write(told, json=True)
    plain, line = capsys.readouterr().out.splitlines()
    assert plain == "health: 0000:01:00.0 eno1 was good [1m"
    assert json.loads(line) == {"event": "health", "object": "0000:01:00.0", "what": told.words, **told.more}


def test_an_error_is_one_line_of_the_log_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("openfex.adapter.journal.Journal.__init__", lambda self: setattr(self, "folder", tmp_path))
    assert run(["host", "/nonexistent/host.yaml", "--json"]) == 1
    told = capsys.readouterr()
    (line,) = told.out.splitlines()
    assert (json.loads(line)["event"], json.loads(line)["code"]) == ("failed", "no-such-file")
    assert told.err == "fex: there is no file /nonexistent/host.yaml [no-such-file]\n"


@pytest.mark.parametrize("arguments", [["-"], ["x.yaml", "--wait", "-1"], ["x.yaml", "--wait", "nan"]])
def test_what_cannot_be_is_a_usage_error(arguments: list[str]) -> None:
    assert run(["host", *arguments]) == 2
