# SPDX-License-Identifier: Apache-2.0
"""Looking at a lab's objects in the kernel, and carrying out one operation on one of them. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

from openfex.adapter import lent, soft
from openfex.adapter.shaping import DEFAULT, NO_SHAPE, classes_of, read_shape
from openfex.datapath.node import Node, pin_folder
from openfex.datapath.objects import build_of
from openfex.datapath.rows import Device, Devices
from openfex.datapath.tables import read_counters, read_drops, read_tables_and_ways, write_tables
from openfex.datapath.terms import Tell, known
from openfex.datapath.xdp import attach_xdp, detach_xdp, xdp_attached
from openfex.lab import guests
from openfex.lab.loading import Loads, is_loaded_anew
from openfex.lab.names import is_node, name_of, prefix_of, role_of
from openfex.linux import netns
from openfex.linux.links import Link
from openfex.linux.queues import HTB
from openfex.linux.spaces import Spaces
from openfex.linux.sysctl import sysctl
from openfex.model.counters import PortCounters
from openfex.model.drops import drops_by_port
from openfex.model.layout import Layout
from openfex.model.place import Place
from openfex.model.shape import Shape
from openfex.plan.difference import Operation
from openfex.plan.ledger import Ledger, Tally
from openfex.plan.objects import (
    DeviceKey,
    DeviceSpec,
    FunctionKey,
    FunctionSpec,
    GuestKey,
    NicKey,
    NicSpec,
    NodeKey,
    NodeSpec,
    SpaceKey,
    SpaceSpec,
    State,
    TablesKey,
    TablesSpec,
    WireKey,
    WireSpec,
)
from openfex.rules.compiler import terms_of
from openfex.rules.tables import BridgeTables, ExtenderTables, Terms

WIRE_MARK = "openfex:wire:"


class Workshop:
    """The doors of one lab, opened once: sockets into its name spaces and its pinned maps."""

    def __init__(self, lab: str, older: Layout | None = None) -> None:
        """`older`: what the lab was until now; then its profiles can be told, and brought back."""
        self.lab = lab
        self._older = [terms_of(profile) for profile in older.profiles] if older else []
        self.spaces = Spaces(prefix_of(lab))
        self._nodes: dict[str, Node] = {}
        self.loads = Loads(self.node)

    def close(self) -> None:
        """Close sockets and maps; what was built stays."""
        self.loads.close()
        self.spaces.close()
        for node in self._nodes.values():
            node.close()
        self._nodes.clear()

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def node(self, name: str) -> Node:
        """The datapath of the node whose name space is `name`."""
        if name not in self._nodes:
            self._nodes[name] = Node(name, role_of(name))
        return self._nodes[name]

    # Looking

    def observe(self, wanted: State) -> State:
        """What there is of this lab, told as `wanted` is told: so the two can be compared."""
        names = [name for name in self.spaces.names() if is_node(name)]
        state: State = {SpaceKey(name): wanted.get(SpaceKey(name), SpaceSpec(False)) for name in names}
        links = self.spaces.links()
        state.update(self._observe_wires(links))
        state.update(lent.observe(self.spaces, links, wanted))
        for key, found in soft.observe(self.spaces).items():
            state[key] = soft.told_as(wanted.get(key), found)
        pinned = {one.name for one in pin_folder().glob(f"{prefix_of(self.lab)}*")}
        for name in sorted(pinned):
            state.update(self._observe_node(name, wanted, links.get(name, [])))
        state.update(guests.observe(self.lab))
        return state

    def tallies(self) -> Ledger:
        """What the bridges' ports have counted."""
        found: dict[str, Tally] = {}
        for pins in pin_folder().glob(f"{prefix_of(self.lab)}bridge_*"):
            node = self.node(pins.name)
            if node.rows:
                found.update({f"{name_of(pins.name)}:{port}": tally for port, tally in _tallies(node).items()})
        return found

    def _observe_wires(self, links: dict[str, list[Link]]) -> State:
        ends: dict[str, dict[str, tuple[Place, Link]]] = {}
        for name, found in links.items():
            for link in found:
                if link.alias.startswith(WIRE_MARK):
                    wire, _, end = link.alias.removeprefix(WIRE_MARK).rpartition(":")
                    ends.setdefault(wire, {})[end] = (Place(name, link.name), link)
        state: State = {}
        nowhere = Place("", "")
        for wire, both in ends.items():
            whole = {"near", "far"} <= both.keys() and all(link.up for _, link in both.values())
            mtu = min(link.mtu for _, link in both.values()) if whole else 0
            places = [both[end][0] if end in both else nowhere for end in ("near", "far")]
            xdp = [soft.gives_to_xdp(self.spaces, place) for place in places] if whole else [False]
            shape = self._observe_shape([both[end] for end in ("near", "far") if end in both])
            state[WireKey(wire)] = WireSpec(places[0], places[1], mtu if len({*xdp}) == 1 else 0, any(xdp), shape)
        return state

    def _observe_shape(self, ends: Sequence[tuple[Place, Link]]) -> Shape | None:
        """What the queues of a wire's ends let out, if that is the same."""
        shapes = {
            read_shape(self.spaces.netlink(place.netns).classes(place.device)) if link.queue == HTB else None
            for place, link in ends
        }
        return shapes.pop() if len(shapes) == 1 else NO_SHAPE

    def _observe_node(self, name: str, wanted: State, links: list[Link]) -> State:
        node = self.node(name)
        build, rows = build_of(node.role), node.rows
        asked = wanted.get(NodeKey(name))
        if isinstance(asked, NodeSpec):
            rows = min(rows, asked.rows)  # there may be more than is asked for: a node only grows
        needed = {device for _, device in asked.devices} if isinstance(asked, NodeSpec) else set()
        attached = node.attached(self.spaces.netlink(name), [link.name for link in links]) if links else []
        devices = frozenset((one.port, one.device) for one in attached if one.current or one.device not in needed)
        fast = asked.xdp if isinstance(asked, NodeSpec) else frozenset()
        xdp = frozenset(
            device for device, current in xdp_attached(node, links, attached).items() if current or device not in fast
        )
        found = build if build in node.builds else ""
        there = NodeSpec(node.role, found, rows, devices, xdp)
        state: State = {NodeKey(name): there}
        if rows:  # with the devices that are to go: a roll-back brings them back
            own = devices_of(asked, links) if isinstance(asked, NodeSpec) else {}
            key = TablesKey(node.role == "bridge", name)
            if (spec := wanted.get(key)) and isinstance(spec, TablesSpec) and spec.by_agent:
                return {**state, key: spec}
            found_tables = read_tables_and_ways(node, {**devices_of(there, links), **own}, tell_of(wanted, self._older))
            state[key] = TablesSpec(*found_tables)
        return state

    def wait_ready(self, wanted: State, deadline_s: float) -> list[Place]:
        """Wait until every device that should carry frames does; those that do not. A TAP waits for who opens it."""
        places = [end for spec in wanted.values() if isinstance(spec, WireSpec) for end in (spec.near, spec.far)]
        for key, spec in wanted.items():
            if isinstance(key, NicKey) and isinstance(spec, NicSpec) and not spec.is_tap:
                places += [spec.place, Place(key.netns, spec.pf_device)]
        by_space: dict[str, list[str]] = {}
        for place in places:
            by_space.setdefault(place.netns, []).append(place.device)
        return [
            Place(name, device)
            for name, devices in by_space.items()
            for device in self.spaces.netlink(name).wait_ready(devices, deadline_s)
        ]

    # Doing

    def perform(self, operation: Operation) -> None:
        """Carry out one operation. What it needs is there, because a plan is ordered."""
        doors: dict[type, Callable[[Any, Any, Any], None]] = {
            SpaceKey: self._space,
            WireKey: self._wire,
            DeviceKey: self._device,
            FunctionKey: self._function,
            NodeKey: self._node,
            TablesKey: self._tables,
            NicKey: self._nic,
            GuestKey: lambda key, _, new: guests.perform(self.lab, key, new),
        }
        doors[type(operation.key)](operation.key, operation.old, operation.new)

    def _space(self, key: SpaceKey, old: SpaceSpec | None, new: SpaceSpec | None) -> None:
        if new is None:
            self.spaces.forget(key.netns)
            netns.delete(key.netns)
            return
        if old is None:
            netns.create(key.netns)
        if new.quiet:
            sysctl(key.netns, "net.ipv6.conf.default.disable_ipv6", "1")

    def _wire(self, key: WireKey, old: WireSpec | None, new: WireSpec | None) -> None:
        """A run may have been killed between making and marking: in our name spaces what bears the name is ours."""
        spec = old or new
        if old and new:
            for end in (new.near, new.far):
                soft.give_to_xdp(self.spaces, end, new.xdp)
                self.spaces.netlink(end.netns).set(end.device, mtu=new.mtu, up=True)
                if old.shape != new.shape:
                    self._shape(end, new.shape)
            return
        for place in (spec.near, spec.far) if spec else ():
            if place.netns and netns.exists(place.netns):
                self.spaces.netlink(place.netns).delete(place.device)
        if new is None:
            return
        near, far = self.spaces.netlink(new.near.netns), self.spaces.netlink(new.far.netns)
        near.add_veth(new.near.device, new.far.device, mtu=new.mtu, peer_netns=new.far.netns)
        for end in (new.near, new.far) if new.xdp else ():
            soft.give_to_xdp(self.spaces, end, new.xdp)
        for end in (new.near, new.far) if new.shape else ():
            self._shape(end, new.shape)
        near.set(new.near.device, alias=f"{WIRE_MARK}{key.name}:near", up=True)
        far.set(new.far.device, alias=f"{WIRE_MARK}{key.name}:far", up=True)

    def _shape(self, end: Place, shape: Shape | None) -> None:
        self.spaces.netlink(end.netns).set_classes(end.device, classes_of(shape), DEFAULT)

    def _device(self, key: DeviceKey, old: DeviceSpec | None, new: DeviceSpec | None) -> None:
        if new is None and old is not None:
            self.give_back(old)
        elif old is None and new is not None:
            lent.lend(self.spaces, key, new)
        elif old is not None and new is not None:
            lent.change(self.spaces, old, new)

    def give_back(self, spec: DeviceSpec) -> None:
        """Bring a lent device home, without the XDP program that would go with it."""
        netns, device = spec.place.netns, spec.place.device
        if netns and self.node(netns).rows:
            detach_xdp(self.node(netns), self.spaces.netlink(netns), {device})
        lent.give_back(self.spaces, spec)

    def lent(self) -> State:
        """The devices that are lent to this lab's bridges, or were on their way when a run was killed."""
        there = [name for name in self.spaces.names() if netns.exists(name)]
        return lent.observe(self.spaces, {name: self.spaces.netlink(name).links() for name in there}, {})

    def _function(self, key: FunctionKey, old: FunctionSpec | None, new: FunctionSpec | None) -> None:
        if new is None and old is not None:
            soft.remove(self.spaces, key, old)
        elif old is None and new is not None:
            soft.carve(self.spaces, key, new)
        elif old is not None and new is not None:
            soft.move(self.spaces, key, old, new)

    def _nic(self, key: NicKey, old: NicSpec | None, new: NicSpec | None) -> None:
        if new is not None:
            soft.raise_nic(self.spaces, key, old, new)
        elif old is not None:
            soft.lower_nic(self.spaces, key, old)

    def _node(self, key: NodeKey, old: NodeSpec | None, new: NodeSpec | None) -> None:
        node = self.node(key.netns)
        if new is None and not netns.exists(key.netns):
            node.remove()  # its programs were loaded before there was anything to attach them to
            return
        netlink = self.spaces.netlink(key.netns)
        devices, xdp = (new.devices, new.xdp) if new else (frozenset(), frozenset())
        attached, had_xdp = (old.devices, old.xdp) if old else (frozenset(), frozenset())
        if had_xdp - xdp:
            detach_xdp(node, netlink, had_xdp - xdp)
        stray = {device for _, device in attached} - {device for _, device in devices}
        if stray:
            node.detach(netlink, stray)
        if new is None:
            node.remove()
            return
        if is_loaded_anew(old, new):
            self.loads.finish(key.netns)
            attached, had_xdp = frozenset(), frozenset()
        node.attach(netlink, devices - attached)
        moved = devices - attached
        attach_xdp(node, netlink, [one for one in devices if one[1] in xdp and (one in moved or one[1] not in had_xdp)])
        node.drop_older()

    def _tables(self, key: TablesKey, old: TablesSpec | None, new: TablesSpec | None) -> None:
        if new is not None:  # else they go with the node
            self.write(key, new)

    def write(self, key: TablesKey, new: TablesSpec, devices: Devices | None = None) -> None:
        """Make a node's tables be these. `devices`: what `ways` says, where that is known already."""
        tables = cast("BridgeTables | ExtenderTables", new.tables)
        write_tables(self.node(key.netns), tables, self.ways(key, new) if devices is None else devices)

    def ways(self, key: TablesKey, new: TablesSpec) -> Devices:
        """A node's devices, and which of them XDP may send to, or have a queue."""
        return {
            port: replace(one, xdp=port in new.xdp, queued=port in new.queued)
            for port, one in self.devices(key.netns).items()
        }

    def devices(self, name: str) -> Devices:
        """The devices of a node by port number, as the filters on them say."""
        node, netlink = self.node(name), self.spaces.netlink(name)
        links = {link.name: link for link in netlink.links()}
        attached = node.attached(netlink, links)
        return {one.port: device_of(links[one.device]) for one in attached if one.current}


def _tallies(node: Node) -> dict[int, Tally]:
    counters, drops = read_counters(node), drops_by_port(read_drops(node))
    ports = counters.keys() | drops.keys()
    return {port: Tally.of(counters.get(port, PortCounters()), drops[port]) for port in ports}


def tell_of(wanted: State, older: Iterable[Terms] = ()) -> Tell:
    """Who can tell the terms of profiles that are wanted, or were."""
    tables = [spec.tables for spec in wanted.values() if isinstance(spec, TablesSpec)]
    asked = [one.profiles.values() for one in tables if isinstance(one, BridgeTables)]
    return known([*older, *(terms for profiles in asked for terms in profiles)])


def device_of(link: Link) -> Device:
    """A link as the tables know it. The kernel hands a frame straight to a veth's peer only in another name space."""
    return Device(link.index, link.kind == "veth" and not link.peer_here)


def devices_of(spec: NodeSpec, links: list[Link]) -> Devices:
    """The devices of a node's spec that there are, by port number."""
    by_name = {link.name: link for link in links}
    return {port: device_of(by_name[device]) for port, device in spec.devices if device in by_name}
