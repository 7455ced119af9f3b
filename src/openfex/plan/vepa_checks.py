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


def check_vepa_pins(layout: Layout, reading: Reading) -> Iterator[Problem]:
    """NICs of a VEPA uplink that share a VLAN have it by the same network port."""
    documents = {document.name: document for document, _ in of_spec(reading, MachineSpec)}
    for other, binding, vlan in find_split(layout):
        ways = (way_of(one, vlan) for one in (binding, other))
        mine, theirs = (f"by {way.bridge}/{way.name}" if way else "by no network port" for way in ways)
        message = f"has VLAN {vlan} {mine} and {other.name} {theirs}: by VEPA a flood cannot tell them apart"
        remedy = "write the same `pin` for both"
        yield documents[binding.machine].problem("vepa-pins-differ", message, remedy, ("nics", binding.nic))
