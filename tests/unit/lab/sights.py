# SPDX-License-Identifier: Apache-2.0
"""A small lab as the views see it, all as the documents say: tests then change the one thing they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from openfex.adapter.soft import FUNCTION_MARK, PF_MARK
from openfex.lab.names import netns_of
from openfex.lab.view.path import Hop, Path, hops_of
from openfex.lab.view.sight import DeviceSight, NodeSight, Row, Sight
from openfex.linux.filters import Filter
from openfex.linux.links import Link, LinkStatistics
from openfex.model.layout import Layout, Purpose
from openfex.model.reader import read_documents
from openfex.model.values import Mac
from openfex.plan.layout import lay_out
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.rules.tables import BridgeTables, ExtenderTables

DOCUMENTS = """
kind: network
name: small
spec: {bridges: {sw-a: {fabric: a, ports: [up0]}, sw-b: {fabric: b, ports: [up0]}}}
---
kind: profile
name: web
spec: {vlan: {access: 10}}
---
kind: profile
name: router
spec: {vlan: {trunk: {allowed: "20-22", native: 10}}}
---
kind: host
name: h1
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw-a}, b: {device: up-b, bridge: sw-b}}}
---
kind: adapter
name: nic0
spec: {host: h1, model: bcm-8, functions: 4, storage: 2}
---
kind: machine
name: vm1
spec: {host: h1, nics: {eth0: {profile: web, mac: 52:54:00:00:00:01, address: 10.0.10.1/24}}}
---
kind: machine
name: local
spec: {host: h1, type: host, nics: {data0: {profile: router, mac: 52:54:00:00:00:02}}}
"""
BRIDGE, HOST = "fex_small_bridge_sw-a", "fex_small_host_h1"
PROGRAMS = {"extender_up": 11, "extender_down": 12, "bridge_in": 13}


def small_layout() -> Layout:
    """The documents, laid out."""
    return lay_out(read_documents(DOCUMENTS))


def a_link(name: str, alias: str = "", mac: str = "52:54:00:00:00:99", mtu: int = 1500) -> Link:
    """A link that is up."""
    return Link(5, name, "veth", mtu, Mac.parse(mac), True, alias, None, True)


def small_sight() -> Sight:
    """The lab, up and whole, nothing counted yet."""
    layout = small_layout()
    bridges = {one.name: compile_bridge(layout, one.name) for one in layout.bridges}
    nodes = {netns_of(layout.lab, "bridge", name): NodeSight(tables) for name, tables in bridges.items()}
    nodes[HOST] = NodeSight(compile_extender(layout, layout.host("h1"), bridges))
    ids = {number: name for name, number in PROGRAMS.items()}
    return Sight(layout, _links(layout), {name: replace(node, programs=ids) for name, node in nodes.items()})


def _links(layout: Layout) -> dict[str, list[Link]]:
    held = {binding.function.name: binding for binding in layout.bindings}
    links: dict[str, list[Link]] = {HOST: [], BRIDGE: [], "fex_small_machine_vm1": []}
    for function in layout.host("h1").functions:
        if function.purpose is Purpose.NIC:
            links[HOST].append(a_link(function.pf_device, PF_MARK + function.name))
            binding = held.get(function.name)
            at = "fex_small_machine_vm1" if binding and binding.machine == "vm1" else HOST
            links[at].append(a_link(binding.nic if binding else function.device, FUNCTION_MARK + function.name))
    return links


def bridge_tables(sight: Sight) -> BridgeTables:
    """The tables of bridge sw-a, to be changed."""
    return cast("BridgeTables", sight.nodes[BRIDGE].tables)


def extender_tables(sight: Sight) -> ExtenderTables:
    """The tables of host h1, to be changed."""
    return cast("ExtenderTables", sight.nodes[HOST].tables)


def with_node(sight: Sight, netns: str, node: NodeSight) -> Sight:
    """The same sight with another node."""
    return replace(sight, nodes={**sight.nodes, netns: node})


def small_path(sight: Sight, devices: Mapping[str, DeviceSight] | None = None) -> Path:
    """The path of vm1/eth0 with every device as it must be, except those given by name."""
    binding = next(one for one in sight.layout.bindings if one.machine == "vm1")
    hops = hops_of(sight, binding)
    seen = {hop.place: _device(hop) for hop in hops if hop.place.device}
    for name, device in (devices or {}).items():
        seen[next(place for place in seen if place.device == name)] = device
    return Path(sight, binding, hops, seen)


def good_device(path: Path, name: str) -> DeviceSight:
    """What was seen of a device of a path, by the device's name."""
    return next(device for place, device in path.devices.items() if place.device == name)


def _device(hop: Hop) -> DeviceSight:
    mac = "52:54:00:00:00:01" if hop.what == "NIC" else "52:54:00:00:00:99"
    link = a_link(hop.place.device, mac=mac, mtu=1500 if hop.what in {"NIC", "function"} else 9216)
    label, classid = f"openfex:{hop.program}", hop.classid
    filters = (Filter(label, PROGRAMS[hop.program], classid, 1),) if hop.program else ()
    return DeviceSight(link, filters, LinkStatistics(0, 0, 0, 0, 0, 0))


def by_name(rows: list[Row]) -> dict[str, Row]:
    """Rows by what they call `name`."""
    return {str(row["name"]): row for row in rows}
