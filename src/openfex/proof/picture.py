# SPDX-License-Identifier: Apache-2.0
"""A lab drawn in characters, from its layout."""

from __future__ import annotations

from openfex.model.layout import Binding, Host, Layout


def _nic(binding: Binding) -> str:
    own = binding.profile
    vlan = f"VLAN {own.vlan}" if own.allowed is None else "trunk"
    return f"{binding.machine:<8} {binding.nic:<5} {binding.function.name:<12} {vlan:<8} {own.name:<8}"


def _host(layout: Layout, host: Host) -> list[str]:
    uplink = host.uplinks[0]
    lines = []
    bindings = layout.bindings_on(host.name)
    carved = sum(len(adapter.functions) for adapter in host.adapters)
    models = ", ".join(f"{adapter.name} ({adapter.model})" for adapter in host.adapters)
    lines.append(f"  host {host.name}: {models}, {carved} functions carved, {len(bindings)} bound")
    for binding in bindings:
        arrow = f"══ {host.kind.value} {binding.function.channel:>4} ══"
        veth = f"{uplink.bridge}/veth{uplink.bridge_link - 15}.{binding.function.channel}"
        lines.append(f"    {_nic(binding)} {arrow}  {veth}")
    return lines


def draw(layout: Layout) -> str:
    """Hosts, what hangs off their functions, the channel of each on the uplink, and the vEth at its end."""
    lines = []
    for host in layout.hosts:
        lines += _host(layout, host)
    for bridge in layout.bridges:
        ports = ", ".join(port.name for port in bridge.ports)
        lines.append(f"  bridge {bridge.name} (fabric {bridge.fabric}): network ports {ports}")
        lines += [
            f"    {one.bridge}/{one.name} is cabled to {other.bridge}/{other.name}" for one, other in layout.wires
        ]
    return "\n".join(lines) + "\n"
