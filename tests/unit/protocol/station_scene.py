# SPDX-License-Identifier: Apache-2.0
"""A station, and a bridge that a test plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from openfex.protocol.vdp import Associated, Vsi
from openfex.protocol.vdp_tables import StationState
from openfex.wire.vdp import Command, ErrorCode, ManagerId, VsiTlv
from openfex.wire.vsi import Filter
from tests.unit.protocol.vsis import (
    MANAGER,
    TIMERS,
    Peer,
    make_station,
    make_vsi,
    response,
    said,
    told,
)

PRE, RESERVE, ASSOCIATE, LEAVE = Command
VSI = make_vsi()
KEY = VSI.vsiid
NO = ErrorCode.INSUFFICIENT_RESOURCES
OTHER_FILTERS = replace(VSI, filters=(Filter(200, VSI.filters[0].mac),))


class Scene:
    """A station, and a bridge that a test plays."""

    def __init__(self) -> None:
        self.station = make_station()
        self.peer = Peer(self.station)
        self.now = 0.0

    def ask(self, vsi: Vsi = VSI, mode: Command = ASSOCIATE) -> list[object]:
        """Gives what was said, and what after its ack."""
        outputs: list[object] = list(self.station.associate(vsi, mode, self.now))
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def leave(self) -> list[object]:
        outputs: list[object] = list(self.station.de_associate(KEY, self.now))
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def hear(self, *tlvs: VsiTlv, manager: ManagerId = MANAGER) -> list[object]:
        outputs = self.peer.say(*tlvs, now=self.now, manager=manager)
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def wait(self, delay: float) -> list[object]:
        """Time passes; what is sent is acknowledged."""
        self.now += delay
        outputs: list[object] = list(self.station.expire(self.now))
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def hold(self, mode: Command = ASSOCIATE, vsi: Vsi = VSI) -> None:
        self.ask(vsi, mode)
        assert told(self.hear(response(vsi, mode))) == [Associated(KEY, mode, vsi.filters)]

    def confirm(self) -> list[object]:
        """Gives what the keep-alive was."""
        outputs = self.wait(TIMERS.keep_alive)
        assert self.state() is StationState.CONFIRMING
        return outputs

    def lose_acks(self) -> list[object]:
        """The bridge acknowledges nothing until ECP gives up."""
        outputs: list[object] = []
        while not self.station.link.is_idle:
            assert self.station.link.deadline is not None
            self.now = self.station.link.deadline
            outputs += self.station.expire(self.now)
        return outputs

    def state(self) -> StationState:
        return self.station.state(KEY)


def commands(outputs: Sequence[object]) -> list[Command]:
    return [tlv.command for tlv in said(outputs)]
