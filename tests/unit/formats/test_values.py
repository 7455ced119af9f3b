# SPDX-License-Identifier: Apache-2.0
"""Values as other programs take them."""

from __future__ import annotations

import pytest

from openfex.formats.values import c_number, literal, mac, number, pci_address, pci_id, protocol, truth, why_not
from openfex.model.functions import TagProtocol
from openfex.model.values import Mac


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (5, 5),
        ("5", 5),
        ("010", 10),
        ("0x1F", 31),
        (0, 0),
        (11, None),
        ("11", None),
        (-1, None),
        (True, None),
        ("", None),
        ("1.5", None),
        ("٣", None),
        (None, None),
        ([1], None),
        ("9" * 30, None),
    ],
)
def test_numbers(value: object, wanted: int | None) -> None:
    assert number(value, 31 if wanted == 31 else 10) == wanted


@pytest.mark.parametrize(("text", "wanted"), [("010", 8), ("10", 10), ("0", 0), ("0x10", 16), ("09", None), ("", None)])
def test_numbers_that_c_reads(text: str, wanted: int | None) -> None:
    assert c_number(text) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (True, True),
        ("Yes", True),
        ("on", True),
        (1, True),
        ("off", False),
        (0, False),
        ("2", None),
        (2, None),
        ([], None),
    ],
)
def test_truth(value: object, wanted: bool | None) -> None:
    assert truth(value) is wanted


@pytest.mark.parametrize("text", ["52:54:0:0:0:1", "52-54-00-00-00-01", "5254.0000.0001", "525400000001"])
def test_macs(text: str) -> None:
    assert mac(text) == Mac.parse("52:54:00:00:00:01")


@pytest.mark.parametrize(
    "value", ["", "52:54:00", "52:54:00:00:00:001", "x", 525400000001, None, "52:54:00:00:00:01:02"]
)
def test_no_macs(value: object) -> None:
    assert mac(value) is None


def test_addresses_and_ids() -> None:
    assert [pci_address(one) for one in ("0000:5D:00.1", "07:00.0", "10000:01:00.0", "eno1", "0000:00:20.0", 7)] == [
        *("0000:5d:00.1", "0000:07:00.0", "10000:01:00.0", "", "", ""),
    ]
    assert [pci_id(one) for one in ("0x8086", "10C9", 1583, "808", "intel", None)] == [
        "8086",
        "10c9",
        "1583",
        "",
        "",
        "",
    ]


def test_words() -> None:
    assert [protocol(one) for one in ("802.1q", "802.1AD", "q", 1)] == [
        TagProtocol.DOT1Q,
        TagProtocol.DOT1AD,
        None,
        None,
    ]
    assert [word for word in ("eno1", "eno*", "!eno1", "eno[12]", "", "a b") if literal(word)] == ["eno1", "a b"]


def test_what_functions_can_be() -> None:
    assert not any((why_not("vlan", 0), why_not("qos", 7), why_not("purpose", "x"), why_not("mac", Mac(b"\2" * 6))))
    assert all((why_not("vlan", 4095), why_not("qos", 8), why_not("purpose", "x\n"), why_not("mac", Mac(b"\1" * 6))))
