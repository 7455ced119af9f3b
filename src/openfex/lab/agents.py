# SPDX-License-Identifier: Apache-2.0
"""The agents of a lab's hosts and bridges, on the lab's cables and tables; the process that they live in is duty.py's.

They are the agents of real hosts and bridges; only where their documents lie is the lab's. Others take over from some
that have ended, however they ended: the kernel's tables and what bridges remember are all there is to know (P5).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from openfex.bridge.agent import BridgeAgent
from openfex.bridge.change import Memory, StationMemory, WriteBridge
from openfex.bridge.register import Held, Station
from openfex.bridge.vsi_manager import DocumentManager
from openfex.datapath.rows import Devices
from openfex.errors import InputError, NotFoundError
from openfex.host.agent import HostAgent, WriteHost
from openfex.host.announcement import entries_of, vsiid_of
from openfex.lab.names import netns_of
from openfex.lab.staffing import memory_file
from openfex.lab.workshop import Workshop
from openfex.linux.agent_loop import Act, Agent, AgentLoop, Perform
from openfex.linux.control_wire import ControlWire, settings_of
from openfex.linux.disk import keep
from openfex.linux.links import Link
from openfex.linux.uevent import LinkEvents
from openfex.model.layout import Binding, Bridge, Host, Layout
from openfex.model.values import ChannelKind
from openfex.plan.objects import Spec, State, TablesKey, TablesSpec
from openfex.protocol.evb import EvbSettings
from openfex.protocol.output import Log
from openfex.protocol.uplink import UplinkSettings, bridge_end, lost_row, neighbour_rows, station_end
from openfex.rules.tables import BridgeTables, ExtenderTables
from openfex.wire.control import HostEntry, Key, Kind
from openfex.wire.evb import EvbMode
from openfex.wire.vdp import Vdpdu

VERSION = 1
"""Of the file that a bridge's agent remembers by."""


def write_memory(path: Path, memory: Memory) -> None:
    """Keep what a bridge's agent knows, as octets in hexadecimal."""
    rows = {
        str(link): {
            "told": _to_rows(one.told),
            "said": _to_rows(one.said),
            "held": [octets.hex() for octets in one.held],
        }
        for link, one in memory.items()
    }
    keep(path, {"version": VERSION, "stations": rows})


def _to_rows(table: Mapping[Key, bytes]) -> list[list[object]]:
    return [[key.kind, key.octets.hex(), value.hex()] for key, value in table.items()]


def _from_rows(rows: Iterable[tuple[int, str, str]]) -> dict[Key, bytes]:
    return {Key(Kind(kind), bytes.fromhex(key)): bytes.fromhex(value) for kind, key, value in rows}


def read_memory(path: Path, hosts: Mapping[int, str]) -> Memory:
    """What the agent before has kept of these hosts, by link; nothing if there was none, or of another version.

    Raises InputError "bad-memory" for what cannot be read.
    """
    if not path.exists():
        return {}
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["version"] != VERSION:
            return {}
        found = {int(link): _from_row(one) for link, one in raw["stations"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise InputError(f"{path} is not what a bridge remembers", code="bad-memory") from cause
    return {link: one for link, one in found.items() if link in hosts and _host_of(one) == hosts[link]}


def _from_row(row: Mapping[str, Any]) -> StationMemory:
    held = tuple(bytes.fromhex(octets) for octets in row["held"])
    for octets in held:
        Vdpdu.decode(octets)
    return StationMemory(_from_rows(row["told"]), _from_rows(row["said"]), held)


def _host_of(memory: StationMemory) -> str | None:
    """Whose it is: another host may have the link now."""
    told = memory.told.get(HostEntry.KEY)
    return HostEntry.decode(told).name if told else None


def _told(spec: Spec) -> Spec:
    """Tables are to be read, also where only an agent knows what they are to be."""
    return replace(spec, by_agent=False) if isinstance(spec, TablesSpec) else spec


@dataclass
class Staff:
    """The agents of one lab, on their uplinks. `wanted`: what the kernel would hold by the layout."""

    layout: Layout
    wanted: State
    workshop: Workshop
    loop: AgentLoop
    say: Callable[[str, Log], None]
    hosts: dict[str, HostAgent] = field(default_factory=dict)
    bridges: dict[str, BridgeAgent] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._acts: dict[str, Act] = {}
        self._enlisted: list[Callable[[], None]] = []
        self._wires: dict[str, dict[int, ControlWire]] = {}
        self._devices: dict[str, Devices] = {}
        """Of nodes. To ask the kernel takes longer than all else; who changes them has other agents take over."""
        self._held = ExitStack()
        self._state = self.workshop.observe({key: _told(spec) for key, spec in self.wanted.items()})

    def close(self) -> None:
        """End them; what they wrote stays."""
        self.loop.close()
        self._held.close()

    @property
    def agents(self) -> list[HostAgent | BridgeAgent]:
        """All of them."""
        return [*self.hosts.values(), *self.bridges.values()]

    @property
    def is_settled(self) -> bool:
        """Whether every NIC is up, and nothing is on its way."""
        return all(one.is_settled for one in self.hosts.values())

    def bind(self, host: str, bindings: Iterable[Binding]) -> None:
        """Have a host's NICs be these from now on."""
        self._acts[host](self.hosts[host].bind(bindings, self.loop.now()))

    def neighbours(self) -> list[dict[str, object]]:
        """Who is at the other ends of all uplinks, a row each."""
        agents: list[tuple[str, HostAgent | BridgeAgent]] = [*self.hosts.items(), *self.bridges.items()]
        now, rows = self.loop.now(), []
        for name, agent in agents:
            for link, end in agent.ends.items():
                rows += neighbour_rows(end, now) if self._wires[name][link].is_open else [lost_row(end)]
        return rows

    def start(self, node: str = "") -> None:
        """Have all of them, or that of one node alone, and begin. Raises as `enlist`."""
        self.enlist(node)
        self.begin()

    def begin(self) -> None:
        """Have those who are enlisted speak. What cannot be done from here on is in the log, and tried again."""
        for begin in self._enlisted:
            begin()
        self._enlisted = []

    def enlist(self, node: str = "") -> None:
        """Make all of them, or that of one node alone; none speaks yet. Raises OpenfexError."""
        bridges = [one for one in self.layout.bridges if node in {"", one.name}]
        hosts = [one for one in self.layout.own_hosts if node in {"", one.name}]
        if not bridges and not hosts:
            raise NotFoundError(f"lab {self.layout.lab} has no host or bridge {node}", code="no-such-node")
        for bridge in bridges:
            self._enlist_bridge(bridge)
        for host in hosts:
            self._enlist_host(host)

    def _enlist_bridge(self, bridge: Bridge) -> None:
        space = netns_of(self.layout.lab, "bridge", bridge.name)
        uplinks = self.layout.uplinks_of(bridge.name)
        signalling = [one for one in uplinks if self.layout.host(one.host).has_agent]
        wires = self._open(bridge.name, space, {one.bridge_link: one.bridge_device for one in signalling})
        ends = {
            one.bridge_link: bridge_end(
                self._settings(bridge.name, space, one.bridge_device, EvbMode.BRIDGE, one.kind),
                s_channels=one.kind.is_schannel,
            )
            for one in signalling
        }
        tables = self._tables(TablesKey(True, space))
        path = memory_file(self.layout.lab, bridge.name)
        agent = BridgeAgent(
            bridge,
            DocumentManager(self.layout.profiles, self.layout.bindings),
            ends,
            tables if isinstance(tables, BridgeTables) else None,
            self._remembered(bridge.name, path),
            {one.bridge_link: one.host for one in uplinks if self.layout.is_plain(self.layout.host(one.host))},
        )
        agent.stand_in(self._silent(bridge))
        self.bridges[bridge.name] = agent
        perform = partial(self._perform_bridge, agent, space, path)
        self._enlist(bridge.name, agent, wires, perform)

    def _silent(self, bridge: Bridge) -> list[Station]:
        """The real hosts that nobody signals at: each is as if it had said what the documents say."""
        found: list[Station] = []
        for uplink in self.layout.uplinks_of(bridge.name):
            host, bindings = self.layout.host(uplink.host), self.layout.bindings_on(uplink.host)
            if not host.has_agent:
                station = Station(uplink.bridge_link)
                for key, value in entries_of(host, bindings).items():
                    station.hear(key, value)
                for one in bindings:
                    station.held[vsiid_of(one)] = Held(one.profile, one.mac, generation=one.generation)
                found.append(station)
        return found

    def _remembered(self, bridge: str, path: Path) -> Memory:
        """Of a file that cannot be read nothing: ports come up anew."""
        try:
            return read_memory(path, {one.bridge_link: one.host for one in self.layout.uplinks_of(bridge)})
        except InputError as error:
            self.say(bridge, Log("forgotten", bridge, str(error), error.code))
            return {}

    def _enlist_host(self, host: Host) -> None:
        space = netns_of(self.layout.lab, "host", host.name)
        devices = {one.host_link: one.device for one in host.uplinks if self.layout.bridge(one.bridge).has_agent}
        wires = self._open(host.name, space, devices)
        ends = {
            link: station_end(
                self._settings(host.name, space, device, EvbMode.STATION, host.kind), s_channels=host.kind.is_schannel
            )
            for link, device in devices.items()
        }
        tables = self._tables(TablesKey(False, space))
        agent = HostAgent(
            host,
            self.layout.bindings_on(host.name),
            ends,
            tables if isinstance(tables, ExtenderTables) else None,
        )
        self._watch(agent, space)
        self.hosts[host.name] = agent
        self._enlist(host.name, agent, wires, partial(self._perform_host, agent, space))

    def _enlist(self, name: str, agent: Agent, wires: Mapping[int, ControlWire], perform: Perform) -> None:
        def begin() -> None:
            self._acts[name] = self.loop.add(agent, wires, perform)

        self._enlisted.append(begin)

    def _watch(self, agent: HostAgent, space: str) -> None:
        """Have a host's agent know which functions' devices have a link: now, and whenever that changes."""
        events, there = LinkEvents(space), self.workshop.spaces.netlink(space)
        self._held.callback(events.close)
        numbers = {one.pf_device: one.channel for one in agent.host.functions}

        def tell(links: Iterable[Link]) -> list[object]:
            has_link = {numbers[one.name]: one.up and one.carrier for one in links if one.name in numbers}
            return [one for number, up in has_link.items() for one in agent.link(number, up, self.loop.now())]

        def take() -> None:
            links, lost = events.take()
            self._acts[agent.host.name](tell(there.links() if lost else links))

        for number in numbers.values():
            agent.link(number, False, self.loop.now())
        tell(there.links())
        self.loop.watch(events.fileno(), take)

    def _open(self, name: str, space: str, devices: Mapping[int, str]) -> dict[int, ControlWire]:
        wires = self._wires.setdefault(name, {})
        for link, device in devices.items():
            wires[link] = ControlWire(device, space)
            self._held.callback(wires[link].close)
        return wires

    def _tables(self, key: TablesKey) -> object:
        """What a node's tables are. Of its devices they know how these take frames, which is no agent's to say."""
        found, asked = self._state.get(key), self.wanted[key]
        if not isinstance(found, TablesSpec) or not isinstance(asked, TablesSpec):
            return None
        if (found.xdp, found.queued) != (asked.xdp, asked.queued):
            self.workshop.write(key, replace(asked, tables=found.tables))
        return found.tables

    def _settings(self, name: str, space: str, device: str, role: EvbMode, kind: ChannelKind) -> UplinkSettings:
        mac = self.workshop.spaces.netlink(space).link(device).mac
        return settings_of(
            name, device, mac, EvbSettings.of(role, self.layout.signalling, relay=kind is ChannelKind.VEPA)
        )

    def _perform_bridge(self, agent: BridgeAgent, space: str, path: Path, effect: object) -> Iterable[object]:
        if isinstance(effect, WriteBridge):
            write_memory(path, effect.memory)
            if effect.tables is not agent.tables:
                self._write(TablesKey(True, space), effect.tables)
            return agent.written(self.loop.now())
        return self._log(agent.bridge.name, effect)

    def _perform_host(self, agent: HostAgent, space: str, effect: object) -> Iterable[object]:
        if isinstance(effect, WriteHost):
            self._write(TablesKey(False, space), effect.tables)
            return agent.written(self.loop.now())
        return self._log(agent.host.name, effect)

    def _write(self, key: TablesKey, tables: BridgeTables | ExtenderTables) -> None:
        asked = self.wanted[key]
        assert isinstance(asked, TablesSpec)
        devices = self._devices.pop(key.netns, None) or self.workshop.ways(key, asked)
        self.workshop.write(key, TablesSpec(tables, asked.xdp, asked.queued), devices)
        self._devices[key.netns] = devices  # where they could not be written, they are asked for anew

    def _log(self, node: str, effect: object) -> Iterable[object]:
        if isinstance(effect, Log):
            self.say(node, effect)
        return ()
