# SPDX-License-Identifier: Apache-2.0
"""systemd's files as systemd reads them (systemd.link(5), systemd.network(5), src/shared/netif-sriov.c)."""

from __future__ import annotations

import pytest

from openfex.formats.systemd import read_systemd
from openfex.model.functions import LinkState, Selector, Settings, TagProtocol
from openfex.model.values import Mac
from tests.unit.formats.samples import faults, notes, only, settings

THREE = """\
[Match]
Driver=netdevsim

[Link]
NamePolicy=keep kernel database onboard slot path

[SR-IOV]
VirtualFunction=0
VLANId=5
VLANProtocol=802.1ad
QualityOfService=1
MACSpoofCheck=yes
QueryReceiveSideScaling=yes
Trust=yes
LinkState=yes
MACAddress=00:11:22:33:44:55

[SR-IOV]
VirtualFunction=1
VLANId=6
VLANProtocol=802.1Q
MACSpoofCheck=no
QueryReceiveSideScaling=no
Trust=no
LinkState=no
MACAddress=00:11:22:33:44:56

[SR-IOV]
VirtualFunction=2
VLANId=7
QualityOfService=3
LinkState=auto
"""
"""After systemd's own test of it, 25-sriov.link."""


def test_every_key_of_a_function_is_carried_over() -> None:
    found = read_systemd(THREE, "/etc/systemd/network/25-sriov.link")
    wish = only(found)
    assert (wish.name, wish.pfs, wish.functions) == ("25-sriov", (Selector(driver="netdevsim"),), 3)
    assert settings(wish) == {
        (0, 0): Settings(
            mac=Mac.parse("00:11:22:33:44:55"),
            vlan=5,
            qos=1,
            protocol=TagProtocol.DOT1AD,
            spoof_check=True,
            trust=True,
            link=LinkState.UP,
            rss_query=True,
        ),
        (1, 1): Settings(
            mac=Mac.parse("00:11:22:33:44:56"),
            vlan=6,
            protocol=TagProtocol.DOT1Q,
            spoof_check=False,
            trust=False,
            link=LinkState.DOWN,
            rss_query=False,
        ),
        (2, 2): Settings(vlan=7, qos=3, link=LinkState.AUTO),
    }
    assert notes(found) == [
        (0, "count-from-functions", "[Link] SR-IOVVirtualFunctions"),
        (5, "other-subject", "[Link] NamePolicy"),
    ]


@pytest.mark.parametrize(
    ("match", "pfs"),
    [
        ("OriginalName=eno1", [Selector(name="eno1")]),
        ("Name=eno1 eno2\nName=eno3", [Selector(name=f"eno{n}") for n in (1, 2, 3)]),
        ("Name=eno1\nName=\nName=eno2", [Selector(name="eno2")]),
        ("Path=pci-0000:5d:00.1", [Selector("0000:5d:00.1")]),
        ("Driver=igb ixgbe\nName=a", [Selector(name="a", driver="igb"), Selector(name="a", driver="ixgbe")]),
        (
            'Property=ID_VENDOR_ID=0x8086 "ID_MODEL_ID=0x10C9"\nType=ether\nHost=h1',
            [Selector(vendor="8086", device="10c9")],
        ),
    ],
)
def test_what_a_match_selects(match: str, pfs: list[Selector]) -> None:
    assert list(only(read_systemd(f"[Match]\n{match}\n[Link]\nSR-IOVVirtualFunctions=2\n")).pfs) == pfs


@pytest.mark.parametrize(
    "match",
    [
        "Name=eno*",
        "OriginalName=!eno1",
        "Driver=i*",
        "Path=pci-0000:02:00.0-*",
        "Path=platform-x",
        "Property=ID_SERIAL=1",
        "PermanentMACAddress=00:11:22:33:44:55",
        "SSID=x",
        "Name=enp1s0f0np0xxxxxxxx",
    ],
)
def test_a_match_is_carried_over_whole_or_not_at_all(match: str) -> None:
    """Without the condition that cannot be said, Driver=igb alone would select more than was meant."""
    found = read_systemd(f"[Match]\nDriver=igb\n{match}\n[Link]\nSR-IOVVirtualFunctions=2\n")
    assert only(found).pfs == ()
    assert (3, "which-pf", f"[Match] {match.partition('=')[0]}") in notes(found)


def test_a_file_about_every_device_selects_no_pf() -> None:
    found = read_systemd("[Link]\nSR-IOVVirtualFunctions=2\n")
    assert only(found).pfs == ()
    assert [code for _, code, _ in notes(found)] == ["which-pf"]


def test_an_address_and_a_name_are_the_address() -> None:
    found = read_systemd("[Match]\nName=eno1\nPath=pci-0000:5d:00.1\n[Link]\nSR-IOVVirtualFunctions=2\n")
    assert only(found).pfs == (Selector("0000:5d:00.1"),)
    assert [code for _, code, _ in notes(found)] == ["condition"]


def test_of_two_sections_for_one_function_the_later_one_holds_whole() -> None:
    text = "[Match]\nName=a\n[SR-IOV]\nVirtualFunction=1\nVLANId=5\n[SR-IOV]\nTrust=on\nVirtualFunction=1\n"
    found = read_systemd(text)
    assert settings(only(found)) == {(1, 1): Settings(trust=True)}
    assert (3, "overridden", "[SR-IOV]") in notes(found)


def test_of_two_assignments_the_later_one_holds() -> None:
    text = "[Match]\nName=a\n[SR-IOV]\nVirtualFunction=3\nVirtualFunction=1\nVLANId=5\nVLANId=6\nTrust=1\nTrust=\n"
    found = read_systemd(f"{text}[Link]\nSR-IOVVirtualFunctions=2\nSR-IOVVirtualFunctions=4\n")
    assert only(found).functions == 4
    assert settings(only(found)) == {(1, 1): Settings(vlan=6)}
    assert [line for line, code, _ in notes(found) if code == "overridden"] == [4, 6, 8, 11]


@pytest.mark.parametrize(
    ("section", "line", "key"),
    [
        ("VLANId=5", 5, "[SR-IOV]"),
        ("VirtualFunction=4", 5, "[SR-IOV]"),
        ("VirtualFunction=-1", 6, "[SR-IOV] VirtualFunction"),
        ("VirtualFunction=2147483647", 6, "[SR-IOV] VirtualFunction"),
        ("VirtualFunction=0\nVLANId=4096", 7, "[SR-IOV] VLANId"),
        ("VirtualFunction=0\nVLANId=0", 7, "[SR-IOV] VLANId"),
        ("VirtualFunction=0\nVLANProtocol=802.1ad", 7, "[SR-IOV] VLANProtocol"),
        ("VirtualFunction=0\nVLANId=1\nVLANProtocol=802.1q", 8, "[SR-IOV] VLANProtocol"),
        ("VirtualFunction=0\nQualityOfService=1", 7, "[SR-IOV] QualityOfService"),
        ("VirtualFunction=0\nTrust=maybe", 7, "[SR-IOV] Trust"),
        ("VirtualFunction=0\nLinkState=up", 7, "[SR-IOV] LinkState"),
        ("VirtualFunction=0\nMACAddress=00:00:00:00:00:00", 7, "[SR-IOV] MACAddress"),
        ("VirtualFunction=0\nMACAddress=00:11:22", 7, "[SR-IOV] MACAddress"),
        ("VirtualFunction=0\nMaxTxRate=5", 7, "[SR-IOV] MaxTxRate"),
    ],
)
def test_what_systemd_ignores_is_ignored_and_named(section: str, line: int, key: str) -> None:
    found = read_systemd(f"[Match]\nName=a\n[Link]\nSR-IOVVirtualFunctions=4\n[SR-IOV]\n{section}\n")
    assert (line, "ignored-there", key) in notes(found)
    assert set(settings(only(found)).values()) <= {Settings(vlan=1)}


@pytest.mark.parametrize(
    ("value", "line", "key"),
    [
        ("VLANId=4095", 6, "[SR-IOV] VLANId"),
        ("VLANId=5\nQualityOfService=8", 7, "[SR-IOV] QualityOfService"),
        ("MACAddress=01:00:5e:00:00:01", 6, "[SR-IOV] MACAddress"),
    ],
)
def test_what_no_function_can_be_is_named(value: str, line: int, key: str) -> None:
    found = read_systemd(f"[Match]\nName=a\n[Link]\n[SR-IOV]\nVirtualFunction=0\n{value}\n")
    assert (line, "out-of-range", key) in notes(found)


def test_macs_may_be_written_in_other_ways() -> None:
    text = "[Match]\nName=a\n[SR-IOV]\nVirtualFunction=0\nMACAddress={}\n"
    macs = {
        settings(only(read_systemd(text.format(one))))[0, 0].mac
        for one in ("00:11:22:33:44:5a", "00-11-22-33-44-5A", "0011.2233.445a")
    }
    assert macs == {Mac.parse("00:11:22:33:44:5a")}


def test_more_functions_than_pcie_counts_are_named() -> None:
    found = read_systemd("[Match]\nName=a\n[Link]\nSR-IOVVirtualFunctions=65536\n[SR-IOV]\nVirtualFunction=65535\n")
    assert only(found).functions is None
    assert [one[:2] for one in notes(found)] == [(4, "out-of-range"), (5, "out-of-range")]


def test_other_sections_are_named_key_by_key() -> None:
    found = read_systemd("[Match]\nName=a\n[Network]\nDHCP=yes\n[SR-IOV]\nVirtualFunction=0\n[X-Mine]\na=b\n")
    assert [one for one in notes(found) if one[1] == "other-subject"] == [
        (4, "other-subject", "[Network] DHCP"),
        (8, "other-subject", "[X-Mine] a"),
    ]


def test_bad_lines_are_told_all_at_once() -> None:
    assert faults(read_systemd, "x=1\n[Link]\nhello\nSR-IOVVirtualFunctions=1\n") == [(1, "bad-line"), (3, "bad-line")]


def test_a_file_of_something_else_is_refused() -> None:
    assert faults(read_systemd, "[Match]\nName=a\n[Network]\nDHCP=yes\n") == [(0, "nothing-to-import")]


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("[Match]\nName=a\n[SR-IOV]\nVirtualFunction=3\nTrust=1\n", ""),
        ("[Match]\nPath=pci-0000:01:00.0\n[Network]\nDHCP=no\n[SR-IOV]\nVirtualFunction=3\nTrust=1\n", ""),
        ("[Match]\nOriginalName=a\n[SR-IOV]\nVirtualFunction=3\nTrust=1\n", "10-a.network"),
        ("[Match]\nName=a\n[Link]\nSR-IOVVirtualFunctions=2\n[SR-IOV]\nVirtualFunction=3\nTrust=1\n", "a.network"),
    ],
)
def test_networkd_makes_no_functions(text: str, file: str) -> None:
    found = read_systemd(text, file)
    assert (only(found).functions, settings(only(found))) == (None, {(3, 3): Settings(trust=True)})
    assert "count-from-functions" not in [code for _, code, _ in notes(found)]
    assert ("SR-IOVV" in text) == ((4, "ignored-there", "[Link] SR-IOVVirtualFunctions") in notes(found))


@pytest.mark.parametrize(("text", "file"), [("[Match]\nOriginalName=a\n", ""), ("[Match]\nName=a\n", "a.link")])
def test_udev_makes_as_many_as_are_named(text: str, file: str) -> None:
    assert only(read_systemd(f"{text}[SR-IOV]\nVirtualFunction=3\n", file)).functions == 4


def test_too_many_combinations_are_refused() -> None:
    names, drivers = (" ".join(f"{word}{n}" for n in range(40)) for word in ("e", "d"))
    text = f"[Match]\nOriginalName={names}\nDriver={drivers}\n[Link]\nSR-IOVVirtualFunctions=1\n"
    assert faults(read_systemd, text) == [(1, "too-many-pfs")]


def test_an_empty_count_takes_back_what_was_said() -> None:
    link = "[Link]\nSR-IOVVirtualFunctions=4\nSR-IOVVirtualFunctions=\n"
    text = f"[Match]\nOriginalName=a\n{link}[SR-IOV]\nVirtualFunction=0\n"
    assert only(read_systemd(text)).functions == 1
    assert (4, "overridden", "[Link] SR-IOVVirtualFunctions") in notes(read_systemd(text))


def test_a_count_that_systemd_cannot_take_is_named() -> None:
    found = read_systemd("[Match]\nOriginalName=a\n[Link]\nSR-IOVVirtualFunctions=many\n[SR-IOV]\nVirtualFunction=0\n")
    assert (4, "ignored-there", "[Link] SR-IOVVirtualFunctions") in notes(found)
    assert only(found).functions == 1
