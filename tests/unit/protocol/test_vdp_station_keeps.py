# SPDX-License-Identifier: Apache-2.0
"""A station keeps alive what it holds (protocol/vdp_tables.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.protocol.vdp import LossReason, Lost, Refused
from openfex.protocol.vdp_tables import StationState
from openfex.wire.vdp import Hint, VsiTlv
from tests.unit.protocol.station_scene import (
    ASSOCIATE,
    KEY,
    LEAVE,
    NO,
    PRE,
    VSI,
    Scene,
    commands,
)
from tests.unit.protocol.vsis import (
    TIMERS,
    response,
    said,
    told,
    unsolicited,
)


@pytest.fixture
def scene() -> Scene:
    return Scene()


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
