# SPDX-License-Identifier: Apache-2.0
"""Wishes as files of systemd."""

from __future__ import annotations

import pytest

from openfex.errors import InputError
from openfex.formats.report import Export
from openfex.formats.systemd_out import write_systemd
from openfex.model.functions import (
    ALL_FUNCTIONS,
    AdapterWish,
    FunctionDriver,
    HwMode,
    LinkState,
    Selector,
    Settings,
    TagProtocol,
)
from openfex.model.values import Mac

PF = (Selector("0000:01:00.0"),)


def notes(export: Export) -> list[tuple[str, str, str]]:
    return [(note.code, note.key, note.value) for note in export.notes]


def matches(*pfs: Selector) -> list[str]:
    """The section `[Match]` of each file."""
    files = write_systemd(AdapterWish("a", pfs, 1)).files
    return [file.text.partition("\n\n")[0].partition("\n")[2] for file in files]


def test_a_file_that_keeps_the_name_of_its_pf() -> None:
    one = Settings(
        mac=Mac.parse("52:54:00:00:00:01"),
        vlan=10,
        qos=3,
        protocol=TagProtocol.DOT1AD,
        spoof_check=True,
        trust=False,
        link=LinkState.DOWN,
        rss_query=True,
    )
    (file,) = write_systemd(AdapterWish("nic0", PF, 2, settings=((1, 1, one),))).files
    assert file.name == "50-fex-nic0.link"
    assert file.text == (
        "[Match]\nPath=pci-0000:01:00.0\n\n"
        "[Link]\n"
        "NamePolicy=keep kernel database onboard slot path\n"
        "AlternativeNamesPolicy=database onboard slot path\n"
        "MACAddressPolicy=persistent\n"
        "SR-IOVVirtualFunctions=2\n\n"
        "[SR-IOV]\nVirtualFunction=1\nMACAddress=52:54:00:00:00:01\nVLANId=10\nQualityOfService=3\n"
        "VLANProtocol=802.1ad\nMACSpoofCheck=yes\nTrust=no\nQueryReceiveSideScaling=yes\nLinkState=no\n"
    )


def test_pfs_that_are_selected_in_one_way_share_a_file() -> None:
    assert matches(Selector(name="a"), Selector(name="b")) == ["OriginalName=a b"]
    assert matches(*PF, Selector("0000:01:00.1")) == ["Path=pci-0000:01:00.0 pci-0000:01:00.1"]
    assert matches(Selector(name="a", driver="igb"), Selector(vendor="8086", device="10c9")) == [
        "OriginalName=a\nDriver=igb",
        "Property=ID_VENDOR_ID=0x8086 ID_MODEL_ID=0x10c9",
    ]


def test_what_systemd_has_no_words_for_is_named() -> None:
    one = Settings(min_rate=1, max_rate=2, driver=FunctionDriver.VFIO, purpose="x", trust=True)
    export = write_systemd(AdapterWish("a", PF, 2, HwMode.VEB, False, (0, 1), ((0, 1, one),)))
    assert notes(export) == [
        ("cannot-say", "a: pfs", "#0-1"),
        ("cannot-say", "a: hwmode", "veb"),
        ("cannot-say", "a: autoprobe", "false"),
        ("cannot-say", "a: settings.0-1.rate.min", "1"),
        ("cannot-say", "a: settings.0-1.rate.max", "2"),
        ("cannot-say", "a: settings.0-1.driver", "vfio-pci"),
        ("cannot-say", "a: settings.0-1.purpose", "x"),
    ]


def test_a_tag_without_a_vlan_is_named() -> None:
    ranges = ((0, 0, Settings(qos=3)), (1, 1, Settings(vlan=0, protocol=TagProtocol.DOT1Q)))
    export = write_systemd(AdapterWish("a", PF, 2, settings=ranges))
    assert "VLAN" not in export.files[0].text
    assert [key for _, key, _ in notes(export)] == ["a: settings.0.qos", "a: settings.1.protocol", "a: settings.1.vlan"]


def test_a_pf_by_name_comes_with_a_warning() -> None:
    export = write_systemd(AdapterWish("a", (Selector(name="eno1"),), 2))
    assert notes(export) == [("name-before-rename", "a: pfs", "eno1")]


def test_all_functions_are_as_many_as_there_are() -> None:
    ranges = ((*ALL_FUNCTIONS, Settings(trust=True)),)
    assert write_systemd(AdapterWish("a", PF, 3, settings=ranges)).files[0].text.count("Trust=yes") == 3
    export = write_systemd(AdapterWish("a", PF, settings=ranges))
    assert "Trust" not in export.files[0].text
    assert [code for code, _, _ in notes(export)] == ["cannot-say", "endless-range"]


def test_functions_that_will_not_be_or_are_not_ours_are_not_written() -> None:
    export = write_systemd(AdapterWish("a", PF, 4, numbers=(1, 2), settings=((0, 9, Settings(trust=True)),)))
    assert export.files[0].text.count("Trust=yes") == 2
    assert ("cannot-say", "a: settings.0-9", "") in notes(export)


def test_each_function_has_its_mac_of_a_pool() -> None:
    ranges = ((*ALL_FUNCTIONS, Settings(mac_pool=Mac.parse("52:54:00:00:10:00"))),)
    text = write_systemd(AdapterWish("a", PF, 2, settings=ranges)).files[0].text
    assert "VirtualFunction=1\nMACAddress=52:54:00:00:10:01\n" in text
    export = write_systemd(AdapterWish("a", (*PF, Selector(driver="igb")), 2, settings=ranges))
    assert "MACAddress=" not in export.files[0].text
    assert [key for _, key, _ in notes(export)] == ["a: settings.0-1.mac-pool"]


def test_a_wish_about_no_pf_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        write_systemd(AdapterWish("a", ()))
    assert refused.value.code == "bad-pf"
