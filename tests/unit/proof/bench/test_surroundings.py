# SPDX-License-Identifier: Apache-2.0
"""What is said of the machine that measures."""

from __future__ import annotations

import os
import re

import pytest

from openfex.proof.bench import surroundings


def test_the_machine_is_named_in_one_line() -> None:
    said = surroundings.machine()
    assert os.uname().release in said
    assert re.search(r", \d+ CPUs \(.+\)$", said)


def test_what_others_take_is_what_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([[100, 0, 50, 1000, 10, 0, 5, 0], [110, 0, 55, 1070, 20, 0, 10, 0]])
    monkeypatch.setattr(surroundings, "_ticks", lambda: next(looks))
    monkeypatch.setattr(surroundings, "LOOK_S", 0)
    assert surroundings.busy_share() == pytest.approx(0.2)


def test_a_clock_that_stood_still_is_no_division_by_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_ticks", lambda: [1] * 8)
    monkeypatch.setattr(surroundings, "LOOK_S", 0)
    assert surroundings.busy_share() == 0
