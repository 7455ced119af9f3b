# SPDX-License-Identifier: Apache-2.0
"""Channel control between two ends on an ideal wire, and on one that is cut."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from openfex.model.values import Mac
from openfex.protocol.ecp import EcpLink, EcpPort
from openfex.protocol.mirror import AGAIN_S, Applied, Mirror, Synced, Told, Unheard
from openfex.wire.control import ControlPdu, Key, Kind, Mark, function_key
from openfex.wire.ecp import CHANNEL_CONTROL, Ecpdu, Operation
from tests.property.fake_wire import IDEAL_DELAY, LEFT, RIGHT, FakeWire, ideal

HOST, BRIDGE = Mac(b"\x02\0\0\0\0\x01"), Mac(b"\x02\0\0\0\0\x02")
MANY = 256


def make(source: Mac, session: int, **options: int) -> Mirror:
    return Mirror(EcpLink(CHANNEL_CONTROL, source), session, most=options.get("most", MANY * 2))


class Pair:
    """Two ends; each confirms what it was told at once."""

    def __init__(self, **options: int) -> None:
        self.mirrors = [make(HOST, 1), make(BRIDGE, 2, **options)]
        self.is_cut = False
        self.confirms = [True, True]
        self.wire = FakeWire(self._port(LEFT), self._port(RIGHT), self._fate, self._owner)
        self.start(LEFT)
        self.start(RIGHT)

    def _port(self, end: int) -> EcpPort:
        return EcpPort({CHANNEL_CONTROL: self.mirrors[end]})

    def _fate(self, end: int, octets: bytes) -> Iterable[float]:
        return () if self.is_cut else ideal(end, octets)

    def _owner(self, end: int, output: object, now: float) -> list[object]:
        is_news = isinstance(output, Told | Synced)
        return [*self.mirrors[end].confirm(self.mirrors[end].heard, now)] if is_news and self.confirms[end] else []

    def put(self, end: int, number: int, value: bytes) -> int:
        change, outputs = self.mirrors[end].put(function_key(number), value, self.wire.now)
        self.wire.put(end, outputs)
        return change

    def drop(self, end: int, number: int) -> int:
        change, outputs = self.mirrors[end].drop(function_key(number), self.wire.now)
        self.wire.put(end, outputs)
        return change

    def restart(self, end: int, session: int) -> None:
        self.mirrors[end] = make((HOST, BRIDGE)[end], session)
        self.wire.ends[end] = self._port(end)

    def start(self, end: int) -> None:
        self.wire.put(end, self.mirrors[end].start(self.wire.now))

    def run(self, duration: float = 10.0) -> None:
        self.wire.run(self.wire.now + duration)

    def check(self) -> None:
        left, right = self.mirrors
        assert (left.table, right.table) == (right.copy, left.copy)
        assert left.is_synced
        assert right.is_synced


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_what_one_has_the_other_gets_a_copy_of(pair: Pair) -> None:
    pair.put(LEFT, 1, b"one")
    pair.put(RIGHT, 9, b"nine")
    pair.run()
    pair.check()
    pair.put(LEFT, 1, b"two")
    pair.drop(RIGHT, 9)
    pair.run()
    pair.check()
    told = [Told(function_key(1), b"one"), Told(function_key(1), b"two")]
    assert pair.wire.outputs(RIGHT, Told) == told
    assert pair.wire.outputs(LEFT, Told) == [Told(function_key(9), b"nine"), Told(function_key(9), None)]


def test_what_was_done_is_told_back_and_not_what_has_only_come(pair: Pair) -> None:
    first = pair.put(LEFT, 1, b"one")
    pair.run()
    assert pair.wire.outputs(LEFT, Applied)[-1] == Applied(first)
    pair.confirms[RIGHT] = False
    second = pair.put(LEFT, 2, b"two")
    pair.run()
    assert pair.mirrors[RIGHT].copy[function_key(2)] == b"two"
    assert Applied(second) not in pair.wire.outputs(LEFT, Applied)
    pair.wire.put(RIGHT, pair.mirrors[RIGHT].confirm(pair.mirrors[RIGHT].heard, pair.wire.now))
    pair.run()
    assert pair.wire.outputs(LEFT, Applied)[-1] == Applied(second)


def test_two_that_have_said_all_say_no_more(pair: Pair) -> None:
    pair.put(LEFT, 1, b"one")
    pair.put(RIGHT, 2, b"two")
    pair.run()
    sent = [len(frames) for frames in pair.wire.sent]
    pair.run(10_000)
    assert [len(frames) for frames in pair.wire.sent] == sent


def test_many_entries_share_pdus(pair: Pair) -> None:
    pair.put(LEFT, 999, b"first")
    pair.run()
    before, start = len(pair.wire.sent[LEFT]), pair.wire.now
    changes = [pair.put(LEFT, number, bytes(40)) for number in range(1, MANY + 1)]
    pair.wire.run(start + 1)
    at = next(now for now, output in pair.wire.told[LEFT] if output == Applied(changes[-1]))
    requests = [one for one in pair.wire.sent[LEFT][before:] if Ecpdu.decode_frame(one).operation is Operation.REQUEST]
    assert len(requests) == 9, "32 entries of 44 octets in each, but for the first, which went alone"
    assert round((at - start) / IDEAL_DELAY) == 2 * len(requests)
    pair.check()


def test_the_last_value_of_a_key_alone_is_said(pair: Pair) -> None:
    pair.run()
    for value in range(200):
        pair.put(LEFT, 1, bytes((value,)))
    pair.run()
    assert pair.wire.outputs(RIGHT, Told) == [Told(function_key(1), b"\0"), Told(function_key(1), bytes((199,)))]


def test_a_peer_that_is_restarted_is_told_all(pair: Pair) -> None:
    pair.put(LEFT, 1, b"one")
    pair.put(RIGHT, 2, b"two")
    pair.run()
    pair.restart(RIGHT, 3)
    pair.put(RIGHT, 5, b"five")
    pair.start(RIGHT)
    pair.run()
    pair.check()
    assert pair.wire.outputs(LEFT, Told)[-2:] == [Told(function_key(5), b"five"), Told(function_key(2), None)]
    assert pair.wire.outputs(LEFT, Synced)[-1] == Synced(True)


def test_a_peer_that_is_restarted_and_says_the_same_disturbs_nobody(pair: Pair) -> None:
    for number in range(1, MANY + 1):
        pair.put(RIGHT, number, bytes(40))
    pair.run()
    told = len(pair.wire.outputs(LEFT, Told))
    pair.restart(RIGHT, 3)
    for number in range(1, MANY + 1):
        pair.put(RIGHT, number, bytes(40))
    pair.start(RIGHT)
    pair.run()
    assert len(pair.wire.outputs(LEFT, Told)) == told
    pair.check()


def test_a_peer_that_is_gone_is_told_again_and_again_what_is_then(pair: Pair) -> None:
    pair.put(LEFT, 1, b"one")
    pair.run()
    pair.is_cut = True
    pair.put(LEFT, 1, b"two")
    pair.run(10 * AGAIN_S)
    assert pair.wire.outputs(LEFT, Unheard) == [Unheard()], "once"
    pair.drop(LEFT, 1)
    pair.put(LEFT, 2, b"new")
    pair.is_cut = False
    pair.run()
    pair.check()
    assert pair.mirrors[RIGHT].copy == {function_key(2): b"new"}


def test_more_entries_than_there_is_room_for_are_counted() -> None:
    pair = Pair(most=3)
    for number in range(1, 6):
        pair.put(LEFT, number, b"")
    pair.run()
    assert len(pair.mirrors[RIGHT].copy) == 3
    assert pair.mirrors[RIGHT].refused == 2


def test_a_table_is_made_what_it_is_to_be(pair: Pair) -> None:
    pair.put(LEFT, 1, b"one")
    pair.put(LEFT, 2, b"two")
    _, outputs = pair.mirrors[LEFT].change_all({function_key(2): b"TWO", function_key(3): b"three"}, pair.wire.now)
    pair.wire.put(LEFT, outputs)
    pair.run()
    pair.check()
    assert pair.mirrors[RIGHT].copy == {function_key(2): b"TWO", function_key(3): b"three"}


def test_what_was_given_up_is_not_done_because_something_later_is(pair: Pair) -> None:
    """The table is told anew in several PDUs: the first of them says nothing of what is in the last."""
    for number in range(1, MANY + 1):
        pair.put(LEFT, number, bytes(40))
    pair.run()
    pair.is_cut = True
    last = pair.put(LEFT, 999, b"last")
    pair.run()
    pair.is_cut = False
    seen: list[bool] = []

    def owner(end: int, output: object, now: float) -> list[object]:
        if end == LEFT and output == Applied(last):
            seen.append(function_key(999) in pair.mirrors[RIGHT].copy)
        return pair._owner(end, output, now)

    pair.wire.owner = owner
    pair.run()
    assert seen == [True]


def test_somebody_else_at_the_other_end_is_heard_whatever_its_session(pair: Pair) -> None:
    pair.put(RIGHT, 1, b"one")
    pair.run()
    pair.restart(RIGHT, 1)  # its clock goes wrong
    pair.put(RIGHT, 2, b"two")
    pair.mirrors[LEFT].meet()
    pair.start(RIGHT)
    pair.run()
    pair.check()


def test_entries_that_are_not_the_peer_s_to_say_are_as_if_not_said() -> None:
    mirror = Mirror(EcpLink(CHANNEL_CONTROL, HOST), 1, kinds=(Kind.VETH,))
    pdu = ControlPdu(Mark(7, 1), ((function_key(1), b"x"), (function_key(1, Kind.VETH), b"y")), is_new=True)
    mirror.receive(Ecpdu(Operation.REQUEST, CHANNEL_CONTROL, 1, pdu.encode()), 0.0)
    assert mirror.copy == {function_key(1, Kind.VETH): b"y"}


def test_octets_that_are_none_are_counted() -> None:
    mirror = make(HOST, 1)
    mirror.receive(Ecpdu(Operation.REQUEST, CHANNEL_CONTROL, 1, b"rubbish"), 0.0)
    assert mirror.malformed == 1


def test_a_late_copy_of_what_was_said_before_changes_nothing() -> None:
    mirror = make(HOST, 1)
    key = Key(Kind.FUNCTION, b"\0\1")
    for number, value in ((1, b"old"), (2, b"new"), (1, b"old")):
        pdu = ControlPdu(Mark(7, number), ((key, value),), is_new=number == 1 and value == b"old" and not mirror.copy)
        mirror.receive(Ecpdu(Operation.REQUEST, CHANNEL_CONTROL, number, pdu.encode()), float(number))
    assert mirror.copy == {key: b"new"}
