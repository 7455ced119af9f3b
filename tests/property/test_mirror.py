# SPDX-License-Identifier: Apache-2.0
"""Channel control over a bad wire: whatever is lost, late or twice, and whoever is restarted, both end up alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openfex.model.values import Mac
from openfex.protocol.ecp import EcpLink, EcpPort
from openfex.protocol.mirror import Mirror, Synced, Told
from openfex.wire.control import function_key
from openfex.wire.ecp import CHANNEL_CONTROL, Ecpdu, Operation
from tests.property.fake_wire import FakeWire, chances, ideal

MACS = Mac(b"\x02\0\0\0\0\x01"), Mac(b"\x02\0\0\0\0\x02")
BAD_S, QUIET_S = 5.0, 30.0
steps = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 1), st.integers(1, 4), st.binary(max_size=3)),
    st.tuples(st.just("drop"), st.integers(0, 1), st.integers(1, 4), st.just(b"")),
    st.tuples(st.just("restart"), st.integers(0, 1), st.just(0), st.just(b"")),
    st.tuples(st.just("wait"), st.integers(0, 1), st.integers(0, 9), st.just(b"")),
)


class Town:
    """Two ends on a wire; `sessions` counts agents."""

    def __init__(self) -> None:
        self.sessions = 0
        self.mirrors = [self._make(0), self._make(1)]
        self.wire = FakeWire(self._port(0), self._port(1), owner=self._confirm)
        for end in (0, 1):
            self.wire.put(end, self.mirrors[end].start(0.0))

    def _make(self, end: int) -> Mirror:
        self.sessions += 1
        return Mirror(EcpLink(CHANNEL_CONTROL, MACS[end], first=1 + self.sessions * 7), self.sessions, payload=120)

    def _port(self, end: int) -> EcpPort:
        return EcpPort({CHANNEL_CONTROL: self.mirrors[end]})

    def _confirm(self, end: int, output: object, now: float) -> list[object]:
        return [*self.mirrors[end].confirm(self.mirrors[end].heard, now)] if isinstance(output, Told | Synced) else []

    def do(self, what: str, end: int, number: int, value: bytes) -> None:
        now, mirror = self.wire.now, self.mirrors[end]
        if what == "put":
            self.wire.put(end, mirror.put(function_key(number), value, now)[1])
        elif what == "drop" and function_key(number) in mirror.table:
            self.wire.put(end, mirror.drop(function_key(number), now)[1])
        elif what == "restart":
            self.mirrors[end] = self._make(end)
            self.wire.ends[end] = self._port(end)
            self.wire.put(end, self.mirrors[end].start(now))
        elif what == "wait":
            self.wire.run(now + number / 10)


@given(st.data(), st.lists(steps, max_size=25))
def test_both_ends_agree_in_the_end(data: st.DataObject, script: list[tuple[str, int, int, bytes]]) -> None:
    town = Town()
    town.wire.fate = chances(data)
    for what, end, number, value in script:
        town.do(what, end, number, value)
    town.wire.run(town.wire.now + BAD_S)
    town.wire.fate = ideal
    for end in (0, 1):  # each has something to say, so that each is heard
        town.do("put", end, 9, b"last")
    town.wire.run(town.wire.now + QUIET_S)
    left, right = town.mirrors
    assert (left.copy, right.copy) == (right.table, left.table)
    sent = [len(frames) for frames in town.wire.sent]
    town.wire.run(town.wire.now + 1000 * QUIET_S)
    assert [len(frames) for frames in town.wire.sent] == sent, "and they say no more"


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_any_octets_do_no_harm(payloads: list[bytes]) -> None:
    mirror = Mirror(EcpLink(CHANNEL_CONTROL, MACS[0]), 1, most=4)
    for index, payload in enumerate(payloads):
        octets = payload if index % 2 else b"fex\1\x02\x0d" + payload
        mirror.receive(Ecpdu(Operation.REQUEST, CHANNEL_CONTROL, index + 1, octets), float(index))
    assert len(mirror.copy) <= 4
