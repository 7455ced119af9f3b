# SPDX-License-Identifier: Apache-2.0
"""A bridge is asked, and answers; what is said again keeps alive (protocol/vdp_tables.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.errors import RefusedError
from openfex.protocol.vdp import MODES, Associated, Association, Deassociated, Vsi
from openfex.protocol.vdp_bridge import Accept, Asked, Reject
from openfex.protocol.vdp_tables import BridgeState
from openfex.wire.vdp import Command, ErrorCode, Hint, ManagerId
from openfex.wire.vsi import Filter
from tests.unit.protocol.bridge_scene import (
    ASSOCIATE,
    KEY,
    NO,
    OTHER_FILTERS,
    PRE,
    RESERVE,
    VSI,
    YES,
    Scene,
    tlvs_and_told,
)
from tests.unit.protocol.vsis import (
    TIMERS,
    make_vsi,
    response,
    said,
    told,
)


@pytest.fixture
def scene() -> Scene:
    return Scene()


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
