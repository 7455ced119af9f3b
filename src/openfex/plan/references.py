# SPDX-License-Identifier: Apache-2.0
"""What documents name must be there, and go together: hosts, bridges, profiles, the ends of wires. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from openfex.errors import Problem
from openfex.model.networks import BridgeSpec, NetworkPortSpec, NetworkSpec
from openfex.model.policy import Source
from openfex.model.reader import Document
from openfex.model.wording import choose
from openfex.plan.inventory import Inventory


def check_network(inventory: Inventory) -> Iterator[Problem]:
    """A file is one lab, so it has one network."""
    documents = [document for document, _ in inventory.networks]
    if not documents and not inventory.reading.may_hold("network"):
        message = "there is no network document, a lab needs one"
        remedy = "write one: its name is the lab's, and its spec has the bridges"
        yield Problem("one-network", "documents", message, remedy, inventory.reading.file, 1)
    for document in documents[1:]:
        message = f"is another network beside {inventory.lab}, a file is one lab"
        yield document.problem("one-network", message, "put its bridges into one network, or into another file")


def check_ports(inventory: Inventory) -> Iterator[Problem]:
    """The profiles of network ports, and the wires between them."""
    for document, network in inventory.networks:
        for name, bridge in network.bridges.items():
            for port, spec in bridge.ports.items():
                path = ("bridges", name, "ports", port, "profile")
                if spec.profile is not None:
                    yield from inventory.lost(document, "profile", spec.profile, inventory.profiles, path)
                profile = inventory.port_profile(spec)
                if profile and profile.policy.source != Source():
                    message = f"profile {profile.name} says by `source` who a NIC may be, and a network port is many"
                    remedy = "give the port a profile without it"
                    yield document.problem("source-needs-nic", message, remedy, path)
                if spec.peer and profile and (profile.allowed is None or profile.vlan):
                    message = f"a peer sends and takes tagged frames alone, profile {profile.name} has untagged ones"
                    remedy = "give it a trunk without a native VLAN, or no profile"
                    yield document.problem("peer-needs-trunk", message, remedy, path)
        yield from _check_wires(document, inventory, network)


def _check_wires(document: Document, inventory: Inventory, network: NetworkSpec) -> Iterator[Problem]:
    known = [f"{name}/{port}" for name, bridge in network.bridges.items() for port in bridge.ports]
    used: set[str] = set()
    for index, wire in enumerate(network.wires):
        for end in wire:
            if end not in known:
                remedy = choose(end, known, "network ports")
                yield document.problem("bad-wire", f"there is no network port {end}", remedy, ("wires", index))
            elif end in used:
                remedy = "cable each network port once"
                yield document.problem("bad-wire", f"{end} is cabled already", remedy, ("wires", index))
            used.add(end)
        if all(end in known for end in wire) and len({_end(network, end).device is None for end in wire}) > 1:
            message = "one end is a device of this machine, where another cable ends, and the other is not"
            yield document.problem("bad-wire", message, "write the `device` of both, or of neither", ("wires", index))
        if all(end in known for end in wire):
            yield from _check_peers(document, network, index)
            yield from _check_services(document, inventory, index, [_end(network, end) for end in wire])


def _end(network: NetworkSpec, end: str) -> NetworkPortSpec:
    bridge, port = end.split("/", 1)
    return network.bridges[bridge].ports[port]


def _check_services(
    document: Document, inventory: Inventory, index: int, ends: Sequence[NetworkPortSpec]
) -> Iterator[Problem]:
    """Both ends of a wire put frames into the same service tag, or neither does."""
    profiles = [inventory.port_profile(end) for end in ends]
    services = [profile.service for profile in profiles if profile]
    if len({*services}) > 1:
        said = " and ".join(f"service tag {one}" if one else "no service tag" for one in services)
        message = f"its ends have {said}: neither would take a frame of the other"
        yield document.problem("bad-wire", message, "give both the same `vlan.service`", ("wires", index))


def _check_peers(document: Document, network: NetworkSpec, index: int) -> Iterator[Problem]:
    """Both ends of a wire are peers or none is; and two bridges are joined once, or frames would arrive twice."""
    here = _joined(network, network.wires[index])
    if here is None:
        remedy = "make both ends peers, or neither"
        yield document.problem("bad-wire", "one end is a peer and the other is not", remedy, ("wires", index))
    elif here and here in (_joined(network, wire) for wire in network.wires[:index]):
        remedy = "one wire between peers joins two bridges"
        yield document.problem("bad-wire", "these bridges are joined already", remedy, ("wires", index))


def _joined(network: NetworkSpec, wire: tuple[str, str]) -> frozenset[str] | None:
    """The bridges that a wire between peers joins; none for one between other ports, None for one of both."""
    ends = [end.split("/", 1) for end in wire if "/" in end]
    peers = [bridge for bridge, port in ends if bridge in network.bridges and _is_peer(network.bridges[bridge], port)]
    return None if len(peers) == 1 else frozenset(peers)


def _is_peer(bridge: BridgeSpec, port: str) -> bool:
    return port in bridge.ports and bridge.ports[port].peer


def check_hosts(inventory: Inventory) -> Iterator[Problem]:
    """Where the uplinks of hosts end."""
    for document, host in inventory.hosts:
        for fabric, uplink in host.uplinks.items():
            path = ("uplinks", fabric, "bridge")
            if not inventory.networks:
                continue
            yield from inventory.lost(document, "bridge", uplink.bridge, inventory.bridges, path)
            bridge = inventory.bridges.get(uplink.bridge)
            if bridge and bridge.fabric != fabric:
                message = f"bridge {uplink.bridge} is of fabric {bridge.fabric}, the uplink is of fabric {fabric}"
                others = [name for name, one in inventory.bridges.items() if one.fabric == fabric]
                remedy = choose(uplink.bridge, others, f"bridges of fabric {fabric}")
                yield document.problem("wrong-fabric", message, remedy, path)


def check_machines(inventory: Inventory) -> Iterator[Problem]:
    """Where adapters are and machines run, and the profiles of NICs."""
    for document, adapter in inventory.adapters:
        yield from inventory.lost(document, "host", adapter.host, inventory.host_of, ("host",))
    for document, machine in inventory.machines:
        yield from inventory.lost(document, "host", machine.host, inventory.host_of, ("host",))
    for nic in inventory.nics:
        path = ("nics", nic.name, "profile")
        yield from inventory.lost(nic.document, "profile", nic.spec.profile, inventory.profiles, path)
        profile = inventory.profiles.get(nic.spec.profile)
        if profile and profile.service:
            message = f"profile {profile.name} has a service tag, and only network ports have one"
            yield nic.problem("service-needs-network-port", message, "give it a profile without `service`", "profile")
