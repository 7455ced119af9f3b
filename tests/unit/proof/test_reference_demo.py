# SPDX-License-Identifier: Apache-2.0
"""The demo on the reference engine: what a machine without root, BPF or any library shows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import openfex
from openfex.model.drops import DropReason
from openfex.model.reader import read_documents
from openfex.model.values import ChannelKind
from openfex.plan.layout import lay_out
from openfex.proof import policed, topology
from openfex.proof.claims import BOUND, CARVED
from openfex.proof.demo import ATTACHMENTS, KERNEL_ONLY, Options, main, parse, reference_proofs
from openfex.proof.policy_claims import POLICED
from openfex.proof.signalling_in_rules import SIGNALLED

SOURCE = Path(openfex.__file__).parents[1]


@pytest.mark.parametrize("kind", ChannelKind)
@pytest.mark.parametrize("bound", [False, True])
@pytest.mark.parametrize("attachment", ATTACHMENTS)
def test_the_documents_and_the_layout_by_hand_are_the_same_lab(kind: ChannelKind, bound: bool, attachment: str) -> None:
    documents = read_documents(topology.documents(kind, bound=bound, attachment=attachment))
    assert lay_out(documents) == topology.layout(kind, bound=bound, attachment=attachment)


@pytest.mark.parametrize("kind", ChannelKind)
def test_so_are_those_of_the_lab_with_policy(kind: ChannelKind) -> None:
    assert lay_out(read_documents(policed.documents(kind))) == policed.layout(kind)


@pytest.mark.parametrize("kind", ChannelKind)
@pytest.mark.parametrize("name", [*POLICED, *CARVED, *BOUND, *SIGNALLED])
def test_proof_holds_on_the_reference_engine(kind: ChannelKind, name: str) -> None:
    (proof,) = reference_proofs(Options((name,), kind))
    assert proof.ok, proof.measured


def test_the_bare_interpreter_shows_it_and_says_what_it_could_not() -> None:
    command = [sys.executable, "-S", "-B", "-m", "openfex.proof", "--engine", "reference"]
    command += ["--json", "--channel", "etag"]
    outcome = subprocess.run(command, env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True)
    found = json.loads(outcome.stdout)
    assert (found["ok"], found["engine"], found["channel"]) == (True, "reference", "etag")
    assert [proof["name"] for proof in found["proofs"]] == [*POLICED, *CARVED, *BOUND, *SIGNALLED]
    assert found["unproven"] == list(KERNEL_ONLY)


def test_a_proof_asked_for_by_name_that_cannot_be_given_is_not_a_success() -> None:
    assert main(["tcp-throughput", "--engine", "reference"]) == 1
    assert main(["carve", "--engine", "reference"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-proof"],
        ["--channel", "token-ring"],
        ["--keep", "--engine", "reference"],
        ["--attachment", "xdp", "--engine", "reference"],
    ],
)
def test_usage_errors_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(arguments)
    assert stopped.value.code == 2


def test_a_broken_engine_fails_its_proofs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proofs can fail: with the source check gone, a forged source arrives."""
    monkeypatch.setattr("openfex.rules.bridge.judge_source", lambda src, number, tables: (DropReason.NONE, False))
    (proof,) = reference_proofs(Options(("spoof-dropped",)))
    assert not proof.ok


BLIND: dict[str, Callable[..., object]] = {
    "judge_acl": lambda frame, d, at, direction, tables: d,
    "judge_guard": lambda frame, port: DropReason.NONE,
    "settle": lambda d, frame, now_ns, tables: d,
}
"""Functions of the reference engine without what they are for."""


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("acl", "openfex.rules.bridge.judge_acl"),
        ("same-profile-on-physical-port", "openfex.rules.bridge.judge_acl"),
        ("source-guard", "openfex.rules.bridge.judge_guard"),
        ("rate", "openfex.rules.engine.settle"),
    ],
)
def test_an_engine_without_policy_fails_its_proofs(monkeypatch: pytest.MonkeyPatch, name: str, place: str) -> None:
    monkeypatch.setattr(place, BLIND[place.rpartition(".")[2]])
    (proof,) = reference_proofs(Options((name,)))
    assert not proof.ok
