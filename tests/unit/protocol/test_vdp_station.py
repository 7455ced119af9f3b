# SPDX-License-Identifier: Apache-2.0
"""A station after a restart, with many VSIs, and with what is no VDPDU."""

from __future__ import annotations

import pytest

from openfex.protocol.output import Transmit
from openfex.protocol.vdp import MODES, Associated, Association
from openfex.protocol.vdp_station import Station
from openfex.protocol.vdp_tables import StationState
from openfex.wire.tlv import Tlv
from openfex.wire.vdp import Command, ManagerId, Vdpdu
from tests.unit.protocol.station_scene import (
    ASSOCIATE,
    KEY,
    OTHER_FILTERS,
    VSI,
    Scene,
)
from tests.unit.protocol.vsis import (
    MANAGER,
    TIMERS,
    make_station,
    make_vsi,
    response,
    said,
    sent,
    told,
)


@pytest.fixture
def scene() -> Scene:
    return Scene()


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
