# SPDX-License-Identifier: Apache-2.0
"""Whether there is room: for functions, channels, uplinks, ports and lists. Pure.

Where too much is asked for, one problem says how much there is and how much is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from openfex.errors import Problem
from openfex.model.catalogue import CATALOGUE
from openfex.model.documents import AdapterSpec, ProfileSpec
from openfex.model.limits import MAX_NETWORK_PORTS, MAX_PROFILES, MAX_UPLINKS
from openfex.model.reader import of_spec
from openfex.model.values import LAST_CHANNEL, ChannelKind
from openfex.model.wording import many
from openfex.plan.carving import check_carving
from openfex.plan.identity import VsiType, vsi_type_of
from openfex.plan.inventory import OPEN_TRUNK, Inventory, Nic

MOST_PROFILES = MAX_PROFILES - OPEN_TRUNK.number - 1
OTHERS = {"veth": ("tap", "TAPs"), "tap": ("veth", "veth pairs")}
"""What functions are made of, and what the others are called."""


def check_profiles(inventory: Inventory) -> Iterator[Problem]:
    """All bridges of a lab have the same rows for profiles, and VDP names each by a number that is made of its name."""
    documents = [document for document, _ in of_spec(inventory.reading, ProfileSpec)]
    if len(documents) > MOST_PROFILES:
        message = f"is profile {MOST_PROFILES + 1:,} of {len(documents):,}, a lab has {MOST_PROFILES:,} at most"
        yield documents[MOST_PROFILES].problem("too-many-profiles", message, "give several NICs one profile")
    types: dict[VsiType, str] = {}
    for document in documents:
        other = types.setdefault(vsi_type_of(document.name), document.name)
        if other != document.name:
            message = f"to VDP it would be profile {other}: its name makes the same number of 24 bits"
            yield document.problem("vsi-type-taken", message, "name it otherwise")


def check_bridges(inventory: Inventory) -> Iterator[Problem]:
    """The ports of each bridge, towards the network and towards hosts."""
    for document, network in inventory.networks:
        for name, bridge in network.bridges.items():
            if len(bridge.ports) > MAX_NETWORK_PORTS:
                message = f"bridge {name} has {len(bridge.ports)} network ports, the most is {MAX_NETWORK_PORTS}"
                first = list(bridge.ports)[MAX_NETWORK_PORTS]
                remedy = "put some at another bridge"
                yield document.problem("too-many-network-ports", message, remedy, ("bridges", name, "ports", first))
    for name in inventory.bridges:
        ends = [
            (document, fabric)
            for document, host in inventory.hosts
            for fabric, uplink in sorted(host.uplinks.items())
            if uplink.bridge == name
        ]
        if len(ends) > MAX_UPLINKS:
            document, fabric = ends[MAX_UPLINKS]
            message = f"{len(ends)} uplinks end at bridge {name}, the most is {MAX_UPLINKS}"
            remedy = "let some end at another bridge"
            yield document.problem("too-many-uplinks", message, remedy, ("uplinks", fabric, "bridge"))


def check_adapters(inventory: Inventory) -> Iterator[Problem]:
    """The functions of each adapter, and the channels of each host."""
    channels: dict[str, int] = {}
    for document, adapter in inventory.adapters:
        if refusal := check_carving(adapter.model, adapter.functions, adapter.storage):
            yield document.problem(refusal.code, refusal.message, refusal.remedy, (refusal.key,))
        model = CATALOGUE.get(adapter.model)
        before = channels.get(adapter.host, 0)
        channels[adapter.host] = before + (model.functions if model else 0)
        most = _channels_of(inventory, adapter.host)
        if before <= most < channels[adapter.host]:
            message = f"the adapters of host {adapter.host} could have more than {most} functions together"
            yield document.problem("too-many-channels", message, "put it into another host", ("model",))


def _channels_of(inventory: Inventory, host: str) -> int:
    """How many functions of a host can have a channel."""
    spec = inventory.host_of.get(host)
    return ChannelKind(spec.channel).channels if spec else LAST_CHANNEL


def check_functions_left(inventory: Inventory) -> Iterator[Problem]:
    """Whether each host has a function for every NIC, unless something else is wrong with its adapters."""
    for document, _ in inventory.hosts:
        adapters = inventory.adapters_of(document.name)
        sound = not any(check_carving(one.model, one.functions, one.storage) for one in adapters.values())
        if sound and not inventory.reading.may_hold("adapter"):
            yield from _check_room(document.name, adapters, _in_turn(inventory, document.name))


def _in_turn(inventory: Inventory, host: str) -> list[Nic]:
    """The NICs of a host as they are bound: those that name their function, those that have one here, the others."""
    here = {f"{name}/{index}" for name, one in inventory.adapters_of(host).items() for index in range(one.functions)}
    held = {name for name, seat in inventory.held.nics.items() if seat.function in here}
    nics = [nic for nic in inventory.nics_of(host) if not _needs_none(inventory, nic)]
    return sorted(nics, key=lambda nic: (nic.spec.function is None, nic.label not in held))


def _needs_none(inventory: Inventory, nic: Nic) -> bool:
    """Whether it is a PF, or its machine is refused as it is (plan/remotes.py)."""
    host = inventory.host_of.get(nic.machine.host)
    is_guest = host is not None and host.remote and nic.machine.type == "qemu"
    return is_guest or (nic.spec.function or "").endswith("/pf")


def _check_room(host: str, adapters: Mapping[str, AdapterSpec], nics: Sequence[Nic]) -> Iterator[Problem]:
    """First those that need a veth or a TAP, then all: a name space cannot hold a TAP, a virtual machine no veth.

    The problem stands where the first NIC does that finds none.
    """
    backings = {nic.label: _backing(adapters, nic) for nic in nics}
    asking = [nic for nic in nics if backings[nic.label]]
    room = {kind: sum(one.functions for one in adapters.values() if one.backing == kind) for kind in OTHERS}
    for kind, (other, others) in OTHERS.items():
        own = [nic for nic in asking if backings[nic.label] == kind]
        if len(own) > room[kind]:
            beside = f"beside its {others} " if room[other] else ""
            have = f"{many(room[kind], 'NIC function')} {beside}for {many(len(own), 'NIC')}"
            yield _shortage(own[room[kind]], have, _where_to_carve(host, adapters, len(own) - room[kind], kind))
            return
    whole = sum(room.values())
    if len(asking) > whole:
        have = f"{many(whole, 'NIC function')} for {many(len(asking), 'NIC')}"
        yield _shortage(asking[whole], have, _where_to_carve(host, adapters, len(asking) - whole, "veth"))


def _backing(adapters: Mapping[str, AdapterSpec], nic: Nic) -> str:
    """What the function of a NIC has to be made of; nothing if it names one that is not here."""
    if nic.spec.function is None:
        return nic.backing
    named = adapters.get(nic.spec.function.partition("/")[0])
    return named.backing if named else ""


def _shortage(first: Nic, have: str, remedy: str) -> Problem:
    message = f"host {first.machine.host} has {have}, this is the first that finds none"
    return first.problem("no-free-function", message, remedy)


def _where_to_carve(host: str, adapters: Mapping[str, AdapterSpec], lack: int, backing: str) -> str:
    tap = backing == "tap"
    if not adapters:
        return f"write an adapter with `host: {host}`{' and `backing: tap`' if tap else ''}"
    for name, adapter in adapters.items():
        wanted = adapter.functions + lack
        if adapter.backing == backing and not check_carving(adapter.model, wanted, adapter.storage):
            return f"carve {lack} more (`functions: {wanted}` of {name}), or use another host"
    return f"write another adapter{' with `backing: tap`' if tap else ''}, or use another host"
