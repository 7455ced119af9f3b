# SPDX-License-Identifier: Apache-2.0
"""What is said of bad documents, to the letter. The cases are in tests/data/problems."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openfex.errors import DocumentError
from openfex.model.reader import read_documents
from openfex.plan.allotment import Allotment, Seat
from openfex.plan.layout import lay_out
from tests.unit.plan.problems import FOLDER, Case, cases, completed, told

CASES = [(path, case) for path in sorted(FOLDER.glob("*.txt")) for case in cases(path)]


def test_the_documents_behind_the_cases_are_good() -> None:
    assert told(completed("")) == []


@pytest.mark.parametrize(("path", "case"), CASES, ids=[f"{path.stem}: {case.title}" for path, case in CASES])
def test_what_is_said(path: Path, case: Case) -> None:
    assert case.expected, f"{path.name} does not say what is expected"
    assert told(completed(case.text)) == list(case.expected)


def test_there_are_many_kinds_of_problems() -> None:
    codes = {re.sub(r".* \[(.*)\]$", r"\1", line) for _, case in CASES for line in case.expected}
    assert len(CASES) >= 60
    assert len(codes) >= 30


def test_a_problem_says_where_it_is_without_a_file_too() -> None:
    assert told("kind: [a", file="") == ["fex: line 1:7: YAML: the bracket is not closed with ]; close it [bad-yaml]"]


def test_an_empty_text_is_one_problem() -> None:
    for text in ("", "# nothing\n", "---\n---\n"):
        assert told(text) == ["fex: lab.yaml: documents: there are none; write some, or copy an example [no-documents]"]


def test_anchors_merges_directives_and_line_ends_are_yaml() -> None:
    text = completed("").replace("kind: profile\nname: web", "kind: profile\nname: &name web")
    text += """---
kind: machine
name: vm1
spec:
  host: h1
  nics:
    eth0: &nic {profile: web, mtu: 9000}
    eth1: {<<: *nic, mtu: 1500}
    eth2: *nic
"""
    for written in (text, text.replace("\n", "\r\n"), "%YAML 1.2\n---\n" + text, "\ufeff" + text):
        layout = lay_out(read_documents(written))
        assert [one.mtu for one in layout.bindings] == [9000, 1500, 9000]


def test_a_problem_in_what_was_merged_is_found_where_it_is_written() -> None:
    text = """kind: machine
name: vm1
spec:
  host: h1
  nics:
    eth0: &nic
      profile: wbe
    eth1:
      <<: *nic
"""
    assert [line.split(": ")[1] for line in told(completed(text))] == ["lab.yaml:7", "lab.yaml:7"]


def test_taps_do_not_take_the_name_of_the_nic() -> None:
    text = """kind: adapter
name: h1-nic0
spec: {host: h1, model: vic-1280, functions: 4, backing: tap}
---
kind: machine
name: vm1
spec: {host: h1, type: host, nics: {eth0: {profile: web}}}
---
kind: machine
name: vm2
spec: {host: h1, type: host, nics: {eth0: {profile: web}, up-a: {profile: web}}}
"""
    assert told(completed(text)) == []


def test_a_nic_is_judged_on_the_uplink_that_it_has() -> None:
    """A lab keeps a NIC on its fabric, also when its host is given another uplink in front of that one."""
    text = """kind: host
name: h1
spec: {channel: vntag, uplinks: {a: {device: up-a, bridge: sw-a, mtu: 1600}, b: {device: up-b, bridge: sw-b}}}
---
kind: machine
name: vm1
spec: {host: h1, nics: {eth0: {profile: web, mtu: 9000}}}
"""
    held = Allotment(nics={"vm1/eth0": Seat("h1-nic0/0", "b", "up0")})
    assert lay_out(read_documents(completed(text)), held).bindings[0].uplink.fabric == "b"
    assert [line.rpartition(" ")[2] for line in told(completed(text))] == ["[mtu-too-large]"]


def test_what_can_only_be_seen_when_laying_out_is_a_problem_too() -> None:
    """There are enough functions, but the host itself has the one that a name space could hold."""
    text = """kind: adapter
name: h2-nic0
spec: {host: h2, model: bcm-8, functions: 1}
---
kind: adapter
name: h2-tap0
spec: {host: h2, model: bcm-8, functions: 1, backing: tap}
---
kind: machine
name: own
spec: {host: h2, type: host, nics: {data0: {profile: web}}}
---
kind: machine
name: vm1
spec: {host: h2, nics: {eth0: {profile: web}}}
"""
    (line,) = told(completed(text))
    assert line == (
        "fex: lab.yaml:15: machine vm1 at spec.nics.eth0: host h2 has no free NIC function that a name space can hold; "
        "carve more, or name the functions of the host's own NICs [no-free-function]"
    )


def test_who_has_a_function_is_not_the_one_that_finds_none() -> None:
    text = """kind: machine
name: new
spec: {host: h2, nics: {eth0: {profile: web}}}
---
kind: machine
name: old
spec: {host: h2, nics: {eth0: {profile: web}, eth1: {profile: web}}}
"""
    held = Allotment(nics={f"old/eth{number}": Seat(f"h2-nic0/{number}", "a", "up0") for number in range(2)})
    with pytest.raises(DocumentError) as refused:
        lay_out(read_documents(completed(text)), held)
    assert [(one.subject, one.code) for one in refused.value.problems] == [("machine new", "no-free-function")]
    assert "machine old at spec.nics.eth1" in told(completed(text))[0]


def test_who_comes_from_another_host_takes_nobodys_function() -> None:
    """Also if it is written first, and has had a function there."""
    text = """kind: machine
name: moved
spec: {host: h2, nics: {eth0: {profile: web}}}
---
kind: machine
name: old
spec: {host: h2, nics: {eth0: {profile: web}}}
"""
    held = Allotment(nics={"moved/eth0": Seat("h1-nic0/0", "a", "up0"), "old/eth0": Seat("h2-nic0/0", "a", "up0")})
    layout = lay_out(read_documents(completed(text)), held)
    assert [one.function.name for one in layout.bindings] == ["h2-nic0/1", "h2-nic0/0"]
