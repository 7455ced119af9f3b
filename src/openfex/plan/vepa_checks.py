# SPDX-License-Identifier: Apache-2.0
"""What documents ask of a VEPA uplink that it cannot do (vepa.py). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from openfex.errors import Problem
from openfex.model.documents import MachineSpec
from openfex.model.layout import Layout
from openfex.model.reader import Reading, of_spec
from openfex.model.values import ChannelKind
from openfex.plan.inventory import Inventory
from openfex.plan.vepa import find_split, refuse_profile, way_of


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
        if machine.host in speaks:
            message = f"host {machine.host} is a station that says by VDP what it has"
            yield document.problem("station-speaks", message, remedy, ("host",))


def check_vepa_pins(layout: Layout, reading: Reading) -> Iterator[Problem]:
    """NICs of a VEPA uplink that share a VLAN have it by the same network port."""
    documents = {document.name: document for document, _ in of_spec(reading, MachineSpec)}
    for other, binding, vlan in find_split(layout):
        ways = (way_of(one, vlan) for one in (binding, other))
        mine, theirs = (f"by {way.bridge}/{way.name}" if way else "by no network port" for way in ways)
        message = f"has VLAN {vlan} {mine} and {other.name} {theirs}: by VEPA a flood cannot tell them apart"
        remedy = "write the same `pin` for both"
        yield documents[binding.machine].problem("vepa-pins-differ", message, remedy, ("nics", binding.nic))
