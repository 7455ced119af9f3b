# SPDX-License-Identifier: Apache-2.0
"""A wire that loses, doubles, delays and reorders, between two ends that speak LLDP, EVB and CDCP, in virtual time."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from openfex.model.values import Mac
from openfex.protocol.cdcp import CdcpBridge, CdcpOutput, CdcpStation, SvidPool
from openfex.protocol.evb import EvbAgreement, EvbSettings, negotiate
from openfex.protocol.lldp import LldpAgent, LldpOutput, LldpSettings, NeighbourGone
from openfex.protocol.output import Transmit
from openfex.wire.cdcp import Cdcp
from openfex.wire.evb import Evb, EvbMode
from openfex.wire.lldp import ChassisId, PortId
from openfex.wire.tlv import Tlv

DELAY = 0.001
"""Seconds that a frame takes when nothing is wrong."""
MACS = {EvbMode.STATION: Mac.parse("52:54:00:aa:00:01"), EvbMode.BRIDGE: Mac.parse("52:54:00:bb:00:01")}


class End:
    """A station or a bridge: an agent, what it is told handed to EVB and CDCP, and what they say announced."""

    def __init__(self, settings: EvbSettings, given: Mapping[int, int] | None = None, pool: SvidPool | None = None):
        mac = MACS[settings.role]
        self.settings = settings
        self.cdcp = CdcpStation(given) if settings.role is EvbMode.STATION else CdcpBridge(pool or SvidPool(), given)
        self.evb = negotiate(settings, None)
        self.agent = LldpAgent(LldpSettings(mac, ChassisId.of_mac(mac), PortId.of_mac(mac)), self._tlvs())
        self.told: list[LldpOutput | CdcpOutput] = []

    @property
    def agreement(self) -> EvbAgreement | None:
        return self.evb.agreement

    def start(self, now: float) -> list[bytes]:
        return self._handle(self.agent.start(now), now)

    def receive(self, octets: bytes, now: float) -> list[bytes]:
        return self._handle(self.agent.receive(octets, now), now)

    def expire(self, now: float) -> list[bytes]:
        return self._handle(self.agent.expire(now), now)

    def set(self, settings: EvbSettings, now: float) -> list[bytes]:
        self.settings = settings
        last = self.agent.neighbours[0].lldpdu if self.agent.neighbours else None
        self.evb = negotiate(settings, Evb.find(last) if last else None)
        return self._handle(self.agent.announce(self._tlvs(), now), now)

    def ask(self, scids: Sequence[int], now: float) -> list[bytes]:
        assert isinstance(self.cdcp, CdcpStation)
        self.told += self.cdcp.ask(scids)
        return self._handle(self.agent.announce(self._tlvs(), now), now)

    def _tlvs(self) -> list[Tlv]:
        return [self.evb.says.tlv(), self.cdcp.says.tlv()]

    def _handle(self, outputs: Sequence[LldpOutput], now: float) -> list[bytes]:
        frames = []
        for output in outputs:
            if isinstance(output, Transmit):
                frames.append(output.octets)
                continue
            self.told.append(output)
            lldpdu = None if isinstance(output, NeighbourGone) else output.neighbour.lldpdu
            self.evb = negotiate(self.settings, Evb.find(lldpdu) if lldpdu else None)
            self.told += self.cdcp.receive(Cdcp.find(lldpdu) if lldpdu else None)
            frames += self._handle(self.agent.announce(self._tlvs(), now), now)
        return frames


@dataclass
class Wire:
    """Two ends; `fates` has for each of the first frames when its copies arrive, in seconds: none, one or several."""

    ends: list[End]
    fates: list[tuple[float, ...]] = field(default_factory=list)
    now: float = 0
    sent: Counter[int] = field(default_factory=Counter)
    _waiting: list[tuple[float, int, int, bytes]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)

    def do(self, number: int, deed: Callable[[End], list[bytes]]) -> None:
        """Have end `number` do something, and carry what it sends."""
        for octets in deed(self.ends[number]):
            self.sent[number] += 1
            for delay in self.fates.pop(0) if self.fates else (DELAY,):
                heapq.heappush(self._waiting, (self.now + delay, next(self._order), 1 - number, octets))

    def run(self, until: float) -> None:
        """Let time pass: whatever comes first, a frame or a clock."""
        while True:
            clocks = [(one.agent.deadline, number) for number, one in enumerate(self.ends)]
            ready = [(max(deadline, self.now), number) for deadline, number in clocks if deadline is not None]
            arrival = self._waiting[0][0] if self._waiting else float("inf")
            first = min(ready, default=(float("inf"), 0))
            if min(arrival, first[0]) > until:
                break
            if arrival <= first[0]:
                self.now, _, number, octets = heapq.heappop(self._waiting)
                self.do(number, lambda end, octets=octets: end.receive(octets, self.now))  # type: ignore[misc]
            else:
                self.now, number = first
                self.do(number, lambda end: end.expire(self.now))
        self.now = until
