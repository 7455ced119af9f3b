# SPDX-License-Identifier: Apache-2.0
"""What must hold for a whole agent, of a host or a bridge, that hears any octets on any of its uplinks, whenever."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from uuid import UUID

from openfex.bridge.agent import BridgeAgent
from openfex.bridge.change import WriteBridge
from openfex.host.agent import MANAGER, WriteHost
from openfex.model.values import ChannelKind
from openfex.plan.identity import vsi_type_of
from openfex.protocol.mirror import MOST_ENTRIES
from openfex.protocol.output import Log, Send
from openfex.protocol.uplink import CONTROL_OUI, CONTROL_SUBTYPE
from openfex.protocol.vdp_bridge import MOST_VSIS
from openfex.protocol.vdp_tables import BridgeState
from openfex.wire.cdcp import DEFAULT, Cdcp, CdcpRole, SChannel
from openfex.wire.control import (
    VERSION,
    ControlPdu,
    FunctionEntry,
    HostEntry,
    Kind,
    Mark,
    VethEntry,
    change_tlv,
    function_key,
)
from openfex.wire.ecp import CHANNEL_CONTROL, VDP, Ecpdu, Operation
from openfex.wire.evb import BridgeStatus, Evb, EvbMode, StationStatus
from openfex.wire.lldp import ChassisId, Lldpdu, PortId, organization_tlv
from openfex.wire.tlv import NEAREST_CUSTOMER_BRIDGE, Tlv
from openfex.wire.vdp import Command, VsiTlv
from openfex.wire.vsi import Filter, Vsiid
from tests.fuzz.neighbourhoods import BRIDGES, OURS, PLACES, layout_at, make_bridge, make_host
from tests.fuzz.signalling import LONGEST_FRAME, PAUSE_S, THEIRS

MOST_CALLS = 64
MOST_LINES = 4
"""Of a log, for a frame or a deadline."""


class Listener:
    """An agent whose wishes are done at once, and counted."""

    def __init__(self, choice: int) -> None:
        is_bridge, number = choice & 1, choice >> 1
        self.place = BRIDGES[number % len(BRIDGES)] if is_bridge else PLACES[number % len(PLACES)]
        self.agent = make_bridge(self.place) if is_bridge else make_host(self.place)
        self.links = [*self.agent.ends]
        self.most_up = 0
        """VSIs of others, or of its own if it is a host, that were up at once."""
        self.said = self.lines = self.writes = 0
        self.now = 0.0
        self._do(self.agent.start(self.now))

    def hear(self, link: int, octets: bytes) -> None:
        """Take a frame."""
        self._do(self.agent.receive(link, octets, self.now))

    def call(self) -> None:
        """What is due is done by one call, for now."""
        due = self.agent.deadline
        if due is not None and due <= self.now:
            self._do(self.agent.expire(self.now))
            left = self.agent.deadline
            assert left is None or left > self.now

    def _do(self, effects: Iterable[object]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                assert effect.octets[6:12] == OURS.octets
                self.said += 1
            elif isinstance(effect, Log):
                self.lines += 1
            elif isinstance(effect, WriteBridge | WriteHost):
                self.writes += 1
                self._do(self.agent.written(self.now))
                self.most_up = max(self.most_up, self._count_up())

    def _count_up(self) -> int:
        if isinstance(self.agent, BridgeAgent):
            return sum(len(self.agent.stations[link].held) for link in self.links)
        return len(self.agent.up)


def agents(octets: bytes) -> None:
    """An agent that hears anything goes on, and says, logs, writes and keeps no more than it should."""
    listener = listen(octets)
    if isinstance(listener.agent, BridgeAgent):
        _check_bridge(listener.agent)
    else:
        assert listener.agent.up <= listener.agent.bindings.keys()


def listen(octets: bytes) -> Listener:
    """An agent of the neighbourhood that the first octet chooses hears what the rest is, and has time to be done."""
    listener = Listener(octets[0] if octets else 0)
    events = 1
    for choice, frame in _frames(octets[1:]):
        listener.now += (choice >> 4) * PAUSE_S
        listener.call()
        listener.hear(listener.links[(choice >> 3 & 1) % len(listener.links)], frame)
        events += 2
    for _ in range(MOST_CALLS):
        listener.now = max(listener.now, listener.agent.deadline or listener.now)
        listener.call()
    events += MOST_CALLS
    assert listener.said <= 8 * events
    assert listener.lines <= MOST_LINES * events
    assert listener.writes <= 2 * events
    for end in listener.agent.ends.values():
        assert len(end.lldp.neighbours) <= 8
        assert len(end.mirror.copy) <= MOST_ENTRIES
        assert len(end.vdp.associations) <= MOST_VSIS
    return listener


def _check_bridge(agent: BridgeAgent) -> None:
    """What it keeps of a station is what the machines below know of it, and what is up is somebody's."""
    for link, end in agent.ends.items():
        station = agent.stations[link]
        assert station.held.keys() == end.vdp.associations.keys()
        if not station.plain:
            assert station.told.keys() <= end.mirror.copy.keys()
        else:
            numbered = [one.vsi for at, one in station.functions.items() if function_key(at) not in end.mirror.copy]
            states = [end.vdp.state(Vsiid.uuid(vsi)) if vsi else BridgeState.ABSENT for vsi in numbered]
            assert BridgeState.ABSENT not in states, "what we have numbered is asked for or held"
            assert len(set(numbered)) == len(numbered)
    up = [port for port in agent.tables.ports.values() if port.up and not port.network]
    assert len(up) <= sum(len(station.held) for station in agent.stations.values())


def _frames(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """An octet that chooses time, link and how a frame begins, one that says how long it is, the rest of it."""
    sequence = 0
    while len(octets) > 2:
        choice, end = octets[0], 2 + octets[1] % (LONGEST_FRAME + 1)
        sequence += 1
        yield choice, starts(sequence)[choice & 7] + octets[2:end]
        octets = octets[end:]


def _neighbour(*tlvs: Tlv) -> bytes:
    """The LLDPDU of a peer that says this."""
    says = Lldpdu(ChassisId.of_mac(THEIRS), PortId.of_interface("up0"), 120, tlvs)
    return says.frame(NEAREST_CUSTOMER_BRIDGE, THEIRS)


def _evb(role: EvbMode) -> Tlv:
    is_bridge = role is EvbMode.BRIDGE
    return Evb(role, BridgeStatus(is_bridge, is_bridge), StationStatus(not is_bridge)).tlv()


def _cdcp(role: CdcpRole) -> Tlv:
    """Channels for the numbers 1 to 4: wished for, or given."""
    given = role is CdcpRole.BRIDGE
    return Cdcp(role, (DEFAULT, *(SChannel(scid, scid * given) for scid in range(2, 5)))).tlv()


def _ecp(operation: Operation, subtype: int, sequence: int, payload: bytes = b"") -> bytes:
    pdu = Ecpdu(operation, subtype, sequence, payload).encode()
    return NEAREST_CUSTOMER_BRIDGE.octets + THEIRS.octets + Ecpdu.ETHERTYPE.to_bytes(2, "big") + pdu


_END = 2
"""Octets of an End TLV."""
_CONTROL = organization_tlv(CONTROL_OUI, CONTROL_SUBTYPE, bytes((VERSION,)))
NEIGHBOURS = (
    _neighbour(_evb(EvbMode.STATION), _cdcp(CdcpRole.STATION), _CONTROL),
    _neighbour(_evb(EvbMode.BRIDGE), _cdcp(CdcpRole.BRIDGE), _CONTROL),
    _neighbour(_evb(EvbMode.STATION)),
    _neighbour(_evb(EvbMode.BRIDGE)),
)
"""With whom all begins, since EVB is agreed: ours, which speak channel control, and others'."""


def starts(sequence: int) -> tuple[bytes, ...]:
    """What frames begin with, so that agents come as far as to listen; PDUs are of this number."""
    first, second = NEIGHBOURS[sequence % 2 * 2 :][:2]
    return (
        b"",
        first,
        second,
        _ecp(Operation.REQUEST, VDP, sequence, MANAGER.encode()),
        _ecp(Operation.ACK, VDP, sequence),
        _ecp(Operation.REQUEST, CHANNEL_CONTROL, sequence, _control(Mark(1, 1), whole=True)),
        _ecp(Operation.REQUEST, CHANNEL_CONTROL, sequence, _control(Mark(1, 2))),
        _ecp(Operation.ACK, CHANNEL_CONTROL, sequence),
    )


def _control(mark: Mark, *, whole: bool = False) -> bytes:
    return ControlPdu(mark, is_new=whole, is_whole=whole).encode()[:-_END]


def agent_words() -> set[bytes]:
    """Octets that mean something to agents."""
    number, vsi = UUID(int=5), vsi_type_of("web")
    wish = VsiTlv(Command.ASSOCIATE, Vsiid.uuid(number), vsi.number, vsi.version, (Filter(0, THEIRS),))
    kinds = (ChannelKind.ETAG, ChannelKind.SCHANNEL, ChannelKind.VEPA)
    entries = [(HostEntry.KEY, HostEntry(kind, "h").encode()) for kind in kinds]
    entries.append((function_key(1), FunctionEntry("f", True, number, 1).encode()))
    entries.append((function_key(1, Kind.VETH), VethEntry(1, True).encode()))
    told = {change_tlv(key, value).encode() for key, value in entries}
    mine = {(one.uuid, one.mac) for place in PLACES for one in layout_at(place).bindings}
    answers = {
        replace(wish, vsiid=Vsiid.uuid(UUID(uuid)), filters=(Filter(10, mac),), is_response=True).encode()
        for uuid, mac in mine
    }
    return {wish.encode(), *told, *answers, *NEIGHBOURS}
