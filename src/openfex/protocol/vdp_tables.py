# SPDX-License-Identifier: Apache-2.0
"""The machine of one VSI, at the station and at the bridge, as tables.

The states are those of wire.md 4.8 and 4.9 in which something is waited for; the others are passed through, and what
happens in them is an action here. `STATION_ROWS` and `BRIDGE_ROWS` say for each row of the two where it went.
"""

from __future__ import annotations

from enum import Enum

from openfex.protocol.table import Table, Transition


class StationState(Enum):
    """What a station's VSI waits for."""

    ABSENT = "absent"
    """Nothing: it is not known (BEGIN, INIT, END)."""
    REQUESTED = "requested"
    """The response to what was asked for (STATION_PROC, STATION_PROCWAIT)."""
    HELD = "held"
    """The keep-alive timer, with the bridge agreed (WAIT_SYSCMD_2)."""
    CONFIRMING = "confirming"
    """The response to a keep-alive (TXMIT_KA, TXMIT_KAWAIT)."""
    LEAVING = "leaving"
    """The response to the De-Assoc that was wished for (STATION_PROCWAIT of a De-Assoc)."""
    WITHDRAWING = "withdrawing"
    """The response to the De-Assoc after a keep-alive that was refused (TXMIT_DEASSOC, TXMIT_DEAWAIT)."""


class StationEvent(Enum):
    """What happens to a station's VSI."""

    ASK = "a mode is wished for"
    LEAVE = "its end is wished for"
    ADOPT = "known from before a restart"
    ACCEPTED = "success, and it matches"
    KEPT = "error with Keep, to an Assoc, of what is held"
    REFUSED = "any other error"
    MISMATCHED = "a response to something else"
    DROPPED = "De-Assoc from the bridge"
    UNANSWERED = "no response in time"
    UNACKNOWLEDGED = "no ack from ECP"
    DUE = "keep-alive timer"


class StationAction(Enum):
    """What a station does."""

    REQUEST = "send the wish"
    CONFIRM = "send what is held again"
    LEAVE = "send De-Assoc"
    REMEMBER = "remember the wish for afterwards"
    HOLD = "tell what is new, start the keep-alive timer"
    REVERT = "tell the refusal, hold what was held"
    REFUSE = "tell the refusal, forget"
    WITHDRAW = "tell the refusal, send De-Assoc"
    LOSE = "tell the loss, forget"
    FINISH = "tell the end, forget"
    FORGET = "forget"


class BridgeState(Enum):
    """What a bridge's VSI waits for."""

    ABSENT = "absent"
    """Nothing: it is not known (BEGIN, INIT, END)."""
    ASKED = "asked"
    """The VSI manager's verdict (PROCESS)."""
    HELD = "held"
    """A command or the keep-alive expiry (WAITCMD)."""


class BridgeEvent(Enum):
    """What happens to a bridge's VSI."""

    REQUESTED = "a request, or another one"
    AGAIN = "the same request again"
    LEFT = "De-Assoc"
    ADOPT = "known from before a restart"
    ACCEPTED = "the VSI manager says yes"
    KEPT = "it says no, what was held stays"
    REJECTED = "it says no"
    UNDECIDED_KEPT = "no verdict in time, an Assoc is held"
    UNDECIDED = "no verdict in time"
    WITHDRAWN = "the owner takes it away"
    SILENT = "keep-alive expiry"


class BridgeAction(Enum):
    """What a bridge does."""

    ASK = "ask the VSI manager"
    NOTHING = "nothing: the verdict is on its way"
    RENEW = "respond, start the timer anew"
    TAKE_UP = "start the timer"
    GRANT = "respond, tell, start the timer"
    KEEP = "respond error with Keep, start the timer"
    REJECT = "respond error, tell what is to be undone, forget"
    FREE = "respond success, tell what is to be undone, forget"
    DROP = "send De-Assoc, tell, forget"


_SA, _SR, _SH, _SC, _SL, _SW = StationState
_S, _SD = StationEvent, StationAction

STATION = Table(
    "VDP, station",
    "IEEE 802.1Q clause 41.5; wire.md 4.8",
    _SA,
    (
        Transition(_SA, _S.ASK, _SD.REQUEST, _SR, "test_a_wish_is_sent_at_once"),
        Transition(_SA, _S.LEAVE, _SD.LEAVE, _SL, "test_a_wish_to_leave_survives_the_refusal_before_it"),
        Transition(_SA, _S.ADOPT, _SD.CONFIRM, _SC, "test_what_is_adopted_is_confirmed_at_once"),
        Transition(_SR, _S.ASK, _SD.REMEMBER, _SR, "test_a_wish_waits_for_the_response_to_the_one_before"),
        Transition(_SR, _S.LEAVE, _SD.REMEMBER, _SR, "test_a_wish_to_leave_waits_for_the_response"),
        Transition(_SR, _S.ACCEPTED, _SD.HOLD, _SH, "test_success_is_told_with_the_mode"),
        Transition(_SR, _S.KEPT, _SD.REVERT, _SH, "test_an_error_with_keep_leaves_what_was_held"),
        Transition(_SR, _S.REFUSED, _SD.REFUSE, _SA, "test_an_error_ends_it"),
        Transition(_SR, _S.MISMATCHED, _SD.LOSE, _SA, "test_a_response_to_something_else_ends_it"),
        Transition(_SR, _S.DROPPED, _SD.LOSE, _SA, "test_a_de_assoc_instead_of_a_response_ends_it"),
        Transition(_SR, _S.UNANSWERED, _SD.LOSE, _SA, "test_no_response_in_time_ends_it"),
        Transition(_SR, _S.UNACKNOWLEDGED, _SD.LOSE, _SA, "test_no_ack_ends_it"),
        Transition(_SH, _S.ASK, _SD.REQUEST, _SR, "test_another_mode_is_asked_for_from_what_is_held"),
        Transition(_SH, _S.LEAVE, _SD.LEAVE, _SL, "test_a_de_assoc_is_answered_and_told"),
        Transition(_SH, _S.DROPPED, _SD.LOSE, _SA, "test_an_unsolicited_de_assoc_is_told"),
        Transition(_SH, _S.DUE, _SD.CONFIRM, _SC, "test_a_keep_alive_is_the_same_tlv_again"),
        Transition(_SC, _S.ASK, _SD.REMEMBER, _SC, "test_a_wish_waits_for_the_keep_alive_s_response"),
        Transition(_SC, _S.LEAVE, _SD.REMEMBER, _SC, "test_a_wish_to_leave_waits_for_the_keep_alive_s_response"),
        Transition(_SC, _S.ACCEPTED, _SD.HOLD, _SH, "test_a_confirmed_keep_alive_is_not_told"),
        Transition(_SC, _S.KEPT, _SD.WITHDRAW, _SW, "test_a_keep_alive_refused_with_keep_is_followed_by_a_de_assoc"),
        Transition(_SC, _S.REFUSED, _SD.REFUSE, _SA, "test_a_keep_alive_refused_ends_it"),
        Transition(_SC, _S.MISMATCHED, _SD.LOSE, _SA, "test_a_keep_alive_s_response_to_something_else_ends_it"),
        Transition(_SC, _S.DROPPED, _SD.LOSE, _SA, "test_a_de_assoc_instead_of_a_keep_alive_s_response_ends_it"),
        Transition(_SC, _S.UNANSWERED, _SD.LOSE, _SA, "test_a_keep_alive_without_a_response_ends_it"),
        Transition(_SC, _S.UNACKNOWLEDGED, _SD.LOSE, _SA, "test_a_keep_alive_without_an_ack_ends_it"),
        Transition(_SL, _S.ASK, _SD.REMEMBER, _SL, "test_a_wish_waits_until_the_vsi_has_left"),
        Transition(_SL, _S.LEAVE, _SD.REMEMBER, _SL, "test_a_wish_to_leave_takes_back_the_wish_before_it"),
        Transition(_SL, _S.ACCEPTED, _SD.FINISH, _SA, "test_a_de_assoc_is_answered_and_told"),
        *(Transition(_SL, event, _SD.FINISH, _SA, "test_a_de_assoc_ends_it_whatever_comes")
          for event in (_S.KEPT, _S.REFUSED, _S.MISMATCHED, _S.DROPPED, _S.UNANSWERED, _S.UNACKNOWLEDGED)),
        Transition(_SW, _S.ASK, _SD.REMEMBER, _SW, "test_a_wish_waits_until_the_vsi_is_withdrawn"),
        Transition(_SW, _S.LEAVE, _SD.REMEMBER, _SW, "test_a_wish_to_leave_while_it_is_withdrawn_is_told"),
        *(Transition(_SW, event, _SD.FORGET, _SA, "test_a_withdrawn_vsi_ends_whatever_comes")
          for event in (_S.ACCEPTED, _S.KEPT, _S.REFUSED, _S.MISMATCHED, _S.DROPPED, _S.UNANSWERED, _S.UNACKNOWLEDGED)),
    ),
)  # fmt: skip

_BA, _BP, _BH = BridgeState
_B, _BD = BridgeEvent, BridgeAction

BRIDGE = Table(
    "VDP, bridge",
    "IEEE 802.1Q clause 41.5; wire.md 4.9",
    _BA,
    (
        Transition(_BA, _B.REQUESTED, _BD.ASK, _BP, "test_a_request_is_put_to_the_vsi_manager"),
        Transition(_BA, _B.LEFT, _BD.FREE, _BA, "test_a_de_assoc_of_an_unknown_vsi_succeeds"),
        Transition(_BA, _B.ADOPT, _BD.TAKE_UP, _BH, "test_what_is_adopted_has_a_whole_keep_alive_time"),
        Transition(_BP, _B.REQUESTED, _BD.ASK, _BP, "test_another_request_is_asked_in_place_of_the_first"),
        Transition(_BP, _B.AGAIN, _BD.NOTHING, _BP, "test_a_request_that_comes_again_is_asked_once"),
        Transition(_BP, _B.LEFT, _BD.FREE, _BA, "test_a_de_assoc_ends_what_is_being_asked"),
        Transition(_BP, _B.ACCEPTED, _BD.GRANT, _BH, "test_a_yes_is_answered_with_the_filters_granted"),
        Transition(_BP, _B.KEPT, _BD.KEEP, _BH, "test_a_no_with_keep_leaves_what_was_held"),
        Transition(_BP, _B.REJECTED, _BD.REJECT, _BA, "test_a_no_ends_it"),
        Transition(_BP, _B.UNDECIDED_KEPT, _BD.KEEP, _BH, "test_without_a_verdict_in_time_an_association_stays"),
        Transition(_BP, _B.UNDECIDED, _BD.REJECT, _BA, "test_without_a_verdict_in_time_anything_else_ends"),
        Transition(_BP, _B.WITHDRAWN, _BD.DROP, _BA, "test_the_owner_takes_away_what_is_being_asked"),
        Transition(_BH, _B.REQUESTED, _BD.ASK, _BP, "test_another_mode_is_put_to_the_vsi_manager"),
        Transition(_BH, _B.AGAIN, _BD.RENEW, _BH, "test_the_same_mode_again_is_a_keep_alive"),
        Transition(_BH, _B.KEPT, _BD.KEEP, _BH, "test_a_request_with_a_fault_leaves_what_is_held"),
        Transition(_BH, _B.LEFT, _BD.FREE, _BA, "test_a_de_assoc_frees_the_vsi_at_once"),
        Transition(_BH, _B.WITHDRAWN, _BD.DROP, _BA, "test_the_owner_takes_a_vsi_away"),
        Transition(_BH, _B.SILENT, _BD.DROP, _BA, "test_a_silent_vsi_expires_with_a_de_assoc"),
    ),
)  # fmt: skip
