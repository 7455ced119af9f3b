# SPDX-License-Identifier: Apache-2.0
"""The labs that are measured, as the documents that a person would write. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openfex.model.catalogue import CATALOGUE

MARK = "# made by `fex bench`\n"
"""How the documents begin, by which a later run knows a lab as the bench's own."""
FEW, MANY = "few", "many"
MODEL = "vic-1280"
PLAIN = "{vlan: {access: 10}}"
AUTO, XDP = "auto", "xdp"
"""How a lab's uplinks are attached."""


@dataclass(frozen=True)
class Rack:
    """A host, the bridge that its uplink ends at, and its machines: how many NICs each has."""

    number: int
    bridge: str
    nics: tuple[int, ...]
    profile: str = "bench"
    attachment: str = "auto"
    models: tuple[str, ...] = ()
    """Of its adapters, which have all functions that they can; without, one has those that are needed."""


def _machine(rack: Rack, number: int, count: int) -> str:
    nics = []
    for nic in range(count):
        mac = f"52:54:00:{rack.number:02x}:{number:02x}:{nic:02x}"
        address = f", address: 10.0.{rack.number}.{number}/24" if count == 1 else ""
        nics.append(f'    eth{nic}: {{profile: {rack.profile}, mac: "{mac}"{address}}}\n')
    name = f"vm{rack.number}-{number}"
    return f"kind: machine\nname: {name}\nspec:\n  host: h{rack.number}\n  nics:\n{''.join(nics)}"


def _rack(rack: Rack) -> list[str]:
    host = f"h{rack.number}"
    uplink = f"{{device: up-a, bridge: {rack.bridge}, attachment: {rack.attachment}}}"
    adapters = [(model, CATALOGUE[model].functions) for model in rack.models] or [(MODEL, sum(rack.nics))]
    return [
        f"kind: host\nname: {host}\nspec: {{channel: vntag, uplinks: {{a: {uplink}}}}}\n",
        *(
            f"kind: adapter\nname: {host}-nic{number}\nspec: {{host: {host}, model: {model}, functions: {count}}}\n"
            for number, (model, count) in enumerate(adapters)
        ),
        *(_machine(rack, number, count) for number, count in enumerate(rack.nics, start=1)),
    ]


def _lab(name: str, racks: Sequence[Rack], profiles: Mapping[str, str]) -> str:
    bridges = ", ".join(f"{bridge}: {{ports: [up0]}}" for bridge in sorted({rack.bridge for rack in racks}))
    parts = [
        f"{MARK}kind: network\nname: {name}\nspec: {{bridges: {{{bridges}}}}}\n",
        *(f"kind: profile\nname: {profile}\nspec: {spec}\n" for profile, spec in profiles.items()),
        *(part for rack in racks for part in _rack(rack)),
    ]
    return "---\n".join(parts)


def pair(name: str, attachment: str = AUTO, spec: str = PLAIN) -> str:
    """Two machines on one host, and their profile."""
    return _lab(name, [Rack(1, FEW, (1, 1), attachment=attachment)], {"bench": spec})


def beside_plain(name: str, attachment: str, spec: str) -> str:
    """Two machines with this profile, and two with a plain one at a bridge of their own."""
    racks = [Rack(1, FEW, (1, 1), "bench", attachment), Rack(2, MANY, (1, 1), "plain", attachment)]
    return _lab(name, racks, {"bench": spec, "plain": PLAIN})


def full_adapter(name: str, functions: int) -> str:
    """All functions of an adapter, held by one machine."""
    return _lab(name, [Rack(1, FEW, (functions,))], {"bench": PLAIN})


def laden(name: str, functions: int) -> str:
    """So many functions on one uplink, each held, of as few adapters as it takes."""
    models = _models(functions)
    nics = tuple(CATALOGUE[model].functions for model in models)
    return _lab(name, [Rack(1, FEW, nics, models=models)], {"bench": PLAIN})


def _models(functions: int) -> tuple[str, ...]:
    """Adapters that can have just so many functions together."""
    models: list[str] = []
    while functions:
        fitting = [one for one in CATALOGUE.values() if one.functions <= functions]
        models.append(max(fitting, key=lambda one: one.functions).name)
        functions -= CATALOGUE[models[-1]].functions
    return tuple(models)


def _shares(count: int, most: int) -> tuple[int, ...]:
    return tuple(min(most, count - first) for first in range(0, count, most))


def scale(name: str, size: tuple[int, int], attachment: str = AUTO, spec: str = PLAIN) -> str:
    """A bridge with many vEths of one profile behind as few uplinks as they fit, and beside it one with two."""
    veths, hosts = size
    shares = _shares(veths, -(-veths // hosts))
    many = [Rack(number, MANY, (share,), attachment=attachment) for number, share in enumerate(shares, start=1)]
    return _lab(name, [Rack(0, FEW, (1, 1), attachment=attachment), *many], {"bench": spec})
