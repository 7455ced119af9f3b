# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.protocol.vdp_timers import VdpTimers


def test_lldpad_s_defaults_give_the_times_that_were_seen_of_it() -> None:
    timers = VdpTimers.of(retries=3, rte=8, rwd=20, rka=20)
    assert timers.response_wait == pytest.approx(15.756, abs=5e-4)
    assert timers.keep_alive == pytest.approx(10.486, abs=5e-4)
    assert timers.expiry == pytest.approx(15.756, abs=5e-4)
    assert timers.resource_wait == pytest.approx(10.486, abs=5e-4)


def test_each_exponent_goes_where_it_belongs() -> None:
    timers = VdpTimers.of(retries=0, rte=0, rwd=1, rka=2)
    assert timers.response_wait == pytest.approx(1.5 * (10e-6 + 20e-6))
    assert timers.keep_alive == pytest.approx(40e-6)
    assert timers.expiry == pytest.approx(1.5 * (10e-6 + 40e-6))
    assert timers.resource_wait == pytest.approx(20e-6)


def test_an_exponent_has_five_bits() -> None:
    with pytest.raises(WireError):
        VdpTimers.of(retries=3, rte=8, rwd=20, rka=32)
