# SPDX-License-Identifier: Apache-2.0
"""A bridge after a restart, with many VSIs, and with what is no VDPDU."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.protocol.vdp import MODES, Association
from openfex.protocol.vdp_bridge import Accept, Asked, Bridge, Expired
from openfex.protocol.vdp_tables import BridgeState
from openfex.protocol.vdp_timers import VdpTimers
from openfex.wire.vdp import Command, Vdpdu
from tests.unit.protocol.bridge_scene import (
    ASSOCIATE,
    KEY,
    LEAVE,
    NO,
    OTHER_FILTERS,
    PRE,
    VSI,
    Scene,
    tlvs_and_told,
)
from tests.unit.protocol.vsis import (
    MANAGER,
    TIMERS,
    Peer,
    make_bridge,
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
def test_what_is_adopted_has_a_whole_keep_alive_time(scene: Scene, mode: Command) -> None:
    assert scene.bridge.adopt(VSI, mode, 100.0) == []
    assert scene.bridge.associations == {KEY: Association(mode, VSI.filters)}
    assert scene.bridge.deadline == 100.0 + TIMERS.expiry
    scene.now = 100.0
    scene.wait(TIMERS.expiry - 0.001)
    assert tlvs_and_told(scene.hear(make_vsi(vid=0).request(mode))) == ([response(VSI, mode)], [])


def test_what_is_adopted_in_another_order_is_confirmed_in_the_station_s(scene: Scene) -> None:
    """The kernel's tables do not know in which order the station has its filters."""
    vsi = replace(VSI, filters=(VSI.filters[0], *make_vsi(2).filters))
    scene.bridge.adopt(replace(vsi, filters=vsi.filters[::-1]), ASSOCIATE, 0.0)
    assert said(scene.hear(vsi.request(ASSOCIATE))) == [response(vsi, ASSOCIATE)]
    assert scene.bridge.associations == {KEY: Association(ASSOCIATE, vsi.filters)}


def test_what_was_adopted_before_evb_agreed_has_the_time_that_is_agreed(scene: Scene) -> None:
    other = make_vsi(2)
    scene.bridge.timers = VdpTimers.of(retries=3, rte=14, rwd=20, rka=10)
    scene.bridge.adopt(VSI, ASSOCIATE, 100.0)
    scene.peer.say(other.request(ASSOCIATE), now=100.0)
    scene.bridge.timers = TIMERS
    scene.now = 100.0
    outputs = scene.wait(TIMERS.expiry - 0.001)
    assert said(outputs)[0].vsiid == other.vsiid, "what is being asked has no more time than before"
    assert scene.state() is BridgeState.HELD
    assert told(scene.wait(0.002)) == [Expired(KEY)]


def test_timers_that_are_shorter_hold_from_the_next_keep_alive_on(scene: Scene) -> None:
    scene.hold()
    scene.bridge.timers = VdpTimers.of(retries=3, rte=8, rwd=20, rka=10)
    assert scene.bridge.deadline == TIMERS.expiry
    scene.now = 1.0
    scene.hear(VSI.request(ASSOCIATE))
    assert scene.bridge.deadline == 1.0 + scene.bridge.timers.expiry


def test_what_is_known_already_is_not_adopted(scene: Scene) -> None:
    scene.hold()
    assert scene.bridge.adopt(OTHER_FILTERS, PRE, 0.0) == []
    assert scene.bridge.associations == {KEY: Association(ASSOCIATE, VSI.filters)}


def test_one_vsi_too_many_is_refused_and_nothing_is_remembered_of_it() -> None:
    bridge = make_bridge(most=2)
    peer = Peer(bridge)
    outputs = peer.say(*(make_vsi(number).request(ASSOCIATE) for number in (1, 2, 3)), now=0.0)
    assert [one.key for one in told(outputs) if isinstance(one, Asked)] == [make_vsi(n).vsiid for n in (1, 2)]
    assert said(outputs) == [response(make_vsi(3), ASSOCIATE, NO)]
    assert bridge.state(make_vsi(3).vsiid) is BridgeState.ABSENT


def test_responses_share_ecpdus(scene: Scene) -> None:
    outputs = scene.peer.say(*(make_vsi(number).request(ASSOCIATE) for number in range(4)), now=0.0)
    given: list[object] = []
    for asked in told(outputs):
        assert isinstance(asked, Asked)
        given += scene.bridge.answer(asked, Accept(asked.vsi.filters), 0.0)
    assert len(said(given)) == len(sent(given)) == 1, "the first goes at once"
    assert len(said(scene.peer.ack(given, 0.0))) == 3


def test_several_keep_alives_in_one_ecpdu_have_responses_in_one() -> None:
    scene = Scene()
    vsis = [make_vsi(number) for number in range(40)]
    for vsi in vsis:
        scene.bridge.adopt(vsi, ASSOCIATE, 0.0)
    outputs = scene.peer.say(*(vsi.request(ASSOCIATE) for vsi in vsis), now=1.0)
    assert len(sent(outputs)) == 1
    assert said(outputs) == [response(vsi, ASSOCIATE) for vsi in vsis]


def test_a_later_word_about_a_vsi_takes_the_place_of_one_that_waits(scene: Scene) -> None:
    """So no station hears that a VSI was expired which is held again already."""
    scene.hold()
    other = scene.bridge
    busy = scene.peer.say(make_vsi(2).request(LEAVE), now=0.0)
    scene.now = TIMERS.expiry
    assert told(other.expire(scene.now)) == [Expired(KEY)]
    outputs = scene.peer.say(VSI.request(LEAVE), now=scene.now)
    assert said(outputs) == []
    assert said(scene.peer.ack(busy, scene.now)) == [response(VSI, LEAVE)]


def test_vsis_of_two_uplinks_do_not_meet() -> None:
    one, two = Scene(), Scene()
    one.hold()
    two.hear(VSI.request(LEAVE))
    assert KEY in one.bridge.associations
    assert two.ask().held is None


def test_a_payload_that_is_no_vdpdu_is_acknowledged_and_counted(scene: Scene) -> None:
    assert scene.peer.say_octets(Vdpdu(MANAGER, ()).encode() * 2, 0.0) == []
    assert scene.bridge.malformed == 1


def test_a_bridge_has_no_deadline_with_nothing_to_do() -> None:
    bridge: Bridge = make_bridge()
    assert bridge.deadline is None
    assert bridge.expire(1e9) == []
