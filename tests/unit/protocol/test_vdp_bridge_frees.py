# SPDX-License-Identifier: Apache-2.0
"""A bridge frees VSIs: those that leave, are silent, or are taken away (protocol/vdp_tables.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.protocol.vdp import Associated, Deassociated, Vsi
from openfex.protocol.vdp_bridge import Expired
from openfex.protocol.vdp_tables import BridgeState
from openfex.wire.vdp import Hint
from tests.unit.protocol.bridge_scene import (
    ASSOCIATE,
    KEY,
    LEAVE,
    NO,
    PRE,
    VSI,
    YES,
    Scene,
    tlvs_and_told,
)
from tests.unit.protocol.vsis import (
    TIMERS,
    make_vsi,
    response,
    told,
    unsolicited,
)


@pytest.fixture
def scene() -> Scene:
    return Scene()


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
