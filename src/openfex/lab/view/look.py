# SPDX-License-Identifier: Apache-2.0
"""Looking at a lab once, for the views: what is missing is missing from the sight, and no error. Decides nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

from openfex.adapter.soft import POLLED
from openfex.datapath.node import Node, pin_folder
from openfex.datapath.objects import PROGRAMS
from openfex.datapath.profiles import read_hits
from openfex.datapath.tables import read_counters, read_drops, read_stations, read_tables, read_totals
from openfex.datapath.xdp import xdp_programs
from openfex.lab import guests, kept
from openfex.lab.names import prefix_of
from openfex.lab.staffing import memory_file
from openfex.lab.view.sight import DeviceSight, NodeSight, Said, Sight
from openfex.lab.wanted import want
from openfex.lab.workshop import Workshop, devices_of, tell_of
from openfex.linux.links import Link
from openfex.linux.queues import HTB
from openfex.model.layout import Layout
from openfex.model.place import Place
from openfex.plan.objects import NodeKey, NodeSpec, State


def look(layout: Layout) -> Sight:
    """The links and datapaths of a lab that is up, or of what is left of it."""
    wanted = want(layout, dict.fromkeys(PROGRAMS, ""), {})
    with Workshop(layout.lab) as workshop:
        links = workshop.spaces.links()
        pinned = sorted(one.name for one in pin_folder().glob(f"{prefix_of(layout.lab)}*"))
        nodes = {name: _node(workshop.node(name), wanted, links.get(name, [])) for name in pinned}
    found = kept.read(layout.lab)
    return Sight(layout, links, nodes, found.ledger if found else {}, guests.statuses(layout.lab), _said(layout))


def _said(layout: Layout) -> dict[tuple[str, int], Said]:
    if not any(memory_file(layout.lab, one.name).exists() for one in layout.bridges):
        return {}
    from openfex.lab.stations import said_of  # agents: 100 ms that other labs need not spend

    return said_of(layout)


def _node(node: Node, wanted: State, links: list[Link]) -> NodeSight:
    spec = wanted.get(NodeKey(node.name))
    if not node.rows or not isinstance(spec, NodeSpec):
        return NodeSight(programs=_programs(node))
    tables = read_tables(node, devices_of(spec, links), tell_of(wanted))
    return NodeSight(
        tables,
        read_counters(node),
        read_drops(node),
        _programs(node),
        read_totals(node),
        read_stations(node) if node.role == "bridge" else {},
        read_hits(node) if node.role == "bridge" else {},
        time.monotonic_ns(),
    )


def _programs(node: Node) -> dict[int, str]:
    """The programs that are pinned, by id."""
    return {number: name for build in node.builds for number, name in node.program_ids(build).items()} | xdp_programs(
        node
    )


def look_at(lab: str, places: Iterable[Place]) -> dict[Place, DeviceSight]:
    """A closer look at some devices of a lab."""
    with Workshop(lab) as workshop:
        return {place: _device(workshop, place) for place in places}


def _device(workshop: Workshop, place: Place) -> DeviceSight:
    if place.netns not in workshop.spaces.names():
        return DeviceSight()
    netlink = workshop.spaces.netlink(place.netns)
    link = next((one for one in netlink.links() if one.name == place.device), None)
    if link is None:
        return DeviceSight()
    addresses = workshop.spaces.addresses(place)
    filters, polled = tuple(netlink.filters(place.device)), netlink.has_features(place.device, {POLLED: True})
    statistics = netlink.statistics(place.device)
    if link.queue == HTB:
        waste = netlink.queue_drops(place.device)
        statistics = replace(statistics, tx_dropped=statistics.tx_dropped + waste)
    return DeviceSight(link, filters, statistics, addresses, polled)
