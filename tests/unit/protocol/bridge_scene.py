# SPDX-License-Identifier: Apache-2.0
"""A bridge, and a station that a test plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from openfex.protocol.vdp import Association, Vsi
from openfex.protocol.vdp_bridge import Accept, Asked, Verdict
from openfex.protocol.vdp_tables import BridgeState
from openfex.wire.vdp import Command, ErrorCode, ManagerId, VsiTlv
from openfex.wire.vsi import Filter
from tests.unit.protocol.vsis import (
    MANAGER,
    Peer,
    make_bridge,
    make_vsi,
    said,
    told,
)

PRE, RESERVE, ASSOCIATE, LEAVE = Command
VSI = make_vsi()
KEY = VSI.vsiid
NO = ErrorCode.INSUFFICIENT_RESOURCES
OTHER_FILTERS = replace(VSI, filters=(Filter(200, VSI.filters[0].mac),))
YES = Accept(VSI.filters)


class Scene:
    """A bridge, with a station and an owner that a test plays."""

    def __init__(self) -> None:
        self.bridge = make_bridge()
        self.peer = Peer(self.bridge)
        self.now = 0.0

    def hear(self, *tlvs: VsiTlv, manager: ManagerId = MANAGER) -> list[object]:
        """Gives what the bridge then put out; what is sent is acknowledged."""
        outputs = self.peer.say(*tlvs, now=self.now, manager=manager)
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def ask(self, vsi: Vsi = VSI, mode: Command = ASSOCIATE) -> Asked:
        (asked,) = self.hear(vsi.request(mode))
        assert isinstance(asked, Asked)
        return asked

    def answer(self, asked: Asked, verdict: Verdict) -> list[object]:
        outputs: list[object] = list(self.bridge.answer(asked, verdict, self.now))
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def hold(self, vsi: Vsi = VSI, mode: Command = ASSOCIATE) -> None:
        self.answer(self.ask(vsi, mode), Accept(vsi.filters))
        assert self.bridge.associations == {vsi.vsiid: Association(mode, vsi.filters)}

    def wait(self, delay: float) -> list[object]:
        self.now += delay
        outputs: list[object] = list(self.bridge.expire(self.now))
        return [*outputs, *self.peer.ack(outputs, self.now)]

    def state(self) -> BridgeState:
        return self.bridge.state(KEY)


def tlvs_and_told(outputs: Sequence[object]) -> tuple[list[VsiTlv], list[object]]:
    return said(outputs), told(outputs)
