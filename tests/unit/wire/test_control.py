# SPDX-License-Identifier: Apache-2.0
"""Channel control octet by octet, as its module says."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from openfex.errors import WireError
from openfex.model.values import ChannelKind
from openfex.wire.control import (
    ControlPdu,
    FunctionEntry,
    HostEntry,
    Key,
    Kind,
    ListRow,
    Mark,
    NicEntry,
    VethEntry,
    function_key,
    list_key,
    numbers_of,
)

VSI = UUID("00112233-4455-6677-8899-aabbccddeeff")
SESSION = 0x0102030405060708
HEAD = "66657801020d01020304050607080000000a"


def test_a_pdu_s_octets_are_those_of_the_table() -> None:
    pdu = ControlPdu(
        Mark(SESSION, 10),
        ((HostEntry.KEY, HostEntry(ChannelKind.ETAG, "h1").encode()), (function_key(3), None)),
        is_new=True,
        is_whole=True,
        applied=Mark(9, 5),
        again=7,
    )
    octets = bytes.fromhex(HEAD + "03040c00000000000000090000000506080000000000000007")
    octets += bytes.fromhex("420302" + b"h1".hex() + "84020003" + "0000")
    assert pdu.encode() == octets
    assert ControlPdu.decode(octets + bytes(9)) == pdu, "and padding is no part of it"


@pytest.mark.parametrize(
    ("entry", "octets"),
    [
        (HostEntry(ChannelKind.VNTAG, "a"), "0161"),
        (HostEntry(ChannelKind.SCHANNEL_Q, ""), "04"),
        (HostEntry(ChannelKind.VEPA, ""), "05"),
        (FunctionEntry("n/1", True, VSI, 258), "01000000000000010200112233445566778899aabbccddeeff6e2f31"),
        (FunctionEntry("n/1"), "000000000000000000000000000000000000000000000000006e2f31"),
        (NicEntry("m/e", "up0"), "037570306d2f65"),
        (NicEntry("m/e"), "006d2f65"),
        (VethEntry(4094, True), "0ffe0100"),
        (VethEntry(2, False, 9), "00020009"),
        (ListRow(1 << 63, 3), "80000000000000000000000000000003"),
    ],
)
def test_an_entry_s_value(entry: HostEntry | FunctionEntry | NicEntry | VethEntry | ListRow, octets: str) -> None:
    assert entry.encode().hex() == octets
    assert type(entry).decode(bytes.fromhex(octets)) == entry


def test_keys_have_their_numbers() -> None:
    assert function_key(3) == Key(Kind.FUNCTION, b"\0\3")
    assert function_key(3, Kind.VETH) == Key(Kind.VETH, b"\0\3")
    assert numbers_of(list_key(0x1001, 63)) == (0x1001, 63)


def test_what_later_versions_add_is_passed_over() -> None:
    octets = bytes.fromhex(HEAD + "00" + "0a01ff" + "5e01ff" + "420302" + b"h1".hex() + "c20100" + "fe00")
    assert ControlPdu.decode(octets).changes == ((HostEntry.KEY, b"\2h1"),)


def test_entries_of_functions_and_lists_that_cannot_be_are_passed_over() -> None:
    functions = "84020000" + "84020fff" + "84020001"
    lists = "a20410010040" + "a20400000000" + "a20440010000" + "a20410010003"
    found = ControlPdu.decode(bytes.fromhex(HEAD + "00" + functions + lists)).changes
    assert found == ((function_key(1), None), (list_key(0x1001, 3), None))


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        ("", "truncated-frame"),
        ("66657802" + HEAD[8:] + "00", "bad-version"),
        ("66657801", "no-session"),
        ("6665780104080000000000000007", "no-session"),
        ("6665780102020102", "truncated-frame"),
        (HEAD + "00040100", "truncated-frame"),
        (HEAD + "00440100", "truncated-frame"),
        (HEAD + "0044ff00", "truncated-frame"),
    ],
)
def test_octets_that_are_none_are_refused(octets: str, code: str) -> None:
    with pytest.raises(WireError) as caught:
        ControlPdu.decode(bytes.fromhex(octets))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("kind", "octets", "code"),
    [
        (HostEntry, b"", "truncated-frame"),
        (HostEntry, b"\0h", "field-out-of-range"),
        (HostEntry, b"\6h", "field-out-of-range"),
        (HostEntry, b"\1\xff", "bad-name"),
        (HostEntry, b"\1a\nb", "bad-name"),
        (HostEntry, b"\1" + b"a" * 65, "field-out-of-range"),
        (FunctionEntry, bytes(24), "truncated-frame"),
        (NicEntry, b"", "truncated-frame"),
        (NicEntry, b"\4up0", "truncated-frame"),
        (VethEntry, b"\0\1\0", "truncated-frame"),
        (VethEntry, b"\xf0\0\0\0", "field-out-of-range"),
        (ListRow, bytes(15), "truncated-frame"),
    ],
)
def test_values_that_are_none_are_refused(kind: type[HostEntry], octets: bytes, code: str) -> None:
    with pytest.raises(WireError) as caught:
        kind.decode(octets)
    assert caught.value.code == code


def test_numbers_that_do_not_fit_are_refused() -> None:
    makers: list[Callable[[], object]] = [lambda: function_key(1 << 16), lambda: list_key(1 << 14, 0)]
    makers += [lambda: list_key(1, 64), lambda: VethEntry(1 << 12), lambda: ListRow(1 << 64, 0)]
    for make in makers:
        with pytest.raises(WireError):
            make()
