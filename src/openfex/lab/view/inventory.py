# SPDX-License-Identifier: Apache-2.0
"""What a lab shows of itself: pure functions from a sight to rows of plain values.

What can be read from the kernel's tables is read from there, not from the documents. Where the two differ the row says
what the tables say, and `note` says what the documents wanted.
"""

from __future__ import annotations

from collections import Counter

from openfex.errors import NotFoundError
from openfex.lab.names import netns_of
from openfex.lab.view.ports import vlan_text
from openfex.lab.view.sight import NodeSight, Row, Sight, bridge_port_name, host_port_name, short_place
from openfex.model.catalogue import CATALOGUE
from openfex.model.counters import PortCounters
from openfex.model.drops import DropReason
from openfex.model.layout import Adapter, Binding, Function, Host, Layout, Machine, Purpose
from openfex.model.place import Place
from openfex.model.quantities import format_vlans
from openfex.plan.identity import vsi_type_of


def catalogue_rows() -> list[Row]:
    """The adapter models that a soft adapter can be."""
    return [
        {"model": one.name, "limit": one.functions, "storage": one.storage, "what": one.note}
        for one in CATALOGUE.values()
    ]


def adapter_rows(sight: Sight) -> list[Row]:
    """One row an adapter; functions are counted as the kernel has them."""
    return [_adapter_row(sight, host, one) for host in sight.layout.hosts for one in host.adapters]


def _adapter_row(sight: Sight, host: Host, adapter: Adapter) -> Row:
    places = sight.function_places()
    storage = [one for one in adapter.functions if one.purpose is Purpose.STORAGE]
    return {
        "name": adapter.name,
        "host": adapter.host,
        "model": adapter.model,
        "backing": adapter.backing,
        "limit": CATALOGUE[adapter.model].functions,
        "nic": sum(one.name in places for one in adapter.functions),
        "storage": len(storage),
        "bound": sum(sight.is_bound(host, one) for one in adapter.functions),
    }


def function_rows(sight: Sight) -> list[Row]:
    """One row a function."""
    bindings = {binding.function.name: binding for binding in sight.layout.bindings}
    places = sight.function_places()
    return [
        _function_row(sight, host, function, bindings.get(function.name), places.get(function.name))
        for host in sight.layout.hosts
        for function in host.functions
    ]


def _function_row(sight: Sight, host: Host, function: Function, binding: Binding | None, place: Place | None) -> Row:
    bound = sight.is_bound(host, function)
    port = sight.veth_up(host, function)
    note = ""
    if function.purpose is Purpose.NIC and place is None and not host.remote:
        note = "not carved"
    elif bound != (binding is not None):
        note = f"the documents bind it to {binding.name}" if binding else "the documents bind it to nobody"
        why = sight.why_down(host, function)
        note += f"; its vEth is {why}" if binding and why else ""
    return {
        "name": function.name,
        "host": host.name,
        "purpose": function.purpose.value,
        "channel": function.channel,
        "state": "bound" if bound else "free" if host.remote or sight.extender(host.name) else "unknown",
        "nic": binding.name if binding else None,
        "mac": str(port.mac) if port and port.mac else None,
        "where": short_place(sight.layout, place) if place else None,
        "note": note,
    }


def profile_rows(layout: Layout) -> list[Row]:
    """One row a profile, and how many ports have it."""
    used = Counter(binding.profile.name for binding in layout.bindings)
    used.update(port.profile.name for bridge in layout.bridges for port in bridge.ports)
    return [
        {
            "name": one.name,
            "mode": "access" if one.allowed is None else "trunk",
            "vlan": one.vlan or None,
            "trunk": None if one.allowed is None else format_vlans(one.allowed),
            "service": one.service or None,
            "ports": used[one.name],
            "vsi_type": vsi_type_of(one.name).number,
        }
        for one in layout.profiles
    ]


def host_rows(sight: Sight) -> list[Row]:
    """One row a host."""
    layout = sight.layout
    return [
        {
            "name": host.name,
            "channel": host.kind.value,
            "uplinks": [f"{one.fabric}: {one.device} to {one.bridge}" for one in host.uplinks],
            "datapath": "remote" if host.remote else "loaded" if sight.extender(host.name) else "missing",
            "adapters": len(host.adapters),
            "functions": len(host.functions),
            "bound": sum(sight.is_bound(host, one) for one in host.functions),
            "machines": [machine.name for machine in layout.machines if machine.host == host.name],
        }
        for host in layout.hosts
    ]


def machine_rows(sight: Sight) -> list[Row]:
    """One row a machine."""
    return [
        {
            "name": machine.name,
            "host": machine.host,
            "type": "qemu" if machine.guest else "host" if machine.in_host else "namespace",
            "namespace": machine_space(sight.layout, machine),
            "state": _machine_state(sight, machine),
            "nics": [_nic_text(one) for one in sight.layout.bindings if one.machine == machine.name],
        }
        for machine in sight.layout.machines
    ]


def _machine_state(sight: Sight, machine: Machine) -> str:
    if sight.layout.host(machine.host).remote:
        return "remote"
    if machine.guest:
        return sight.guests.get(machine.name, "missing")
    return "there" if machine_space(sight.layout, machine) in sight.links else "missing"


def _nic_text(binding: Binding) -> str:
    return " ".join([binding.nic, str(binding.mac), *binding.addresses])


def binding_rows(sight: Sight) -> list[Row]:
    """One row a binding; `up`: both ends let it pass, the host's function and the vEth of a bridge of ours."""
    return [_binding_row(sight, binding) for binding in sight.layout.bindings]


def _binding_row(sight: Sight, binding: Binding) -> Row:
    layout, uplink = sight.layout, binding.uplink
    tables, extender = sight.bridge(uplink.bridge), sight.extender(uplink.host)
    port = tables.ports.get(binding.bridge_port) if tables else None
    function = extender.functions.get(binding.host_port) if extender else None
    foreign = layout.is_foreign(uplink.bridge)
    passes = layout.host(uplink.host).remote or (function and function.up)
    return {
        "name": binding.name,
        "host": uplink.host,
        "function": binding.function.name,
        "port": bridge_port_name(layout, layout.bridge(uplink.bridge), binding.bridge_port) if not foreign else None,
        "fabric": uplink.fabric,
        "state": "up" if (foreign or (port and port.up)) and passes else "down",
        "profile": binding.profile.name,
        "vlan": vlan_text(binding.profile.vlan, binding.profile.allowed),
        "mac": str(binding.mac),
        "addresses": list(binding.addresses),
        "generation": binding.generation,
        "uuid": binding.uuid,
    }


def node_rows(sight: Sight) -> list[Row]:
    """One row a host and a bridge: what each has counted. In + replicated = out + drops."""
    layout = sight.layout
    hosts = [_node_row(one.name, "host", sight.node("host", one.name)) for one in layout.own_hosts]
    return hosts + [_node_row(one.name, "bridge", sight.node("bridge", one.name)) for one in layout.bridges]


def _node_row(name: str, kind: str, node: NodeSight) -> Row:
    counted = sum(node.counters.values(), PortCounters())
    totals, learns = node.totals, kind == "bridge"
    return {
        "name": name,
        "kind": kind,
        "in_frames": counted.in_frames,
        "replicated": totals.replicated,
        "out_frames": counted.out_frames,
        "drops": sum(node.drops.values()),
        "control": totals.control,
        "stations": len(node.stations) if learns else None,
        "learnt": totals.learnt if learns else None,
        "moved": totals.moved if learns else None,
        "aged": totals.aged if learns else None,
        "not_learnt": totals.not_learnt if learns else None,
    }


def drop_rows(sight: Sight, before: Sight | None = None) -> list[Row]:
    """One row a node, port and reason, the most frames first; `new`: how many of them since `before`."""
    drops, older = _drops(sight), _drops(before) if before else Counter()
    news = [{"new": frames - older[key]} if before else {} for key, frames in drops.most_common()]
    return [
        {"node": node, "port": port, "reason": reason.word, "frames": frames, **new, "meaning": reason.meaning}
        for ((node, port, reason), frames), new in zip(drops.most_common(), news, strict=True)
    ]


def _drops(sight: Sight) -> Counter[tuple[str, str, DropReason]]:
    """Drops by node, port and reason. A function has a port number on each uplink, but one name: they are added up."""
    layout = sight.layout
    drops: Counter[tuple[str, str, DropReason]] = Counter()
    for host in layout.own_hosts:
        for (number, reason), frames in sight.node("host", host.name).drops.items():
            drops[host.name, host_port_name(host, number), reason] += frames
    for bridge in layout.bridges:
        for (number, reason), frames in sight.node("bridge", bridge.name).drops.items():
            drops[bridge.name, bridge_port_name(layout, bridge, number), reason] += frames
    return drops


def machine_space(layout: Layout, machine: Machine) -> str:
    """The name space that a machine lives in."""
    if machine.in_host:
        return netns_of(layout.lab, "host", machine.host)
    return netns_of(layout.lab, "machine", machine.name)


def space_of(layout: Layout, name: str) -> str:
    """The name space of a machine, or else of a host or bridge. Raises NotFoundError."""
    for machine in layout.machines:
        if machine.name == name:
            return machine_space(layout, machine)
    for kind, nodes in (("host", layout.hosts), ("bridge", layout.bridges)):
        if any(node.name == name for node in nodes):
            return netns_of(layout.lab, kind, name)
    known = ", ".join(machine.name for machine in layout.machines) or "none"
    message = f"there is no machine {name} in lab {layout.lab}"
    raise NotFoundError(message, code="no-such-machine", remedy=f"the machines are: {known}")


def binding_of(layout: Layout, name: str) -> Binding:
    """The binding of `MACHINE/NIC`. Raises NotFoundError."""
    for binding in layout.bindings:
        if binding.name == name:
            return binding
    known = ", ".join(binding.name for binding in layout.bindings) or "none"
    message = f"there is no bound NIC {name} in lab {layout.lab}"
    raise NotFoundError(message, code="no-such-nic", remedy=f"write MACHINE/NIC, one of: {known}")
