# SPDX-License-Identifier: Apache-2.0
"""From documents to a layout: references resolved, functions carved and chosen, numbers given, or every reason why not.

What was given before is kept (`held`): an edit moves and renumbers only what it is about.
"""

from __future__ import annotations

from collections.abc import Sequence

from openfex.errors import DocumentError, Problem
from openfex.model.documents import BridgeSpec, NetworkSpec, ProfileSpec
from openfex.model.layout import Bridge, Layout, NetworkPort, Profile
from openfex.model.limits import MAX_NETWORK_PORTS
from openfex.model.reader import Document, of_kind
from openfex.model.values import LAST_VLAN
from openfex.plan.allotment import Allotment, allot
from openfex.plan.bindings import lay_machines
from openfex.plan.draft import Draft
from openfex.plan.hosts import lay_adapters, lay_hosts

ALL_VLANS = frozenset(range(1, LAST_VLAN + 1))
OPEN_TRUNK = Profile("open-trunk", 0, ALL_VLANS)
"""What a network port has that no profile was given to: all VLANs tagged, nothing untagged."""


def _lay_profile(draft: Draft, document: Document) -> None:
    spec = document.spec
    assert isinstance(spec, ProfileSpec)
    if spec.rate is not None:
        message = "rates are not enforced by this version"
        draft.refuse(document, "rate-not-supported", message, "take the key out", "rate")
    trunk = spec.vlan.trunk
    if trunk is None:
        profile = Profile(document.name, spec.vlan.access or 0)
    else:
        native = trunk.native or 0
        profile = Profile(document.name, native, trunk.allowed | ({native} if native else set()))
    draft.profiles[document.name] = profile


def _lay_bridge(draft: Draft, document: Document, name: str, spec: BridgeSpec) -> None:
    if len(spec.ports) > MAX_NETWORK_PORTS:
        message = f"bridge {name} has {len(spec.ports)} network ports, the most is {MAX_NETWORK_PORTS}"
        draft.refuse(document, "too-many-network-ports", message, "", "bridges", name, "ports")
    links = allot((f"{name}/{port}" for port in spec.ports), draft.held.ports, range(1, MAX_NETWORK_PORTS + 1))
    ports = []
    for port, port_spec in spec.ports.items():
        path = ("bridges", name, "ports", port, "profile")
        given = port_spec.profile
        profile = OPEN_TRUNK if given is None else draft.profile(document, given, *path) or OPEN_TRUNK
        if port_spec.peer and (profile.allowed is None or profile.vlan):
            message = f"what goes to another bridge is always tagged, profile {profile.name} has untagged frames"
            draft.refuse(document, "peer-needs-trunk", message, "give it a trunk without a native VLAN", *path)
        if f"{name}/{port}" in links:
            ports.append(NetworkPort(name, port, links[f"{name}/{port}"], profile, port_spec.peer))
    draft.bridges[name] = Bridge(name, spec.fabric, tuple(ports), spec.ageing)


def _lay_wires(draft: Draft, document: Document, spec: NetworkSpec) -> tuple[tuple[NetworkPort, NetworkPort], ...]:
    known = {f"{port.bridge}/{port.name}": port for bridge in draft.bridges.values() for port in bridge.ports}
    wires, used = [], set()
    for index, wire in enumerate(spec.wires):
        for end in wire:
            if end not in known or end in used:
                what = "is cabled twice" if end in used else "is not a network port"
                remedy = f"write BRIDGE/PORT, one of: {', '.join(known) or 'none'}"
                draft.refuse(document, "bad-wire", f"{end} {what}", remedy, "wires", str(index))
            used.add(end)
        if wire[0] in known and wire[1] in known:
            wires.append((known[wire[0]], known[wire[1]]))
    return tuple(wires)


def lay_out(documents: Sequence[Document], held: Allotment | None = None) -> Layout:
    """Resolve documents into a layout. Raises DocumentError with everything that is wrong with them together."""
    networks = of_kind(documents, "network")
    if len(networks) != 1:
        message = f"there are {len(networks)} network documents, one is needed"
        raise DocumentError([Problem("one-network", "documents", message)])
    network, spec = networks[0], networks[0].spec
    assert isinstance(spec, NetworkSpec)
    draft = Draft(documents, network.name, held or Allotment())
    for document in of_kind(documents, "profile"):
        _lay_profile(draft, document)
    for name, bridge in spec.bridges.items():
        _lay_bridge(draft, network, name, bridge)
    wires = _lay_wires(draft, network, spec)
    lay_hosts(draft)
    lay_adapters(draft)
    lay_machines(draft)
    if draft.problems:
        raise DocumentError(draft.problems)
    return Layout(
        draft.lab,
        tuple(draft.bridges.values()),
        tuple(draft.hosts.values()),
        tuple(draft.machines.values()),
        tuple(draft.bindings.values()),
        tuple(draft.profiles.values()),
        wires,
    )
