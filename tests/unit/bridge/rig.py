# SPDX-License-Identifier: Apache-2.0
"""A bridge's agent with stations that a test speaks as, on cables without delay, in time that a test makes pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from openfex.bridge.agent import BridgeAgent
from openfex.bridge.change import Memory, WriteBridge
from openfex.bridge.vsi_manager import DocumentManager
from openfex.host.agent import MANAGER
from openfex.model.layout import Layout
from openfex.model.values import ChannelKind, Mac
from openfex.plan.identity import vsi_type_of
from openfex.protocol.evb import EvbSettings
from openfex.protocol.mirror import Synced, Told
from openfex.protocol.output import Log, Send, Transmit, earliest
from openfex.protocol.uplink import Uplink, UplinkSettings, bridge_end, station_end
from openfex.protocol.vdp import Vsi
from openfex.protocol.vdp_station import Station
from openfex.rules.tables import BridgeTables
from openfex.wire.control import FunctionEntry, HostEntry, Key, Kind, NicEntry, function_key
from openfex.wire.evb import EvbMode
from openfex.wire.vdp import Command, Vdpdu
from openfex.wire.vsi import Filter, Vsiid

MOST_FRAMES = 10_000
WISHES = 20
"""In one PDU of a flood."""
Entries = dict[Key, bytes]


def uuid(number: int) -> UUID:
    return UUID(int=(1 << 120) + number)


def mac(number: int) -> Mac:
    return Mac(b"\x02\0\0\0\0" + bytes((number,)))


def host(name: str = "h") -> Entries:
    return {HostEntry.KEY: HostEntry(ChannelKind.ETAG, name).encode()}


def function(number: int, bound: int = 0, generation: int = 1, pin: str = "") -> Entries:
    """A function, bound to a VSI where that is given a number."""
    vsi = uuid(bound) if bound else None
    entries = {function_key(number): FunctionEntry(f"f{number}", bound > 0, vsi, generation).encode()}
    return {**entries, function_key(number, Kind.NIC): NicEntry(f"nic{number}", pin).encode()}


def vsi(number: int, address: int, profile: str = "web") -> Vsi:
    kind = vsi_type_of(profile)
    return Vsi(Vsiid.uuid(uuid(number)), MANAGER, kind.number, kind.version, (Filter(0, mac(address)),))


class Rig:
    """`writes` counts what was written; with `holds` a write waits for `finish`."""

    def __init__(self, layout: Layout, *, memory: Memory | None = None, tables: BridgeTables | None = None) -> None:
        self.bridge = layout.bridges[0]
        self.links = [one.bridge_link for one in layout.uplinks_of(self.bridge.name)]
        self.now = 0.0
        self.session = 1000 if memory is None else 2000
        ends = {link: bridge_end(self._settings("sw", link, EvbMode.BRIDGE, self.session)) for link in self.links}
        self.agent = BridgeAgent(self.bridge, DocumentManager(layout.profiles), ends, tables, memory)
        self.stations: dict[int, Uplink[Station]] = {}
        self.memory, self.tables = memory or {}, tables or BridgeTables()
        self.logs: list[Log] = []
        self.writes = 0
        self.holds = False
        self._pending: WriteBridge | None = None
        self._flying: list[tuple[bool, int, bytes]] = []

    def _settings(self, name: str, link: int, role: EvbMode, session: int) -> UplinkSettings:
        source = Mac(b"\x02" + (sum(name.encode()) << 16 | link).to_bytes(5, "big"))
        evb = EvbSettings(role, rte=14, rwd=20, rka=20)
        return UplinkSettings(source, source, f"up{link}", name, evb, session, session)

    def begin(self, *links: int) -> None:
        """Start, with a station at the other end of each of these links."""
        self._perform(self.agent.start(self.now))
        for link in links:
            end = self.stations[link] = station_end(self._settings(f"h{link}", link, EvbMode.STATION, link))
            self._put(link, [*end.start(self.now), *end.open_mirror(self.now)])
        self.run(0.5)

    def run(self, duration: float) -> None:
        """Let time pass."""
        until = self.now + duration
        self._deliver()
        while (at := earliest([self.agent.deadline, *(one.deadline for one in self.stations.values())])) is not None:
            if at > until:
                break
            self.now = max(self.now, at)
            self._perform(self.agent.expire(self.now))
            for link, end in self.stations.items():
                self._put(link, end.expire(self.now))
            self._deliver()
        self.now = until

    def finish(self) -> None:
        """The write that waits is done."""
        written, self._pending = self._pending, None
        assert written is not None
        self.memory, self.tables = written.memory, written.tables
        self._perform(self.agent.written(self.now))
        self._deliver()

    def tell(self, link: int, entries: Entries) -> None:
        """A station's table is this."""
        self._put(link, self.stations[link].mirror.change_all(entries, self.now)[1])
        self._deliver()

    def ask(self, link: int, wish: Vsi, mode: Command = Command.ASSOCIATE) -> None:
        """A station asks, whatever it has asked before."""
        pdu = Vdpdu(wish.manager, (wish.request(mode),)).encode()
        self._put(link, self.stations[link].vdp.link.send(pdu, self.now))
        self._deliver()

    def flood(self, link: int, wishes: Sequence[Vsi]) -> None:
        """A station asks for all of these, as fast as it is heard."""
        link_of = self.stations[link].vdp.link
        for first in range(0, len(wishes), WISHES):
            some = wishes[first : first + WISHES]
            pdu = Vdpdu(some[0].manager, tuple(one.request(Command.ASSOCIATE) for one in some)).encode()
            while link_of.is_full:
                self.run(0.01)
            self._put(link, link_of.send(pdu, self.now))
            self._deliver()

    def up(self) -> Mapping[int, Mac | None]:
        """The vEths that are up, and their MACs."""
        return {number: port.mac for number, port in self.tables.ports.items() if port.up and not port.network}

    def codes(self) -> set[str]:
        return {log.code for log in self.logs if log.code}

    def _perform(self, effects: Iterable[object]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._flying.append((True, effect.link, effect.octets))
            elif isinstance(effect, Log):
                self.logs.append(effect)
            elif isinstance(effect, WriteBridge):
                self.writes, self._pending = self.writes + 1, effect
                if not self.holds:
                    self.finish()

    def _put(self, link: int, outputs: Iterable[object]) -> None:
        """What a station says; what it is told by its bridge it has done at once."""
        told = False
        for output in outputs:
            if isinstance(output, Transmit):
                self._flying.append((False, link, output.octets))
            told = told or isinstance(output, Told | Synced)
        if told:
            mirror = self.stations[link].mirror
            self._put(link, mirror.confirm(mirror.heard, self.now))

    def _deliver(self) -> None:
        for _ in range(MOST_FRAMES):
            if not self._flying:
                return
            is_down, link, octets = self._flying.pop(0)
            if not is_down:
                self._perform(self.agent.receive(link, octets, self.now))
            elif link in self.stations:
                self._put(link, self.stations[link].receive(octets, self.now))
        raise AssertionError("they never cease to speak")
