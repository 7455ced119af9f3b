# SPDX-License-Identifier: Apache-2.0
"""A station and a bridge on a bad cable: whatever is lost, they come to agree."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.errors import RefusedError
from openfex.protocol.ecp import EcpPort
from openfex.protocol.output import Transmit
from openfex.protocol.vdp import MODES, Associated, Association, Deassociated, Lost, Refused, Vsi
from openfex.protocol.vdp_bridge import Accept, Asked, Expired, Reject
from openfex.wire import ecp
from openfex.wire.ecp import Ecpdu, Operation
from openfex.wire.vdp import Command, ErrorCode, ManagerId, Vdpdu
from openfex.wire.vsi import Vsiid
from tests.property.fake_wire import LEFT, RIGHT, FakeWire, chances, ideal
from tests.unit.protocol.vsis import MANAGER, SETTINGS, STATION_MAC, TIMERS, make_bridge, make_station, make_vsi

CHOSEN = 777
# A forgotten VSI is expired by the bridge; before that a station may wait for responses, a last wish behind another.
QUIET = 2 * TIMERS.response_wait + 2 * TIMERS.expiry + 2 * TIMERS.keep_alive
VSIS = [make_vsi(1), make_vsi(2, vid=0), make_vsi(3, manager=ManagerId.text("other")), make_vsi(4)]
ERRORS = [one for one in ErrorCode if one]


Belief = dict[Vsiid, Association]


class Pair:
    """A station and a bridge at the ends of a cable; `verdict` is what the bridge's owner says, None for nothing."""

    def __init__(self) -> None:
        self.station, self.bridge = make_station(), make_bridge()
        self.wire = FakeWire(EcpPort({ecp.VDP: self.station}), EcpPort({ecp.VDP: self.bridge}), owner=self.judge)
        self.verdict: Accept | Reject | None = Accept(())
        self.believed: tuple[Belief, Belief] = ({}, {})
        """What each end's owner must believe to be held, from what it was told."""

    def judge(self, end: int, output: object, now: float) -> Sequence[object]:
        if isinstance(output, Associated):
            self.believed[end][output.key] = Association(output.mode, output.filters)
        elif isinstance(output, Lost | Deassociated | Expired) or (isinstance(output, Refused) and not output.kept):
            self.believed[end].pop(output.key, None)
        if not isinstance(output, Asked) or self.verdict is None:
            return ()
        if isinstance(self.verdict, Reject):
            return self.bridge.answer(output, self.verdict, now)
        filters = tuple(one if one.vid else replace(one, vid=CHOSEN) for one in output.vsi.filters)
        return self.bridge.answer(output, Accept(filters), now)

    def ask(self, vsi: Vsi, mode: Command) -> None:
        self.wire.put(LEFT, self.station.associate(vsi, mode, self.wire.now))

    def leave(self, vsi: Vsi) -> None:
        self.wire.put(LEFT, self.station.de_associate(vsi.vsiid, self.wire.now))

    def restart_station(self) -> None:
        held = self.station.associations
        known = [one for one in VSIS if one.vsiid in held]
        self.station = make_station()
        self.wire.ends[LEFT] = EcpPort({ecp.VDP: self.station})
        self.believed[LEFT].clear()
        self.believed[LEFT].update(held)
        for vsi in known:
            given = replace(vsi, filters=held[vsi.vsiid].filters)
            self.wire.put(LEFT, self.station.adopt(given, held[vsi.vsiid].mode, self.wire.now))

    def restart_bridge(self) -> None:
        held = self.bridge.associations
        known = [one for one in VSIS if one.vsiid in held]
        self.bridge = make_bridge()
        self.wire.ends[RIGHT] = EcpPort({ecp.VDP: self.bridge})
        for vsi in known:
            given = replace(vsi, filters=held[vsi.vsiid].filters)
            self.wire.put(RIGHT, self.bridge.adopt(given, held[vsi.vsiid].mode, self.wire.now))

    def check_agreed(self) -> None:
        assert self.station.associations == self.bridge.associations
        assert self.believed == (self.station.associations, self.bridge.associations)


def disturb(data: st.DataObject, pair: Pair) -> None:
    """One thing that happens on a bad day."""
    match data.draw(st.sampled_from(("ask", "ask", "ask", "leave", "verdict", "cable", "station", "bridge", "take"))):
        case "ask":
            with suppress(RefusedError):  # going back
                pair.ask(data.draw(st.sampled_from(VSIS)), data.draw(st.sampled_from(MODES)))
        case "leave":
            pair.leave(data.draw(st.sampled_from(VSIS)))
        case "verdict":
            rejections = st.builds(Reject, st.sampled_from(ERRORS), st.booleans(), st.booleans())
            pair.verdict = data.draw(st.one_of(st.none(), st.just(Accept(())), rejections))
        case "cable":
            pair.wire.fate = chances(data)
        case "station":
            pair.restart_station()
        case "bridge":
            pair.restart_bridge()
        case _:
            key = data.draw(st.sampled_from(VSIS)).vsiid
            pair.wire.put(RIGHT, pair.bridge.de_associate(key, pair.wire.now))


@given(st.data())
def test_after_a_quiet_time_both_sides_hold_the_same(data: st.DataObject) -> None:
    pair = Pair()
    pair.wire.fate = chances(data)
    for _ in range(data.draw(st.integers(1, 8))):
        disturb(data, pair)
        pair.wire.run(pair.wire.now + data.draw(st.sampled_from((0.0, 0.002, 0.2, 1.0, 12.0))))
    pair.wire.fate = ideal
    pair.wire.run(pair.wire.now + QUIET)
    pair.check_agreed()


@given(st.data())
def test_a_wish_on_a_quiet_cable_after_a_bad_one_is_fulfilled(data: st.DataObject) -> None:
    """Nothing that was lost before keeps a VSI from being associated, or from leaving."""
    pair = Pair()
    pair.wire.fate = chances(data)
    for _ in range(data.draw(st.integers(1, 5))):
        disturb(data, pair)
        pair.wire.run(pair.wire.now + data.draw(st.sampled_from((0.0, 0.2, 12.0))))
    pair.wire.fate, pair.verdict = ideal, Accept(())
    pair.wire.run(pair.wire.now + QUIET)
    for vsi in VSIS[:2]:
        pair.ask(vsi, Command.ASSOCIATE)
    pair.leave(VSIS[2])
    pair.wire.run(pair.wire.now + 1)
    pair.check_agreed()
    held = pair.station.associations
    assert {held[vsi.vsiid].mode for vsi in VSIS[:2]} == {Command.ASSOCIATE}
    assert held[VSIS[1].vsiid].filters[0].vid == CHOSEN
    assert VSIS[2].vsiid not in held


@given(st.data())
def test_every_wish_has_an_outcome(data: st.DataObject) -> None:
    """Whoever asks for something is told how it ended, however bad the cable."""
    pair = Pair()
    pair.wire.fate = chances(data)
    vsi = data.draw(st.sampled_from(VSIS))
    pair.ask(vsi, data.draw(st.sampled_from(MODES)))
    pair.wire.run(TIMERS.response_wait + 3 * SETTINGS.patience)
    first = pair.wire.told[LEFT][0][1]
    assert isinstance(first, Associated | Refused | Lost)
    pair.leave(vsi)
    pair.wire.run(pair.wire.now + 2 * TIMERS.response_wait + 3 * SETTINGS.patience)
    last = pair.wire.told[LEFT][-1][1]
    assert isinstance(last, Deassociated | Lost)
    assert vsi.vsiid not in pair.station.associations


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """What is often almost a VDPDU."""
    vsi = draw(st.sampled_from(VSIS))
    tlv = vsi.request(draw(st.sampled_from(list(Command))))
    if draw(st.booleans()):
        error = draw(st.sampled_from(list(ErrorCode)))
        tlv = replace(vsi.response(tlv.command), error=error, keep=draw(st.booleans()), hard=draw(st.booleans()))
    octets = bytearray(Vdpdu(vsi.manager, (tlv,) * draw(st.integers(0, 3))).encode())
    for _ in range(draw(st.integers(0, 3))):
        octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    return bytes(octets[: draw(st.integers(0, len(octets)))]) if draw(st.booleans()) else bytes(octets)


@st.composite
def hostile_frames(draw: st.DrawFn) -> bytes:
    if draw(st.integers(0, 5)) == 0:
        return draw(st.binary(max_size=80))
    operation = draw(st.sampled_from(list(Operation)))
    pdu = Ecpdu(operation, ecp.VDP, draw(st.integers(0, 3)), draw(payloads()), draw(st.sampled_from((1, 1, 1, 2))))
    return pdu.frame(STATION_MAC)


@given(st.lists(hostile_frames(), max_size=40))
def test_no_octets_break_a_station_or_a_bridge(frames: list[bytes]) -> None:
    station, bridge = make_station(), make_bridge(most=3)
    ends = EcpPort({ecp.VDP: station}), EcpPort({ecp.VDP: bridge})
    station.associate(VSIS[0], Command.ASSOCIATE, 0.0)
    for number, frame in enumerate(frames):
        for end in ends:
            outputs = [*end.receive(frame, number * 0.1), *end.expire(number * 0.1)]
            assert sum(isinstance(output, Transmit) for output in outputs) <= 4
            for output in outputs:
                if isinstance(output, Asked):
                    bridge.answer(output, Accept(output.vsi.filters), number * 0.1)
    assert set(station.associations) <= {VSIS[0].vsiid}
    assert len(bridge.associations) <= 3


def test_a_station_that_asks_for_ever_new_vsis_fills_no_memory() -> None:
    bridge = make_bridge(most=10)
    for number in range(2000):
        vsi = make_vsi(number)
        pdu = Vdpdu(MANAGER, (vsi.request(Command.ASSOCIATE), make_vsi(5000 + number).request(Command.DE_ASSOCIATE)))
        bridge.receive(Ecpdu(Operation.REQUEST, ecp.VDP, number + 1, pdu.encode()), number * 1e-6)
    assert len(bridge._entries) == 10
    assert len(bridge._outbox) <= 2 * 10 + 16
    assert bridge._outbox.dropped
    assert bridge._deadlines.entries <= 2 * 10 + 17


def test_256_vsis_are_associated_from_cold_in_few_ecpdus() -> None:
    pair = Pair()
    vsis = [make_vsi(number) for number in range(256)]
    for vsi in vsis:
        pair.ask(vsi, Command.ASSOCIATE)
    pair.wire.run(until=0.1)

    assert len(pair.wire.outputs(LEFT, Associated)) == len(pair.station.associations) == 256
    requests, responses = (count_requests(pair.wire.sent[end]) for end in (LEFT, RIGHT))
    assert requests == 1 + 7, "the first goes alone, 42 each fit the others"
    assert responses <= 2 * requests
    assert max(at for at, _ in pair.wire.told[LEFT]) < 0.03
    assert max(len(frame) for frames in pair.wire.sent for frame in frames) <= 1514


def test_keep_alives_of_256_vsis_share_ecpdus_however_they_came() -> None:
    pair = Pair()
    for number in range(256):
        pair.ask(make_vsi(number), Command.ASSOCIATE)
        pair.wire.run(pair.wire.now + 0.004)
    pair.wire.run(until=TIMERS.keep_alive - 0.1)
    before = [count_requests(frames) for frames in pair.wire.sent]
    pair.wire.run(until=2 * TIMERS.keep_alive)

    assert [count_requests(frames) - count for frames, count in zip(pair.wire.sent, before, strict=True)] == [7, 7]
    assert len(pair.station.associations) == len(pair.bridge.associations) == 256
    assert len(pair.wire.outputs(LEFT, Associated)) == 256


def count_requests(frames: list[bytes]) -> int:
    return sum(Ecpdu.decode_frame(frame).operation is Operation.REQUEST for frame in frames)


@pytest.mark.parametrize("settle", [0.0, 5.0])
def test_a_station_that_is_restarted_after_its_first_ecpdu_is_heard(settle: float) -> None:
    """Its sequence begins with 1 again, and 1 is what the bridge has heard last (protocol/ecp.py)."""
    pair = Pair()
    pair.ask(VSIS[0], Command.ASSOCIATE)
    pair.wire.run(until=settle + SETTINGS.patience + 0.01)
    pair.restart_station()
    pair.wire.run(pair.wire.now + 0.1)
    assert len(pair.wire.outputs(LEFT, Associated)) == 2
    pair.check_agreed()
