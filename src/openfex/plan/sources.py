# SPDX-License-Identifier: Apache-2.0
"""Who may send as whom: a MAC belongs to one NIC of a lab, also one that a profile allows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from openfex.errors import Problem
from openfex.model.documents import ProfileSpec
from openfex.model.reader import Document, of_spec
from openfex.model.values import Mac
from openfex.plan.identity import mac_of
from openfex.plan.inventory import Inventory, Nic


def check_source_macs(inventory: Inventory) -> Iterator[Problem]:
    """A MAC that a profile allows is said once, and nobody else's."""
    owners = {nic.spec.mac or mac_of(inventory.lab, nic.document.name, nic.name): nic.label for nic in inventory.nics}
    users: dict[str, list[Nic]] = {}
    for nic in inventory.nics:
        users.setdefault(nic.spec.profile, []).append(nic)
    for document, profile in of_spec(inventory.reading, ProfileSpec):
        macs, ours = profile.source.macs if profile.source else (), users.get(document.name, [])
        yield from _check_list(document, macs, owners, ours)
        for mac in macs if ours else ():
            owners.setdefault(mac, ours[0].label)


def _check_list(
    document: Document, macs: Sequence[Mac], owners: dict[Mac, str], users: Sequence[Nic]
) -> Iterator[Problem]:
    path = ("source", "macs")
    own = [nic.label for nic in users[:1]]
    for index, mac in enumerate(macs):
        if mac in macs[:index]:
            message = f"{mac} is in the list more than once"
            yield document.problem("duplicate-mac", message, "keep one of them", (*path, index))
        elif mac in owners and owners[mac] not in own:
            message = f"{mac} is already one of {owners[mac]}"
            yield document.problem("duplicate-mac", message, "take it out", (*path, index))
    if macs and len(users) > 1:
        message = f"{macs[0]} would be one of {users[0].label} and of {users[1].label}"
        remedy = "give each NIC a profile of its own, or use `learn`"
        yield document.problem("duplicate-mac", message, remedy, path)


def check_guards(inventory: Inventory) -> Iterator[Problem]:
    """Who is guarded has an address to send from."""
    for nic in inventory.nics:
        profile = inventory.profiles.get(nic.spec.profile)
        if profile and profile.policy.source.guard and not nic.spec.addresses:
            message = f"profile {profile.name} lets it send from its own IP addresses alone, and it has none"
            yield nic.problem("guard-needs-address", message, "give it an `address`, or another profile", "profile")
