# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.protocol.evb import EvbAgreement, EvbSettings, negotiate
from openfex.wire import Frame
from openfex.wire.evb import BridgeStatus, Evb, EvbMode, RelayStatus, StationStatus
from openfex.wire.lldp import IEEE_8021, Lldpdu, organization_octets
from tests.unit.wire.samples import read_samples

LLDPAD_STATION, LLDPAD_BRIDGE = (EvbSettings(role, rte=8) for role in (EvbMode.STATION, EvbMode.BRIDGE))
STATION, BRIDGE = EvbSettings(EvbMode.STATION), EvbSettings(EvbMode.BRIDGE)


def say(settings: EvbSettings, remote: Evb | None = None) -> Evb:
    return negotiate(settings, remote).says


def agree(settings: EvbSettings, remote: Evb | None = None) -> EvbAgreement | None:
    return negotiate(settings, remote).agreement


def octets_of(evb: Evb) -> str:
    octets = organization_octets(evb.tlv(), IEEE_8021, Evb.SUBTYPE)
    assert octets is not None
    return octets.hex(" ")


def sample(name: str) -> Evb:
    found = Evb.find(Lldpdu.decode(Frame.decode(read_samples("lldp.hex")[name]).payload))
    assert found is not None
    return found


def test_two_ends_say_what_two_of_lldpad_said_frame_by_frame() -> None:
    """The trace of wire.md 4.1; each step follows from what the sender had heard by then."""
    bridge_1 = say(LLDPAD_BRIDGE)
    station_1 = say(LLDPAD_STATION)
    station_2 = say(LLDPAD_STATION, bridge_1)
    bridge_2 = say(LLDPAD_BRIDGE, station_1)
    bridge_3 = say(LLDPAD_BRIDGE, station_2)
    station_3 = say(LLDPAD_STATION, bridge_3)
    bridge_4 = say(LLDPAD_BRIDGE, station_3)
    said = [bridge_1, station_1, station_2, bridge_2, bridge_3, station_3, bridge_4]
    assert [octets_of(one) for one in said] == [
        "02 00 68 54 14",
        "00 07 68 94 14",
        "02 04 68 b4 34",
        "03 07 68 74 34",
        "03 04 68 74 34",
        "03 05 68 b4 34",
        "03 05 68 74 34",
    ]
    assert (station_1, bridge_1) == (sample("L1"), sample("L2"))
    assert (station_3, bridge_4) == (sample("L1b"), sample("L2b"))
    assert say(LLDPAD_STATION, bridge_4) == station_3, "it is not over"


def settle(station: EvbSettings, bridge: EvbSettings) -> tuple[Evb, Evb]:
    """What both say in the end, each having heard the other."""
    ours, theirs = say(station), say(bridge)
    for _ in range(6):
        ours, theirs = say(station, theirs), say(bridge, ours)
    assert (say(station, theirs), say(bridge, ours)) == (ours, theirs)
    return ours, theirs


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize("can", [False, True])
def test_reflective_relay_is_on_if_it_is_asked_for_and_can_be(asks: bool, can: bool) -> None:
    station, bridge = replace(STATION, reflective_relay=asks), replace(BRIDGE, reflective_relay=can)
    ours, theirs = settle(station, bridge)
    on = asks and can
    assert theirs.bridge == BridgeStatus(rrcap=can, rrctr=on)
    assert ours.station == StationStatus(rrreq=asks, rrstat=RelayStatus.ON if on else RelayStatus.OFF)
    assert (ours.bridge, theirs.station) == (theirs.bridge, ours.station)
    for agreement in (agree(station, theirs), agree(bridge, ours)):
        assert agreement is not None
        assert agreement.reflective_relay is on


def test_a_station_knows_of_reflective_relay_that_it_did_not_ask_for() -> None:
    agreement = agree(replace(STATION, reflective_relay=False), Evb(EvbMode.BRIDGE, BridgeStatus(rrctr=True)))
    assert agreement is not None
    assert agreement.reflective_relay


def test_in_use_is_the_greater_value_of_each() -> None:
    station = EvbSettings(EvbMode.STATION, retries=1, rte=16, rwd=25, rka=3)
    bridge = EvbSettings(EvbMode.BRIDGE, retries=5, rte=14, rwd=9, rka=30)
    ours, theirs = settle(station, bridge)
    wanted = EvbAgreement(True, True, retries=5, rte=16, rwd=25, rka=30)
    assert agree(station, theirs) == agree(bridge, ours) == wanted
    assert (ours.rwd_remote, ours.rka_remote, theirs.rwd_remote, theirs.rka_remote) == (False, True, True, False)


def test_a_value_that_is_lowered_does_not_come_back_from_the_other_end() -> None:
    station, bridge = replace(STATION, rka=25), BRIDGE
    _, theirs = settle(station, bridge)
    lowered = replace(station, rka=20)
    ours = say(lowered, theirs)
    agreements = agree(lowered, say(bridge, ours)), agree(bridge, ours)
    assert [one.rka for one in agreements if one] == [20, 20]


def test_group_ids_are_in_use_only_if_both_know_them() -> None:
    for own, other in ((True, True), (True, False), (False, True)):
        station, bridge = replace(STATION, group_ids=own), replace(BRIDGE, group_ids=other)
        ours, theirs = settle(station, bridge)
        agreements = agree(station, theirs), agree(bridge, ours)
        assert [one.group_ids for one in agreements if one] == [own and other] * 2


def test_before_the_other_end_is_heard_our_own_values_are_in_use() -> None:
    for settings in (STATION, BRIDGE):
        assert agree(settings) == EvbAgreement(False, False, retries=3, rte=14, rwd=20, rka=20)
    assert say(STATION).station.rrstat is RelayStatus.UNKNOWN


@pytest.mark.parametrize("settings", [STATION, BRIDGE])
def test_two_ends_of_one_kind_do_not_agree_and_repeat_nothing(settings: EvbSettings) -> None:
    for mode in {EvbMode.NOT_SUPPORTED, EvbMode.RESERVED, settings.role}:
        remote = replace(sample("L3"), mode=mode)
        assert agree(settings, remote) is None
        assert say(settings, remote) == say(settings)


def test_our_default_leaves_time_to_answer() -> None:
    agreement = agree(STATION, sample("L2b"))
    assert agreement is not None
    assert agreement.ecp.timeout == pytest.approx(0.16384)


def test_the_times_of_vdp_follow_from_what_is_in_use() -> None:
    agreement = agree(LLDPAD_STATION, sample("L2b"))
    assert agreement is not None
    assert agreement.timers.response_wait == pytest.approx(15.756, abs=0.001)
    assert agreement.timers.expiry == pytest.approx(15.756, abs=0.001)
    assert agreement.timers.keep_alive == agreement.timers.resource_wait == pytest.approx(10.48576)
    other = EvbAgreement(True, True, retries=1, rte=10, rwd=12, rka=13)
    assert other.timers.response_wait == pytest.approx(1.5 * (3 * 0.01024 + 0.04096))
    assert other.timers.expiry == pytest.approx(1.5 * (3 * 0.01024 + 0.08192))
    assert other.timers.resource_wait == pytest.approx(0.04096)
    assert other.timers.keep_alive == pytest.approx(0.08192)
