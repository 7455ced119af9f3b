# SPDX-License-Identifier: Apache-2.0
"""What must hold for a whole agent, of a host or a bridge, that hears any octets on any of its uplinks, whenever."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from uuid import UUID

from openfex.bridge.agent import BridgeAgent
from openfex.bridge.change import WriteBridge
from openfex.bridge.vsi_manager import DocumentManager
from openfex.host.agent import MANAGER, HostAgent, WriteHost
from openfex.model.layout import Layout
from openfex.model.reader import read_documents
from openfex.model.values import ChannelKind
from openfex.plan.identity import vsi_type_of
from openfex.plan.layout import lay_out
from openfex.protocol.evb import EvbSettings
from openfex.protocol.mirror import MOST_ENTRIES
from openfex.protocol.output import Log, Send
from openfex.protocol.uplink import CONTROL_OUI, CONTROL_SUBTYPE, UplinkSettings, bridge_end, station_end
from openfex.protocol.vdp_bridge import MOST_VSIS
from openfex.rules.tables import BridgeTables
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
from openfex.wire.tlv import NEAREST_CUSTOMER_BRIDGE
from openfex.wire.vdp import Command, VsiTlv
from openfex.wire.vsi import Filter, Vsiid
from tests.fuzz.signalling import LONGEST_FRAME, OURS, PAUSE_S, THEIRS

MOST_CALLS = 64
MOST_LINES = 4
"""Of a log, for a frame or a deadline."""
TEXT = """
kind: network
name: lab
spec: {bridges: {sw: {ports: [up0]}}}
---
kind: profile
name: web
spec: {vlan: {access: 10}}
---
kind: host
name: h1
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
---
kind: adapter
name: n1
spec: {host: h1, model: bcm-8, functions: 4}
---
kind: host
name: h2
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
---
kind: machine
name: m1
spec: {host: h1, nics: {eth0: {profile: web}, eth1: {profile: web}}}
"""


@cache
def the_layout() -> Layout:
    """One host with NICs, and another uplink."""
    return lay_out(read_documents(TEXT))


class Listener:
    """An agent whose wishes are done at once, and counted."""

    def __init__(self, *, is_bridge: bool) -> None:
        self.agent = _bridge() if is_bridge else _host()
        self.links = [*self.agent.ends]
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


def agents(octets: bytes) -> None:
    """An agent that hears anything goes on, and says, logs, writes and keeps no more than it should."""
    listener = Listener(is_bridge=bool(octets and octets[0] & 1))
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
    if isinstance(listener.agent, BridgeAgent):
        _check_bridge(listener.agent)
    else:
        assert listener.agent.up <= listener.agent.bindings.keys()


def _check_bridge(agent: BridgeAgent) -> None:
    """What it keeps of a station is what the machines below know of it, and what is up is somebody's."""
    for link, station in agent.stations.items():
        end = agent.ends[link]
        assert station.told.keys() <= end.mirror.copy.keys()
        assert station.held.keys() == end.vdp.associations.keys()
    up = [port for port in agent.tables.ports.values() if port.up and not port.network]
    assert len(up) <= sum(len(station.held) for station in agent.stations.values())


def _settings(role: EvbMode, link: int) -> UplinkSettings:
    return UplinkSettings(OURS, OURS, f"up{link}", "ours", EvbSettings(role), session=1)


def _bridge() -> BridgeAgent:
    layout = the_layout()
    (bridge,) = layout.bridges
    links = [one.bridge_link for one in layout.uplinks_of(bridge.name)]
    ends = {link: bridge_end(_settings(EvbMode.BRIDGE, link)) for link in links}
    return BridgeAgent(bridge, DocumentManager(layout.profiles), ends, BridgeTables())


def _host() -> HostAgent:
    layout = the_layout()
    host = layout.host("h1")
    ends = {one.host_link: station_end(_settings(EvbMode.STATION, one.host_link)) for one in host.uplinks}
    return HostAgent(host, layout.bindings_on(host.name), ends)


def _frames(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """An octet that chooses time, link and how a frame begins, one that says how long it is, the rest of it."""
    while len(octets) > 2:
        choice, end = octets[0], 2 + octets[1] % (LONGEST_FRAME + 1)
        yield choice, STARTS[choice & 7] + octets[2:end]
        octets = octets[end:]


def _neighbour(role: EvbMode) -> bytes:
    """The LLDPDU of a peer with which all begins: EVB is agreed, and channel control is spoken."""
    is_bridge = role is EvbMode.BRIDGE
    evb = Evb(role, BridgeStatus(is_bridge, is_bridge), StationStatus(not is_bridge))
    control = organization_tlv(CONTROL_OUI, CONTROL_SUBTYPE, bytes((VERSION,)))
    says = Lldpdu(ChassisId.of_mac(THEIRS), PortId.of_interface("up0"), 120, (evb.tlv(), control))
    return says.frame(NEAREST_CUSTOMER_BRIDGE, THEIRS)


def _ecp(operation: Operation, subtype: int, payload: bytes = b"") -> bytes:
    pdu = Ecpdu(operation, subtype, 1, payload).encode()
    return NEAREST_CUSTOMER_BRIDGE.octets + THEIRS.octets + Ecpdu.ETHERTYPE.to_bytes(2, "big") + pdu


_END = 2
"""Octets of an End TLV."""
STARTS = (
    b"",
    _neighbour(EvbMode.STATION),
    _neighbour(EvbMode.BRIDGE),
    _ecp(Operation.REQUEST, VDP, MANAGER.encode()),
    _ecp(Operation.ACK, VDP),
    _ecp(Operation.REQUEST, CHANNEL_CONTROL, ControlPdu(Mark(1, 1), is_new=True, is_whole=True).encode()[:-_END]),
    _ecp(Operation.REQUEST, CHANNEL_CONTROL, ControlPdu(Mark(1, 2)).encode()[:-_END]),
    _ecp(Operation.ACK, CHANNEL_CONTROL),
)
"""What frames begin with, so that agents come as far as to listen."""


def agent_words() -> set[bytes]:
    """Octets that mean something to agents."""
    number, vsi = UUID(int=5), vsi_type_of("web")
    wish = VsiTlv(Command.ASSOCIATE, Vsiid.uuid(number), vsi.number, vsi.version, (Filter(0, THEIRS),))
    entries = {
        HostEntry.KEY: HostEntry(ChannelKind.ETAG, "h").encode(),
        function_key(1): FunctionEntry("f", True, number, 1).encode(),
        function_key(1, Kind.VETH): VethEntry(1, True).encode(),
    }
    told = {change_tlv(key, value).encode() for key, value in entries.items()}
    mine = [Vsiid.uuid(UUID(one.uuid)) for one in the_layout().bindings]
    answers = {VsiTlv(Command.ASSOCIATE, one, 1, 0, (Filter(10, THEIRS),), is_response=True).encode() for one in mine}
    return {wish.encode(), *told, *answers, *STARTS[1:3]}
