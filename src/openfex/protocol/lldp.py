# SPDX-License-Identifier: Apache-2.0
"""An LLDP agent of one port and one scope (IEEE 802.1AB clause 9): says who we are, knows who is at the other end.

Sending. A frame every `interval`, and after a start, a new neighbour or a change of what we say a few frames a second
apart, the first at once. However often that happens, frames leave as the standard's credit allows: `burst` without
waiting, one a second in the long run. `receive` sends nothing: the owner answers a neighbour by `announce`, and then
there is one frame with the answer and not one without it before.

Knowing. A neighbour is named by chassis and port id, is forgotten when its TTL has passed, and at once at TTL 0. There
is room for a few; one more is counted and not kept. Our own frames, come back by a loop, are no neighbour. We never say
TTL 0 ourselves: whoever ends may be followed by another (P5), and whoever is not just ages there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.protocol.output import Transmit, earliest
from openfex.wire import Frame
from openfex.wire.lldp import ETHERTYPE, ChassisId, Lldpdu, PortId
from openfex.wire.tlv import NEAREST_CUSTOMER_BRIDGE, Tlv

_CREDIT_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class LldpSettings:
    """Who we are, to whom we speak, and how often; times in seconds."""

    source: Mac
    chassis: ChassisId
    port: PortId
    group: Mac = NEAREST_CUSTOMER_BRIDGE
    interval: float = 30
    ttl: int = 120
    fast_frames: int = 4
    fast_interval: float = 1
    burst: int = 5
    most_neighbours: int = 8


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Who was heard; `expires` is when it will be forgotten if it is not heard again."""

    source: Mac
    lldpdu: Lldpdu
    expires: float


class GoneReason(Enum):
    """Why a neighbour is known no longer."""

    AGED = "aged"
    SHUTDOWN = "shutdown"
    """It said so."""


@dataclass(frozen=True, slots=True)
class NeighbourSeen:
    """One that was not known."""

    neighbour: Neighbour


@dataclass(frozen=True, slots=True)
class NeighbourChanged:
    """One that says something else than before, or from another address."""

    neighbour: Neighbour


@dataclass(frozen=True, slots=True)
class NeighbourGone:
    """One that is known no longer, as it was last."""

    neighbour: Neighbour
    reason: GoneReason


LldpOutput = Transmit | NeighbourSeen | NeighbourChanged | NeighbourGone


@dataclass(frozen=True, slots=True)
class LldpCounters:
    """Since the agent was made (IEEE 802.1AB clause 9.2.6)."""

    frames_out: int = 0
    frames_in: int = 0
    """All that came, those of the next three among them."""
    discarded: int = 0
    """No LLDPDU to this scope."""
    own: int = 0
    """Ours, come back."""
    too_many_neighbours: int = 0
    """From a neighbour for whom there was no room."""
    ageouts: int = 0


class LldpAgent:
    """It is silent and deaf until `start`."""

    def __init__(self, settings: LldpSettings, tlvs: Iterable[Tlv] = ()) -> None:
        """`tlvs` are what is said beside who we are. Raises WireError if that is too much for a frame."""
        self._settings = settings
        self._says = Lldpdu(settings.chassis, settings.port, settings.ttl, tuple(tlvs))
        self._neighbours: dict[tuple[ChassisId, PortId], Neighbour] = {}
        self._running = False
        self._fast = 0
        self._next = 0.0
        self._credit_full = 0.0
        self.counters = LldpCounters()

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """Those known now, the longest known first."""
        return tuple(self._neighbours.values())

    @property
    def deadline(self) -> float | None:
        """When `expire` has something to do; it may be in the past. None if the agent is not started."""
        if not self._running:
            return None
        return earliest([self._due(), *(one.expires for one in self._neighbours.values())])

    def start(self, now: float) -> list[LldpOutput]:
        """The link is up."""
        self._running = True
        self._hasten(now)
        return self._send_due(now)

    def announce(self, tlvs: Iterable[Tlv], now: float) -> list[LldpOutput]:
        """Say this from now on. Raises WireError, and says what it did, if that is too much for a frame."""
        says = replace(self._says, tlvs=tuple(tlvs))
        if says == self._says:
            return []
        self._says = says
        self._hasten(now)
        return self._send_due(now)

    def receive(self, octets: bytes, now: float) -> list[LldpOutput]:
        """Take a frame, octets from the destination address on. What is no LLDPDU to this scope is counted."""
        if not self._running:
            return []
        self._count(frames_in=1)
        try:
            frame = Frame.decode(octets)
            lldpdu = Lldpdu.decode(frame.payload)
        except WireError:
            self._count(discarded=1)
            return []
        if (frame.dst, frame.ethertype, frame.tags) != (self._settings.group, ETHERTYPE, ()) or frame.src.is_multicast:
            self._count(discarded=1)
            return []
        if (lldpdu.chassis, lldpdu.port) == (self._says.chassis, self._says.port):
            self._count(own=1)
            return []
        return self._hear(Neighbour(frame.src, lldpdu, now + lldpdu.ttl), now)

    def expire(self, now: float) -> list[LldpOutput]:
        """Forget who was silent too long, and send what is due."""
        aged = [one for one in self.neighbours if one.expires <= now]
        self._count(ageouts=len(aged))
        return [*self._forget(aged, GoneReason.AGED), *self._send_due(now)]

    def _hear(self, heard: Neighbour, now: float) -> list[LldpOutput]:
        key = (heard.lldpdu.chassis, heard.lldpdu.port)
        known = self._neighbours.get(key)
        if heard.lldpdu.ttl == 0:
            return self._forget([known] if known else [], GoneReason.SHUTDOWN)
        if known is None and len(self._neighbours) >= self._settings.most_neighbours:
            self._count(too_many_neighbours=1)
            return []
        self._neighbours[key] = heard
        if known is None:
            self._hasten(now)
            return [NeighbourSeen(heard)]
        changed = (known.source, known.lldpdu) != (heard.source, heard.lldpdu)
        return [NeighbourChanged(heard)] if changed else []

    def _forget(self, neighbours: Iterable[Neighbour], reason: GoneReason) -> list[LldpOutput]:
        gone: list[LldpOutput] = []
        for one in neighbours:
            del self._neighbours[one.lldpdu.chassis, one.lldpdu.port]
            gone.append(NeighbourGone(one, reason))
        return gone

    def _hasten(self, now: float) -> None:
        self._fast = self._settings.fast_frames
        self._next = now

    def _due(self) -> float:
        """When the next frame leaves: not before there is credit, which is full at `_credit_full`."""
        return max(self._next, self._credit_full - (self._settings.burst - 1) * _CREDIT_EVERY)

    def _send_due(self, now: float) -> list[LldpOutput]:
        if not self._running or now < self._due():
            return []
        self._fast = max(self._fast - 1, 0)
        self._next = now + (self._settings.fast_interval if self._fast else self._settings.interval)
        return [self._transmit(self._says, now)]

    def _transmit(self, lldpdu: Lldpdu, now: float) -> Transmit:
        self._credit_full = max(self._credit_full, now) + _CREDIT_EVERY
        self._count(frames_out=1)
        return Transmit(lldpdu.frame(self._settings.group, self._settings.source))

    def _count(self, **more: int) -> None:
        counted = {name: getattr(self.counters, name) + number for name, number in more.items()}
        self.counters = replace(self.counters, **counted)
