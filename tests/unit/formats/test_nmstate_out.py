# SPDX-License-Identifier: Apache-2.0
"""Wishes as desired states of nmstate."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from openfex.errors import InputError
from openfex.formats.nmstate_out import write_nmstate
from openfex.model.functions import AdapterWish, LinkState, Selector, Settings, TagProtocol
from openfex.model.values import Mac


def state(wish: AdapterWish) -> list[dict[str, object]]:
    """The interfaces, as another reader of YAML has them."""
    (file,) = write_nmstate(wish).files
    interfaces: list[dict[str, object]] = YAML(typ="safe").load(file.text)["interfaces"]
    return interfaces


def test_every_key_that_nmstate_knows_is_written() -> None:
    one = Settings(
        mac=Mac.parse("52:54:00:12:34:56"),
        vlan=10,
        qos=3,
        protocol=TagProtocol.DOT1AD,
        min_rate=0,
        max_rate=100,
        spoof_check=True,
        trust=False,
    )
    wish = AdapterWish("nic0", (Selector(name="eno1"),), 4, autoprobe=False, settings=((2, 2, one),))
    vf = {
        "id": 2,
        "mac-address": "52:54:00:12:34:56",
        "spoof-check": True,
        "trust": False,
        "min-tx-rate": 0,
        "max-tx-rate": 100,
        "vlan-id": 10,
        "qos": 3,
        "vlan-proto": "802.1ad",
    }
    sriov = {"drivers-autoprobe": False, "total-vfs": 4, "vfs": [vf]}
    assert state(wish) == [{"name": "eno1", "type": "ethernet", "state": "up", "ethernet": {"sr-iov": sriov}}]


def test_a_pf_may_be_selected_by_its_address() -> None:
    first, second = state(AdapterWish("nic0", (Selector("0000:01:00.0"), Selector("0000:01:00.1"))))
    assert (first["name"], first["identifier"], first["pci-address"]) == ("nic0", "pci-address", "0000:01:00.0")
    assert (second["name"], second["ethernet"]) == ("nic0-1", {"sr-iov": {}})


def test_pfs_that_nmstate_cannot_select_are_named() -> None:
    wish = AdapterWish("nic0", (Selector(name="eno1"), Selector(name="eno2", driver="igb")), 2)
    assert [one["name"] for one in state(wish)] == ["eno1"]
    assert [(note.code, note.key, note.value) for note in write_nmstate(wish).notes] == [
        ("cannot-say", "nic0: pfs", "eno2 igb")
    ]


def test_if_none_can_be_selected_nothing_is_written() -> None:
    with pytest.raises(InputError) as refused:
        write_nmstate(AdapterWish("nic0", (Selector(driver="igb"),), 2))
    assert refused.value.code == "cannot-say"


def test_what_nmstate_refuses_or_does_not_know_is_named() -> None:
    ranges = ((0, 0, Settings(protocol=TagProtocol.DOT1AD, vlan=0)), (1, 1, Settings(link=LinkState.UP)))
    export = write_nmstate(AdapterWish("a", (Selector(name="e"),), 2, numbers=(0, 1), settings=ranges))
    assert "proto" not in export.files[0].text
    assert [note.key for note in export.notes] == ["a: pfs", "a: settings.1.link", "a: settings.0.protocol"]
