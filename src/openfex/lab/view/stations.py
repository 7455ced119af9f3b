# SPDX-License-Identifier: Apache-2.0
"""The MAC entries of a bridge that frames of a vEth are forwarded by. Pure."""

from __future__ import annotations

from openfex.lab.view.sight import Row, Sight, bridge_port_name
from openfex.model.layout import Binding
from openfex.rules.tables import BridgeTables

MOST_LINES = 8


def entry_rows(sight: Sight, binding: Binding) -> list[Row]:
    """The vEth's own address, which its binding tells, and the stations heard in its VLANs, the latest first."""
    bridge = sight.layout.bridge(binding.uplink.bridge)
    tables, node = sight.bridge(bridge.name), sight.node("bridge", bridge.name)
    port = tables.ports.get(binding.bridge_port) if tables else None
    if not isinstance(tables, BridgeTables) or port is None or port.mac is None:
        return []
    own = tables.veths.get(port.mac)
    rows: list[Row] = []
    if own is not None:
        name = bridge_port_name(sight.layout, bridge, own)
        rows.append({"mac": str(port.mac), "vlan": None, "port": name, "from": "binding", "age_s": None})
    heard = [(one.seen_ns, key, one) for key, one in node.stations.items() if tables.terms_of(port).is_member(key[1])]
    for seen_ns, (mac, vlan), station in sorted(heard, key=lambda one: one[0], reverse=True):
        age_s = max(0.0, (node.now_ns - seen_ns) / 1e9)
        if age_s * 1e9 < tables.ageing_ns:
            name = bridge_port_name(sight.layout, bridge, station.port)
            rows.append({"mac": str(mac), "vlan": vlan, "port": name, "from": "learnt", "age_s": round(age_s, 1)})
    return rows


def entry_lines(rows: list[Row]) -> list[str]:
    """The same for people: the first few."""
    lines = []
    for row in rows[:MOST_LINES]:
        if row["from"] == "binding":
            lines.append(f"  {row['mac']} in every VLAN is {row['port']}, by its binding")
        else:
            lines.append(f"  {row['mac']} in VLAN {row['vlan']} is behind {row['port']}, heard {row['age_s']} s ago")
    if len(rows) > MOST_LINES:
        lines.append(f"  and {len(rows) - MOST_LINES} more (--json has them)")
    return ["MAC entries:", *lines] if lines else ["MAC entries: none"]
