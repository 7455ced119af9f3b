# SPDX-License-Identifier: Apache-2.0
"""How much of what peers make agents say is written."""

from __future__ import annotations

from openfex.protocol.output import Log
from openfex.protocol.patience import LINES_A_SECOND, MOST_LINES, Patience

LINE = Log("refused", "m1/eth0", "the bridge says no", "vsi-refused")


def test_a_log_takes_so_many_lines_at_once_and_then_so_many_a_second() -> None:
    patience = Patience()
    written = [bool(patience.passing(LINE, 100.0)) for _ in range(2000)]
    assert sum(written) == MOST_LINES
    assert patience.held_back == 2000 - MOST_LINES
    flood = [bool(patience.passing(LINE, 100 + number / 1000)) for number in range(10_000)]
    assert sum(flood) <= 10 * LINES_A_SECOND + 1


def test_who_was_quiet_may_say_as_much_as_at_first_and_no_more() -> None:
    patience = Patience()
    for _ in range(600):
        patience.passing(LINE, 0.0)
    assert sum(bool(patience.passing(LINE, 1e6)) for _ in range(2000)) == MOST_LINES


def test_how_many_were_held_back_is_said_once_before_the_next_line() -> None:
    patience = Patience()
    for _ in range(int(MOST_LINES) + 7):
        patience.passing(LINE, 0.0)
    assert patience.passing(LINE, 1.0) == (Log("held-back", "log", "7 lines not written"), LINE)
    assert patience.passing(LINE, 2.0) == (LINE,)
