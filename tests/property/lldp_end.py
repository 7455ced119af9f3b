# SPDX-License-Identifier: Apache-2.0
"""An end that speaks LLDP, EVB and CDCP, for a fake wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openfex.model.values import Mac
from openfex.protocol.cdcp import CdcpBridge, CdcpStation, SvidPool
from openfex.protocol.evb import EvbAgreement, EvbSettings, negotiate
from openfex.protocol.lldp import LldpAgent, LldpOutput, LldpSettings, NeighbourGone
from openfex.protocol.output import Transmit
from openfex.wire.cdcp import Cdcp
from openfex.wire.evb import Evb, EvbMode
from openfex.wire.lldp import ChassisId, PortId
from openfex.wire.tlv import Tlv

MACS = {EvbMode.STATION: Mac.parse("52:54:00:aa:00:01"), EvbMode.BRIDGE: Mac.parse("52:54:00:bb:00:01")}


class LldpEnd:
    """A station or a bridge: an agent, what it is told handed to EVB and CDCP, and what they say announced."""

    def __init__(self, settings: EvbSettings, given: Mapping[int, int] | None = None, pool: SvidPool | None = None):
        mac = MACS[settings.role]
        self.settings = settings
        self.cdcp = CdcpStation(given) if settings.role is EvbMode.STATION else CdcpBridge(pool or SvidPool(), given)
        self.evb = negotiate(settings, None)
        self.agent = LldpAgent(LldpSettings(mac, ChassisId.of_mac(mac), PortId.of_mac(mac)), self._tlvs())

    @property
    def agreement(self) -> EvbAgreement | None:
        return self.evb.agreement

    @property
    def deadline(self) -> float | None:
        return self.agent.deadline

    def start(self, now: float) -> list[object]:
        return self._follow(self.agent.start(now), now)

    def receive(self, octets: bytes, now: float) -> list[object]:
        return self._follow(self.agent.receive(octets, now), now)

    def expire(self, now: float) -> list[object]:
        return self._follow(self.agent.expire(now), now)

    def set(self, settings: EvbSettings, now: float) -> list[object]:
        self.settings = settings
        last = self.agent.neighbours[0].lldpdu if self.agent.neighbours else None
        self.evb = negotiate(settings, Evb.find(last) if last else None)
        return self._announce(now)

    def ask(self, scids: Sequence[int], now: float) -> list[object]:
        assert isinstance(self.cdcp, CdcpStation)
        return [*self.cdcp.ask(scids), *self._announce(now)]

    def _tlvs(self) -> list[Tlv]:
        return [self.evb.says.tlv(), self.cdcp.says.tlv()]

    def _announce(self, now: float) -> list[object]:
        return self._follow(self.agent.announce(self._tlvs(), now), now)

    def _follow(self, outputs: Sequence[LldpOutput], now: float) -> list[object]:
        """What EVB and CDCP make of what was heard, behind it."""
        all_of_it: list[object] = []
        for output in outputs:
            all_of_it.append(output)
            if isinstance(output, Transmit):
                continue
            lldpdu = None if isinstance(output, NeighbourGone) else output.neighbour.lldpdu
            self.evb = negotiate(self.settings, Evb.find(lldpdu) if lldpdu else None)
            all_of_it += self.cdcp.receive(Cdcp.find(lldpdu) if lldpdu else None)
            all_of_it += self._announce(now)
        return all_of_it
