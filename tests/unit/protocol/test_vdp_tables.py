# SPDX-License-Identifier: Apache-2.0
"""The tables are whole: every row of wire.md 4.8 and 4.9 is somewhere in them, and every transition has its test."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import ModuleType

import pytest

from openfex.protocol.ecp_tables import RECEIVING, SENDING
from openfex.protocol.table import Table
from openfex.protocol.vdp_tables import BRIDGE, STATION, BridgeEvent, BridgeState, StationEvent, StationState
from tests.unit.protocol import (
    test_ecp,
    test_vdp_bridge,
    test_vdp_bridge_answers,
    test_vdp_bridge_frees,
    test_vdp_station,
    test_vdp_station_asks,
    test_vdp_station_keeps,
    test_vdp_station_leaves,
)

S, E = StationState, StationEvent
B, C = BridgeState, BridgeEvent

# Each row: its state and event as wire.md words them, and the transitions here that are it. A state that is passed
# through (BEGIN, STATION_PROC, PROCWAIT_2, ...) is part of the transitions that lead through it.
STATION_ROWS: Mapping[str, set[tuple[StationState, StationEvent]]] = {
    "BEGIN, INIT": {(S.ABSENT, E.ASK)},
    "STATION_PROC: send, start response timer": {(S.ABSENT, E.ASK), (S.HELD, E.ASK), (S.HELD, E.LEAVE)},
    "STATION_PROCWAIT: response timer or tx error": {
        *((S.REQUESTED, event) for event in (E.UNANSWERED, E.UNACKNOWLEDGED)),
        *((S.LEAVING, event) for event in (E.UNANSWERED, E.UNACKNOWLEDGED)),
    },
    "STATION_PROCWAIT: response received": {(S.REQUESTED, E.ACCEPTED), (S.REQUESTED, E.REFUSED)},
    "STATION_PROCWAIT_2: mismatch, or error without Keep": {
        *((S.REQUESTED, event) for event in (E.MISMATCHED, E.DROPPED, E.REFUSED)),
        *((S.LEAVING, event) for event in (E.MISMATCHED, E.DROPPED, E.REFUSED)),
    },
    "STATION_PROCWAIT_2: error with Keep, Assoc": {(S.REQUESTED, E.KEPT)},
    "STATION_PROCWAIT_2: error with Keep, other type": {(S.REQUESTED, E.REFUSED), (S.LEAVING, E.KEPT)},
    "STATION_PROCWAIT_2: success Pre-Assoc": {(S.REQUESTED, E.ACCEPTED)},
    "STATION_PROCWAIT_2: success De-Assoc": {(S.LEAVING, E.ACCEPTED)},
    "STATION_PROCWAIT_2: success Assoc": {(S.REQUESTED, E.ACCEPTED)},
    "WAIT_SYSCMD: notify, start keep-alive timer": {(S.REQUESTED, E.ACCEPTED), (S.CONFIRMING, E.ACCEPTED)},
    "WAIT_SYSCMD_2: keep-alive timer": {(S.HELD, E.DUE)},
    "WAIT_SYSCMD_2: local change": {(S.HELD, E.ASK), (S.HELD, E.LEAVE)},
    "WAIT_SYSCMD_2: unsolicited De-Assoc": {(S.HELD, E.DROPPED)},
    "TXMIT_KA: resend, start response timer": {(S.HELD, E.DUE), (S.ABSENT, E.ADOPT)},
    "TXMIT_KAWAIT: response timer or tx error": {(S.CONFIRMING, E.UNANSWERED), (S.CONFIRMING, E.UNACKNOWLEDGED)},
    "TXMIT_KAWAIT: response": {(S.CONFIRMING, E.ACCEPTED), (S.CONFIRMING, E.REFUSED)},
    "TXMIT_KAWAIT_2: mismatch, or error without Keep": {(S.CONFIRMING, E.MISMATCHED), (S.CONFIRMING, E.REFUSED)},
    "TXMIT_KAWAIT_2: error with Keep, Assoc": {(S.CONFIRMING, E.KEPT)},
    "TXMIT_KAWAIT_2: De-Assoc": {(S.CONFIRMING, E.DROPPED)},
    "TXMIT_KAWAIT_2: ok": {(S.CONFIRMING, E.ACCEPTED)},
    "TXMIT_DEASSOC: send De-Assoc, start timer": {(S.CONFIRMING, E.KEPT)},
    "TXMIT_DEAWAIT: timer, tx error or response": {
        (S.WITHDRAWING, event)
        for event in (E.ACCEPTED, E.KEPT, E.REFUSED, E.MISMATCHED, E.DROPPED, E.UNANSWERED, E.UNACKNOWLEDGED)
    },
}
STATION_OURS = {
    *((state, event) for state in (S.REQUESTED, S.CONFIRMING, S.LEAVING, S.WITHDRAWING) for event in (E.ASK, E.LEAVE)),
    (S.ABSENT, E.LEAVE),
}
"""Wishes that wait, which the standard leaves to the implementation."""
BRIDGE_ROWS: Mapping[str, set[tuple[BridgeState, BridgeEvent]]] = {
    "BEGIN, INIT: request": {(B.ABSENT, C.REQUESTED)},
    "PROCESS: ok": {(B.ASKED, C.ACCEPTED), (B.HELD, C.LEFT), (B.ASKED, C.LEFT), (B.ABSENT, C.LEFT)},
    "PROCESS: error, old association kept": {(B.ASKED, C.KEPT), (B.HELD, C.KEPT)},
    "PROCESS: reject": {(B.ASKED, C.REJECTED)},
    "PROCESS: no answer within RWD": {(B.ASKED, C.UNDECIDED_KEPT), (B.ASKED, C.UNDECIDED)},
    "WAITCMD: new command": {(B.HELD, C.REQUESTED), (B.HELD, C.AGAIN), (B.HELD, C.LEFT)},
    "WAITCMD: keep-alive expiry": {(B.HELD, C.SILENT)},
    "WAITCMD_2: same mode again": {(B.HELD, C.AGAIN)},
    "WAITCMD_2: other mode": {(B.HELD, C.REQUESTED), (B.HELD, C.LEFT)},
    "De-Assoc of an unknown VSI": {(B.ABSENT, C.LEFT)},
    "a request while busy": {(B.ASKED, C.AGAIN), (B.ASKED, C.REQUESTED)},
}
BRIDGE_OURS = {(B.ABSENT, C.ADOPT), (B.ASKED, C.WITHDRAWN), (B.HELD, C.WITHDRAWN)}
"""A restart, and the owner's wish."""


TESTS: Mapping[str, tuple[ModuleType, ...]] = {
    SENDING.name: (test_ecp,),
    RECEIVING.name: (test_ecp,),
    STATION.name: (test_vdp_station, test_vdp_station_asks, test_vdp_station_keeps, test_vdp_station_leaves),
    BRIDGE.name: (test_vdp_bridge, test_vdp_bridge_answers, test_vdp_bridge_frees),
}


@pytest.mark.parametrize("table", [SENDING, RECEIVING, STATION, BRIDGE], ids=lambda table: table.name)
def test_every_transition_names_a_test_that_there_is(table: Table[Enum, Enum, Enum]) -> None:
    tests = {name for module in TESTS[table.name] for name, one in vars(module).items() if callable(one)}
    assert not [one.test for one in table.transitions if one.test not in tests]


@pytest.mark.parametrize("table", [SENDING, RECEIVING, STATION, BRIDGE], ids=lambda table: table.name)
def test_a_cause_has_one_transition(table: Table[Enum, Enum, Enum]) -> None:
    causes = [(one.state, one.event) for one in table.transitions]
    assert len(causes) == len(set(causes))


@pytest.mark.parametrize("table", [SENDING, RECEIVING, STATION, BRIDGE], ids=lambda table: table.name)
def test_every_state_can_be_reached_and_left(table: Table[Enum, Enum, Enum]) -> None:
    states = set(type(table.start))
    assert {table.start, *(one.next for one in table.transitions)} == states
    assert {one.state for one in table.transitions} == states


def test_every_row_of_the_station_s_table_is_here_and_nothing_else() -> None:
    there = {(one.state, one.event) for one in STATION.transitions}
    assert set().union(*STATION_ROWS.values()) | STATION_OURS == there
    assert len(STATION_ROWS) == 23


def test_every_row_of_the_bridge_s_table_is_here_and_nothing_else() -> None:
    there = {(one.state, one.event) for one in BRIDGE.transitions}
    assert set().union(*BRIDGE_ROWS.values()) | BRIDGE_OURS == there
    assert len(BRIDGE_ROWS) == 9 + 2, "its rows, and the sentences below them"
