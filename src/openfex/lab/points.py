# SPDX-License-Identifier: Apache-2.0
"""Where a port can be captured: from the name that people give it to the node and the number it has there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from openfex.datapath.abi import Seen
from openfex.errors import NotFoundError
from openfex.lab.view.sight import bridge_port_name, host_port_name
from openfex.model.layout import Binding, Bridge, Host, Layout
from openfex.model.values import port_number
from openfex.model.wording import either

ALL = Seen.IN | Seen.OUT | Seen.DROPPED
_SUGGESTED = 3


@dataclass(frozen=True, slots=True)
class Point:
    """A port of a node, and what is captured there. `kind` is that of the node: `bridge` or `host`."""

    kind: str
    node: str
    number: int
    name: str
    seen: Seen = ALL

    @property
    def role(self) -> str:
        """What the node's datapath is."""
        return "bridge" if self.kind == "bridge" else "extender"


def points_of(layout: Layout, name: str, seen: Seen = ALL) -> list[Point]:
    """The points of a port, a function, an uplink's end or a NIC. Raises NotFoundError with the nearest names.

    A NIC is its vEth and, for what never comes so far, what is dropped at its function.
    """
    named = {point.name: [point] for point in _all_points(layout)}
    for binding in layout.bindings:
        named.setdefault(binding.name, _nic_points(layout, binding))
    if name not in named:
        raise NotFoundError(
            f"there is no port {name} in lab {layout.lab}", code="no-such-port", remedy=_meant(name, named)
        )
    points = (replace(point, seen=point.seen & seen) for point in named[name])
    return [point for point in points if point.seen]


def _meant(name: str, known: Iterable[str]) -> str:
    """The remedy for an unknown name; its node may have been left out."""
    there = list(known)
    near = [one for one in there if one.endswith(f"/{name}")] or get_close_matches(name, there, _SUGGESTED)
    return f"did you mean {either(near[:_SUGGESTED])}?" if near else "`fex show ports` lists the ports"


def point_at(layout: Layout, kind: str, node: str, number: int) -> Point:
    """The port of that number on a node."""
    if kind == "bridge":
        return _at_bridge(layout, layout.bridge(node), number)
    return _at_host(layout.host(node), number)


def entry_of(layout: Layout, name: str) -> Point:
    """Where a frame comes in that somebody sends at a port: for a NIC its function. Raises NotFoundError."""
    return points_of(layout, name)[-1]


def port_name(layout: Layout, point: Point, number: int) -> str:
    """The name of another port of the point's node."""
    if point.kind == "bridge":
        return bridge_port_name(layout, layout.bridge(point.node), number)
    return host_port_name(layout.host(point.node), number)


def _nic_points(layout: Layout, binding: Binding) -> list[Point]:
    uplink = binding.uplink
    if layout.is_foreign(uplink.bridge):
        return [_at_host(layout.host(uplink.host), binding.host_port)]
    veth = _at_bridge(layout, layout.bridge(uplink.bridge), binding.bridge_port)
    if layout.host(uplink.host).remote:
        return [veth]
    function = _at_host(layout.host(uplink.host), binding.host_port)
    return [veth, replace(function, seen=Seen.DROPPED)]


def _all_points(layout: Layout) -> Iterator[Point]:
    """Those of bridges last: where two names are the same, a port of a bridge is meant."""
    for host in layout.own_hosts:
        yield from _host_points(layout, host)
    for bridge in layout.bridges:
        for port in bridge.ports:
            yield _at_bridge(layout, bridge, port.number)
        for uplink in layout.uplinks_of(bridge.name):
            yield _at_bridge(layout, bridge, port_number(uplink.bridge_link))
            for function in layout.host(uplink.host).functions:
                yield _at_bridge(layout, bridge, port_number(uplink.bridge_link, function.channel))


def _host_points(layout: Layout, host: Host) -> Iterator[Point]:
    """A function has a number on each uplink: its own is that of the uplink it is bound on, or else the first."""
    bound = {binding.function: binding.host_port for binding in layout.bindings_on(host.name)}
    for uplink in host.uplinks:
        yield _at_host(host, port_number(uplink.host_link))
    for function in host.functions:
        first = port_number(host.uplinks[0].host_link, function.channel)
        yield _at_host(host, bound.get(function, first))


def _at_bridge(layout: Layout, bridge: Bridge, number: int) -> Point:
    return Point("bridge", bridge.name, number, bridge_port_name(layout, bridge, number))


def _at_host(host: Host, number: int) -> Point:
    return Point("host", host.name, number, host_port_name(host, number))
