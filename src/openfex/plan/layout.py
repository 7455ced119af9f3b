# SPDX-License-Identifier: Apache-2.0
"""From documents to a layout: references resolved, functions carved and chosen, numbers given, or every reason why not.

The reasons why not are review.py's; what is laid out here has passed it. What was given before is kept (`held`): an
edit moves and renumbers only what it is about.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from openfex.errors import DocumentError
from openfex.model.documents import ProfileSpec
from openfex.model.layout import Bridge, Layout, NetworkPort
from openfex.model.limits import MAX_NETWORK_PORTS, MAX_PROFILES
from openfex.model.networks import DEFAULT_PORT_MTU, BridgeSpec, NetworkSpec
from openfex.model.reader import Reading, of_spec
from openfex.model.signalling import signalling_of
from openfex.plan.allotment import Allotment, allot
from openfex.plan.bindings import lay_machines
from openfex.plan.draft import Draft
from openfex.plan.hosts import lay_adapters, lay_hosts
from openfex.plan.inventory import OPEN_TRUNK, profile_of
from openfex.plan.review import review, review_layout


def _lay_profiles(draft: Draft) -> None:
    profiles = {one.name: profile_of(one.name, spec) for one, spec in of_spec(draft.documents, ProfileSpec)}
    numbers = allot(profiles, draft.held.profiles, range(OPEN_TRUNK.number + 1, MAX_PROFILES))
    draft.profiles = {name: replace(one, number=numbers[name]) for name, one in profiles.items()}


def _lay_bridge(draft: Draft, name: str, spec: BridgeSpec) -> None:
    links = allot((f"{name}/{port}" for port in spec.ports), draft.held.ports, range(1, MAX_NETWORK_PORTS + 1))
    ports = []
    for port, port_spec in spec.ports.items():
        profile = OPEN_TRUNK if port_spec.profile is None else draft.profiles[port_spec.profile]
        mtu = (port_spec.mtu or DEFAULT_PORT_MTU) if port_spec.device else 0
        link, device = links[f"{name}/{port}"], port_spec.device or ""
        ports.append(NetworkPort(name, port, link, profile, port_spec.peer, device, mtu))
    draft.bridges[name] = Bridge(name, spec.fabric, tuple(ports), spec.ageing, spec.remote, spec.agent)


def _lay_wires(draft: Draft, spec: NetworkSpec) -> tuple[tuple[NetworkPort, NetworkPort], ...]:
    ports = {f"{port.bridge}/{port.name}": port for bridge in draft.bridges.values() for port in bridge.ports}
    return tuple((ports[one], ports[other]) for one, other in spec.wires)


def lay_out(documents: Reading, held: Allotment | None = None, here: Collection[str] | None = None) -> Layout:
    """Resolve documents into a layout. Raises DocumentError with everything that is wrong with them.

    `here`: the bridges that are on this machine; None: all, as those of a lab are.
    """
    held = held or Allotment()
    review(documents, held, here)
    ((network, spec),) = of_spec(documents, NetworkSpec)
    draft = Draft(documents, network.name, held)
    _lay_profiles(draft)
    for name, bridge in spec.bridges.items():
        _lay_bridge(draft, name, bridge)
    wires = _lay_wires(draft, spec)
    lay_hosts(draft)
    lay_adapters(draft)
    lay_machines(draft)
    if draft.problems:
        raise DocumentError(draft.problems)
    layout = Layout(
        draft.lab,
        tuple(one for one in draft.bridges.values() if not one.foreign),
        tuple(draft.hosts.values()),
        tuple(draft.machines.values()),
        tuple(draft.bindings.values()),
        tuple(draft.profiles.values()),
        wires,
        signalling_of(spec.signalling),
        tuple(one for one in draft.bridges.values() if one.foreign),
    )
    review_layout(layout, documents)
    return layout
