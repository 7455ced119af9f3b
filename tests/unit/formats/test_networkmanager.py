# SPDX-License-Identifier: Apache-2.0
"""NetworkManager's keyfiles as NetworkManager reads them (nm-settings-keyfile(5), nm-setting-sriov.c)."""

from __future__ import annotations

import pytest

from openfex.formats.networkmanager import read_networkmanager
from openfex.model.functions import Selector, Settings, TagProtocol
from openfex.model.values import Mac
from tests.unit.formats.samples import faults, notes, only, settings

WHOLE = """\
# after the manual's examples
[connection]
id=eno1
interface-name=eno1

[sriov]
autoprobe-drivers=0
eswitch-mode=-1
preserve-on-down=1
total-vfs=16
vf.2=mac=00:11:22:33:44:55 spoof-check=true
vf.3=trust=1 min-tx-rate=100 max-tx-rate=500 vlans=1.2.ad
vf.10=vlans=0x64
"""


def test_every_key_is_carried_over_or_named() -> None:
    found = read_networkmanager(WHOLE)
    wish = only(found)
    assert (wish.name, wish.pfs, wish.functions, wish.autoprobe) == ("eno1", (Selector(name="eno1"),), 16, False)
    assert settings(wish) == {
        (2, 2): Settings(mac=Mac.parse("00:11:22:33:44:55"), spoof_check=True),
        (3, 3): Settings(trust=True, min_rate=100, max_rate=500, vlan=1, qos=2, protocol=TagProtocol.DOT1AD),
        (10, 10): Settings(vlan=100),
    }
    assert notes(found) == [
        (3, "other-subject", "[connection] id"),
        (8, "not-here", "[sriov] eswitch-mode"),
        (9, "not-here", "[sriov] preserve-on-down"),
    ]


def test_functions_may_stand_in_one_list() -> None:
    text = "[connection]\ninterface-name=a\n[sriov]\ntotal-vfs=4\nvfs=0 trust=true, 2 mac=00:11:22:33:44:55, 3\n"
    assert settings(only(read_networkmanager(text))) == {
        (0, 0): Settings(trust=True),
        (2, 2): Settings(mac=Mac.parse("00:11:22:33:44:55")),
    }


def test_a_count_that_is_not_said_is_none() -> None:
    found = read_networkmanager("[connection]\ninterface-name=a\n[sriov]\nautoprobe-drivers=true\n")
    assert (only(found).functions, only(found).autoprobe) == (0, True)
    assert notes(found) == [(3, "count-from-functions", "[sriov] total-vfs")]


def test_a_group_that_is_written_again_adds_and_the_last_value_holds() -> None:
    text = "[connection]\ninterface-name=a\n[sriov]\ntotal-vfs=2\n[sriov]\ntotal-vfs=4\nvf.3=trust=0\n"
    found = read_networkmanager(text)
    assert (only(found).functions, settings(only(found))) == (4, {(3, 3): Settings(trust=False)})
    assert notes(found) == [(4, "overridden", "[sriov] total-vfs")]


@pytest.mark.parametrize(
    ("group", "pfs"),
    [
        ("[match]\ninterface-name=eno1;eno2;\ndriver=igb", [Selector(name=n, driver="igb") for n in ("eno1", "eno2")]),
        ("[match]\npath=pci-0000:01:00.0;", [Selector("0000:01:00.0")]),
        ("[connection]\ninterface-name=a\n[match]\ninterface-name=a", [Selector(name="a")]),
        ("[connection]\ninterface-name=a\n[match]\ninterface-name=a;b", []),
        ("[match]\ninterface-name=!eno1", []),
        ("[match]\npath=pci-*", []),
        ("[ethernet]\nmac-address=00:11:22:33:44:55", []),
        ("[connection]\nid=x", []),
    ],
)
def test_which_pfs(group: str, pfs: list[Selector]) -> None:
    found = read_networkmanager(f"{group}\n[sriov]\ntotal-vfs=2\n")
    assert list(only(found).pfs) == pfs
    assert bool(pfs) != ("which-pf" in [code for _, code, _ in notes(found)])


@pytest.mark.parametrize(
    ("line", "code", "key"),
    [
        ("vf.0=mac=zz trust=true", "ignored-there", "[sriov] vf.0"),
        ("vf.0=vlans=5000", "ignored-there", "[sriov] vf.0"),
        ("vf.0=vlans=1;1", "ignored-there", "[sriov] vf.0"),
        ("vf.0=vlans=1.2.x", "ignored-there", "[sriov] vf.0"),
        ("vf.00=trust=true", "ignored-there", "[sriov] vf.00"),
        ("vf.0=colour=red", "ignored-there", "[sriov] vf.0 colour"),
        ("vf.0=vlans=1;2", "not-here", "[sriov] vf.0 vlans"),
        ("vf.0=vlans=1.9", "out-of-range", "[sriov] vf.0 vlans"),
        ("vf.0=vlans=4095", "out-of-range", "[sriov] vf.0 vlans"),
    ],
)
def test_what_is_passed_over_is_named(line: str, code: str, key: str) -> None:
    found = read_networkmanager(f"[connection]\ninterface-name=a\n[sriov]\ntotal-vfs=2\n{line}\n")
    assert (5, code, key) in notes(found)


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("total-vfs=2\nvf.2=trust=true", [(3, "bad-count")]),
        ("total-vfs=2\nvfs=0 trust=true, 0", [(3, "duplicate-function")]),
        ("total-vfs=2\nvf.0=min-tx-rate=5 max-tx-rate=4", [(3, "bad-rate")]),
        ("total-vfs=many\nautoprobe-drivers=2", [(2, "bad-value"), (3, "bad-value")]),
        ("total-vfs=2\nvf.0", [(3, "bad-line")]),
    ],
)
def test_what_would_not_be_activated_is_refused(lines: str, wanted: list[tuple[int, str]]) -> None:
    assert faults(read_networkmanager, f"[sriov]\n{lines}\n") == wanted


def test_a_profile_of_something_else_is_refused() -> None:
    assert faults(read_networkmanager, "[connection]\nid=a\n[ipv4]\nmethod=auto\n") == [(0, "nothing-to-import")]
