# SPDX-License-Identifier: Apache-2.0
"""Each transition of the bridge's table (protocol/vdp_tables.py), and what surrounds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from openfex.errors import RefusedError
from openfex.protocol.vdp import MODES, Associated, Association, Deassociated, Vsi
from openfex.protocol.vdp_bridge import Accept, Asked, Bridge, Expired, Reject, Verdict
from openfex.protocol.vdp_tables import BridgeState
from openfex.protocol.vdp_timers import VdpTimers
from openfex.wire.vdp import Command, ErrorCode, Hint, ManagerId, Vdpdu, VsiTlv
from openfex.wire.vsi import Filter
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
    unsolicited,
)

PRE, RESERVE, ASSOCIATE, LEAVE = Command
VSI = make_vsi()
KEY = VSI.vsiid
NO = ErrorCode.INSUFFICIENT_RESOURCES
OTHER_FILTERS = replace(VSI, filters=(Filter(200, VSI.filters[0].mac),))
YES = Accept(VSI.filters)


class Scene:
    """A bridge, with a station and an owner that a test plays."""

    def __init__(self) -> None:
        self.bridge = make_bridge()
        self.peer = Peer(self.bridge)
        self.now = 0.0

    def hear(self, *tlvs: VsiTlv, manager: ManagerId = MANAGER) -> list[object]:
        """Gives what the bridge then put out; what is sent is acknowledged."""
        outputs = self.peer.say(*tlvs, now=self.now, manager=manager)
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def ask(self, vsi: Vsi = VSI, mode: Command = ASSOCIATE) -> Asked:
        (asked,) = self.hear(vsi.request(mode))
        assert isinstance(asked, Asked)
        return asked

    def answer(self, asked: Asked, verdict: Verdict) -> list[object]:
        outputs: list[object] = list(self.bridge.answer(asked, verdict, self.now))
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def hold(self, vsi: Vsi = VSI, mode: Command = ASSOCIATE) -> None:
        self.answer(self.ask(vsi, mode), Accept(vsi.filters))
        assert self.bridge.associations == {vsi.vsiid: Association(mode, vsi.filters)}

    def wait(self, delay: float) -> list[object]:
        self.now += delay
        outputs: list[object] = list(self.bridge.expire(self.now))
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def state(self) -> BridgeState:
        return self.bridge.state(KEY)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def tlvs_and_told(outputs: Sequence[object]) -> tuple[list[VsiTlv], list[object]]:
    return said(outputs), told(outputs)


@pytest.mark.parametrize("mode", MODES)
def test_a_request_is_put_to_the_vsi_manager(scene: Scene, mode: Command) -> None:
    vsi = replace(VSI, hint=Hint.TO)
    (asked,) = scene.hear(vsi.request(mode))
    assert asked == Asked(KEY, 1, mode, replace(vsi, filter_format=VSI.filters[0].format), held=None)
    assert scene.state() is BridgeState.ASKED
    assert scene.bridge.associations == {}
    assert scene.bridge.deadline == TIMERS.resource_wait


@pytest.mark.parametrize("mode", MODES)
def test_a_yes_is_answered_with_the_filters_granted(scene: Scene, mode: Command) -> None:
    asking, given = make_vsi(vid=0), (Filter(42, VSI.filters[0].mac),)
    outputs = scene.answer(scene.ask(asking, mode), Accept(given))
    assert tlvs_and_told(outputs) == (
        [response(replace(asking, filters=given), mode)],
        [Associated(KEY, mode, given)],
    )
    assert scene.state() is BridgeState.HELD
    assert scene.bridge.associations == {KEY: Association(mode, given)}
    assert scene.bridge.deadline == TIMERS.expiry


def test_a_response_has_the_filters_in_the_station_s_order(scene: Scene) -> None:
    filters = tuple(make_vsi(number, vid=0).filters[0] for number in (1, 2, 3))
    given = tuple(replace(one, vid=100 + number) for number, one in enumerate(filters))
    outputs = scene.answer(scene.ask(replace(VSI, filters=filters)), Accept(given[::-1]))
    assert said(outputs)[0].filters == given
    assert told(outputs) == [Associated(KEY, ASSOCIATE, given)]


def test_a_response_has_no_hint(scene: Scene) -> None:
    outputs = scene.answer(scene.ask(replace(VSI, hint=Hint.TO | Hint.FROM)), YES)
    assert said(outputs) == [response(VSI, ASSOCIATE)]


@pytest.mark.parametrize("filters", [(), OTHER_FILTERS.filters, make_vsi(2).filters, 2 * VSI.filters], ids=len)
def test_a_verdict_about_other_filters_is_refused(scene: Scene, filters: tuple[Filter, ...]) -> None:
    asked = scene.ask()
    with pytest.raises(RefusedError) as caught:
        scene.answer(asked, Accept(filters))
    assert caught.value.code == "verdict-mismatch"
    assert scene.state() is BridgeState.ASKED


@pytest.mark.parametrize("keep", [False, True])
def test_a_no_ends_it(scene: Scene, keep: bool) -> None:
    """There is nothing to keep of what was never held."""
    outputs = scene.answer(scene.ask(), Reject(NO, keep=keep, hard=True))
    assert tlvs_and_told(outputs) == ([replace(response(VSI, ASSOCIATE, NO), hard=True)], [])
    assert scene.state() is BridgeState.ABSENT
    assert scene.bridge.deadline is None


def test_a_no_without_keep_ends_what_was_held(scene: Scene) -> None:
    scene.hold(mode=PRE)
    outputs = scene.answer(scene.ask(), Reject(NO))
    assert tlvs_and_told(outputs) == ([response(VSI, ASSOCIATE, NO)], [Deassociated(KEY)])
    assert scene.bridge.associations == {}


def test_a_no_with_keep_leaves_what_was_held(scene: Scene) -> None:
    scene.hold()
    outputs = scene.answer(scene.ask(OTHER_FILTERS), Reject(NO, keep=True))
    assert tlvs_and_told(outputs) == ([response(OTHER_FILTERS, ASSOCIATE, NO, keep=True)], [])
    assert scene.state() is BridgeState.HELD
    assert scene.bridge.associations == {KEY: Association(ASSOCIATE, VSI.filters)}
    assert scene.bridge.deadline == scene.now + TIMERS.expiry


def test_without_a_verdict_in_time_an_association_stays(scene: Scene) -> None:
    scene.hold()
    asked = scene.ask(OTHER_FILTERS)
    error = response(OTHER_FILTERS, ASSOCIATE, ErrorCode.NO_VSI_MANAGER, keep=True)
    assert scene.wait(TIMERS.resource_wait - 0.001) == []
    assert tlvs_and_told(scene.wait(0.001)) == ([error], [])
    assert scene.bridge.associations == {KEY: Association(ASSOCIATE, VSI.filters)}
    assert scene.answer(asked, Accept(OTHER_FILTERS.filters)) == [], "too late"


@pytest.mark.parametrize("held", [None, PRE, RESERVE])
def test_without_a_verdict_in_time_anything_else_ends(scene: Scene, held: Command | None) -> None:
    if held:
        scene.hold(mode=held)
    asked = scene.ask()
    error = response(VSI, ASSOCIATE, ErrorCode.NO_VSI_MANAGER)
    assert tlvs_and_told(scene.wait(TIMERS.resource_wait)) == ([error], [Deassociated(KEY)])
    assert scene.state() is BridgeState.ABSENT
    assert scene.answer(asked, YES) == [], "too late"


def test_a_request_that_comes_again_is_asked_once(scene: Scene) -> None:
    asked = scene.ask()
    assert scene.hear(VSI.request(ASSOCIATE)) == []
    assert told(scene.answer(asked, YES)) == [Associated(KEY, ASSOCIATE, VSI.filters)]


def test_another_request_is_asked_in_place_of_the_first(scene: Scene) -> None:
    first = scene.ask(mode=PRE)
    scene.now = 1.0
    second = scene.ask(OTHER_FILTERS)
    assert scene.bridge.deadline == 1.0 + TIMERS.resource_wait
    assert scene.answer(first, YES) == [], "out of date"
    assert told(scene.answer(second, Accept(OTHER_FILTERS.filters))) == [
        Associated(KEY, ASSOCIATE, OTHER_FILTERS.filters)
    ]
    assert scene.answer(second, Reject(NO)) == [], "answered"


@pytest.mark.parametrize("fault", [replace(VSI, filters=()), replace(VSI, filters=(Filter(4095),))], ids=["1", "5"])
def test_a_request_with_a_fault_is_answered_without_asking(scene: Scene, fault: Vsi) -> None:
    error = ErrorCode.INVALID_FILTER if fault.filters else ErrorCode.INVALID_FORMAT
    assert tlvs_and_told(scene.hear(fault.request(ASSOCIATE))) == ([response(fault, ASSOCIATE, error)], [])
    assert scene.state() is BridgeState.ABSENT


def test_a_request_with_a_fault_leaves_what_is_held(scene: Scene) -> None:
    scene.hold()
    fault = replace(VSI, filters=(Filter(4095),))
    error = response(fault, ASSOCIATE, ErrorCode.INVALID_FILTER, keep=True)
    assert tlvs_and_told(scene.hear(fault.request(ASSOCIATE))) == ([error], [])
    assert scene.bridge.associations == {KEY: Association(ASSOCIATE, VSI.filters)}


def test_a_request_with_a_fault_leaves_what_is_being_asked(scene: Scene) -> None:
    asked = scene.ask()
    fault = replace(VSI, filters=(Filter(4095),))
    assert said(scene.hear(fault.request(ASSOCIATE))) == [response(fault, ASSOCIATE, ErrorCode.INVALID_FILTER)]
    assert told(scene.answer(asked, YES)) == [Associated(KEY, ASSOCIATE, VSI.filters)]


def test_groups_are_for_those_who_agreed_on_them(scene: Scene) -> None:
    vsi = replace(VSI, filters=(Filter(100, group=7),))
    assert said(scene.hear(vsi.request(ASSOCIATE))) == [response(vsi, ASSOCIATE, ErrorCode.INVALID_FILTER)]
    scene.bridge.group_ids = True
    assert scene.ask(vsi).vsi.filters == vsi.filters


@pytest.mark.parametrize(("held", "mode"), [(one, two) for one in MODES for two in MODES if one is not two])
def test_another_mode_is_put_to_the_vsi_manager(scene: Scene, held: Command, mode: Command) -> None:
    scene.hold(mode=held)
    asked = scene.ask(mode=mode)
    assert asked.held == Association(held, VSI.filters)
    assert scene.bridge.associations[KEY].mode is held, "until there is a verdict"
    assert told(scene.answer(asked, YES)) == [Associated(KEY, mode, VSI.filters)]
    assert scene.bridge.associations[KEY].mode is mode


CHANGES = {
    "VID": OTHER_FILTERS,
    "MAC": replace(VSI, filters=make_vsi(2).filters),
    "type id": replace(VSI, type_id=6),
    "type version": replace(VSI, type_version=5),
    "PCP": replace(VSI, filters=(replace(VSI.filters[0], pcp=5),)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_put_to_the_vsi_manager(scene: Scene, name: str) -> None:
    scene.hold()
    assert scene.ask(CHANGES[name]).held == Association(ASSOCIATE, VSI.filters)


def test_another_manager_is_put_to_the_vsi_manager(scene: Scene) -> None:
    scene.hold()
    (asked,) = scene.hear(VSI.request(ASSOCIATE), manager=ManagerId.text("other"))
    assert isinstance(asked, Asked)


@pytest.mark.parametrize("mode", MODES)
def test_the_same_mode_again_is_a_keep_alive(scene: Scene, mode: Command) -> None:
    scene.hold(mode=mode)
    for _ in range(3):
        assert scene.wait(TIMERS.expiry - 0.001) == []
        assert tlvs_and_told(scene.hear(VSI.request(mode))) == ([response(VSI, mode)], [])
        assert scene.bridge.deadline == scene.now + TIMERS.expiry


def test_a_null_vid_again_is_a_keep_alive_and_the_vid_stays(scene: Scene) -> None:
    asking = make_vsi(vid=0)
    scene.answer(scene.ask(asking), YES)
    for again in (asking, VSI):
        assert tlvs_and_told(scene.hear(again.request(ASSOCIATE))) == ([response(VSI, ASSOCIATE)], [])


@pytest.mark.parametrize("vsi", [VSI, make_vsi(9)], ids=["known", "unknown"])
def test_what_is_no_request_is_passed_over(scene: Scene, vsi: Vsi) -> None:
    scene.hold()
    for tlv in (response(vsi, ASSOCIATE), response(vsi, LEAVE), response(vsi, PRE, NO)):
        assert scene.hear(tlv) == []
    assert scene.state() is BridgeState.HELD


def test_a_de_assoc_frees_the_vsi_at_once(scene: Scene) -> None:
    scene.hold()
    assert tlvs_and_told(scene.hear(VSI.request(LEAVE))) == ([response(VSI, LEAVE)], [Deassociated(KEY)])
    assert scene.state() is BridgeState.ABSENT
    assert scene.bridge.deadline is None


def test_a_de_assoc_ends_what_is_being_asked(scene: Scene) -> None:
    asked = scene.ask()
    assert tlvs_and_told(scene.hear(VSI.request(LEAVE))) == ([response(VSI, LEAVE)], [Deassociated(KEY)])
    assert scene.answer(asked, YES) == []
    again = scene.ask()
    assert scene.answer(asked, YES) == [], "the first question's verdict is not the second's"
    assert told(scene.answer(again, YES)) == [Associated(KEY, ASSOCIATE, VSI.filters)]


def test_a_de_assoc_of_an_unknown_vsi_succeeds(scene: Scene) -> None:
    assert tlvs_and_told(scene.hear(VSI.request(LEAVE))) == ([response(VSI, LEAVE)], [])


def test_a_silent_vsi_expires_with_a_de_assoc(scene: Scene) -> None:
    scene.hold()
    assert scene.wait(TIMERS.expiry - 0.001) == []
    assert tlvs_and_told(scene.wait(0.001)) == ([unsolicited(VSI)], [Expired(KEY)])
    assert scene.state() is BridgeState.ABSENT
    assert scene.bridge.deadline is None


def test_the_owner_takes_a_vsi_away(scene: Scene) -> None:
    scene.hold()
    assert tlvs_and_told(scene.bridge.de_associate(KEY, 0.0)) == ([unsolicited(VSI)], [Deassociated(KEY)])
    assert scene.state() is BridgeState.ABSENT


def test_the_owner_takes_away_what_is_being_asked(scene: Scene) -> None:
    asked = scene.ask(replace(VSI, hint=Hint.TO))
    assert tlvs_and_told(scene.bridge.de_associate(KEY, 0.0)) == ([unsolicited(VSI)], [Deassociated(KEY)])
    assert scene.answer(asked, YES) == []


def test_what_is_unknown_is_not_taken_away(scene: Scene) -> None:
    assert scene.bridge.de_associate(KEY, 0.0) == []


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
