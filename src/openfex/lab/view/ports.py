# SPDX-License-Identifier: Apache-2.0
"""The ports of the bridges as rows: every network port, and a vEth for every function that was carved. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from openfex.lab.view.policy import policy_row
from openfex.lab.view.sight import Row, Sight, bridge_port_name
from openfex.model.layout import Binding, Bridge, Function, Layout, Profile, Uplink
from openfex.model.quantities import format_vlans
from openfex.model.values import port_channel, port_link, port_number
from openfex.rules.compiler import compile_bridge
from openfex.rules.tables import BridgeTables, Port, Terms

NO_PROFILE = "down, no profile"


@dataclass(frozen=True)
class _View:
    """One bridge, with what its ports are looked up in."""

    sight: Sight
    layout: Layout
    bridge: Bridge
    tables: BridgeTables | None
    wanted: BridgeTables
    uplinks: Mapping[int, Uplink]
    functions: Mapping[tuple[str, int], Function]
    bindings: Mapping[int, Binding]
    delivered: Mapping[int, int]
    nics_down: Set[str]


def port_rows(sight: Sight) -> list[Row]:
    """One row a network port and a vEth, those among them that only the tables or only the documents know."""
    rows = []
    for bridge in sight.layout.bridges:
        view = _view(sight, bridge)
        numbers = view.wanted.ports.keys() | (view.tables.ports.keys() if view.tables else set())
        rows += [_port_row(view, number) for number in sorted(numbers)]
    return rows


def _view(sight: Sight, bridge: Bridge) -> _View:
    layout = sight.layout
    return _View(
        sight=sight,
        layout=layout,
        bridge=bridge,
        tables=sight.bridge(bridge.name),
        wanted=compile_bridge(layout, bridge.name),
        uplinks={uplink.bridge_link: uplink for uplink in layout.uplinks_of(bridge.name)},
        functions={(host.name, one.channel): one for host in layout.hosts for one in host.functions},
        bindings={one.bridge_port: one for one in layout.bindings if one.uplink.bridge == bridge.name},
        delivered=_delivered(sight, bridge),
        nics_down=sight.functions_down(),
    )


def _delivered(sight: Sight, bridge: Bridge) -> dict[int, int]:
    """What the hosts have handed to each function, by the vEth's number: also its copies of what was flooded."""
    return {
        port_number(uplink.bridge_link, port_channel(number)): row.out_frames
        for uplink in sight.layout.uplinks_of(bridge.name)
        for number, row in sight.node("host", uplink.host).counters.items()
        if port_link(number) == uplink.host_link and port_channel(number)
    }


def _port_row(view: _View, number: int) -> Row:
    port = view.tables.ports.get(number) if view.tables else None
    shown = port or Port()
    terms = view.tables.terms_of(shown) if view.tables else Terms()
    uplink, channel = view.uplinks.get(port_link(number)), port_channel(number)
    function = view.functions.get((uplink.host, channel)) if uplink else None
    binding = view.bindings.get(number)
    profile = _profile(view, number, shown) if shown.up else None
    counted = view.sight.tally(view.bridge.name, number)
    return {
        "name": bridge_port_name(view.layout, view.bridge, number),
        "bridge": view.bridge.name,
        "channel": channel or None,
        "kind": uplink.kind.value if uplink else "peer" if shown.peer else "network",
        "host": uplink.host if uplink else None,
        "function": function.name if function else None,
        "nic": binding.name if binding else None,
        "state": _state(view.tables, port),
        "profile": profile.name if profile else None,
        "vlan": terms.vlan or None,
        "trunk": None if terms.vlans is None else format_vlans(terms.vlans),
        "service": terms.service or None,
        "mac": str(shown.mac) if shown.mac else None,
        "pin": bridge_port_name(view.layout, view.bridge, shown.pin) if shown.pin else None,
        "policy": policy_row(view.tables, number),
        **counted.row(),
        "delivered_frames": view.delivered.get(number, 0) if uplink and channel and not uplink.port else None,
        "note": "; ".join(_notes(view, number, function)),
    }


def _state(tables: BridgeTables | None, port: Port | None) -> str:
    if tables is None:
        return "no datapath"
    if port is None:
        return "missing"
    if port.up:
        return "up"
    return NO_PROFILE if port == Port() else "down"


def _notes(view: _View, number: int, function: Function | None) -> Iterator[str]:
    """What differs from the documents, and what the port's own state does not show: a cable, a NIC."""
    if view.tables is None:
        return
    port, wanted = view.tables.ports.get(number), view.wanted.ports.get(number)
    if port != wanted or (port and wanted and view.tables.terms_of(port) != view.wanted.terms_of(wanted)):
        yield f"the documents say: {_describe(view.wanted, wanted)}"
    if port and port.up and port_link(number) not in view.tables.links:
        yield "its link is not in the tables"
    if port and port.up and function and function.name in view.nics_down:
        yield "its NIC is down: what is sent to it is lost"
    said = view.sight.said.get((view.bridge.name, number))
    if port and port.up and said and said.is_cut:
        yield "no link at its host"
    uplink = view.uplinks.get(port_link(number))
    if port and port.up and uplink and uplink.port and not view.sight.has_carrier(uplink):
        yield f"its host's cable at {uplink.port} has no carrier"


def _describe(tables: BridgeTables, port: Port | None) -> str:
    if port is None:
        return "no such port"
    if port == Port():
        return NO_PROFILE
    mac = f", {port.mac}" if port.mac else ""
    terms = tables.terms_of(port)
    service = f" inside service tag {terms.service}" if terms.service else ""
    return f"{'up' if port.up else 'down'}, VLAN {vlan_text(terms.vlan, terms.vlans)}{service}{mac}"


def _profile(view: _View, number: int, port: Port) -> Profile | None:
    """The profile that a row of the tables is: the port's own by the documents, or else any that says the same."""
    binding = view.bindings.get(number)
    own = [binding.profile] if binding else [one.profile for one in view.bridge.ports if one.number == number]
    return next((one for one in (*own, *view.layout.profiles) if one.number == port.profile), None)


def vlan_text(vlan: int, allowed: frozenset[int] | None) -> str:
    """VLANs as people write them: `10`, or `1-20 (native 5)` on a trunk."""
    if allowed is None:
        return str(vlan)
    return format_vlans(allowed) + (f" (native {vlan})" if vlan else "")
