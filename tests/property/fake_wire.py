# SPDX-License-Identifier: Apache-2.0
"""A cable in virtual time, with a machine at each end, that loses, doubles, delays and reorders as it is told.

    wire = FakeWire(left, right, fate=chances(data))
    wire.put(LEFT, left_machine.associate(...))     what a wish gave
    wire.run(until=10.0)                            frames arrive, deadlines come
    wire.told[RIGHT]                                what the machine at that end told its owner, and when

An end is anything with `receive(octets, now)`, `expire(now)` and `deadline`. `owner` sees everything that an end tells,
and may answer with outputs of its own: what a machine's verb gave it then.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from hypothesis import strategies as st

from openfex.protocol.output import Transmit, earliest
from openfex.wire.ecp import SHORTEST_FRAME

LEFT, RIGHT = 0, 1
IDEAL_DELAY = 0.001
MOST_STEPS = 200_000
MOST_IN_FLIGHT = 20_000


class End(Protocol):
    """A machine, or several of them on one uplink."""

    @property
    def deadline(self) -> float | None: ...

    def receive(self, octets: bytes, now: float) -> Sequence[object]: ...

    def expire(self, now: float) -> Sequence[object]: ...


Fate = Callable[[int, bytes], Iterable[float]]
"""Of the frame that an end sends: the delays, in seconds, after which copies of it arrive; none if it is lost."""
Owner = Callable[[int, object, float], Sequence[object]]


def ideal(_end: int, _octets: bytes) -> Iterable[float]:
    """Every frame arrives once, a millisecond later."""
    return (IDEAL_DELAY,)


def chances(data: st.DataObject, longest: float = 0.5) -> Fate:
    """Hypothesis decides: each direction is well, or dead, or bad, or lets frames through that are shorter than 60.

    Those are ECP's acks: so an end is there, and does not answer.
    In a bad one it decides for each frame: it arrives, is lost, comes twice, or so late that others overtake it.
    """
    moods = [data.draw(st.sampled_from(("bad", "bad", "well", "dead", "short"))) for _ in (LEFT, RIGHT)]
    delays = st.floats(0, longest, allow_nan=False)
    fates = st.one_of(
        st.just((IDEAL_DELAY,)), st.just(()), st.tuples(delays), st.tuples(delays, delays), st.just((IDEAL_DELAY,) * 2)
    )
    of_mood: dict[str, Callable[[bytes], Iterable[float]]] = {
        "well": lambda _: (IDEAL_DELAY,),
        "dead": lambda _: (),
        "short": lambda octets: (IDEAL_DELAY,) if len(octets) < SHORTEST_FRAME else (),
        "bad": lambda _: data.draw(fates),
    }
    return lambda end, octets: of_mood[moods[end]](octets)


def foretold(fates: Iterable[Iterable[float]]) -> Fate:
    """The first frames have these fates, whichever end sends them; those behind them arrive as on an ideal wire."""
    left = iter([*fates])
    return lambda _end, _octets: next(left, (IDEAL_DELAY,))


class FakeWire:
    """Two ends and the frames between them; `now` goes forward with `run` alone."""

    def __init__(self, left: End, right: End, fate: Fate = ideal, owner: Owner = lambda *_: ()) -> None:
        self.ends = [left, right]
        """May be exchanged: an agent that is restarted is another machine on the same cable."""
        self.fate = fate
        self.owner = owner
        self.now = 0.0
        self.sent: tuple[list[bytes], list[bytes]] = ([], [])
        self.told: tuple[list[tuple[float, object]], list[tuple[float, object]]] = ([], [])
        self._flying: list[tuple[float, int, int, bytes]] = []
        self._count = 0

    def put(self, end: int, outputs: Sequence[object]) -> None:
        """Take what the machine at `end` has put out: frames fly, all else is told."""
        for output in outputs:
            if isinstance(output, Transmit):
                self._fly(end, output.octets)
            else:
                self.told[end].append((self.now, output))
                self.put(end, self.owner(end, output, self.now))

    def run(self, until: float) -> None:
        """Let frames arrive and deadlines come, in order, until then. Fails if that never ends."""
        for _ in range(MOST_STEPS):
            at = self._next()
            if at is None or at > until:
                self.now = until
                return
            self.now = max(self.now, at)
            self._step()
        raise AssertionError(f"{MOST_STEPS} steps, and still only at {self.now}")

    def outputs(self, end: int, kind: type[object]) -> list[object]:
        """What of a kind an end has told."""
        return [output for _, output in self.told[end] if isinstance(output, kind)]

    def _next(self) -> float | None:
        arrival = self._flying[0][0] if self._flying else None
        return earliest((arrival, *(end.deadline for end in self.ends)))

    def _step(self) -> None:
        if self._flying and self._flying[0][0] <= self.now:
            _, _, end, octets = heapq.heappop(self._flying)
            self.put(end, self.ends[end].receive(octets, self.now))
            return
        for number, machine in enumerate(self.ends):
            if machine.deadline is not None and machine.deadline <= self.now:
                self.put(number, machine.expire(self.now))

    def _fly(self, end: int, octets: bytes) -> None:
        self.sent[end].append(octets)
        for delay in self.fate(end, octets):
            self._count += 1
            heapq.heappush(self._flying, (self.now + delay, self._count, 1 - end, octets))
        assert len(self._flying) < MOST_IN_FLIGHT
