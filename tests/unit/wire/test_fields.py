# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.wire.fields import require_octets, require_start, require_width


@pytest.mark.parametrize("value", [0, 1, 4095])
def test_what_fits_passes(value: int) -> None:
    require_width("X", "y", value, 12)


@pytest.mark.parametrize("value", [-1, 4096])
def test_what_does_not_fit_is_refused_with_field_and_range(value: int) -> None:
    with pytest.raises(WireError) as caught:
        require_width("X", "y", value, 12)
    assert caught.value.code == "field-out-of-range"
    assert str(caught.value) == f"X y is {value}, not in 0..4095"


def test_short_octets_are_refused_with_both_lengths() -> None:
    require_octets("inside an X", b"123", 3)
    with pytest.raises(WireError) as caught:
        require_octets("inside an X", b"12", 3)
    assert caught.value.code == "truncated-frame"
    assert str(caught.value) == "octets end inside an X: 2 of 3"


def test_a_start_gives_the_ethertype_that_was_found() -> None:
    assert require_start("an X", b"\x12\x34\0", 3, 0x1111, 0x1234) == 0x1234


def test_another_start_is_refused_with_what_was_wanted() -> None:
    with pytest.raises(WireError) as caught:
        require_start("an X", b"\x08\x06\0", 3, 0x1111, 0x1234)
    assert caught.value.code == "wrong-ethertype"
    assert str(caught.value) == "an X starts with ethertype 0x1111 or 0x1234, not 0x0806"
