# SPDX-License-Identifier: Apache-2.0
"""A whole layout in one process: reference engines joined by wires, where every frame can be followed to its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from openfex.errors import InternalError
from openfex.model.layout import Layout, NetworkPort, Uplink
from openfex.model.values import port_channel, port_link, port_number
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.rules.engine import Bridge, Extender, Node

MOST_HOPS = 10_000
"""A frame that makes more of them is in a loop."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A port of a node: of a function on its host, of a link else."""

    node: str
    port: int


class Fabric:
    """Bridges and hosts of a layout. What leaves the layout is in `delivered`, in the order it did."""

    def __init__(self, layout: Layout) -> None:
        self.bridges = {one.name: Bridge(tables=compile_bridge(layout, one.name)) for one in layout.bridges}
        tables = {name: bridge.tables for name, bridge in self.bridges.items()}
        self.hosts = {host.name: Extender(tables=compile_extender(layout, host, tables)) for host in layout.hosts}
        self.delivered: list[tuple[Spot, bytes]] = []
        self.entered = 0
        self._now_ns = 0
        self._cables: dict[tuple[str, int], tuple[str, int]] = {}
        for host in layout.hosts:
            for uplink in host.uplinks:
                self._join((host.name, uplink.host_link), (uplink.bridge, uplink.bridge_link))
        for one, other in layout.wires:
            self._join((one.bridge, one.link), (other.bridge, other.link))

    @property
    def nodes(self) -> Iterable[Node]:
        """All of them."""
        return (*self.bridges.values(), *self.hosts.values())

    @property
    def replicated(self) -> int:
        """Copies beyond the first, everywhere."""
        return sum(node.totals.replicated for node in self.nodes)

    @property
    def dropped(self) -> int:
        """Frames dropped, everywhere."""
        return sum(node.drops.total() for node in self.nodes)

    def _join(self, one: tuple[str, int], other: tuple[str, int]) -> None:
        self._cables[one], self._cables[other] = other, one

    def from_function(self, host: str, port: int, octets: bytes) -> list[Spot]:
        """A machine sends: where the frame came out in the end."""
        return self._carry(Spot(host, port), octets)

    def from_network(self, port: NetworkPort, octets: bytes) -> list[Spot]:
        """Something behind a network port sends."""
        return self._carry(Spot(port.bridge, port.number), octets)

    def from_uplink(self, uplink: Uplink, octets: bytes) -> list[Spot]:
        """What a bridge is sent by an uplink, as if a host had sent it."""
        return self._carry(Spot(uplink.bridge, port_number(uplink.bridge_link)), octets)

    def _carry(self, spot: Spot, octets: bytes) -> list[Spot]:
        """One frame and all its copies, to the end of each."""
        self.entered += 1
        self._now_ns += 1000
        before, waiting = len(self.delivered), deque([(spot, octets)])
        for _ in range(MOST_HOPS):
            if not waiting:
                return [spot for spot, _ in self.delivered[before:]]
            waiting.extend(self._hop(*waiting.popleft()))
        raise InternalError(f"a frame has been {MOST_HOPS} hops on its way: {octets[:64].hex()}")

    def _hop(self, spot: Spot, octets: bytes) -> list[tuple[Spot, bytes]]:
        """Through one node, and along the cables behind it."""
        link = port_link(spot.port)
        if spot.node in self.bridges:
            sent = self.bridges[spot.node].receive(link, octets, self._now_ns)
        elif port_channel(spot.port):
            sent = self.hosts[spot.node].from_function(spot.port, octets)
        else:
            sent = self.hosts[spot.node].from_uplink(link, octets)
        going = []
        for one in sent:
            end = None if self._is_function(spot.node, one.port) else self._cables.get((spot.node, port_link(one.port)))
            if end is None:
                self.delivered.append((Spot(spot.node, one.port), one.octets))
            else:
                going.append((Spot(end[0], port_number(end[1])), one.octets))
        return going

    def _is_function(self, node: str, port: int) -> bool:
        return node in self.hosts and port_channel(port) > 0
