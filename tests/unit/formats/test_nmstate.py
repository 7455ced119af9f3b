# SPDX-License-Identifier: Apache-2.0
"""nmstate's desired state (examples/eth1_with_sriov.yml, rust/src/lib/ifaces/sriov.rs)."""

from __future__ import annotations

import pytest

from openfex.formats.nmstate import read_nmstate
from openfex.model.functions import Selector, Settings, TagProtocol
from openfex.model.values import Mac
from tests.unit.formats.samples import faults, notes, only, settings

ETH1 = """\
---
interfaces:
  - name: eth1
    type: ethernet
    state: up
    ethernet:
      sr-iov:
        drivers-autoprobe: false
        total-vfs: 4
        vfs:
          - id: 0
            mac-address: ee:2a:4e:8e:71:f5
            spoof-check: true
            trust: false
            vlan-id: 102
            qos: 5
          - {id: 1, min-tx-rate: "0", max-tx-rate: 100, vlan-id: 0, qos: 0, spoof-check: "yes"}
          - {id: 2, vlan-id: 0x10, vlan-proto: 802.1ad}
"""


def state(vfs: str, more: str = "total-vfs: 4") -> str:
    """A state of one interface; `vfs` is in line 7."""
    return f"interfaces:\n- name: a\n  type: ethernet\n  ethernet:\n    sr-iov:\n      {more}\n      vfs: {vfs}\n"


def test_every_key_is_carried_over() -> None:
    found = read_nmstate(ETH1)
    wish = only(found)
    assert (wish.name, wish.pfs, wish.functions, wish.autoprobe) == ("eth1", (Selector(name="eth1"),), 4, False)
    assert settings(wish) == {
        (0, 0): Settings(mac=Mac.parse("ee:2a:4e:8e:71:f5"), spoof_check=True, trust=False, vlan=102, qos=5),
        (1, 1): Settings(min_rate=0, max_rate=100, vlan=0, qos=0, spoof_check=True),
        (2, 2): Settings(vlan=16, protocol=TagProtocol.DOT1AD),
    }
    assert notes(found) == [
        (4, "other-subject", "interfaces.0.type"),
        (5, "other-subject", "interfaces.0.state"),
    ]


def test_a_count_that_is_not_said_is_what_there_is() -> None:
    assert only(read_nmstate(state("[{id: 3, trust: true}]", "drivers-autoprobe: true"))).functions is None


def test_an_empty_list_puts_all_functions_back() -> None:
    found = read_nmstate(state("[]"))
    assert only(found).settings == ()
    assert (7, "revert-all", "interfaces.0.ethernet.sr-iov.vfs") in notes(found)


def test_an_interface_may_be_selected_by_its_address() -> None:
    text = state("[]").replace("- name: a", "- name: wan0\n  identifier: pci-address\n  pci-address: 07:00.0")
    assert (only(read_nmstate(text)).name, only(read_nmstate(text)).pfs) == ("wan0", (Selector("0000:07:00.0"),))


def test_or_by_its_mac_which_cannot_be_said() -> None:
    text = state("[]").replace("- name: a", "- name: wan0\n  identifier: mac-address\n  mac-address: 00:11:22:33:44:55")
    found = read_nmstate(text)
    assert only(found).pfs == ()
    assert (3, "which-pf", "interfaces.0.identifier") in notes(found)


def test_interfaces_without_functions_are_named() -> None:
    text = state("[]") + "- {name: br0, type: linux-bridge}\n- {name: 'sriov:a:0', ipv4: {}}\nroutes: {}\n"
    found = read_nmstate(text)
    assert [one for one in notes(found) if one[0] > 7] == [
        (8, "other-subject", "interfaces.1"),
        (9, "other-subject", "interfaces.2"),
        (10, "other-subject", "routes"),
    ]


def test_an_interface_that_is_to_go_asks_for_nothing() -> None:
    assert faults(read_nmstate, state("[]").replace("type: ethernet", "state: absent")) == [(0, "nothing-to-import")]


def test_pfs_of_one_state_are_documents_of_their_own() -> None:
    names = [wish.name for wish in read_nmstate(state("[]") + state("[]").partition("\n")[2]).wishes]
    assert names == ["a", "a-2"]


@pytest.mark.parametrize(
    ("vfs", "code", "key"),
    [
        ("[{id: 4, trust: true}]", "ignored-there", "0"),
        ("[{id: 0, iface-name: x}]", "ignored-there", "0.iface-name"),
        ("[{id: 0, mac-address: '00:00:00:00:00:00'}]", "out-of-range", "0.mac-address"),
        ("[{id: 0, vlan-id: 4095}]", "out-of-range", "0.vlan-id"),
        ("[{id: 0, vlan-id: 0, qos: 5}]", "out-of-range", "0.qos"),
        ("[{id: 0, max-tx-rate: 400001}]", "out-of-range", "0.max-tx-rate"),
    ],
)
def test_what_is_not_carried_over_is_named(vfs: str, code: str, key: str) -> None:
    found = read_nmstate(state(vfs))
    assert (7, code, f"interfaces.0.ethernet.sr-iov.vfs.{key}") in notes(found)


@pytest.mark.parametrize(
    ("vfs", "code"),
    [
        ("[{id: 0, vlan-proto: 802.1ad}]", "bad-vlan"),
        ("[{id: 0, vlan-id: 0, qos: 0, vlan-proto: 802.1ad}]", "bad-vlan"),
        ("[{id: 0, colour: red}]", "unknown-key"),
        ("[{id: 0}, {id: 0}]", "duplicate-function"),
        ("[{trust: true}]", "bad-value"),
        ("[{id: x}]", "bad-value"),
        ("[{id: 0, trust: maybe}]", "bad-value"),
        ("[{id: 0, min-tx-rate: -1}]", "bad-value"),
        ("[{id: 0, min-tx-rate: 5, max-tx-rate: 4}]", "bad-rate"),
        ("{id: 0}", "bad-value"),
        ("[0]", "bad-value"),
    ],
)
def test_what_nmstate_refuses(vfs: str, code: str) -> None:
    assert (7, code) in faults(read_nmstate, state(vfs))


@pytest.mark.parametrize("key", ["total-vfs: x", "drivers-autoprobe: 2", "colour: red", "total-vfs: [1]"])
def test_what_nmstate_refuses_of_the_pf(key: str) -> None:
    assert [line for line, _ in faults(read_nmstate, state("[]", key))] == [6]


def test_no_address_is_refused_where_one_has_to_be() -> None:
    text = state("[]").replace("- name: a", "- identifier: pci-address\n  pci-address: eno1")
    assert faults(read_nmstate, text) == [(3, "bad-pci-address")]


def test_what_else_an_interface_says_is_named() -> None:
    text = state("[]").replace("    sr-iov:", "    speed: 1000\n    sr-iov:")
    found = read_nmstate(text.replace("- name: a", "- name: a\n  identifier: name\n  pci-address: 07:00.0"))
    assert only(found).pfs == (Selector(name="a"),)
    others = {key for _, code, key in notes(found) if code == "other-subject"}
    assert others == {"interfaces.0.pci-address", "interfaces.0.type", "interfaces.0.ethernet.speed"}


def test_an_unknown_identifier_is_refused() -> None:
    assert faults(read_nmstate, state("[]").replace("- name: a", "- name: a\n  identifier: colour")) == [
        (3, "bad-value")
    ]


def test_a_state_that_is_no_word_is_named() -> None:
    found = read_nmstate(state("[]").replace("type: ethernet", "state: [up]"))
    assert (3, "other-subject", "interfaces.0.state") in notes(found)
