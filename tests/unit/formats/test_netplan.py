# SPDX-License-Identifier: Apache-2.0
"""netplan's YAML (doc/netplan-yaml.md, examples/sriov.yaml, examples/sriov_vlan.yaml, netplan_cli/cli/sriov.py)."""

from __future__ import annotations

import pytest

from openfex.formats.netplan import read_netplan
from openfex.model.functions import Selector, Settings
from openfex.model.values import Mac
from tests.unit.formats.samples import faults, notes, only, settings

SRIOV = """\
network:
  version: 2
  renderer: networkd
  ethernets:
    eno1:
      mtu: 9000
      embedded-switch-mode: "switchdev"
    enp1s16f1:
      link: eno1
      addresses : [ "10.15.98.25/24" ]
    vf1:
      match:
        name: enp1s16f[2-3]
      link: eno1
      addresses : [ "10.15.99.25/24" ]
"""
VLAN = """\
network:
  version: 2
  ethernets:
    eno1: {mtu: 9000}
    enp1s16f1: {link: eno1}
  vlans:
    vlan1: {id: 15, link: enp1s16f1}
    vlan2_hw: {id: 10, link: enp1s16f1, renderer: sriov}
"""


def ethernets(text: str) -> str:
    """A file with these devices, each on a line from the third on."""
    return "network:\n  ethernets:\n" + "".join(f"    {line}\n" for line in text.splitlines())


def test_as_many_functions_as_are_declared() -> None:
    found = read_netplan(SRIOV)
    wish = only(found)
    assert (wish.name, wish.pfs, wish.functions, wish.settings) == ("eno1", (Selector(name="eno1"),), 2, ())
    assert notes(found) == [
        (2, "other-subject", "network.version"),
        (3, "other-subject", "network.renderer"),
        (6, "other-subject", "network.ethernets.eno1.mtu"),
        (7, "not-here", "network.ethernets.eno1.embedded-switch-mode"),
        (10, "other-subject", "network.ethernets.enp1s16f1.addresses"),
        (12, "which-function", "network.ethernets.vf1.match"),
        (15, "other-subject", "network.ethernets.vf1.addresses"),
    ]


def test_the_vlan_in_hardware_of_the_only_function() -> None:
    found = read_netplan(VLAN)
    assert settings(only(found)) == {(0, 0): Settings(vlan=10)}
    assert (7, "other-subject", "network.vlans.vlan1") in notes(found)


def test_udev_s_names_of_functions_have_their_numbers() -> None:
    text = ethernets(
        "pf: {virtual-function-count: 4}\n"
        "pfv3: {link: pf, macaddress: 00:11:22:33:44:55}\n"
        "b: {link: pf, match: {name: pfv1}}"
    )
    found = read_netplan(text + "  vlans:\n    v: {id: 7, link: b, renderer: sriov}\n")
    assert only(found).functions == 4
    assert settings(only(found)) == {
        (1, 1): Settings(vlan=7),
        (3, 3): Settings(mac=Mac.parse("00:11:22:33:44:55")),
    }
    assert notes(found) == []


def test_functions_whose_numbers_are_not_certain_get_nothing() -> None:
    """The VLAN of one function on another is the worst that an import could do."""
    text = ethernets("pf: {}\nx: {link: pf}\ny: {link: pf}")
    found = read_netplan(text + "  vlans:\n    v: {id: 7, link: x, renderer: sriov}\n")
    assert (only(found).functions, only(found).settings) == (2, ())
    assert notes(found) == [(7, "which-function", "network.vlans.v.id")]


def test_where_all_are_asked_the_same_the_numbers_do_not_matter() -> None:
    text = ethernets("pf: {}\nx: {link: pf}\ny: {link: pf}\npfv0: {link: pf}")
    vlans = "  vlans:\n    v: {id: 7, link: x, renderer: sriov}\n    w: {id: 7, link: y, renderer: sriov}\n"
    assert settings(only(read_netplan(text + vlans))) == {(1, 2): Settings(vlan=7)}


@pytest.mark.parametrize(
    ("pf", "pfs"),
    [
        ("{match: {name: eno1}, virtual-function-count: 2}", [Selector(name="eno1")]),
        (
            "{match: {driver: [igb, ixgbe]}, virtual-function-count: 2}",
            [Selector(driver="igb"), Selector(driver="ixgbe")],
        ),
        (
            "{match: {macaddress: 00:11:22:33:44:55}, set-name: lan0, virtual-function-count: 2}",
            [Selector(name="lan0")],
        ),
        ("{match: {macaddress: 00:11:22:33:44:55}, virtual-function-count: 2}", []),
        ("{match: {name: en*}, virtual-function-count: 2}", []),
        ("{match: {}, virtual-function-count: 2}", []),
    ],
)
def test_which_pfs(pf: str, pfs: list[Selector]) -> None:
    found = read_netplan(ethernets(f"pf: {pf}"))
    assert list(only(found).pfs) == pfs
    assert bool(pfs) != ("which-pf" in [code for _, code, _ in notes(found)])


def test_a_mode_of_the_eswitch_alone_leaves_the_count_as_it_is() -> None:
    assert only(read_netplan(ethernets("pf: {embedded-switch-mode: legacy}"))).functions is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("pf: {virtual-function-count: 1}\nx: {link: pf}\ny: {link: pf}", [(3, "bad-count")]),
        ("pf: {virtual-function-count: 257}", [(3, "bad-count")]),
        ("pf: {virtual-function-count: many}", [(3, "bad-count")]),
        ("x: {link: pf}", [(3, "unknown-link")]),
        ("pf: {virtual-function-count: 1}\nx: {link: [pf]}", [(4, "bad-value")]),
        ("pf: {virtual-function-count: 1}\nx: {link: pf, macaddress: zz}", [(4, "bad-value")]),
        ("pf: [1]", [(3, "bad-value")]),
    ],
)
def test_what_netplan_refuses(text: str, wanted: list[tuple[int, str]]) -> None:
    assert faults(read_netplan, ethernets(text)) == wanted


def test_a_function_has_one_vlan_in_hardware() -> None:
    text = VLAN + "    vlan3_hw: {id: 11, link: enp1s16f1, renderer: sriov}\n"
    assert faults(read_netplan, text) == [(9, "second-vlan")]


def test_a_vlan_in_hardware_of_no_function_is_passed_over() -> None:
    found = read_netplan(VLAN + "    vlan3_hw: {id: 11, link: eno1, renderer: sriov}\n")
    assert (9, "ignored-there", "network.vlans.vlan3_hw") in notes(found)


def test_what_is_no_yaml_is_told_with_its_line() -> None:
    assert faults(read_netplan, "network:\n  ethernets: {\n") == [(3, "bad-yaml")]


def test_what_is_about_nothing_of_ours_is_named() -> None:
    found = read_netplan(
        SRIOV.replace("ethernets:", "ethernets:\n    renderer: networkd\n    lan: {dhcp4: true}") + "x: 1\n"
    )
    others = [key for _, code, key in notes(found) if code == "other-subject"]
    assert {"network.ethernets.renderer", "network.ethernets.lan", "x"} <= set(others)


@pytest.mark.parametrize("vlan", ["{link: enp1s16f1, renderer: sriov}", "{id: x, link: enp1s16f1, renderer: sriov}"])
def test_a_vlan_in_hardware_needs_an_id_and_a_link(vlan: str) -> None:
    assert faults(read_netplan, f"{VLAN}    bad: {vlan}\n") == [(9, "bad-value")]


def test_what_else_a_vlan_in_hardware_says_is_named() -> None:
    found = read_netplan(VLAN.replace("renderer: sriov", "renderer: sriov, mtu: 1400"))
    assert (8, "other-subject", "network.vlans.vlan2_hw.mtu") in notes(found)
