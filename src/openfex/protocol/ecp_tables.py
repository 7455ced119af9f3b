# SPDX-License-Identifier: Apache-2.0
"""The two machines of an ECP link, as tables: the states of wire.md 4.4 in which something is waited for."""

from __future__ import annotations

from enum import Enum

from openfex.protocol.table import Table, Transition


class SendState(Enum):
    """What a sender waits for."""

    IDLE = "idle"
    """A payload (WAIT_ONDATA)."""
    ON_THE_WIRE = "on the wire"
    """An ack (TXMIT_ECPDU)."""
    PAUSING = "pausing"
    """The end of the pause behind an ack; not the standard's, see `PAUSE_S`."""


class SendEvent(Enum):
    """What happens to a sender."""

    OFFERED = "a payload waits"
    ACKED = "ack of this sequence"
    TIMEOUT = "no ack in time"
    EXHAUSTED = "no ack to the last try"
    PAUSED = "the pause is over"


class SendAction(Enum):
    """What a sender does."""

    SEND = "send with the next sequence"
    SEND_AGAIN = "send again"
    FINISH = "tell that it was acknowledged"
    GIVE_UP = "count and tell the failure"
    GO_ON = "turn to what waits"


class ReceiveState(Enum):
    """What a receiver knows."""

    NOTHING_HEARD = "nothing heard"
    HEARD = "heard"


class ReceiveEvent(Enum):
    """What an ECPDU is to a receiver."""

    NEW = "a new ECPDU"
    AGAIN = "the last ECPDU again"


class ReceiveAction(Enum):
    """What a receiver does."""

    DELIVER = "acknowledge and deliver"
    ACKNOWLEDGE = "acknowledge"


_I, _W, _P = SendState
_N, _H = ReceiveState.NOTHING_HEARD, ReceiveState.HEARD

SENDING = Table(
    "ECP, sending",
    "IEEE 802.1Q clause 43; wire.md 4.4",
    _I,
    (
        Transition(_I, SendEvent.OFFERED, SendAction.SEND, _W, "test_a_payload_goes_out_at_once_on_an_idle_link"),
        Transition(_W, SendEvent.ACKED, SendAction.FINISH, _P, "test_an_ack_makes_way_for_the_next_payload"),
        Transition(_W, SendEvent.TIMEOUT, SendAction.SEND_AGAIN, _W, "test_without_an_ack_it_is_sent_again"),
        Transition(_W, SendEvent.EXHAUSTED, SendAction.GIVE_UP, _I, "test_after_the_last_try_it_is_given_up"),
        Transition(_P, SendEvent.PAUSED, SendAction.GO_ON, _I, "test_the_next_payload_comes_a_pause_behind_the_ack"),
    ),
)  # fmt: skip
RECEIVING = Table(
    "ECP, receiving",
    "IEEE 802.1Q clause 43; wire.md 4.4",
    _N,
    (
        Transition(_N, ReceiveEvent.NEW, ReceiveAction.DELIVER, _H, "test_the_first_ecpdu_may_have_any_sequence"),
        Transition(_H, ReceiveEvent.NEW, ReceiveAction.DELIVER, _H, "test_the_next_sequence_is_delivered"),
        Transition(_H, ReceiveEvent.AGAIN, ReceiveAction.ACKNOWLEDGE, _H, "test_the_same_again_is_only_acknowledged"),
    ),
)  # fmt: skip
