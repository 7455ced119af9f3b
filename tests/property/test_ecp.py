# SPDX-License-Identifier: Apache-2.0
"""Two ECP links at the ends of a bad cable."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from openfex.protocol.ecp import Acknowledged, Delivered, EcpLink, EcpPort, GaveUp
from openfex.wire.ecp import Ecpdu, Operation
from tests.property.fake_wire import LEFT, RIGHT, FakeWire, chances
from tests.unit.protocol.vsis import BRIDGE_MAC, SETTINGS, STATION_MAC

SUBTYPE = 0x3FE
# Of one length that no frame pads, and all different.
PAYLOADS = [bytes([number]) * 60 for number in range(1, 9)]


def make_wire() -> tuple[FakeWire, EcpLink]:
    left, right = (EcpLink(SUBTYPE, mac, SETTINGS) for mac in (STATION_MAC, BRIDGE_MAC))
    return FakeWire(EcpPort({SUBTYPE: left}), EcpPort({SUBTYPE: right})), left


@given(st.data(), st.integers(1, len(PAYLOADS)))
def test_on_a_cable_that_loses_and_doubles_all_is_delivered_once_and_in_order(data: st.DataObject, count: int) -> None:
    """What the sender was told arrived has arrived; what it gave up may have, and no payload has come twice."""
    wire, left = make_wire()
    fates = st.sampled_from(((), (0.001,), (0.001, 0.001), (0.001, 0.002)))

    def fate(_end: int, _octets: bytes) -> Iterable[float]:
        return data.draw(fates)

    wire.fate = fate
    for payload in PAYLOADS[:count]:
        wire.put(LEFT, left.send(payload, wire.now))
    wire.run(until=60.0)
    outcomes = [output for _, output in wire.told[LEFT] if isinstance(output, Acknowledged | GaveUp)]
    assert [one.payload for one in outcomes] == PAYLOADS[:count]
    arrived = [output.payload for _, output in wire.told[RIGHT] if isinstance(output, Delivered)]
    acknowledged = [one.payload for one in outcomes if isinstance(one, Acknowledged)]
    assert [payload for payload in PAYLOADS if payload in arrived] == arrived
    assert set(acknowledged) <= set(arrived)
    assert left.is_idle
    assert left.deadline is None


@given(st.data())
def test_however_bad_the_cable_every_payload_has_an_outcome_in_time(data: st.DataObject) -> None:
    wire, left = make_wire()
    wire.fate = chances(data)
    for payload in PAYLOADS:
        wire.put(LEFT, left.send(payload, wire.now))
    wire.run(until=len(PAYLOADS) * (1 + SETTINGS.retries) * SETTINGS.timeout + 0.001)
    outcomes = [output for _, output in wire.told[LEFT] if isinstance(output, Acknowledged | GaveUp)]
    assert [one.payload for one in outcomes] == PAYLOADS
    assert left.counters.tx_frames <= len(PAYLOADS) * (1 + SETTINGS.retries)
    assert len(wire.sent[LEFT]) == left.counters.tx_frames


@given(st.lists(st.one_of(st.binary(max_size=70), st.binary(max_size=20).map(lambda rest: b"\x13\xfe" + rest))))
def test_any_octets_give_an_ack_at_most(frames: list[bytes]) -> None:
    link = EcpLink(SUBTYPE, BRIDGE_MAC, SETTINGS)
    port = EcpPort({SUBTYPE: link})
    head = Ecpdu(Operation.REQUEST, SUBTYPE, 1).frame(STATION_MAC)[:14]
    for number, octets in enumerate(frames):
        for frame in (octets, head + octets):
            outputs = port.receive(frame, number * 0.01)
            assert len(outputs) <= 2
    assert link.is_idle
    assert port.deadline is None
