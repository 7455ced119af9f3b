# SPDX-License-Identifier: Apache-2.0
"""The rules of wire.md 4.4, one by one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from openfex.errors import RefusedError, WireError
from openfex.model.values import Mac
from openfex.protocol.ecp import (
    LAST_SEQUENCE,
    MOST_WAITING,
    Acknowledged,
    Delivered,
    EcpCounters,
    EcpLink,
    EcpPort,
    EcpSettings,
    GaveUp,
)
from openfex.protocol.output import Transmit
from openfex.wire.ecp import Ecpdu, Operation
from openfex.wire.tlv import NEAREST_CUSTOMER_BRIDGE
from tests.unit.protocol.vsis import sent, told

SUBTYPE = 0x3FE
MAC = Mac.parse("52:54:00:aa:00:01")
SETTINGS = EcpSettings(retries=3, rte=14)
TIMEOUT = 0.16384


def make_link(settings: EcpSettings = SETTINGS, first: int = 1) -> EcpLink:
    return EcpLink(SUBTYPE, MAC, settings, first=first)


def request(sequence: int, payload: bytes = b"hello", subtype: int = SUBTYPE, version: int = 1) -> Ecpdu:
    return Ecpdu(Operation.REQUEST, subtype, sequence, payload, version)


def ack(sequence: int, subtype: int = SUBTYPE, version: int = 1) -> Ecpdu:
    return Ecpdu(Operation.ACK, subtype, sequence, b"", version)


def payloads(outputs: Sequence[object]) -> list[bytes]:
    return [pdu.payload.rstrip(b"\0") for pdu in sent(outputs)]


def test_a_payload_goes_out_at_once_on_an_idle_link() -> None:
    link = make_link()
    assert link.is_idle
    assert link.deadline is None
    (output,) = link.send(b"hello", 5.0)
    assert isinstance(output, Transmit)
    assert output.octets[:6] == NEAREST_CUSTOMER_BRIDGE.octets
    assert output.octets[6:12] == MAC.octets
    assert len(output.octets) == 60
    (pdu,) = sent([output])
    assert (pdu.operation, pdu.subtype, pdu.sequence) == (Operation.REQUEST, SUBTYPE, 1)
    assert link.deadline == pytest.approx(5.0 + TIMEOUT)


def test_only_one_payload_is_on_the_wire() -> None:
    link = make_link()
    link.send(b"one", 0.0)
    assert link.send(b"two", 0.0) == []
    assert not link.is_idle


def test_an_ack_makes_way_for_the_next_payload() -> None:
    link = make_link()
    link.send(b"one", 0.0)
    link.send(b"two", 0.0)
    first, *rest = link.receive(ack(1), 0.001)
    assert first == Acknowledged(b"one")
    assert payloads(rest) == [b"two"]
    assert sent(rest)[0].sequence == 2
    assert link.receive(ack(2), 0.002) == [Acknowledged(b"two")]
    assert link.is_idle
    assert link.deadline is None


def test_the_next_payload_comes_a_pause_behind_the_ack() -> None:
    link = EcpLink(SUBTYPE, MAC, SETTINGS, pause=0.004)
    link.send(b"one", 0.0)
    link.send(b"two", 0.0)
    assert link.receive(ack(1), 0.001) == [Acknowledged(b"one")]
    assert not link.is_idle
    assert link.deadline == pytest.approx(0.005)
    assert link.send(b"three", 0.002) == link.receive(ack(1), 0.003) == link.expire(0.0049) == []
    assert payloads(link.expire(0.005)) == [b"two"]


def test_after_the_pause_a_link_is_idle_again() -> None:
    link = EcpLink(SUBTYPE, MAC, SETTINGS, pause=0.004)
    link.send(b"one", 0.0)
    link.receive(ack(1), 0.001)
    assert link.expire(0.005) == []
    assert link.is_idle
    assert link.deadline is None
    assert payloads(link.send(b"two", 0.006)) == [b"two"]


def test_without_an_ack_it_is_sent_again() -> None:
    link = make_link()
    first = link.send(b"one", 0.0)
    assert link.expire(TIMEOUT / 2) == []
    assert link.expire(TIMEOUT) == first
    assert link.deadline == pytest.approx(2 * TIMEOUT)


def test_after_the_last_try_it_is_given_up() -> None:
    link = make_link()
    link.send(b"one", 0.0)
    link.send(b"two", 0.0)
    outputs: Sequence[object] = ()
    while not told(outputs):
        assert link.deadline is not None
        outputs = link.expire(link.deadline)
    assert link.counters == EcpCounters(tx_frames=5, retries=3, failures=1, rx_frames=0)
    assert outputs[0] == GaveUp(b"one")
    assert payloads(outputs[1:]) == [b"two"]


def test_no_retries_are_one_transmission() -> None:
    link = make_link(EcpSettings(retries=0, rte=14))
    link.send(b"one", 0.0)
    assert link.expire(TIMEOUT) == [GaveUp(b"one")]
    assert link.is_idle


def test_settings_change_while_a_pdu_is_on_the_wire() -> None:
    link = make_link()
    link.send(b"one", 0.0)
    link.settings = EcpSettings(retries=1, rte=15)
    assert link.deadline == pytest.approx(TIMEOUT), "a wait that has begun ends as it was begun"
    link.expire(TIMEOUT)
    assert link.deadline == pytest.approx(3 * TIMEOUT)
    assert link.expire(3 * TIMEOUT) == [GaveUp(b"one")]


@pytest.mark.parametrize("stale", [ack(2), ack(0), ack(1, subtype=1), ack(1, version=2)], ids=str)
def test_an_ack_of_something_else_changes_nothing(stale: Ecpdu) -> None:
    link = make_link()
    link.send(b"one", 0.0)
    assert link.receive(stale, 0.001) == []
    assert not link.is_idle


def test_a_late_ack_of_what_was_given_up_changes_nothing() -> None:
    link = make_link(EcpSettings(retries=0, rte=14))
    link.send(b"one", 0.0)
    link.expire(TIMEOUT)
    assert link.receive(ack(1), 1.0) == []
    link.send(b"two", 2.0)
    assert link.receive(ack(1), 2.0) == []
    assert link.receive(ack(2), 2.0) == [Acknowledged(b"two")]


def test_a_sequence_wraps_to_1_and_0_is_skipped() -> None:
    link = make_link(first=LAST_SEQUENCE)
    assert [pdu.sequence for pdu in sent(link.send(b"one", 0.0))] == [0xFFFF]
    link.receive(ack(0xFFFF), 0.0)
    assert [pdu.sequence for pdu in sent(link.send(b"two", 0.0))] == [1]


def test_a_link_says_when_it_is_full() -> None:
    link = make_link()
    for number in range(1 + MOST_WAITING):
        assert not link.is_full
        link.send(b"%d" % number, 0.0)
    assert link.is_full
    with pytest.raises(RefusedError) as caught:
        link.send(b"one too many", 0.0)
    assert caught.value.code == "queue-full"
    link.receive(ack(1), 0.0)
    assert not link.is_full


@pytest.mark.parametrize("sequence", [0, 1, 7, 0xFFFF])
def test_the_first_ecpdu_may_have_any_sequence(sequence: int) -> None:
    acknowledged, delivered = make_link().receive(request(sequence), 0.0)
    assert isinstance(acknowledged, Transmit)
    assert len(acknowledged.octets) == 18
    assert sent([acknowledged]) == [ack(sequence)]
    assert delivered == Delivered(b"hello")


def test_the_next_sequence_is_delivered() -> None:
    link = make_link()
    link.receive(request(1), 0.0)
    outputs = link.receive(request(2), 0.0)
    assert told(outputs) == [Delivered(b"hello")]
    assert sent(outputs) == [ack(2)]


def test_the_same_again_is_only_acknowledged() -> None:
    link = make_link()
    link.receive(request(1), 0.0)
    for attempt in range(1, 4):
        outputs = link.receive(request(1), attempt * TIMEOUT)
        assert told(outputs) == []
        assert sent(outputs) == [ack(1)]
    assert link.counters.rx_frames == 4


def test_the_same_sequence_with_another_payload_is_a_restarted_peer() -> None:
    link = make_link()
    link.receive(request(1, b"before"), 0.0)
    assert told(link.receive(request(1, b"after"), 0.001)) == [Delivered(b"after")]


def test_the_same_when_nobody_sends_again_any_longer_is_a_restarted_peer() -> None:
    link = make_link()
    link.receive(request(1), 0.0)
    assert told(link.receive(request(1), SETTINGS.patience)) == []
    assert told(link.receive(request(1), 2 * SETTINGS.patience + 0.001)) == [Delivered(b"hello")]


@pytest.mark.parametrize("foreign", [request(1, subtype=1), request(1, version=0), request(1, version=2)], ids=str)
def test_another_version_or_subtype_is_dropped_without_an_ack(foreign: Ecpdu) -> None:
    link = make_link()
    assert link.receive(foreign, 0.0) == []
    assert link.counters.rx_frames == 0
    assert told(link.receive(request(1), 0.0)) == [Delivered(b"hello")]


@pytest.mark.parametrize("first", [0, 0x10000])
def test_a_first_sequence_that_cannot_be_is_refused(first: int) -> None:
    with pytest.raises(RefusedError):
        make_link(first=first)


@pytest.mark.parametrize(("retries", "rte"), [(8, 14), (3, 32), (-1, 14)])
def test_settings_that_evb_cannot_carry_are_refused(retries: int, rte: int) -> None:
    with pytest.raises(WireError):
        EcpSettings(retries, rte)


def test_a_port_gives_each_frame_to_who_speaks_its_subtype() -> None:
    one, two = EcpLink(1, MAC, SETTINGS), EcpLink(2, MAC, SETTINGS)
    port = EcpPort({1: one, 2: two})
    assert told(port.receive(request(9, subtype=2).frame(MAC), 0.0))[0] == Delivered(b"hello".ljust(42, b"\0"))
    assert (one.counters.rx_frames, two.counters.rx_frames) == (0, 1)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        bytes(64),
        request(1, subtype=7).frame(MAC),
        request(1, subtype=1, version=3).frame(MAC),
        request(1, subtype=1).frame(MAC, Mac.parse("01:80:c2:00:00:0e")),
        request(1, subtype=1).frame(MAC)[:15],
        NEAREST_CUSTOMER_BRIDGE.octets + MAC.octets + bytes.fromhex("8100000a") + request(1, subtype=1).frame(MAC)[12:],
    ],
    ids=["nothing", "zeros", "subtype", "version", "address", "cut", "tagged"],
)
def test_what_nobody_speaks_is_dropped_and_counted(octets: bytes) -> None:
    port = EcpPort({1: EcpLink(1, MAC, SETTINGS)})
    assert port.receive(octets, 0.0) == []
    assert port.ignored == 1


def test_a_port_wakes_for_the_first_of_its_links_and_calls_that_alone() -> None:
    one, two = EcpLink(1, MAC, SETTINGS), EcpLink(2, MAC, SETTINGS)
    port = EcpPort({1: one, 2: two})
    assert port.deadline is None
    one.send(b"one", 1.0)
    two.send(b"two", 0.0)
    assert port.deadline == two.deadline
    assert [pdu.subtype for pdu in sent(port.expire(TIMEOUT))] == [2]
