# SPDX-License-Identifier: Apache-2.0
"""The demo's lab on the reference engine: nodes of rules/ joined by in-process wires, brought up by their agents.

Standard library only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from openfex.errors import InternalError
from openfex.lab.town import Town
from openfex.model.layout import Layout
from openfex.model.values import Mac, port_link
from openfex.proof.bed import DOWN, NETWORK, NIC, UP, NodeCounts, Seen, Send
from openfex.rules.decision import Hit
from openfex.rules.engine import Bridge, Extender, Node, Sent
from openfex.rules.tables import BridgeTables, ExtenderTables

FRAME_NS = 1000
"""What the clock goes on by when a frame is sent."""
SETTLED_S, STEP_S = 10.0, 0.005
"""How long agents may take, in virtual time, and how often they are looked at."""
MOST_HOPS = 100_000
"""A loop would go on for ever; this is where the wires say so."""


class ReferenceBed:
    """One bridge and its hosts, with a clock that ticks a microsecond a frame."""

    engine = "reference"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._now_ns = 0
        self._bridge_name = layout.bridges[0].name
        self.bridge = Bridge(tables=BridgeTables())
        self.hosts = {host.name: Extender(tables=ExtenderTables()) for host in layout.hosts}
        self.town = Town(layout, self.hosts, {self._bridge_name: self.bridge})
        self.town.start()
        self.settle()
        self._uplinks = {uplink.bridge_link: uplink for uplink in layout.uplinks_of(self._bridge_name)}
        self._cabled = {one.link: other.link for wire in layout.wires for one, other in (wire, wire[::-1])}
        self._nics = {(one.uplink.host, one.host_port): one.name for one in layout.bindings}

    def settle(self) -> None:
        """Let the agents have their time, until every NIC is up. Raises InternalError if that is never."""
        end = self.town.now + SETTLED_S
        while not self.town.is_settled:
            if self.town.now >= end:
                raise InternalError(f"the agents are not done in {SETTLED_S:.0f} s of virtual time")
            self.town.run(STEP_S)

    def _places(self) -> list[str]:
        uplinks = [f"{uplink.host}.{uplink.fabric}" for uplink in self._uplinks.values()]
        ports = [f"{NETWORK}{port.bridge}/{port.name}" for port in self.layout.bridges[0].ports]
        nics = [NIC + binding.name for binding in self.layout.bindings]
        return [*nics, *ports, *(way + name for name in uplinks for way in (UP, DOWN))]

    def exchange(self, sends: Sequence[Send], until: Callable[[Seen], bool]) -> Seen:
        """Carry each frame to its end before the next. `until` always holds by then, or never will."""
        seen: dict[str, list[bytes]] = {place: [] for place in self._places()}
        bindings = {NIC + binding.name: binding for binding in self.layout.bindings}
        links = {f"{NETWORK}{port.bridge}/{port.name}": port.link for port in self.layout.bridges[0].ports}
        for place, octets in sends:
            self._now_ns += FRAME_NS
            if place in links:
                self._carry(links[place], octets, seen)
                continue
            binding = bindings[place]
            uplink = binding.uplink
            for sent in self.hosts[uplink.host].from_function(binding.host_port, octets):
                seen[f"{UP}{uplink.host}.{uplink.fabric}"].append(sent.octets)
                self._carry(uplink.bridge_link, sent.octets, seen)
        return seen

    def send(self, sends: Sequence[Send]) -> None:
        """Carry each frame to its end."""
        self.exchange(sends, lambda seen: True)

    def _carry(self, at: int, first: bytes, seen: dict[str, list[bytes]]) -> None:
        """A frame comes to the bridge: follow it, and its copies, until they have all arrived somewhere."""
        arriving = deque([(at, first)])
        for _ in range(MOST_HOPS):
            if not arriving:
                return
            link, octets = arriving.popleft()
            for one in self.bridge.receive(link, octets, self._now_ns):
                self._leave(one, seen, arriving)

    def _leave(self, sent: Sent, seen: dict[str, list[bytes]], arriving: deque[tuple[int, bytes]]) -> None:
        link = port_link(sent.port)
        uplink = self._uplinks.get(link)
        if uplink is None:
            port = next(port for port in self.layout.bridges[0].ports if port.link == link)
            seen[f"{NETWORK}{port.bridge}/{port.name}"].append(sent.octets)
            if link in self._cabled:
                arriving.append((self._cabled[link], sent.octets))
            return
        seen[f"{DOWN}{uplink.host}.{uplink.fabric}"].append(sent.octets)
        for delivered in self.hosts[uplink.host].from_uplink(uplink.host_link, sent.octets):
            seen[NIC + self._nics[uplink.host, delivered.port]].append(delivered.octets)

    def bridge_tables(self) -> BridgeTables:
        """The tables of the bridge."""
        return self.bridge.tables

    def extender_tables(self, host: str) -> ExtenderTables:
        """The tables of a host."""
        return self.hosts[host].tables

    def counts(self) -> Mapping[str, NodeCounts]:
        """What every node has counted."""
        nodes: dict[str, Node] = {self._bridge_name: self.bridge, **self.hosts}
        return {name: NodeCounts(node.counters, node.drops, node.totals) for name, node in nodes.items()}

    def hits(self) -> Mapping[Hit, int]:
        """How many frames each rule of the bridge has decided."""
        return dict(self.bridge.hits)

    def now_ns(self) -> int:
        """The clock of this bed."""
        return self._now_ns

    def rest(self, duration_ns: int) -> None:
        """Put the clock on."""
        self._now_ns += duration_ns

    def change_mac(self, nic: str, mac: Mac) -> None:
        """Nothing changes: there is no end whose MAC the path would look at."""
