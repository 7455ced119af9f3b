# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.wire.tlv import MOST_VALUE, Tlv, read_tlvs, write_tlvs


def test_a_head_has_seven_bits_of_type_and_nine_of_length() -> None:
    assert Tlv(127, b"\1\2\3").encode() == b"\xfe\x03\1\2\3"
    assert Tlv(1, b"x" * MOST_VALUE).encode()[:2] == b"\x03\xff"


def test_a_list_ends_at_the_end_tlv_and_padding_is_not_read() -> None:
    assert read_tlvs(write_tlvs([Tlv(5, b"a"), Tlv(6, b"")]) + bytes(2) + b"\xff\xff\xff") == (
        Tlv(5, b"a"),
        Tlv(6, b""),
    )


def test_a_list_may_do_without_an_end_tlv() -> None:
    assert read_tlvs(Tlv(5, b"a").encode()) == (Tlv(5, b"a"),)
    assert read_tlvs(b"") == ()


@pytest.mark.parametrize("octets", [b"\x02", b"\x02\x02a", b"\x03\xff"])
def test_octets_that_end_inside_a_tlv_are_refused(octets: bytes) -> None:
    with pytest.raises(WireError) as caught:
        read_tlvs(octets)
    assert caught.value.code == "truncated-frame"


@pytest.mark.parametrize(("type_", "value"), [(128, b""), (-1, b""), (1, b"x" * 512)])
def test_what_does_not_fit_is_refused(type_: int, value: bytes) -> None:
    with pytest.raises(WireError) as caught:
        Tlv(type_, value)
    assert caught.value.code == "field-out-of-range"
