# SPDX-License-Identifier: Apache-2.0
"""What the agents of bridges remember of stations.

Others' stations: what they were granted by VDP, laid out beside documents. Documents do not say it, but tables have it.
So it is added before these are compared with what documents say, or shown. Of all: what is said of each vEth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from openfex.bridge.change import Memory, StationMemory
from openfex.bridge.judge import Owners, take_up
from openfex.bridge.register import Station, lay_out
from openfex.bridge.vsi_manager import DocumentManager
from openfex.errors import InputError
from openfex.lab.agents import read_memory
from openfex.lab.staffing import memory_file
from openfex.lab.view.sight import Said
from openfex.model.layout import Adapter, Binding, Bridge, Function, Layout, Machine
from openfex.model.values import port_number
from openfex.protocol.vdp import Vsi
from openfex.protocol.vdp_bridge import Asked
from openfex.wire.control import FunctionEntry, Key, Kind, VethEntry
from openfex.wire.vdp import Vdpdu


def with_stations(layout: Layout) -> Layout:
    """The layout with the functions and NICs of others' stations; as it is where there are none. Idempotent."""
    names = {host.name for host in layout.hosts if layout.is_plain(host)}
    layout = replace(
        layout,
        machines=tuple(one for one in layout.machines if one.name not in names),
        bindings=tuple(one for one in layout.bindings if one.uplink.host not in names),
    )
    found = [one for bridge in layout.bridges for one in _stations_at(layout, bridge)]
    adapters = {host: (Adapter(host, host, "", "", functions),) for host, functions, _ in found if functions}
    hosts = tuple(replace(one, adapters=adapters.get(one.name, one.adapters)) for one in layout.hosts)
    machines = tuple(Machine(host, host, in_host=True) for host, _, _ in found)
    bindings = tuple(one for _, _, mine in found for one in mine)
    return replace(layout, hosts=hosts, machines=(*layout.machines, *machines), bindings=(*layout.bindings, *bindings))


def _stations_at(layout: Layout, bridge: Bridge) -> Iterator[tuple[str, tuple[Function, ...], list[Binding]]]:
    """The stations of a bridge: the host's name, its functions, and the NICs that are up."""
    uplinks = {one.bridge_link: one for one in layout.uplinks_of(bridge.name)}
    for link, remembered in _memory(layout, bridge).items():
        uplink = uplinks[link]
        if layout.is_plain(layout.host(uplink.host)):
            station = _remember(layout, link, uplink.host, remembered)
            laid = lay_out(bridge, [station])
            functions = {one.channel: replace(one, adapter=uplink.host) for one in laid.hosts[0].functions}
            yield (
                uplink.host,
                tuple(functions.values()),
                [
                    replace(one, machine=uplink.host, uplink=uplink, function=functions[one.function.channel])
                    for one in laid.bindings
                ],
            )


def _memory(layout: Layout, bridge: Bridge) -> Memory:
    hosts = {one.bridge_link: one.host for one in layout.uplinks_of(bridge.name)}
    try:
        return read_memory(memory_file(layout.lab, bridge.name), hosts)
    except InputError:
        return {}  # the agent begins with nobody, too


def said_of(layout: Layout) -> dict[tuple[str, int], Said]:
    """What hosts and bridges have told each other of vEths, by bridge and port number."""
    found: dict[tuple[str, int], Said] = {}
    for bridge in layout.bridges:
        for link, memory in _memory(layout, bridge).items():
            for key, value in memory.said.items():
                if key.kind is Kind.VETH:
                    veth, told = VethEntry.decode(value), memory.told.get(Key(Kind.FUNCTION, key.octets))
                    function = FunctionEntry.decode(told) if told else None
                    found[bridge.name, port_number(link, veth.channel)] = Said(function, veth)
    return found


def _remember(layout: Layout, link: int, name: str, memory: StationMemory) -> Station:
    station, manager, owners = Station(link, plain=name), DocumentManager(layout.profiles), Owners(())
    for key, value in memory.told.items():
        station.hear(key, value)
    for pdu in (Vdpdu.decode(octets) for octets in memory.held):
        for tlv in pdu.vsis:
            vsi = Vsi.of(pdu.manager, tlv)
            take_up(Asked(vsi.vsiid, 0, tlv.command, vsi, None), station, (), manager, owners)
    return station
