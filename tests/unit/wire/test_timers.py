# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.wire.timers import seconds


@pytest.mark.parametrize(
    ("exponent", "wanted"), [(0, 10e-6), (8, 2.56e-3), (14, 0.16384), (15, 0.32768), (20, 10.48576), (31, 21474.83648)]
)
def test_an_exponent_counts_doublings_of_ten_microseconds(exponent: int, wanted: float) -> None:
    assert seconds(exponent) == pytest.approx(wanted)


@pytest.mark.parametrize("exponent", [-1, 32])
def test_what_five_bits_do_not_hold_is_no_exponent(exponent: int) -> None:
    with pytest.raises(WireError) as caught:
        seconds(exponent)
    assert caught.value.code == "field-out-of-range"
