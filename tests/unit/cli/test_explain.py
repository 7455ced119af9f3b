# SPDX-License-Identifier: Apache-2.0
"""`fex explain`."""

from __future__ import annotations

import json

import pytest

from openfex.cli.app import run
from openfex.model.documents import EXAMPLES, SPECS
from openfex.model.reader import read_documents
from openfex.model.reference import all_below, find_key, kind_example, kind_key
from openfex.plan.layout import lay_out

Said = pytest.CaptureFixture[str]
PATHS = [key.path for kind in SPECS for key in (kind_key(kind), *all_below(kind_key(kind)))]


def test_the_kinds_are_listed(capsys: Said) -> None:
    assert run(["explain"]) == 0
    told = capsys.readouterr().out
    assert [line.split()[0] for line in told.splitlines()[1 : 1 + len(SPECS)]] == list(SPECS)
    assert run(["explain", "--json"]) == 0
    assert [row["kind"] for row in json.loads(capsys.readouterr().out)] == list(SPECS)


@pytest.mark.parametrize("path", PATHS)
def test_every_key_is_explained(path: str, capsys: Said) -> None:
    assert run(["explain", path]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[0] == path
    assert not {"`", "](", "None"} & set(told.split())
    if "." in path:
        assert all(f"\n  {word} " in told for word in ("type", "default", "example"))
    assert run(["explain", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["meaning"]
    assert found["type"]
    assert found["keys"] or found["examples"]


@pytest.mark.parametrize(
    "path", ["machine.nics.NIC.mtu", "machine.nics.mtu", "machine.nics.eth0.mtu", "machine.spec.nics.eth0.mtu"]
)
def test_names_of_ones_own_may_stand_in_a_path(path: str) -> None:
    assert find_key(path).path == "machine.nics.NIC.mtu"


def test_what_is_told_of_a_key(capsys: Said) -> None:
    assert run(["explain", "profile.vlan.trunk.allowed"]) == 0
    assert capsys.readouterr().out == (
        "profile.vlan.trunk.allowed\n"
        "\n"
        "  the port takes and gets frames with these tags\n"
        "\n"
        "  type     VLANs: one VLAN, a quoted list of VLANs and ranges, a YAML list of\n"
        "           these, or all; no VLAN twice\n"
        "  default  none, it is required\n"
        '  example  allowed: "10,20-29"\n'
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("machin", "there is no kind machin (did you mean machine?) [unknown-kind]"),
        ("machine.nisc", "machine has no key nisc (did you mean nics?) [unknown-key]"),
        ("machine.nics.eth0.mut", "machine.nics.NIC has no key mut (did you mean mtu?) [unknown-key]"),
        ("machine.nics.mut", "machine.nics has no key mut (did you mean mtu?) [unknown-key]"),
        (
            "host.channel.type",
            (
                "there are no keys below host.channel "
                "(the keys are: channel, remote, agent, uplinks, device, bridge, mtu, attachment, rate, classes "
                "and 3 more)"
            ),
        ),
        ("host.x", "host has no key x (the keys are: channel, remote, agent, uplinks) [unknown-key]"),
        ("host.", "host has no key  (the keys are: channel, remote, agent, uplinks) [unknown-key]"),
    ],
)
def test_a_path_that_leads_nowhere_names_the_nearest(path: str, said: str, capsys: Said) -> None:
    assert run(["explain", path]) == 1
    assert capsys.readouterr().err.startswith(f"fex: {said}")


def test_the_schema_is_json(capsys: Said) -> None:
    assert run(["explain", "--schema"]) == 0
    assert set(json.loads(capsys.readouterr().out)["$defs"]) >= {spec.__name__ for spec in SPECS.values()}


def test_the_examples_are_a_lab() -> None:
    assert set(EXAMPLES) == set(SPECS)
    assert lay_out(read_documents("---\n".join(map(kind_example, SPECS)))).bindings


NAMES = {"BRIDGE": "sw-a", "PORT": "up0", "FABRIC": "a", "NIC": "eth0", "CLASS": "voice"}


@pytest.mark.parametrize("path", [path for path in PATHS if "." in path])
def test_every_example_of_a_key_can_be_written(path: str) -> None:
    kind, *parts, _ = path.split(".")
    key = find_key(path)
    for example in key.examples:
        text = f"{{{key.name}: {example}}}"
        for part in reversed(parts):
            text = f"[{text}]" if part == "RULE" else f"{{{NAMES.get(part, part)}: {text}}}"
        reading = read_documents(f"kind: {kind}\nname: x\nspec: {text}\n")
        assert [one for one in reading.problems if one.code != "missing-key"] == []
