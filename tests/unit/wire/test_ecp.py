# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.wire.ecp import Ecpdu, Operation

MAC = Mac.parse("52:54:00:aa:00:01")


def test_a_head_has_version_operation_subtype_and_sequence() -> None:
    assert Ecpdu(Operation.REQUEST, 0x001, 0x0102, b"x").encode() == b"\x10\x01\x01\x02x"
    assert Ecpdu(Operation.ACK, 0x3FE, 0xFFFF).encode() == b"\x17\xfe\xff\xff"
    assert Ecpdu(Operation.REQUEST, 0, 0, version=15).encode() == b"\xf0\0\0\0"


@pytest.mark.parametrize("octets", [b"\x10\x01\x01\x02x", b"\x17\xfe\xff\xff", b"\xf0\0\0\0", b"\0\0\0\0padding"])
def test_what_is_read_is_written_as_it_was(octets: bytes) -> None:
    assert Ecpdu.decode(octets).encode() == octets


@pytest.mark.parametrize("length", [0, 45, 46, 47, 1496])
def test_a_request_is_padded_to_60_octets_and_an_ack_is_not(length: int) -> None:
    assert len(Ecpdu(Operation.REQUEST, 1, 1, bytes(length)).frame(MAC)) == max(60, 18 + length)
    assert len(Ecpdu(Operation.ACK, 1, 1).frame(MAC)) == 18


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", "truncated-frame"),
        (b"\x10\x01\0", "truncated-frame"),
        (b"\x18\x01\0\1", "unknown-operation"),
        (b"\x1c\x01\0\1", "unknown-operation"),
    ],
)
def test_octets_that_are_no_ecpdu_are_refused(octets: bytes, code: str) -> None:
    with pytest.raises(WireError) as caught:
        Ecpdu.decode(octets)
    assert caught.value.code == code


@pytest.mark.parametrize(("subtype", "sequence", "version"), [(0x400, 1, 1), (-1, 1, 1), (1, 0x10000, 1), (1, 1, 16)])
def test_what_does_not_fit_is_refused(subtype: int, sequence: int, version: int) -> None:
    with pytest.raises(WireError) as caught:
        Ecpdu(Operation.REQUEST, subtype, sequence, b"", version)
    assert caught.value.code == "field-out-of-range"


def test_a_frame_of_another_ethertype_is_not_ecp() -> None:
    octets = bytearray(Ecpdu(Operation.REQUEST, 1, 1).frame(MAC))
    octets[12:14] = b"\x88\xcc"
    with pytest.raises(WireError) as caught:
        Ecpdu.decode_frame(bytes(octets))
    assert caught.value.code == "not-ecp"
