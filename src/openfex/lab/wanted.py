# SPDX-License-Identifier: Apache-2.0
"""A layout as the objects that a kernel must hold for it: name spaces, wires, functions, datapaths, tables, guests."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from openfex.lab.guests import want_guests
from openfex.lab.names import netns_of, outside
from openfex.model.documents import DEFAULT_FUNCTION_MTU, DEFAULT_UPLINK_MTU
from openfex.model.layout import Binding, Bridge, Function, Host, Layout, NetworkPort, Purpose
from openfex.model.limits import FIRST_UPLINK
from openfex.model.place import Place
from openfex.model.values import CHANNEL_BITS, port_number
from openfex.plan.objects import (
    DeviceKey,
    DeviceSpec,
    FunctionKey,
    FunctionSpec,
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
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.rules.tables import BridgeTables

HOST_LINKS = 3
"""Links 1 and 2 are the uplinks to fabrics a and b."""
LEAST_UPLINK_ROOM = 4


def _spaces(layout: Layout) -> State:
    quiet = [netns_of(layout.lab, "host", host.name) for host in layout.own_hosts]
    quiet += [netns_of(layout.lab, "bridge", bridge.name) for bridge in layout.bridges]
    quiet += [outside(layout.lab)] if layout.has_outside else []
    away = {host.name for host in layout.hosts if host.remote}
    machines = [one for one in layout.machines if not one.in_host and one.host not in away]
    own = [netns_of(layout.lab, "machine", machine.name) for machine in machines]
    state: State = {SpaceKey(name): SpaceSpec(True) for name in quiet}
    state.update({SpaceKey(name): SpaceSpec(False) for name in own})
    return state


def _port_place(layout: Layout, port: NetworkPort) -> Place:
    return Place(netns_of(layout.lab, "bridge", port.bridge), port.name)


def outside_device(port: NetworkPort) -> str:
    """The far end of a network port: `sw-a-up0`, or a digest of that where it is too long, or could be another's."""
    name = f"{port.bridge}-{port.name}"
    plain = len(name) <= 15 and "-" not in port.name
    return name if plain else f"network{zlib.crc32(name.encode()):08x}"


def _wires(layout: Layout) -> State:
    state: State = {}
    for uplink in (uplink for host in layout.hosts if host.remote for uplink in host.uplinks):
        place = Place(netns_of(layout.lab, "bridge", uplink.bridge), uplink.bridge_device)
        state[DeviceKey(uplink.port)] = DeviceSpec(place, uplink.mtu, uplink.is_xdp)
    for host in layout.own_hosts:
        for uplink in host.uplinks:
            near = Place(netns_of(layout.lab, "host", host.name), uplink.device)
            if layout.is_foreign(uplink.bridge):
                state[DeviceKey(uplink.port)] = DeviceSpec(near, uplink.mtu, uplink.is_xdp)
                continue
            far = Place(netns_of(layout.lab, "bridge", uplink.bridge), uplink.bridge_device)
            state[WireKey(f"{host.name}.{uplink.fabric}")] = WireSpec(
                near, far, uplink.mtu, uplink.is_xdp, uplink.shape
            )
    cabled = {port for wire in layout.wires for port in wire}
    for port in (port for bridge in layout.bridges for port in bridge.ports if port.device):
        state[DeviceKey(port.device)] = DeviceSpec(_port_place(layout, port), port.mtu)
    for one, other in layout.wires:
        if one.device:  # a real cable, as review.py has seen to
            continue
        ends = (_port_place(layout, one), _port_place(layout, other))
        state[WireKey(f"{one.bridge}/{one.name}")] = WireSpec(*ends, DEFAULT_UPLINK_MTU)
    for port in (port for bridge in layout.bridges for port in bridge.ports):
        if port not in cabled and not port.device:
            far = Place(outside(layout.lab), outside_device(port))
            key = WireKey(f"{port.bridge}/{port.name}")
            state[key] = WireSpec(_port_place(layout, port), far, DEFAULT_UPLINK_MTU)
    return state


def _function(layout: Layout, host: Host, function: Function, backing: str, binding: Binding | None) -> State:
    """A function, and the NIC that it is where it is bound. A TAP stays where the adapter is."""
    netns = netns_of(layout.lab, "host", host.name)
    home = Place(netns, function.device if backing == "veth" else function.pf_device)
    key = FunctionKey(netns, function.name)
    if binding is None:
        return {key: FunctionSpec(function.pf_device, backing, home, DEFAULT_FUNCTION_MTU)}
    if backing == "tap":
        nic = NicSpec(function.pf_device, home, None, ())
    else:
        machine = next(one for one in layout.machines if one.name == binding.machine)
        space = netns if machine.in_host else netns_of(layout.lab, "machine", machine.name)
        nic = NicSpec(function.pf_device, Place(space, binding.nic), binding.mac, tuple(sorted(binding.addresses)))
    return {
        key: FunctionSpec(function.pf_device, backing, nic.place, binding.mtu, layout.is_xdp(binding)),
        NicKey(netns, function.name): nic,
    }


def _functions(layout: Layout, host: Host) -> State:
    state: State = {}
    bound = {binding.function: binding for binding in layout.bindings_on(host.name)}
    for adapter in host.adapters:
        for function in adapter.functions:
            if function.purpose is Purpose.NIC:
                state.update(_function(layout, host, function, adapter.backing, bound.get(function)))
    return state


def _host_node(layout: Layout, host: Host, build: str) -> NodeSpec:
    bound = {binding.function: binding for binding in layout.bindings_on(host.name)}
    devices = {(port_number(uplink.host_link), uplink.device) for uplink in host.uplinks}
    first = host.uplinks[0].host_link
    for function in host.functions:
        if function.purpose is Purpose.NIC:
            binding = bound.get(function)
            port = binding.host_port if binding else port_number(first, function.channel)
            devices.add((port, function.pf_device))
    ports = _host_xdp(layout, host)
    xdp = frozenset(device for port, device in devices if port in ports)
    return NodeSpec("extender", build, HOST_LINKS << CHANNEL_BITS, frozenset(devices), xdp)


def _host_xdp(layout: Layout, host: Host) -> frozenset[int]:
    """The ports of a host at XDP wires."""
    uplinks = {port_number(uplink.host_link) for uplink in host.uplinks if uplink.is_xdp}
    bindings = layout.bindings_on(host.name) if uplinks else ()
    return frozenset(uplinks | {one.host_port for one in bindings if layout.is_xdp(one)})


def _bridge_xdp(layout: Layout, bridge: Bridge) -> frozenset[int]:
    """The ports of a bridge at XDP wires."""
    return frozenset(port_number(one.bridge_link) for one in layout.uplinks_of(bridge.name) if one.is_xdp)


def _bridge_node(layout: Layout, bridge: Bridge, build: str) -> NodeSpec:
    uplinks = layout.uplinks_of(bridge.name)
    devices = {(port.number, port.name) for port in bridge.ports}
    devices |= {(port_number(uplink.bridge_link), uplink.bridge_device) for uplink in uplinks}
    links = max((uplink.bridge_link + 1 - FIRST_UPLINK for uplink in uplinks), default=0)  # numbers may have gaps
    room = LEAST_UPLINK_ROOM
    while room < links:
        room *= 2
    xdp = frozenset(uplink.bridge_device for uplink in uplinks if uplink.is_xdp)
    return NodeSpec("bridge", build, (FIRST_UPLINK + room) << CHANNEL_BITS, frozenset(devices), xdp)


def want(layout: Layout, builds: Mapping[str, str], held: Mapping[str, BridgeTables]) -> State:
    """The whole wanted state. `builds`: by role, that of the programs; `held`: by bridge, the tables that it has."""
    state: State = {**_spaces(layout), **_wires(layout), **want_guests(layout)}
    bridges = {one.name: compile_bridge(layout, one.name, held.get(one.name)) for one in layout.bridges}
    for host in layout.own_hosts:
        netns = netns_of(layout.lab, "host", host.name)
        state.update(_functions(layout, host))
        state[NodeKey(netns)] = _host_node(layout, host, builds["extender"])
        queued = frozenset(port_number(one.host_link) for one in host.uplinks if one.shape)
        tables = compile_extender(layout, host, bridges)
        state[TablesKey(False, netns)] = TablesSpec(tables, _host_xdp(layout, host), queued)
    for bridge in layout.bridges:
        netns = netns_of(layout.lab, "bridge", bridge.name)
        state[NodeKey(netns)] = _bridge_node(layout, bridge, builds["bridge"])
        queued = frozenset(port_number(one.bridge_link) for one in layout.uplinks_of(bridge.name) if one.shape)
        state[TablesKey(True, netns)] = TablesSpec(
            bridges[bridge.name], _bridge_xdp(layout, bridge), queued, layout.has_stations(bridge.name)
        )
    return state
