# SPDX-License-Identifier: Apache-2.0
"""Our station and lldpad as the bridge, on a cable. It says yes to all, and chooses no VID (wire.md 4.9)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from openfex.model.values import Mac
from openfex.protocol.evb import EvbSettings
from openfex.protocol.uplink import Uplink, station_end
from openfex.protocol.vdp import Associated, Association, Deassociated, LossReason, Lost, Vsi
from openfex.protocol.vdp_station import Station
from openfex.protocol.vdp_tables import StationState
from openfex.wire.ecp import Ecpdu, Operation
from openfex.wire.evb import EvbMode
from openfex.wire.vdp import Command, ManagerId, Vdpdu, VsiTlv
from openfex.wire.vsi import Filter, Vsiid
from tests.interop.lldpad import EXPONENT, SHORT, SLACK_S, THEIRS, Lldpad, met
from tests.interop.pump import Pump

pytestmark = [pytest.mark.root, pytest.mark.interop, pytest.mark.slow, pytest.mark.usefixtures("cable")]

MAC = Mac.parse("52:54:00:11:22:33")
MANAGER = ManagerId.text("profiles")
EVB = EvbSettings(EvbMode.STATION, rwd=EXPONENT, rka=EXPONENT)
FILTERS = {
    "VID": Filter(200),
    "MAC and VID": Filter(201, MAC),
    "GroupID and VID": Filter(202, group=7),
    "GroupID, MAC and VID": Filter(203, MAC, group=7),
}
Met = tuple[Pump[Uplink[Station]], Lldpad]


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Met]:
    with met(station_end, tmp_path, EVB) as found:
        yield found


def vsi(number: int, *filters: Filter) -> Vsi:
    return Vsi(
        Vsiid.uuid(UUID(f"11223344-5566-4788-99aa-{number:012x}")), MANAGER, 0x010203, 4, filters or (Filter(200, MAC),)
    )


def requests(pump: Pump[Uplink[Station]]) -> list[VsiTlv]:
    """What lldpad said by itself, without being asked."""
    pdus = [Ecpdu.decode_frame(octets) for _, octets in pump.heard if octets[12:14] == b"\x89\x40"]
    said = [Vdpdu.decode(one.payload) for one in pdus if one.operation is Operation.REQUEST]
    return [tlv for one in said for tlv in one.vsis if not tlv.is_response]


def associate(pump: Pump[Uplink[Station]], *wanted: Vsi) -> None:
    def ask(now: float) -> list[object]:
        return [output for one in wanted for output in pump.end.vdp.associate(one, Command.ASSOCIATE, now)]

    pump.do(ask)
    keys = {one.vsiid for one in wanted}
    pump.until(lambda: keys <= pump.end.vdp.associations.keys(), "lldpad associates")


def test_evb_converges_on_the_greater_of_each_timer(tmp_path: Path) -> None:
    evb = EvbSettings(EvbMode.STATION, retries=3, rte=14, rwd=15, rka=16)
    settings = {"ecpretries": 5, "ecprte": 9, "vdprwd": 17, "vdprka": 16}
    with met(station_end, tmp_path, evb, settings) as (pump, peer):
        agreement = pump.end.agreement
        assert agreement is not None
        assert (agreement.retries, agreement.rte, agreement.rwd, agreement.rka) == (5, 14, 17, 16)
        said = pump.run(THEIRS, peer.lldptool("-t", "-V", "evb")).stdout
        for words in ("bridge:rrcap,rrctr", "station:rrreq,rrstat", "retries:5 rte:14", "rwd:17", "rka:16"):
            assert words in said


def test_a_vsi_goes_from_pre_associated_to_associated(bridge: Met) -> None:
    pump, _ = bridge
    wanted = vsi(1)
    for mode in (Command.PRE_ASSOCIATE, Command.PRE_ASSOCIATE_RR, Command.ASSOCIATE):
        pump.do(partial(pump.end.vdp.associate, wanted, mode))
        pump.until(lambda: pump.end.vdp.state(wanted.vsiid) is StationState.HELD, f"lldpad answers to {mode.name}")
        assert pump.told_of(Associated)[-1] == Associated(wanted.vsiid, mode, wanted.filters)
    assert len(pump.told_of(Associated)) == 3


def test_several_vsis_share_an_ecpdu_with_every_format_of_filters(tmp_path: Path) -> None:
    evb = EvbSettings(EvbMode.STATION, rwd=EXPONENT, rka=EXPONENT, group_ids=True)
    with met(station_end, tmp_path, evb, {**SHORT, "evbgpid": "true"}) as (pump, _):
        wanted = [vsi(number, one) for number, one in enumerate(FILTERS.values(), 1)]
        associate(pump, *wanted)
        held = {one.vsiid: Association(Command.ASSOCIATE, one.filters) for one in wanted}
        assert pump.end.vdp.associations == held


def test_a_vid_that_lldpad_does_not_choose_stays_null(bridge: Met) -> None:
    pump, _ = bridge
    associate(pump, vsi(1, Filter(0, MAC)))
    assert pump.told_of(Associated) == [Associated(vsi(1).vsiid, Command.ASSOCIATE, (Filter(0, MAC),))]


def test_keep_alives_keep_a_vsi(bridge: Met) -> None:
    pump, _ = bridge
    associate(pump, vsi(1))
    timers = pump.end.vdp.timers
    before = pump.end.vdp.link.counters.rx_frames
    pump.go_on(1.5 * timers.expiry)
    keep_alives = pump.end.vdp.link.counters.rx_frames - before
    assert 3 <= keep_alives <= 1.5 * timers.expiry / timers.keep_alive + 1
    assert requests(pump) == []
    assert pump.told_of(Lost) == []


def test_lldpad_s_de_assoc_after_one_that_it_has_answered_is_survived(bridge: Met) -> None:
    """It keeps the VSI, and takes it back when it has heard nothing of it for the keep-alive time (wire.md 4.9)."""
    pump, _ = bridge
    associate(pump, vsi(1), vsi(2))
    pump.do(lambda now: pump.end.vdp.de_associate(vsi(1).vsiid, now))
    pump.until(lambda: pump.told_of(Deassociated), "lldpad answers De-Assoc")
    pump.until(lambda: requests(pump), "lldpad says De-Assoc by itself")
    assert [(one.command, one.vsiid) for one in requests(pump)] == [(Command.DE_ASSOCIATE, vsi(1).vsiid)]
    associate(pump, vsi(1))
    assert pump.told_of(Lost) == []
    assert pump.told_of(Deassociated) == [Deassociated(vsi(1).vsiid)]
    assert pump.end.vdp.associations.keys() == {vsi(1).vsiid, vsi(2).vsiid}


def test_a_vsi_comes_back_at_once_after_it_has_left(bridge: Met) -> None:
    """While lldpad still has what it has not forgotten."""
    pump, _ = bridge
    associate(pump, vsi(1))
    pump.do(lambda now: pump.end.vdp.de_associate(vsi(1).vsiid, now))
    pump.until(lambda: pump.told_of(Deassociated), "lldpad answers De-Assoc")
    associate(pump, vsi(1))
    pump.go_on(1.5 * pump.end.vdp.timers.expiry)
    assert pump.end.vdp.associations.keys() == {vsi(1).vsiid}


def test_when_lldpad_is_killed_its_vsis_are_lost_with_the_next_keep_alive(bridge: Met) -> None:
    pump, peer = bridge
    associate(pump, vsi(1))
    peer.kill()
    killed = time.monotonic()
    pump.until(lambda: pump.told_of(Lost), "the VSI is lost")
    ecp = pump.end.vdp.link.settings
    tries = (1 + ecp.retries) * ecp.timeout
    assert tries <= time.monotonic() - killed <= pump.end.vdp.timers.keep_alive + tries + SLACK_S
    assert pump.told_of(Lost) == [Lost(vsi(1).vsiid, LossReason.NO_ACK)]
