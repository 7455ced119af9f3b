# SPDX-License-Identifier: Apache-2.0
"""Each transition of the station's table (protocol/vdp_tables.py), and what surrounds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from openfex.errors import RefusedError
from openfex.model.values import Mac
from openfex.protocol.output import Transmit
from openfex.protocol.vdp import MODES, Associated, Association, Deassociated, LossReason, Lost, Refused, Vsi
from openfex.protocol.vdp_station import Station
from openfex.protocol.vdp_tables import StationState
from openfex.wire.ecp import VDP, Ecpdu, Operation
from openfex.wire.tlv import Tlv
from openfex.wire.vdp import Command, ErrorCode, Hint, ManagerId, Vdpdu, VsiTlv
from openfex.wire.vsi import Filter
from tests.unit.protocol.vsis import (
    MANAGER,
    TIMERS,
    Peer,
    make_station,
    make_vsi,
    response,
    said,
    sent,
    told,
    unsolicited,
)

PRE, RESERVE, ASSOCIATE, LEAVE = Command
VSI = make_vsi()
KEY = VSI.vsiid
NO = ErrorCode.INSUFFICIENT_RESOURCES
OTHER_FILTERS = replace(VSI, filters=(Filter(200, VSI.filters[0].mac),))


class Scene:
    """A station, and a bridge that a test plays."""

    def __init__(self) -> None:
        self.station = make_station()
        self.peer = Peer(self.station)
        self.now = 0.0

    def ask(self, vsi: Vsi = VSI, mode: Command = ASSOCIATE) -> list[object]:
        """Gives what was said, and what after its ack."""
        outputs: list[object] = list(self.station.associate(vsi, mode, self.now))
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def leave(self) -> list[object]:
        outputs: list[object] = list(self.station.de_associate(KEY, self.now))
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def hear(self, *tlvs: VsiTlv, manager: ManagerId = MANAGER) -> list[object]:
        outputs = self.peer.say(*tlvs, now=self.now, manager=manager)
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def wait(self, delay: float) -> list[object]:
        """Time passes; what is sent is acknowledged."""
        self.now += delay
        outputs: list[object] = list(self.station.expire(self.now))
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def hold(self, mode: Command = ASSOCIATE, vsi: Vsi = VSI) -> None:
        self.ask(vsi, mode)
        assert told(self.hear(response(vsi, mode))) == [Associated(KEY, mode, vsi.filters)]

    def confirm(self) -> list[object]:
        """Gives what the keep-alive was."""
        outputs = self.wait(TIMERS.keep_alive)
        assert self.state() is StationState.CONFIRMING
        return outputs

    def lose_acks(self) -> list[object]:
        """The bridge acknowledges nothing until ECP gives up."""
        outputs: list[object] = []
        while not self.station.link.is_idle:
            assert self.station.link.deadline is not None
            self.now = self.station.link.deadline
            outputs += self.station.expire(self.now)
        return outputs

    def state(self) -> StationState:
        return self.station.state(KEY)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def commands(outputs: Sequence[object]) -> list[Command]:
    return [tlv.command for tlv in said(outputs)]


# ---- wishes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_wish_is_sent_at_once(scene: Scene, mode: Command) -> None:
    outputs = scene.station.associate(replace(VSI, hint=Hint.TO), mode, 0.0)
    assert said(outputs) == [replace(VSI, hint=Hint.TO).request(mode)]
    assert scene.state() is StationState.REQUESTED


def test_pre_associate_may_reserve(scene: Scene) -> None:
    assert commands(scene.station.pre_associate(VSI, 0.0)) == [PRE]
    assert commands(make_station().pre_associate(VSI, 0.0, reserve=True)) == [RESERVE]


@pytest.mark.parametrize("mode", MODES)
def test_success_is_told_with_the_mode(scene: Scene, mode: Command) -> None:
    scene.ask(mode=mode)
    assert told(scene.hear(response(VSI, mode))) == [Associated(KEY, mode, VSI.filters)]
    assert scene.state() is StationState.HELD
    assert scene.station.associations == {KEY: Association(mode, VSI.filters)}
    assert scene.station.deadline == TIMERS.keep_alive


def test_a_vid_that_the_bridge_chose_is_told(scene: Scene) -> None:
    asking = make_vsi(vid=0)
    scene.ask(asking)
    chosen = (Filter(42, VSI.filters[0].mac),)
    assert told(scene.hear(response(replace(asking, filters=chosen), ASSOCIATE))) == [
        Associated(KEY, ASSOCIATE, chosen)
    ]
    assert said(scene.confirm()) == [asking.request(ASSOCIATE)], "a keep-alive is the same TLV again"
    other = (Filter(43, VSI.filters[0].mac),)
    assert told(scene.hear(response(replace(asking, filters=other), ASSOCIATE))) == [Associated(KEY, ASSOCIATE, other)]


@pytest.mark.parametrize("mode", MODES)
def test_an_error_ends_it(scene: Scene, mode: Command) -> None:
    scene.ask(mode=mode)
    error = replace(response(VSI, mode, NO), hard=True)
    assert told(scene.hear(error)) == [Refused(KEY, NO, kept=False, hard=True)]
    assert scene.state() is StationState.ABSENT
    assert scene.station.deadline is None


def test_a_de_assoc_with_an_error_is_a_refusal(scene: Scene) -> None:
    scene.ask()
    assert told(scene.hear(response(VSI, LEAVE, NO))) == [Refused(KEY, NO, kept=False, hard=False)]


def test_an_error_with_keep_leaves_what_was_held(scene: Scene) -> None:
    scene.hold()
    scene.ask(OTHER_FILTERS)
    assert told(scene.hear(response(OTHER_FILTERS, ASSOCIATE, NO, keep=True))) == [Refused(KEY, NO, True, False)]
    assert scene.state() is StationState.HELD
    assert scene.station.associations == {KEY: Association(ASSOCIATE, VSI.filters)}
    assert said(scene.confirm()) == [VSI.request(ASSOCIATE)], "what is held is what is kept alive"
    assert told(scene.hear(response(VSI, ASSOCIATE))) == []


def test_an_error_with_keep_of_what_was_never_held_ends_it(scene: Scene) -> None:
    scene.ask()
    assert told(scene.hear(response(VSI, ASSOCIATE, NO, keep=True))) == [Refused(KEY, NO, False, False)]
    assert scene.state() is StationState.ABSENT


@pytest.mark.parametrize("mode", [PRE, RESERVE])
def test_an_error_with_keep_of_another_type_than_assoc_ends_it(scene: Scene, mode: Command) -> None:
    scene.hold(mode)
    scene.ask(OTHER_FILTERS, mode)
    assert told(scene.hear(response(OTHER_FILTERS, mode, NO, keep=True))) == [Refused(KEY, NO, False, False)]
    assert scene.state() is StationState.ABSENT


MISMATCHES = {
    "mode": response(VSI, PRE),
    "type id": response(replace(VSI, type_id=6), ASSOCIATE),
    "type version": response(replace(VSI, type_version=5), ASSOCIATE),
    "VID": response(OTHER_FILTERS, ASSOCIATE),
    "MAC": response(replace(VSI, filters=make_vsi(9).filters), ASSOCIATE),
    "more": response(replace(VSI, filters=(*VSI.filters, *make_vsi(9).filters)), ASSOCIATE),
    "none": response(replace(VSI, filters=(), filter_format=VSI.filters[0].format), ASSOCIATE),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_a_response_to_something_else_ends_it(scene: Scene, name: str) -> None:
    scene.ask()
    assert told(scene.hear(MISMATCHES[name])) == [Lost(KEY, LossReason.MISMATCH)]
    assert scene.state() is StationState.ABSENT


def test_a_response_of_another_manager_is_to_something_else(scene: Scene) -> None:
    scene.ask()
    heard = scene.hear(response(VSI, ASSOCIATE), manager=ManagerId.text("other"))
    assert told(heard) == [Lost(KEY, LossReason.MISMATCH)]


@pytest.mark.parametrize("tlv", [unsolicited(VSI), response(VSI, LEAVE)], ids=["unsolicited", "response"])
def test_a_de_assoc_instead_of_a_response_ends_it(scene: Scene, tlv: VsiTlv) -> None:
    scene.ask()
    assert told(scene.hear(tlv)) == [Lost(KEY, LossReason.BY_BRIDGE)]
    assert scene.state() is StationState.ABSENT


def test_no_response_in_time_ends_it(scene: Scene) -> None:
    scene.ask()
    assert told(scene.wait(TIMERS.response_wait - 0.001)) == []
    assert told(scene.wait(0.001)) == [Lost(KEY, LossReason.NO_RESPONSE)]
    assert scene.state() is StationState.ABSENT


def test_no_ack_ends_it(scene: Scene) -> None:
    scene.station.associate(VSI, ASSOCIATE, 0.0)
    assert told(scene.lose_acks()) == [Lost(KEY, LossReason.NO_ACK)]
    assert scene.state() is StationState.ABSENT
    assert scene.station.deadline is None


def test_a_response_is_enough_where_the_ack_was_lost(scene: Scene) -> None:
    scene.station.associate(VSI, ASSOCIATE, 0.0)
    assert told(scene.hear(response(VSI, ASSOCIATE))) == [Associated(KEY, ASSOCIATE, VSI.filters)]
    assert told(scene.lose_acks()) == []
    assert scene.state() is StationState.HELD


@pytest.mark.parametrize(("first", "second"), [(PRE, RESERVE), (PRE, ASSOCIATE), (RESERVE, PRE), (RESERVE, ASSOCIATE)])
def test_another_mode_is_asked_for_from_what_is_held(scene: Scene, first: Command, second: Command) -> None:
    scene.hold(first)
    assert commands(scene.ask(mode=second)) == [second]
    assert scene.station.associations[KEY].mode is first
    assert told(scene.hear(response(VSI, second))) == [Associated(KEY, second, VSI.filters)]


@pytest.mark.parametrize("mode", [PRE, RESERVE])
@pytest.mark.parametrize("state", [StationState.REQUESTED, StationState.HELD, StationState.CONFIRMING])
def test_going_back_is_refused_here(scene: Scene, state: StationState, mode: Command) -> None:
    if state is StationState.REQUESTED:
        scene.ask()
    else:
        scene.hold()
    if state is StationState.CONFIRMING:
        scene.confirm()
    with pytest.raises(RefusedError) as caught:
        scene.ask(mode=mode)
    assert caught.value.code == "going-back"
    assert scene.state() is state


BAD_VSIS = {
    "no filters": replace(VSI, filters=()),
    "group": replace(VSI, filters=(Filter(100, group=1),)),
    "multicast": replace(VSI, filters=(Filter(100, Mac(b"\1\0\0\0\0\0")),)),
    "VID 4095": replace(VSI, filters=(Filter(4095),)),
    "two null VIDs": replace(VSI, filters=(Filter(0), Filter(0))),
    "mixed": replace(VSI, filters=(Filter(5), *VSI.filters)),
    "too many": replace(VSI, filters=tuple(Filter(vid) for vid in range(1, 300))),
    "type id": replace(VSI, type_id=1 << 24),
}


@pytest.mark.parametrize("name", BAD_VSIS)
def test_what_no_bridge_would_take_is_refused_here(scene: Scene, name: str) -> None:
    for verb in (scene.station.associate, scene.station.adopt):
        with pytest.raises(RefusedError) as caught:
            verb(BAD_VSIS[name], ASSOCIATE, 0.0)
        assert caught.value.code == "invalid-vsi"
    assert scene.state() is StationState.ABSENT


def test_de_assoc_is_no_mode(scene: Scene) -> None:
    with pytest.raises(RefusedError):
        scene.station.associate(VSI, LEAVE, 0.0)


def test_groups_may_be_asked_for_once_evb_has_agreed(scene: Scene) -> None:
    scene.station.group_ids = True
    assert commands(scene.ask(BAD_VSIS["group"])) == [ASSOCIATE]


# ---- wishes behind wishes -------------------------------------------------------------------------------------------


def test_a_wish_waits_for_the_response_to_the_one_before(scene: Scene) -> None:
    scene.ask(mode=PRE)
    assert commands(scene.ask(mode=RESERVE)) == []
    assert commands(scene.ask(mode=ASSOCIATE)) == []
    outputs = scene.hear(response(VSI, PRE))
    assert told(outputs) == [Associated(KEY, PRE, VSI.filters)]
    assert commands(outputs) == [ASSOCIATE], "the last wish alone"


def test_a_wish_to_leave_waits_for_the_response(scene: Scene) -> None:
    scene.ask()
    assert commands(scene.leave()) == []
    outputs = scene.hear(response(VSI, ASSOCIATE))
    assert commands(outputs) == [LEAVE]
    assert told(scene.hear(response(VSI, LEAVE))) == [Deassociated(KEY)]


def test_a_wish_to_leave_survives_the_refusal_before_it(scene: Scene) -> None:
    """The bridge may hold what it has not said; so De-Assoc is sent all the same."""
    scene.ask()
    scene.leave()
    outputs = scene.hear(response(VSI, ASSOCIATE, NO))
    assert told(outputs) == [Refused(KEY, NO, False, False)]
    assert commands(outputs) == [LEAVE]
    assert scene.state() is StationState.LEAVING
    assert told(scene.hear(response(VSI, LEAVE))) == [Deassociated(KEY)]
    assert scene.state() is StationState.ABSENT


def test_a_mode_that_is_wished_for_behind_the_end_comes_behind_the_end(scene: Scene) -> None:
    scene.ask()
    scene.leave()
    scene.ask(mode=PRE)
    assert commands(scene.hear(response(VSI, ASSOCIATE))) == [LEAVE]
    outputs = scene.hear(response(VSI, LEAVE))
    assert told(outputs) == [Deassociated(KEY)]
    assert commands(outputs) == [PRE]
    assert told(scene.hear(response(VSI, PRE))) == [Associated(KEY, PRE, VSI.filters)]


def test_a_wish_waits_for_the_keep_alive_s_response(scene: Scene) -> None:
    scene.hold(PRE)
    scene.confirm()
    assert commands(scene.ask()) == []
    assert commands(scene.hear(response(VSI, PRE))) == [ASSOCIATE]


def test_a_wish_to_leave_waits_for_the_keep_alive_s_response(scene: Scene) -> None:
    scene.hold()
    scene.confirm()
    assert commands(scene.leave()) == []
    assert commands(scene.hear(response(VSI, ASSOCIATE))) == [LEAVE]


def test_a_wish_waits_until_the_vsi_has_left(scene: Scene) -> None:
    scene.hold()
    scene.leave()
    assert commands(scene.ask(mode=PRE)) == []
    outputs = scene.hear(response(VSI, LEAVE))
    assert told(outputs) == [Deassociated(KEY)]
    assert commands(outputs) == [PRE]


def test_a_wish_to_leave_takes_back_the_wish_before_it(scene: Scene) -> None:
    scene.hold()
    scene.leave()
    scene.ask()
    scene.leave()
    outputs = scene.hear(response(VSI, LEAVE))
    assert told(outputs) == [Deassociated(KEY)]
    assert commands(outputs) == []
    assert scene.state() is StationState.ABSENT


# ---- what is held ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hint", [Hint.NONE, Hint.TO, Hint.FROM])
def test_a_keep_alive_is_the_same_tlv_again(scene: Scene, hint: Hint) -> None:
    vsi = replace(VSI, hint=hint)
    scene.hold(vsi=vsi)
    assert said(scene.confirm()) == [vsi.request(ASSOCIATE)]


def test_a_confirmed_keep_alive_is_not_told(scene: Scene) -> None:
    scene.hold()
    for _ in range(3):
        scene.confirm()
        assert told(scene.hear(response(VSI, ASSOCIATE))) == []
        assert scene.state() is StationState.HELD


def test_keep_alives_follow_the_timers_of_the_moment(scene: Scene) -> None:
    scene.hold()
    scene.confirm()
    scene.station.timers = replace(TIMERS, keep_alive=1.0)
    scene.hear(response(VSI, ASSOCIATE))
    assert scene.station.deadline == scene.now + 1.0


def test_an_unsolicited_de_assoc_is_told(scene: Scene) -> None:
    scene.hold()
    assert told(scene.hear(unsolicited(VSI))) == [Lost(KEY, LossReason.BY_BRIDGE)]
    assert scene.state() is StationState.ABSENT
    assert scene.station.deadline is None


def test_a_response_that_nobody_waits_for_changes_nothing(scene: Scene) -> None:
    scene.hold()
    for tlv in (response(VSI, LEAVE), response(VSI, PRE), response(VSI, ASSOCIATE, NO), VSI.request(ASSOCIATE)):
        assert scene.hear(tlv) == []
    assert scene.state() is StationState.HELD


def test_a_keep_alive_refused_ends_it(scene: Scene) -> None:
    scene.hold()
    scene.confirm()
    assert told(scene.hear(response(VSI, ASSOCIATE, NO))) == [Refused(KEY, NO, False, False)]
    assert scene.state() is StationState.ABSENT


def test_a_keep_alive_refused_with_keep_is_followed_by_a_de_assoc(scene: Scene) -> None:
    scene.hold()
    scene.confirm()
    outputs = scene.hear(response(VSI, ASSOCIATE, NO, keep=True))
    assert told(outputs) == [Refused(KEY, NO, False, False)]
    assert commands(outputs) == [LEAVE]
    assert scene.state() is StationState.WITHDRAWING
    assert scene.station.associations == {}


def test_a_keep_alive_s_response_to_something_else_ends_it(scene: Scene) -> None:
    scene.hold()
    scene.confirm()
    assert told(scene.hear(response(VSI, PRE))) == [Lost(KEY, LossReason.MISMATCH)]


@pytest.mark.parametrize("tlv", [unsolicited(VSI), response(VSI, LEAVE)], ids=["unsolicited", "response"])
def test_a_de_assoc_instead_of_a_keep_alive_s_response_ends_it(scene: Scene, tlv: VsiTlv) -> None:
    scene.hold()
    scene.confirm()
    assert told(scene.hear(tlv)) == [Lost(KEY, LossReason.BY_BRIDGE)]


def test_a_keep_alive_without_a_response_ends_it(scene: Scene) -> None:
    scene.hold()
    scene.confirm()
    assert told(scene.wait(TIMERS.response_wait)) == [Lost(KEY, LossReason.NO_RESPONSE)]
    assert scene.station.deadline is None


def test_a_keep_alive_without_an_ack_ends_it(scene: Scene) -> None:
    scene.hold()
    scene.station.expire(TIMERS.keep_alive)
    assert told(scene.lose_acks()) == [Lost(KEY, LossReason.NO_ACK)]


# ---- the end --------------------------------------------------------------------------------------------------------


def test_a_de_assoc_is_answered_and_told(scene: Scene) -> None:
    scene.hold()
    assert said(scene.leave()) == [VSI.request(LEAVE)]
    assert scene.state() is StationState.LEAVING
    assert scene.station.associations == {}
    assert told(scene.hear(response(VSI, LEAVE))) == [Deassociated(KEY)]
    assert scene.state() is StationState.ABSENT
    assert scene.station.deadline is None


ANSWERS = {
    "error": response(VSI, LEAVE, NO),
    "error with Keep": response(VSI, LEAVE, NO, keep=True),
    "something else": response(VSI, ASSOCIATE),
    "De-Assoc": unsolicited(VSI),
}


@pytest.mark.parametrize("name", [*ANSWERS, "nothing", "no ack"])
def test_a_de_assoc_ends_it_whatever_comes(scene: Scene, name: str) -> None:
    scene.hold()
    outputs: list[object] = list(scene.station.de_associate(KEY, 0.0))
    assert told(end(scene, outputs, name)) == [Deassociated(KEY)]
    assert scene.state() is StationState.ABSENT


@pytest.mark.parametrize("name", [*ANSWERS, "success", "nothing", "no ack"])
def test_a_withdrawn_vsi_ends_whatever_comes(scene: Scene, name: str) -> None:
    scene.hold()
    scene.confirm()
    outputs = scene.peer.say(response(VSI, ASSOCIATE, NO, keep=True), now=scene.now)
    assert told(end(scene, outputs, name)) == [], "it was told before"
    assert scene.state() is StationState.ABSENT


def end(scene: Scene, outputs: Sequence[object], name: str) -> list[object]:
    """What comes instead of the response to a De-Assoc."""
    if name == "no ack":
        return scene.lose_acks()
    scene.peer.ack(outputs, scene.now)
    if name == "nothing":
        return scene.wait(TIMERS.response_wait)
    return scene.hear(ANSWERS.get(name, response(VSI, LEAVE)))


def test_a_wish_waits_until_the_vsi_is_withdrawn(scene: Scene) -> None:
    scene.hold()
    scene.confirm()
    scene.hear(response(VSI, ASSOCIATE, NO, keep=True))
    assert commands(scene.ask(mode=PRE)) == []
    assert commands(scene.hear(response(VSI, LEAVE))) == [PRE]


def test_a_wish_to_leave_while_it_is_withdrawn_is_told(scene: Scene) -> None:
    scene.hold()
    scene.confirm()
    scene.hear(response(VSI, ASSOCIATE, NO, keep=True))
    assert scene.leave() == []
    assert commands(scene.hear(response(VSI, LEAVE))) == [LEAVE]
    assert told(scene.hear(response(VSI, LEAVE))) == [Deassociated(KEY)]


def test_the_end_of_what_is_unknown_is_told_at_once(scene: Scene) -> None:
    assert scene.station.de_associate(KEY, 0.0) == [Deassociated(KEY)]


def test_lldpad_s_de_assoc_of_what_has_left_already_is_acknowledged_and_no_more(scene: Scene) -> None:
    """Its bridge forgets a VSI by expiry alone, and says so 15.757 s after it has left (wire.md 4.9)."""
    scene.hold()
    scene.leave()
    scene.hear(response(VSI, LEAVE))
    scene.now += 15.757
    payload = Vdpdu(MANAGER, (unsolicited(VSI),)).encode()
    outputs = scene.station.receive(Ecpdu(Operation.REQUEST, VDP, 99, payload), scene.now)
    assert [pdu.operation for pdu in sent(outputs)] == [Operation.ACK]
    assert told(outputs) == []


def test_an_old_de_assoc_does_not_end_a_wish_that_has_not_gone_out_yet(scene: Scene) -> None:
    scene.station.associate(make_vsi(2), ASSOCIATE, 0.0)
    assert scene.station.associate(VSI, ASSOCIATE, 0.0) == [], "waits for the ack of the other's"
    assert scene.hear(unsolicited(VSI)) == []
    assert scene.hear(response(VSI, ASSOCIATE)) == []
    assert scene.state() is StationState.REQUESTED


def test_what_waits_to_be_sent_of_a_vsi_that_is_lost_meanwhile_is_not_sent(scene: Scene) -> None:
    scene.hold()
    busy: list[object] = list(scene.station.associate(make_vsi(2), ASSOCIATE, TIMERS.keep_alive))
    scene.now = TIMERS.keep_alive
    assert said(scene.station.expire(scene.now)) == []
    assert scene.state() is StationState.CONFIRMING
    assert told(scene.hear(unsolicited(VSI))) == [Lost(KEY, LossReason.BY_BRIDGE)]
    assert scene.peer.ack(busy, scene.now) == []


# ---- after a restart, and many at once ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_what_is_adopted_is_confirmed_at_once(scene: Scene, mode: Command) -> None:
    outputs: list[object] = list(scene.station.adopt(VSI, mode, 0.0))
    assert said(outputs) == [VSI.request(mode)]
    assert scene.station.associations == {KEY: Association(mode, VSI.filters)}
    scene.peer.ack(outputs, 0.0)
    assert told(scene.hear(response(VSI, mode))) == [Associated(KEY, mode, VSI.filters)]


def test_what_is_known_already_is_not_adopted(scene: Scene) -> None:
    scene.hold()
    assert scene.station.adopt(OTHER_FILTERS, ASSOCIATE, 0.0) == []
    assert scene.station.associations == {KEY: Association(ASSOCIATE, VSI.filters)}


def test_vsis_of_one_manager_share_an_ecpdu_and_managers_take_turns(scene: Scene) -> None:
    other = ManagerId.text("other")
    outputs: list[object] = list(scene.station.associate(make_vsi(1), ASSOCIATE, 0.0))
    for number in (2, 3, 4, 5):
        vsi = make_vsi(number, manager=other if number % 2 else MANAGER)
        assert scene.station.associate(vsi, ASSOCIATE, 0.0) == []
    second = scene.peer.ack(outputs, 0.0)
    third = scene.peer.ack(second, 0.0)
    assert [Vdpdu.decode(pdu.payload) for pdu in sent([*second, *third])] == [
        Vdpdu(MANAGER, tuple(make_vsi(number).request(ASSOCIATE) for number in (2, 4))),
        Vdpdu(other, tuple(make_vsi(number).request(ASSOCIATE) for number in (3, 5))),
    ]


def test_an_ecpdu_is_no_longer_than_its_limit(scene: Scene) -> None:
    outputs: list[object] = list(scene.station.associate(make_vsi(0), ASSOCIATE, 0.0))
    for number in range(1, 100):
        scene.station.associate(make_vsi(number), ASSOCIATE, 0.0)
    counts = []
    while outputs := scene.peer.ack(outputs, 0.0):
        (pdu,) = sent(outputs)
        assert len(pdu.payload) <= 1494
        counts.append(len(said(outputs)))
    assert counts == [42, 42, 15]


def test_one_response_may_answer_several(scene: Scene) -> None:
    for number in (1, 2):
        vsi = make_vsi(number)
        scene.ask(vsi)
    heard = scene.hear(*(response(make_vsi(number), ASSOCIATE) for number in (2, 1)))
    assert told(heard) == [Associated(make_vsi(number).vsiid, ASSOCIATE, make_vsi(number).filters) for number in (2, 1)]


def test_a_payload_that_is_no_vdpdu_is_acknowledged_and_counted(scene: Scene) -> None:
    scene.ask()
    assert scene.peer.say_octets(b"\xff\xff", 0.0) == []
    assert scene.station.malformed == 1
    assert scene.state() is StationState.REQUESTED


def test_a_tlv_that_nobody_knows_is_passed_over(scene: Scene) -> None:
    scene.ask()
    octets = Vdpdu(MANAGER, ()).encode() + Tlv(127, b"\0\0\x0cabc").encode() + response(VSI, ASSOCIATE).encode()
    assert told(scene.peer.say_octets(octets, 0.0)) == [Associated(KEY, ASSOCIATE, VSI.filters)]


def test_a_station_has_no_deadline_with_nothing_to_do() -> None:
    station = Station(make_station().link, TIMERS)
    assert station.deadline is None
    assert station.expire(1e9) == []
    assert not any(isinstance(one, Transmit) for one in station.expire(2e9))
