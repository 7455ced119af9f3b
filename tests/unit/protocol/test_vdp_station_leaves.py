# SPDX-License-Identifier: Apache-2.0
"""A station leaves, or is made to (protocol/vdp_tables.py)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from openfex.protocol.vdp import Deassociated, LossReason, Lost
from openfex.protocol.vdp_tables import StationState
from openfex.wire.ecp import VDP, Ecpdu, Operation
from openfex.wire.vdp import Vdpdu
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
    MANAGER,
    TIMERS,
    make_vsi,
    response,
    said,
    sent,
    told,
    unsolicited,
)


@pytest.fixture
def scene() -> Scene:
    return Scene()


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
