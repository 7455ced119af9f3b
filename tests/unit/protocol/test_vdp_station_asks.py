# SPDX-License-Identifier: Apache-2.0
"""A station asks: what comes of a wish, and of one behind another (protocol/vdp_tables.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.errors import RefusedError
from openfex.model.values import Mac
from openfex.protocol.vdp import MODES, Associated, Association, Deassociated, LossReason, Lost, Refused
from openfex.protocol.vdp_tables import StationState
from openfex.wire.vdp import Command, Hint, ManagerId, VsiTlv
from openfex.wire.vsi import Filter
from tests.unit.protocol.station_scene import (
    ASSOCIATE,
    KEY,
    LEAVE,
    NO,
    OTHER_FILTERS,
    PRE,
    RESERVE,
    VSI,
    Scene,
    commands,
)
from tests.unit.protocol.vsis import (
    TIMERS,
    make_station,
    make_vsi,
    response,
    said,
    told,
    unsolicited,
)


@pytest.fixture
def scene() -> Scene:
    return Scene()


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
