# SPDX-License-Identifier: Apache-2.0
"""The ports of the bridges as rows: every network port, and a vEth for every function that was carved. Pure."""

from __future__ import annotations

from openfex.lab.view_sight import Row, Sight, bridge_port_name, uplink_of
from openfex.model.counters import PortCounters
from openfex.model.layout import Binding, Bridge, Layout, Profile
from openfex.model.quantities import format_vlans
from openfex.model.values import port_channel, port_link
from openfex.rules.compiler import compile_bridge
from openfex.rules.tables import BridgeTables, Port

NO_PROFILE = "down, no profile"


def port_rows(sight: Sight) -> list[Row]:
    """One row a network port and a vEth, those among them that only the tables or only the documents know."""
    rows = []
    for bridge in sight.layout.bridges:
        wanted = compile_bridge(sight.layout, bridge.name).ports
        tables = sight.bridge(bridge.name)
        numbers = wanted.keys() | (tables.ports.keys() if tables else set())
        rows += [_port_row(sight, bridge, number, wanted.get(number)) for number in sorted(numbers)]
    return rows


def _port_row(sight: Sight, bridge: Bridge, number: int, wanted: Port | None) -> Row:
    layout, node, tables = sight.layout, sight.node("bridge", bridge.name), sight.bridge(bridge.name)
    port = tables.ports.get(number) if tables else None
    uplink = uplink_of(layout, bridge.name, port_link(number))
    channel = port_channel(number)
    binding = _binding_at(layout, bridge, number)
    functions = layout.host(uplink.host).functions if uplink else ()
    counted = node.counters.get(number, PortCounters())
    shown = port or Port()
    profile = _profile_of(layout, bridge, number, shown) if shown.up else None
    return {
        "name": bridge_port_name(layout, bridge, number),
        "bridge": bridge.name,
        "channel": channel or None,
        "kind": uplink.kind.value if uplink else "network",
        "host": uplink.host if uplink else None,
        "function": next((one.name for one in functions if one.channel == channel), None),
        "nic": binding.name if binding else None,
        "state": _state(tables, port),
        "profile": profile.name if profile else None,
        "vlan": shown.vlan or None,
        "trunk": None if shown.vlans is None else format_vlans(shown.vlans),
        "mac": str(shown.mac) if shown.mac else None,
        "pin": bridge_port_name(layout, bridge, shown.pin) if shown.pin else None,
        "in_frames": counted.in_frames,
        "in_octets": counted.in_octets,
        "out_frames": counted.out_frames,
        "out_octets": counted.out_octets,
        "drops": sum(frames for (at, _), frames in node.drops.items() if at == number),
        "note": _note(tables, number, wanted),
    }


def _state(tables: BridgeTables | None, port: Port | None) -> str:
    if tables is None:
        return "no datapath"
    if port is None:
        return "missing"
    if port.up:
        return "up"
    return NO_PROFILE if port == Port() else "down"


def _note(tables: BridgeTables | None, number: int, wanted: Port | None) -> str:
    """What differs from the documents, and a cable that the port's own state does not show."""
    if tables is None:
        return ""
    port = tables.ports.get(number)
    notes = []
    if port != wanted:
        notes.append(f"the documents say: {_describe(wanted)}")
    if port and port.up and port_link(number) not in tables.links:
        notes.append("its link is not in the tables")
    return "; ".join(notes)


def _describe(port: Port | None) -> str:
    if port is None:
        return "no such port"
    if port == Port():
        return NO_PROFILE
    mac = f", {port.mac}" if port.mac else ""
    return f"{'up' if port.up else 'down'}, VLAN {vlan_text(port.vlan, port.vlans)}{mac}"


def _binding_at(layout: Layout, bridge: Bridge, number: int) -> Binding | None:
    bindings = (one for one in layout.bindings if one.uplink.bridge == bridge.name)
    return next((one for one in bindings if one.bridge_port == number), None)


def _profile_of(layout: Layout, bridge: Bridge, number: int, port: Port) -> Profile | None:
    """The profile that a row of the tables is: the port's own by the documents, or else any that says the same."""
    binding = _binding_at(layout, bridge, number)
    own = [binding.profile] if binding else []
    own += [one.profile for one in bridge.ports if one.number == number]
    same = (one for one in (*own, *layout.profiles) if (one.vlan, one.allowed) == (port.vlan, port.vlans))
    return next(same, None)


def vlan_text(vlan: int, allowed: frozenset[int] | None) -> str:
    """VLANs as people write them: `10`, or `1-20 (native 5)` on a trunk."""
    if allowed is None:
        return str(vlan)
    return format_vlans(allowed) + (f" (native {vlan})" if vlan else "")
