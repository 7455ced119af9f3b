# SPDX-License-Identifier: Apache-2.0
"""The labs that are measured, as the documents that a person would write. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MARK = "# made by `fex bench`\n"
"""How the documents begin, by which a later run knows a lab as the bench's own."""
FEW, MANY = "few", "many"
AUTO, XDP = "auto", "xdp"
"""How a lab's uplinks are attached."""


@dataclass(frozen=True)
class Rack:
    """A host, the bridge that its uplink ends at, and its machines: how many NICs each has."""

    number: int
    bridge: str
    nics: tuple[int, ...]


def _machine(rack: Rack, number: int, count: int) -> str:
    nics = []
    for nic in range(count):
        mac = f"52:54:00:{rack.number:02x}:{number:02x}:{nic:02x}"
        address = f", address: 10.0.{rack.number}.{number}/24" if count == 1 else ""
        nics.append(f'    eth{nic}: {{profile: bench, mac: "{mac}"{address}}}\n')
    name = f"vm{rack.number}-{number}"
    return f"kind: machine\nname: {name}\nspec:\n  host: h{rack.number}\n  nics:\n{''.join(nics)}"


def _rack(rack: Rack, attachment: str) -> list[str]:
    host = f"h{rack.number}"
    uplink = f"{{device: up-a, bridge: {rack.bridge}, attachment: {attachment}}}"
    adapter = f"{{host: {host}, model: vic-1280, functions: {sum(rack.nics)}}}"
    return [
        f"kind: host\nname: {host}\nspec: {{channel: vntag, uplinks: {{a: {uplink}}}}}\n",
        f"kind: adapter\nname: {host}-nic0\nspec: {adapter}\n",
        *(_machine(rack, number, count) for number, count in enumerate(rack.nics, start=1)),
    ]


def _lab(name: str, racks: Sequence[Rack], attachment: str) -> str:
    bridges = ", ".join(f"{bridge}: {{ports: [up0]}}" for bridge in sorted({rack.bridge for rack in racks}))
    parts = [
        f"{MARK}kind: network\nname: {name}\nspec: {{bridges: {{{bridges}}}}}\n",
        "kind: profile\nname: bench\nspec: {vlan: {access: 10}}\n",
        *(part for rack in racks for part in _rack(rack, attachment)),
    ]
    return "---\n".join(parts)


def pair(name: str, attachment: str = AUTO) -> str:
    """Two machines on one host."""
    return _lab(name, [Rack(1, FEW, (1, 1))], attachment)


def full_adapter(name: str, functions: int) -> str:
    """All functions of an adapter, held by one machine."""
    return _lab(name, [Rack(1, FEW, (functions,))], AUTO)


def scale(name: str, veths: int, hosts: int, attachment: str = AUTO) -> str:
    """A bridge with many vEths behind as few uplinks as they fit, and beside it one with two."""
    most = -(-veths // hosts)
    shares = [min(most, veths - first) for first in range(0, veths, most)]
    many = [Rack(number, MANY, (share,)) for number, share in enumerate(shares, start=1)]
    return _lab(name, [Rack(0, FEW, (1, 1)), *many], attachment)
