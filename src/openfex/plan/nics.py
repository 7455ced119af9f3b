# SPDX-License-Identifier: Apache-2.0
"""What a NIC asks for must be there, be its own, and fit: fabric, function, network port, MAC, addresses, MTU. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from openfex.errors import Problem
from openfex.model.addresses import LEAST_IPV6_MTU, is_ipv6, without_prefix
from openfex.model.documents import AdapterSpec
from openfex.model.limits import VLAN_ROOM
from openfex.model.networks import NetworkPortSpec
from openfex.model.quantities import format_vlans
from openfex.model.values import ChannelKind, Mac
from openfex.model.wording import choose, many
from openfex.plan.identity import mac_of
from openfex.plan.inventory import Inventory, Nic


def check_fabrics(inventory: Inventory) -> Iterator[Problem]:
    """The fabric that a NIC is to be bound on is one of its host's."""
    for nic in inventory.nics:
        host = inventory.host_of.get(nic.machine.host)
        if host and nic.spec.fabric not in (None, *host.uplinks):
            message = f"host {nic.machine.host} has no uplink to fabric {nic.spec.fabric}"
            remedy = choose(str(nic.spec.fabric), host.uplinks, "host's fabrics")
            yield nic.problem("unknown-fabric", message, remedy, "fabric")


def check_functions(inventory: Inventory) -> Iterator[Problem]:
    """The function that a NIC names is one of its host's, can be held by the machine, and is no other's."""
    taken: dict[str, str] = {}
    for nic in inventory.nics:
        if nic.spec.function is None or nic.machine.host not in inventory.host_of:
            continue
        yield from _check_function(inventory, nic, nic.spec.function)
        other = taken.setdefault(nic.spec.function, nic.label)
        if other != nic.label:
            message = f"function {nic.spec.function} is bound to {other}"
            yield nic.problem("function-taken", message, "name another one, or none", "function")


def _check_function(inventory: Inventory, nic: Nic, function: str) -> Iterator[Problem]:
    name, _, number = function.partition("/")
    adapter = inventory.adapter_of.get(name)
    here = inventory.adapters_of(nic.machine.host)
    if adapter is None:
        if not inventory.reading.may_hold("adapter", name):
            remedy = choose(name, here, f"adapters of host {nic.machine.host}")
            yield nic.problem("unknown-function", f"there is no adapter {name}", remedy, "function")
    elif name not in here:
        message = f"adapter {name} is in host {adapter.host}, the machine runs in {nic.machine.host}"
        remedy = choose(name, here, f"adapters of host {nic.machine.host}")
        yield nic.problem("unknown-function", message, remedy, "function")
    else:
        yield from _check_number(nic, name, adapter, 0 if number == "pf" else int(number))


def _check_number(nic: Nic, name: str, adapter: AdapterSpec, number: int) -> Iterator[Problem]:
    if number >= adapter.functions + adapter.storage:
        last = f", {name}/0 to {name}/{adapter.functions - 1}" if adapter.functions else ""
        message = f"adapter {name} has {many(adapter.functions, 'NIC function')}{last}"
        yield nic.problem("unknown-function", message, "name one of them, or carve more", "function")
    elif number >= adapter.functions:
        message = f"{name}/{number} is a storage function of a soft adapter, which has no storage behind it"
        remedy = "bind a NIC function, or a storage function of a real NVMe adapter"
        yield nic.problem("soft-storage-not-bindable", message, remedy, "function")
    elif adapter.backing == "tap" and nic.backing == "veth":
        message = f"function {name}/{number} is a TAP of its host, it cannot move into a name space"
        yield nic.problem("tap-needs-host", message, "give the machine `type: host` or `type: qemu`", "function")
    elif adapter.backing == "veth" and nic.backing == "tap":
        message = f"function {name}/{number} is a veth pair, a virtual machine needs a TAP"
        yield nic.problem("qemu-needs-tap", message, "name one of an adapter with `backing: tap`", "function")


def check_pins(inventory: Inventory) -> Iterator[Problem]:
    """The network port that a NIC is pinned to is one of its bridge's, and carries one of its VLANs."""
    for nic in inventory.nics:
        uplink = inventory.uplink_of(nic)
        bridge = inventory.bridges.get(uplink.bridge) if uplink else None
        if nic.spec.pin is None or uplink is None or bridge is None:
            continue
        name = f"{uplink.bridge}/{nic.spec.pin}"
        port = bridge.ports.get(nic.spec.pin)
        ports = {one: spec for one, spec in bridge.ports.items() if not spec.peer}
        if port is None or port.peer:
            lost = f"{name} is a peer, which is for all" if port else f"there is no network port {name}"
            remedy = choose(nic.spec.pin, ports, f"network ports of {uplink.bridge} that a NIC can be pinned to")
            yield nic.problem("unknown-port", lost, remedy, "pin")
            continue
        carried, own = inventory.port_profile(port), inventory.profiles.get(nic.spec.profile)
        if carried and own and not carried.vlans & own.vlans:
            able = [one for one, spec in ports.items() if _carries(inventory, spec, own.vlans)]
            message = (
                f"{name} carries VLAN {format_vlans(carried.vlans)}, profile {own.name} is VLAN "
                f"{format_vlans(own.vlans)}: nothing of it would reach the network"
            )
            remedy = f"pin it to {able[0]}, or take the key out" if able else "take the key out"
            yield nic.problem("pin-without-vlan", message, remedy, "pin")


def _carries(inventory: Inventory, port: NetworkPortSpec, vlans: frozenset[int]) -> bool:
    profile = inventory.port_profile(port)
    return profile is not None and bool(profile.vlans & vlans)


def check_macs(inventory: Inventory) -> Iterator[Problem]:
    """Each NIC of a lab has a MAC of its own, also one that is made from its name."""
    owners: dict[Mac, str] = {}
    for nic in inventory.nics:
        mac = nic.spec.mac or mac_of(inventory.lab, nic.document.name, nic.name)
        other = owners.setdefault(mac, nic.label)
        if other != nic.label:
            remedy = "give each NIC its own, or none"
            yield nic.problem("duplicate-mac", f"{mac} is already the MAC of {other}", remedy, "mac")


def check_addresses(inventory: Inventory) -> Iterator[Problem]:
    """A NIC is given an address once, and IPv6 only if its MTU has room for it."""
    for nic in inventory.nics:
        seen: set[str] = set()
        for index, address in enumerate(nic.spec.addresses):
            alone = without_prefix(address)
            if alone in seen:
                message = f"{alone} is in the list more than once"
                yield nic.problem("duplicate-address", message, "keep one of them", "address", index)
            seen.add(alone)
        if nic.spec.mtu < LEAST_IPV6_MTU and any(map(is_ipv6, nic.spec.addresses)):
            message = f"an MTU of {nic.spec.mtu} has no room for IPv6, which needs {LEAST_IPV6_MTU}"
            yield nic.problem("mtu-too-small", message, f"set at least {LEAST_IPV6_MTU}, or no IPv6 address", "mtu")


def check_mtus(inventory: Inventory) -> Iterator[Problem]:
    """A frame of a NIC fits its uplink with the tag of its channel and two VLAN tags.

    Where the NIC does not say its MTU, the uplink's is to blame, once.
    """
    overheads = {kind.value: kind.overhead + VLAN_ROOM for kind in ChannelKind}
    for document, host in inventory.hosts:
        tags = overheads[host.channel]
        for fabric, uplink in host.uplinks.items():
            link = f"uplink {fabric} of host {document.name} ({uplink.device}), whose MTU is {uplink.mtu}"
            large = [nic for nic in inventory.nics_on(document.name, fabric) if nic.spec.mtu + tags > uplink.mtu]
            silent = [nic for nic in large if "mtu" not in nic.spec.model_fields_set]
            for nic in large:
                if nic not in silent:
                    message = f"{nic.spec.mtu} and {tags} octets of tags do not fit {link}"
                    remedy = f"set at most {uplink.mtu - tags} here, or at least {nic.spec.mtu + tags} there"
                    yield nic.problem("mtu-too-large", message, remedy, "mtu")
            if silent:
                mtu = silent[0].spec.mtu
                message = f"{uplink.mtu} has no room for {mtu} ({_first(silent)}) and {tags} octets of tags"
                path = ("uplinks", fabric, "mtu")
                yield document.problem("mtu-too-large", message, f"set at least {mtu + tags}", path)


def _first(nics: Sequence[Nic]) -> str:
    more = f" and {many(len(nics) - 1, 'more NIC')}" if nics[1:] else ""
    return f"{nics[0].label}{more}"
