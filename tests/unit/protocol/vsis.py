# SPDX-License-Identifier: Apache-2.0
"""VSIs, and machines that tests of VDP begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from openfex.model.values import Mac
from openfex.protocol.ecp import EcpLink, EcpSettings
from openfex.protocol.output import Transmit
from openfex.protocol.vdp import Vsi
from openfex.protocol.vdp_bridge import Bridge
from openfex.protocol.vdp_station import Station
from openfex.protocol.vdp_timers import VdpTimers
from openfex.wire import ecp
from openfex.wire.ecp import Ecpdu, Operation
from openfex.wire.vdp import Command, ErrorCode, Hint, ManagerId, Vdpdu, VsiTlv
from openfex.wire.vsi import Filter, Vsiid

STATION_MAC, BRIDGE_MAC = Mac.parse("52:54:00:aa:00:01"), Mac.parse("52:54:00:bb:00:01")
MANAGER = ManagerId.text("blabla")
SETTINGS = EcpSettings(retries=3, rte=14)
TIMERS = VdpTimers.of(retries=3, rte=14, rwd=20, rka=20)


def make_vsi(number: int = 1, vid: int = 100, manager: ManagerId = MANAGER) -> Vsi:
    mac = Mac(b"\x52\0\0\0" + number.to_bytes(2, "big"))
    return Vsi(Vsiid.local(number.to_bytes(16, "big")), manager, 5, 4, (Filter(vid, mac),))


def make_station(first: int = 1) -> Station:
    return Station(EcpLink(ecp.VDP, STATION_MAC, SETTINGS, first=first), TIMERS)


def make_bridge(most: int = 4094, first: int = 1) -> Bridge:
    return Bridge(EcpLink(ecp.VDP, BRIDGE_MAC, SETTINGS, first=first), TIMERS, most=most)


def response(vsi: Vsi, mode: Command, error: ErrorCode = ErrorCode.SUCCESS, keep: bool = False) -> VsiTlv:
    return replace(vsi.response(mode), error=error, keep=keep)


def unsolicited(vsi: Vsi) -> VsiTlv:
    return replace(vsi, hint=Hint.NONE).request(Command.DE_ASSOCIATE)


def told(outputs: Sequence[object]) -> list[object]:
    """What is not for the wire."""
    return [output for output in outputs if not isinstance(output, Transmit)]


def sent(outputs: Sequence[object]) -> list[Ecpdu]:
    """What is for the wire."""
    return [Ecpdu.decode_frame(output.octets) for output in outputs if isinstance(output, Transmit)]


def said(outputs: Sequence[object]) -> list[VsiTlv]:
    """The association TLVs in it."""
    requests = (pdu for pdu in sent(outputs) if pdu.operation is Operation.REQUEST)
    return [tlv for pdu in requests for tlv in Vdpdu.decode(pdu.payload).vsis]


class Peer:
    """The other end, played by a test: acknowledges what is sent, and says what it is told to say."""

    def __init__(self, machine: Station | Bridge) -> None:
        self.machine = machine
        self.sequence = 0

    def ack(self, outputs: Sequence[object], now: float) -> list[object]:
        """Acknowledge all requests among these outputs; gives what the machine then put out."""
        given: list[object] = []
        for pdu in sent(outputs):
            if pdu.operation is Operation.REQUEST:
                given += self.machine.receive(Ecpdu(Operation.ACK, pdu.subtype, pdu.sequence), now)
        return given

    def say(self, *tlvs: VsiTlv, now: float, manager: ManagerId = MANAGER) -> list[object]:
        """One ECPDU with these TLVs; gives what the machine then put out, without the ack."""
        return self.say_octets(Vdpdu(manager, tlvs).encode(), now)

    def say_octets(self, payload: bytes, now: float) -> list[object]:
        self.sequence += 1
        outputs = self.machine.receive(Ecpdu(Operation.REQUEST, ecp.VDP, self.sequence, payload), now)
        acks = [pdu for pdu in sent(outputs) if pdu.operation is Operation.ACK]
        assert [pdu.sequence for pdu in acks] == [self.sequence]
        return [output for output in outputs if not (isinstance(output, Transmit) and len(output.octets) == 18)]
