# SPDX-License-Identifier: Apache-2.0
"""Which format a text is in, and what is said of its keys."""

from __future__ import annotations

import pytest

from openfex.errors import DocumentError, InputError, NotFoundError
from openfex.formats.catalogue import FORMATS, find_format, recognise
from openfex.formats.report import CODES


@pytest.mark.parametrize(
    ("text", "file", "name"),
    [
        ("", "10-eno1.link", "systemd"),
        ("", "10-eno1.network", "systemd"),
        ("", "eno1.nmconnection", "networkmanager"),
        ("# x\n[Match]\nName=a\n", "", "systemd"),
        ("[SR-IOV]\n", "", "systemd"),
        ("[connection]\nid=a\n", "x.txt", "networkmanager"),
        ("[sriov]\n", "", "networkmanager"),
        ("network: {version: 2}\n", "", "netplan"),
        ("---\ninterfaces: []\n", "", "nmstate"),
        ('{"interfaces": []}', "", "nmstate"),
        ("apiVersion: v1\n---\napiVersion: sriovnetwork.openshift.io/v1\n", "", "sriov-network-operator"),
        ("items: [{apiVersion: sriovnetwork.openshift.io/v1}]\n", "", "sriov-network-operator"),
    ],
)
def test_formats_are_recognised(text: str, file: str, name: str) -> None:
    assert recognise(text, file).name == name


@pytest.mark.parametrize("text", ["", "hello", "a: b", "- a\n", "[x]\ny=1\n", "kind: host\nname: h1\nspec: {}\n"])
def test_what_is_of_no_known_format_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        recognise(text, "some.file")
    assert refused.value.code == "unknown-format"
    assert "some.file" in refused.value.message


def test_of_broken_yaml_the_fault_is_told() -> None:
    with pytest.raises(DocumentError) as refused:
        recognise("a: {b\n")
    assert refused.value.code == "bad-yaml"


def test_a_misspelt_format_names_the_nearest() -> None:
    with pytest.raises(NotFoundError) as refused:
        find_format("nmstat")
    assert (refused.value.code, refused.value.remedy) == ("unknown-format", "did you mean nmstate?")


@pytest.mark.parametrize("name", FORMATS)
def test_every_key_is_something_here_or_has_a_reason(name: str) -> None:
    for key in FORMATS[name].keys:
        assert bool(key.ours) != bool(key.why), key
        assert key.code in CODES if key.why else not key.code, key
    assert len({key.theirs for key in FORMATS[name].keys}) == len(FORMATS[name].keys)
