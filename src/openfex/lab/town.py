# SPDX-License-Identifier: Apache-2.0
"""The agents of a layout, with the cables between them, in one process and in virtual time: for reference engines.

    town = Town(layout, extenders, bridges)
    town.start()
    town.run(5.0)                       frames arrive, deadlines come, tables are written

An agent that is `killed` says no more and hears no more; what it wrote stays. `restart` is another one in its place.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from itertools import count

from openfex.bridge.agent import BridgeAgent
from openfex.bridge.change import Memory, WriteBridge
from openfex.bridge.vsi_manager import DocumentManager
from openfex.host.agent import HostAgent, WriteHost
from openfex.model.layout import Binding, Bridge, Host, Layout
from openfex.model.values import Mac
from openfex.protocol.evb import EvbSettings
from openfex.protocol.output import Log, Send, Transmit, earliest
from openfex.protocol.uplink import UplinkSettings, bridge_end, station_end
from openfex.rules import engine
from openfex.wire.evb import EvbMode

DELAY_S = 0.001
WRITING_S = 0.002
MOST_STEPS = 1_000_000
End = tuple[str, int]
"""A node, and a link of it."""
Agent = HostAgent | BridgeAgent
Fate = Callable[[End, bytes], Iterable[float]]
"""Of a frame that an end sends: after which delays copies of it arrive."""


def ideal(_end: End, _octets: bytes) -> Iterable[float]:
    """Each arrives once."""
    return (DELAY_S,)


class Town:
    """All of a layout. `hosts`, `bridges`: by name, the engines whose tables the agents write."""

    def __init__(
        self,
        layout: Layout,
        hosts: Mapping[str, engine.Extender],
        bridges: Mapping[str, engine.Bridge],
        fate: Fate = ideal,
    ) -> None:
        self.layout, self.fate, self.now = layout, fate, 0.0
        self.agents: dict[str, Agent] = {}
        self.logs: list[tuple[float, str, Log]] = []
        self.sent = 0
        self._hosts, self._bridges = hosts, bridges
        self._cables: dict[End, End] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = count()
        self._sessions = count(1)
        self._memories: dict[str, Memory] = {}
        self.channels: dict[str, Mapping[int, int]] = {}
        """By real host, the VIDs of its functions."""
        for uplink in (one for host in self.layout.hosts for one in host.uplinks):
            here, there = (uplink.host, uplink.host_link), (uplink.bridge, uplink.bridge_link)
            self._cables[here], self._cables[there] = there, here

    def start(self) -> None:
        """All agents, bridges first."""
        for name in [*(one.name for one in self.layout.bridges), *(one.name for one in self.layout.hosts)]:
            self.restart(name)

    def restart(self, name: str) -> None:
        """A new agent, with what the one before has left: tables, and a bridge's memory."""
        bridge = next((one for one in self.layout.bridges if one.name == name), None)
        if bridge is None:
            self.restart_host(name, self.layout.bindings_on(name))
            return
        self.agents[name] = self._bridge(bridge)
        self._perform(name, self.agents[name].start(self.now))

    def restart_host(self, name: str, bindings: Iterable[Binding]) -> None:
        """A new agent of a host, with other NICs."""
        agent = self.agents[name] = self._host(self.layout.host(name), bindings)
        self._perform(name, agent.start(self.now))

    def bind(self, name: str, bindings: Iterable[Binding]) -> None:
        """A host's NICs are these from now on."""
        self._perform(name, self.host(name).bind(bindings, self.now))

    def link(self, binding: Binding, *, up: bool) -> None:
        """The device of a NIC's function has a link from now on, or none."""
        host = binding.uplink.host
        self._perform(host, self.host(host).link(binding.function.channel, up, self.now))

    def kill(self, name: str) -> None:
        """As by kill -9."""
        del self.agents[name]

    def run(self, duration: float) -> None:
        """Let time pass."""
        until = self.now + duration
        for _ in range(MOST_STEPS):
            event = self._events[0][0] if self._events else None
            at = earliest([event, *(one.deadline for one in self.agents.values())])
            if at is None or at > until:
                self.now = until
                return
            self.now = max(self.now, at)
            self._step()
        raise AssertionError(f"{MOST_STEPS} steps, and still only at {self.now}")

    @property
    def is_settled(self) -> bool:
        """Whether every NIC is up, and nothing is on its way."""
        return all(one.is_settled for one in self.agents.values() if isinstance(one, HostAgent))

    def host(self, name: str) -> HostAgent:
        """The agent of a host."""
        agent = self.agents[name]
        assert isinstance(agent, HostAgent)
        return agent

    def bridge(self, name: str) -> BridgeAgent:
        """The agent of a bridge."""
        agent = self.agents[name]
        assert isinstance(agent, BridgeAgent)
        return agent

    def events(self, name: str) -> list[str]:
        """The words for what an agent has logged."""
        return [log.event for _, who, log in self.logs if who == name]

    def say(self, name: str, link: int, outputs: Iterable[object]) -> None:
        """Have an end of a node's say what one of its machines has given."""
        self._perform(name, [Send(link, one.octets) for one in outputs if isinstance(one, Transmit)])

    def _settings(self, name: str, link: int, role: EvbMode) -> UplinkSettings:
        source = Mac(b"\x02" + (sum(name.encode()) << 16 | link).to_bytes(5, "big"))
        session, times = next(self._sessions), self.layout.signalling
        evb = EvbSettings(role, rte=times.rte, rwd=times.rwd, rka=times.rka)
        return UplinkSettings(source, source, f"up{link}", name, evb, session, 7 * session)

    def _host(self, host: Host, bindings: Iterable[Binding]) -> HostAgent:
        kinds = {one.host_link: one.kind for one in host.uplinks}
        ends = {
            link: station_end(self._settings(host.name, link, EvbMode.STATION), s_channels=kind.is_schannel)
            for link, kind in kinds.items()
        }
        return HostAgent(host, bindings, ends, self._hosts[host.name].tables, self.channels.get(host.name))

    def _bridge(self, bridge: Bridge) -> BridgeAgent:
        kinds = {one.bridge_link: one.kind for one in self.layout.uplinks_of(bridge.name)}
        ends = {
            link: bridge_end(self._settings(bridge.name, link, EvbMode.BRIDGE), s_channels=kind.is_schannel)
            for link, kind in kinds.items()
        }
        tables, memory = self._bridges[bridge.name].tables, self._memories.get(bridge.name)
        return BridgeAgent(bridge, DocumentManager(self.layout.profiles, self.layout.bindings), ends, tables, memory)

    def _step(self) -> None:
        if self._events and self._events[0][0] <= self.now:
            heapq.heappop(self._events)[2]()
            return
        for name, agent in self.agents.items():
            if agent.deadline is not None and agent.deadline <= self.now:
                self._perform(name, agent.expire(self.now))
                return

    def _later(self, delay: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._count), act))

    def _perform(self, name: str, effects: Iterable[object]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._send((name, effect.link), effect.octets)
            elif isinstance(effect, WriteHost | WriteBridge):
                self._write(name, self.agents[name], effect)
            elif isinstance(effect, Log):
                self.logs.append((self.now, name, effect))

    def _send(self, end: End, octets: bytes) -> None:
        self.sent += 1
        node, link = self._cables[end]

        def arrive() -> None:
            agent = self.agents.get(node)
            if agent is not None:
                self._perform(node, agent.receive(link, octets, self.now))

        for delay in self.fate(end, octets):
            self._later(delay, arrive)

    def _write(self, name: str, agent: Agent, effect: WriteHost | WriteBridge) -> None:
        """The tables are written a little later, if the agent lives that long."""

        def write() -> None:
            if self.agents.get(name) is not agent:
                return
            if isinstance(effect, WriteHost):
                self._hosts[name].tables, self.channels[name] = effect.tables, effect.channels
            else:
                bridge = self._bridges[name]
                effect.tables.stations, effect.tables.memory = bridge.tables.stations, bridge.tables.memory
                bridge.tables = effect.tables
                self._memories[name] = effect.memory
            self._perform(name, agent.written(self.now))

        self._later(WRITING_S, write)
