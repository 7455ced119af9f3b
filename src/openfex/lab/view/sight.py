# SPDX-License-Identifier: Apache-2.0
"""What one look at a lab saw, as values; and how its nodes and ports are called. Pure: `look.py` does the looking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from openfex.adapter.soft import FUNCTION_MARK, PF_MARK
from openfex.datapath.abi import ANY_PORT
from openfex.lab.names import netns_of, outside, prefix_of
from openfex.linux.filters import Filter
from openfex.linux.links import Link, LinkStatistics
from openfex.model.counters import PortCounters, Totals
from openfex.model.drops import DropReason, drops_by_port
from openfex.model.layout import Bridge, Function, Host, Layout, Uplink
from openfex.model.limits import FIRST_UPLINK
from openfex.model.place import Place
from openfex.model.values import Mac, port_channel, port_link, port_number
from openfex.plan.ledger import NOTHING, Ledger, Tally
from openfex.rules.decision import Hit
from openfex.rules.tables import BridgeTables, ExtenderTables, Port, Station
from openfex.wire.control import FunctionEntry, VethEntry

Row = dict[str, object]
"""One line of a view: plain values only, so that it can be printed as a table or as JSON."""


@dataclass(frozen=True)
class NodeSight:
    """The datapath of one node. `tables` is None where there is none."""

    tables: ExtenderTables | BridgeTables | None = None
    counters: Mapping[int, PortCounters] = field(default_factory=dict)
    drops: Mapping[tuple[int, DropReason], int] = field(default_factory=dict)
    programs: Mapping[int, str] = field(default_factory=dict)
    """The programs that are pinned: id -> name."""
    totals: Totals = field(default_factory=Totals)
    stations: Mapping[tuple[Mac, int], Station] = field(default_factory=dict)
    hits: Mapping[Hit, int] = field(default_factory=dict)
    """How many frames each rule of a bridge has decided."""
    now_ns: int = 0
    """The time by the clock of the stations' `seen_ns`."""

    @cached_property
    def _drops(self) -> Mapping[int, int]:
        """Added up once for all ports."""
        return drops_by_port(self.drops)

    def tally(self, number: int) -> Tally:
        """What the kernel has counted on a port."""
        return Tally.of(self.counters.get(number, PortCounters()), self._drops.get(number, 0))


@dataclass(frozen=True)
class DeviceSight:
    """One device, looked at closely. `link` is None where there is none."""

    link: Link | None = None
    filters: tuple[Filter, ...] = ()
    statistics: LinkStatistics | None = None
    addresses: tuple[str, ...] = ()
    polled: bool = False
    """Whether it takes what XDP sends."""


@dataclass(frozen=True)
class Said:
    """What the ends of a cable have told each other of one vEth: the host of its function, the bridge of its port."""

    function: FunctionEntry | None
    veth: VethEntry

    @property
    def is_cut(self) -> bool:
        """Whether its host says that there is nobody."""
        return self.function is not None and self.function.vsi is not None and not self.function.up


@dataclass(frozen=True)
class Sight:
    """A lab: its documents' layout, and by name space the links and datapaths that there are."""

    layout: Layout
    links: Mapping[str, Sequence[Link]] = field(default_factory=dict)
    nodes: Mapping[str, NodeSight] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=dict)
    guests: Mapping[str, str] = field(default_factory=dict)
    """What QEMU says of the virtual machines that run, by name."""
    said: Mapping[tuple[str, int], Said] = field(default_factory=dict)
    """By bridge and port number of the vEth."""

    def node(self, kind: str, name: str) -> NodeSight:
        """The datapath of a host or bridge; an empty one where there is none."""
        return self.nodes.get(netns_of(self.layout.lab, kind, name), NodeSight())

    def extender(self, host: str) -> ExtenderTables | None:
        """The tables of a host, as its kernel has them."""
        tables = self.node("host", host).tables
        return tables if isinstance(tables, ExtenderTables) else None

    def bridge(self, name: str) -> BridgeTables | None:
        """The tables of a bridge, as its kernel has them."""
        tables = self.node("bridge", name).tables
        return tables if isinstance(tables, BridgeTables) else None

    def tally(self, bridge: str, number: int) -> Tally:
        """What a port of a bridge has counted; a vEth what its NIC has, wherever that was before."""
        node = self.node("bridge", bridge)
        return node.tally(number).plus(self.ledger.get(f"{bridge}:{number}", NOTHING))

    def is_bound(self, host: Host, function: Function) -> bool:
        """True if the host's kernel lets the function speak, on whichever uplink; of a real host: if its vEth is up."""
        if host.remote:
            return self.veth_up(host, function) is not None
        extender = self.extender(host.name)
        rows = extender.functions if extender else {}
        numbers = (port_number(uplink.host_link, function.channel) for uplink in host.uplinks)
        return any(rows[number].up for number in numbers if number in rows)

    def has_carrier(self, uplink: Uplink) -> bool:
        """Whether the bridge's end of an uplink has a far end that is there."""
        there = self.links.get(netns_of(self.layout.lab, "bridge", uplink.bridge), ())
        return any(link.name == uplink.bridge_device and link.carrier for link in there)

    def why_down(self, host: Host, function: Function) -> str:
        """What bridges have said of a function's vEth, if that it is down: `down: refused`."""
        for uplink in host.uplinks:
            said = self.said.get((uplink.bridge, port_number(uplink.bridge_link, function.channel)))
            if said and said.function and said.function.vsi and not said.veth.up:
                return str(said.veth)
        return ""

    def veth_up(self, host: Host, function: Function) -> Port | None:
        """The row of the function's vEth, if it is up: its MAC is the function's, whatever its holder set."""
        for uplink in host.uplinks:
            tables = self.bridge(uplink.bridge)
            port = tables.ports.get(port_number(uplink.bridge_link, function.channel)) if tables else None
            if port and port.up:
                return port
        return None

    def function_places(self) -> dict[str, Place]:
        """Where each function is that there is, by its name; a TAP is where the adapter is."""
        sides = {name: place for name, place, _ in self._marked(PF_MARK)}
        return {**sides, **{name: place for name, place, _ in self._marked(FUNCTION_MARK) if name in sides}}

    def functions_down(self) -> set[str]:
        """The functions that their holders have set down, by name."""
        return {name for name, _, link in self._marked(FUNCTION_MARK) if not link.up}

    def _marked(self, mark: str) -> Iterator[tuple[str, Place, Link]]:
        for netns, links in self.links.items():
            for link in links:
                if link.alias.startswith(mark):
                    yield link.alias.removeprefix(mark), Place(netns, link.name), link


def short_place(layout: Layout, place: Place) -> str:
    """A place as people say it: `vm1:eth0`."""
    return f"{node_of(layout, place.netns)[1]}:{place.device}"


def node_of(layout: Layout, netns: str) -> tuple[str, str]:
    """Kind and name of the node whose name space it is."""
    if netns == outside(layout.lab):
        return "network", "outside"
    kind, _, name = netns.removeprefix(prefix_of(layout.lab)).partition("_")
    return (kind, name) if name else ("", netns)


def bridge_port_name(layout: Layout, bridge: Bridge, number: int) -> str:
    """A port of a bridge: `sw-a/up0`, `sw-a/veth1.5` (uplink 1, channel 5), `sw-a/uplink16` (the cable itself)."""
    link, channel = port_link(number), port_channel(number)
    if number == ANY_PORT:
        return "(not told apart)"
    if channel:
        return f"{bridge.name}/veth{link - FIRST_UPLINK + 1}.{channel}"
    devices = {port.link: port.name for port in bridge.ports}
    devices |= {uplink.bridge_link: uplink.bridge_device for uplink in layout.uplinks_of(bridge.name)}
    return f"{bridge.name}/{devices.get(link, f'link{link}')}"


def host_port_name(host: Host, number: int) -> str:
    """A port of a port extender: the function's name, or `h1/up-a` for an uplink."""
    if number == ANY_PORT:
        return "(not told apart)"
    channel = port_channel(number)
    if channel:
        names = {function.channel: function.name for function in host.functions}
        return names.get(channel, f"{host.name}/channel{channel}")
    devices = {uplink.host_link: uplink.device for uplink in host.uplinks}
    return f"{host.name}/{devices.get(port_link(number), f'link{port_link(number)}')}"
