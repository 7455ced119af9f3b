# SPDX-License-Identifier: Apache-2.0
"""What documents ask of a VEPA uplink that it cannot do (vepa.py). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from openfex.errors import Problem
from openfex.model.documents import MachineSpec
from openfex.model.layout import Layout
from openfex.model.policy import FREE
from openfex.model.reader import Reading, of_spec
from openfex.model.values import ChannelKind
from openfex.plan.inventory import Inventory
from openfex.plan.vepa import find_split, refuse_profile, way_of

MOST_FILTERS = 60
"""Of a VSI: what a TLV has room for."""


def check_vepa_profiles(inventory: Inventory) -> Iterator[Problem]:
    """The profiles of NICs on VEPA hosts."""
    for nic in inventory.nics:
        host, profile = inventory.host_of.get(nic.machine.host), inventory.profiles.get(nic.spec.profile)
        refusal = refuse_profile(profile) if profile and host and host.channel == ChannelKind.VEPA.value else None
        if refusal:
            yield nic.problem(refusal.code, refusal.message, refusal.remedy, "profile")


def check_stations(inventory: Inventory) -> Iterator[Problem]:
    """What others' stations have is what they ask for by VDP, and not written."""
    speaks = {
        document.name
        for document, host in inventory.hosts
        if host.remote and host.agent and host.channel == ChannelKind.VEPA.value
    }
    remedy = "take it out; or write `agent: false` at the host, and what is there"
    for document, adapter in inventory.adapters:
        if adapter.host in speaks:
            message = f"host {adapter.host} is a station that says by VDP what it has"
            yield document.problem("station-speaks", message, remedy, ("host",))
    for document, machine in inventory.machines:
        if document.name in speaks:
            message = f"host {document.name} is a station, and shown as a machine of that name, too"
            yield document.problem("station-speaks", message, "name the machine otherwise")
        if machine.host in speaks:
            message = f"host {machine.host} is a station that says by VDP what it has"
            yield document.problem("station-speaks", message, remedy, ("host",))


def check_foreign_bridges(inventory: Inventory) -> Iterator[Problem]:
    """Another's bridge is told VLANs and MACs by VDP, and nothing else; its ports are its own."""
    for document, network in inventory.networks:
        for name, bridge in network.bridges.items():
            if "agent" in bridge.model_fields_set and not bridge.remote:
                message = f"bridge {name} is ours, which always has an agent"
                remedy = "write `remote: true`, or take it out"
                yield document.problem("agent-needs-remote", message, remedy, ("bridges", name, "agent"))
            if bridge.remote and bridge.ports:
                message = f"bridge {name} is another's, whose ports are not ours to say"
                remedy = "take them out"
                yield document.problem("remote-bridge-ports", message, remedy, ("bridges", name, "ports"))
    for nic in inventory.nics:
        uplink, profile = inventory.uplink_of(nic), inventory.profiles.get(nic.spec.profile)
        there = inventory.bridges.get(uplink.bridge) if uplink else None
        if uplink and profile and there is not None and there.remote:
            asks = "more than VLANs" if profile.policy != FREE else ""
            asks = asks or (f"more than {MOST_FILTERS} VLANs" if len(profile.vlans) > MOST_FILTERS else "")
            if asks:
                message = f"profile {profile.name} asks for {asks}, and bridge {uplink.bridge} is another's"
                remedy = f"give it a profile with `vlan` alone, of {MOST_FILTERS} VLANs at most"
                yield nic.problem("bridge-only-vlans", message, remedy, "profile")


def check_vepa_pins(layout: Layout, reading: Reading) -> Iterator[Problem]:
    """NICs of a VEPA uplink that share a VLAN have it by the same network port."""
    documents = {document.name: document for document, _ in of_spec(reading, MachineSpec)}
    for other, binding, vlan in find_split(layout):
        ways = (way_of(one, vlan) for one in (binding, other))
        mine, theirs = (f"by {way.bridge}/{way.name}" if way else "by no network port" for way in ways)
        message = f"has VLAN {vlan} {mine} and {other.name} {theirs}: by VEPA a flood cannot tell them apart"
        remedy = "write the same `pin` for both"
        yield documents[binding.machine].problem("vepa-pins-differ", message, remedy, ("nics", binding.nic))
