# SPDX-License-Identifier: Apache-2.0
"""lldpad as the station, as vdptool has it ask, and our bridge, on a cable."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from openfex.model.values import Mac
from openfex.protocol.evb import EvbSettings
from openfex.protocol.uplink import Uplink, bridge_end
from openfex.protocol.vdp import Associated, Association, Deassociated
from openfex.protocol.vdp_bridge import Accept, Asked, Bridge, Expired, Reject
from openfex.wire.evb import EvbMode
from openfex.wire.vdp import Command, ErrorCode, ManagerId
from openfex.wire.vsi import Filter, Vsiid
from tests.interop.lldpad import EXPONENT, SHORT, SLACK_S, THEIRS, Lldpad, is_relay_on, lldpad, met
from tests.interop.pump import Pump

pytestmark = [pytest.mark.root, pytest.mark.interop, pytest.mark.slow, pytest.mark.usefixtures("cable")]

EVB = EvbSettings(EvbMode.BRIDGE, rwd=EXPONENT, rka=EXPONENT)
MAC = Mac.parse("52:54:00:11:22:33")
UUIDS = [UUID(f"11223344-5566-4788-99aa-{number:012x}") for number in range(4)]
KEYS = [Vsiid.uuid(uuid) for uuid in UUIDS]
CHOSEN = 77
"""The VID that our bridge gives where the station has none."""
FULL, KEPT = 13, 14
"""Types that it refuses; the second one so that what was held stays."""
YES = "Response from VDP"
Met = tuple[Pump[Uplink[Bridge]], Lldpad]


@contextmanager
def met_with(folder: Path, evb: EvbSettings = EVB, settings: Mapping[str, int | str] = SHORT) -> Iterator[Met]:
    def judge(output: object, now: float) -> Sequence[object]:
        return pump.end.vdp.answer(output, verdict(output), now) if isinstance(output, Asked) else ()

    with met(bridge_end, folder, evb, settings, judge) as (pump, peer):
        yield pump, peer


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Met]:
    with met_with(tmp_path) as found:
        yield found


def verdict(asked: Asked) -> Accept | Reject:
    if asked.vsi.type_id == FULL:
        return Reject(ErrorCode.INSUFFICIENT_RESOURCES)
    if asked.vsi.type_id == KEPT and asked.mode is Command.ASSOCIATE:
        return Reject(ErrorCode.OTHER, keep=True)
    return Accept(tuple(replace(one, vid=one.vid or CHOSEN) for one in asked.vsi.filters))


def ask(found: Met, mode: str, filters: str = f"200-{MAC}", number: int = 0, type_id: int = 5) -> str:
    """Have lldpad ask for a VSI; what it says then."""
    pump, peer = found
    known = {"mgrid2": "profiles", "typeid": str(type_id), "typeidver": "4", "uuid": str(UUIDS[number])}
    return pump.run(THEIRS, peer.vdptool(mode, **known, hints="none", filter=filters)).stdout


def listed(found: Met) -> str:
    """The VSIs that lldpad has associated."""
    pump, peer = found
    return pump.run(THEIRS, peer.vdptool_list()).stdout


def test_evb_converges_with_reflective_relay_on(station: Met) -> None:
    pump, peer = station
    agreement = pump.end.agreement
    assert agreement is not None
    assert (agreement.retries, agreement.rte, agreement.rwd, agreement.rka) == (3, 14, EXPONENT, EXPONENT)
    said = pump.run(THEIRS, peer.lldptool("-t", "-V", "evb")).stdout
    for words in ("bridge:rrcap,rrctr", "station:rrreq,rrstat", "retries:3 rte:14", f"rwd:{EXPONENT}"):
        assert words in said


def test_lldpad_goes_from_pre_associated_to_associated_and_leaves(station: Met) -> None:
    pump, _ = station
    for mode in ("preassoc", "preassoc-rr", "assoc", "deassoc"):
        said = ask(station, mode)
        assert YES in said
        assert f"mode = {mode}\n" in said
    filters = (Filter(200, MAC),)
    assert pump.told_of(Associated) == [Associated(KEYS[0], Command(number), filters) for number in (1, 2, 3)]
    assert pump.told_of(Deassociated) == [Deassociated(KEYS[0])]
    (first, *_) = pump.told_of(Asked)
    assert (first.vsi.manager, first.vsi.type_id, first.vsi.type_version) == (ManagerId.text("profiles"), 5, 4)


def test_every_format_of_filters_is_understood_and_a_null_vid_is_filled_in(tmp_path: Path) -> None:
    with met_with(tmp_path, replace(EVB, group_ids=True), {**SHORT, "evbgpid": "true"}) as found:
        for number, words in enumerate(("200", f"0-{MAC}", "202--7", f"203-{MAC}-7")):
            said = ask(found, "assoc", words, number)
            assert YES in said
            assert "Error" not in said
        assert f"filter = {CHOSEN}-{MAC}" in listed(found)
        pump, _ = found
        filters = Filter(200), Filter(CHOSEN, MAC), Filter(202, group=7), Filter(203, MAC, group=7)
        held = {key: Association(Command.ASSOCIATE, (one,)) for key, one in zip(KEYS, filters, strict=True)}
        assert pump.end.vdp.associations == held


def test_a_refusal_is_told_with_its_reason(station: Met) -> None:
    pump, _ = station
    said = ask(station, "assoc", type_id=FULL)
    assert "Error returned by Bridge: Insufficient resources at bridge" in said
    assert pump.end.vdp.associations == {}
    assert str(UUIDS[0]) not in listed(station)


def test_lldpad_leaves_after_a_refusal_that_keeps_what_was_held(station: Met) -> None:
    """It asks for the same again as its keep-alive, is refused again, and says De-Assoc; vdptool waits for that."""
    pump, _ = station
    assert YES in ask(station, "preassoc", type_id=KEPT)
    assert "mode = deassoc" in ask(station, "assoc", type_id=KEPT)
    held = Association(Command.PRE_ASSOCIATE, (Filter(200, MAC),))
    first, again, third = pump.told_of(Asked)
    assert (first.held, again.held, third.held) == (None, held, held)
    assert again.vsi == third.vsi
    assert pump.told_of(Deassociated) == [Deassociated(KEYS[0])]
    assert pump.told_of(Expired) == []


def test_keep_alives_keep_a_vsi_until_lldpad_is_killed(station: Met) -> None:
    pump, peer = station
    assert YES in ask(station, "assoc")
    timers, link = pump.end.vdp.timers, pump.end.vdp.link
    before = link.counters.rx_frames
    pump.go_on(1.5 * timers.expiry)
    assert 3 <= link.counters.rx_frames - before <= 1.5 * timers.expiry / timers.keep_alive + 1
    assert pump.end.vdp.associations.keys() == {KEYS[0]}
    assert len(pump.told_of(Asked)) == 1
    peer.kill()
    killed = time.monotonic()
    pump.until(lambda: pump.told_of(Expired), "the VSI expires")
    assert timers.expiry - timers.keep_alive - 0.5 <= time.monotonic() - killed <= timers.expiry + SLACK_S
    assert pump.told_of(Expired) == [Expired(KEYS[0])]
    assert pump.end.vdp.associations == {}


def test_lldpad_forgets_a_vsi_that_the_bridge_takes_away(station: Met) -> None:
    pump, _ = station
    assert YES in ask(station, "assoc")
    assert str(UUIDS[0]) in listed(station)
    pump.do(lambda now: pump.end.vdp.de_associate(KEYS[0], now))
    pump.until(lambda: pump.end.vdp.link.is_idle, "lldpad acknowledges")
    pump.until(lambda: str(UUIDS[0]) not in listed(station), "lldpad forgets it")
    assert YES in ask(station, "assoc")


def test_lldpad_restarted_says_the_same_with_the_same_sequence_and_is_answered(station: Met, tmp_path: Path) -> None:
    """It counts from 1 again; what our bridge holds is confirmed, not asked anew."""
    pump, peer = station
    assert YES in ask(station, "assoc")
    peer.kill()
    heard = len(pump.heard)
    folder = tmp_path / "again"
    folder.mkdir()
    with lldpad(peer.programs, folder, EvbMode.STATION, SHORT) as again:
        pump.until(lambda: len(pump.heard) > heard + 1 and is_relay_on(pump.end), "reflective relay is on again")
        assert YES in ask((pump, again), "assoc")
    assert len(pump.told_of(Asked)) == 1
    assert pump.told_of(Expired) == []
