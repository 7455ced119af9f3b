# SPDX-License-Identifier: Apache-2.0
"""What a VEPA uplink cannot do: its frames name a VLAN and a MAC, and no port (802.1Qbg). Pure.

So a flood there is one copy for all of a VLAN: it can neither be for those alone that are pinned to one network port,
nor be judged for one of them. And who sends from an address that is not known is nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from openfex.errors import Problem
from openfex.model.documents import MachineSpec
from openfex.model.layout import Binding, Layout, NetworkPort, Profile
from openfex.model.policy import FREE
from openfex.model.reader import Reading, of_spec
from openfex.model.values import ChannelKind
from openfex.plan.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a profile is none for a vEth on a VEPA uplink."""

    code: str
    message: str
    remedy: str


def refuse_profile(profile: Profile) -> Unfit | None:
    """Why a vEth on a VEPA uplink cannot have a profile."""
    if profile.policy.judges_out:
        message = (
            f"profile {profile.name} judges what leaves by a port: by VEPA a flood is one copy for all of its VLAN"
        )
        remedy = "take rules and rates `out` out of it, or use channel etag, vntag or schannel"
        return Unfit("vepa-judges-out", message, remedy)
    if profile.policy.source.learn:
        message = f"profile {profile.name} learns addresses: by VEPA who sends from an unknown one is nobody"
        remedy = "write them (`source.macs`), or use channel etag, vntag or schannel"
        return Unfit("vepa-learns", message, remedy)
    return None


def check_vepa_profiles(inventory: Inventory) -> Iterator[Problem]:
    """The profiles of NICs on VEPA hosts."""
    for nic in inventory.nics:
        host, profile = inventory.host_of.get(nic.machine.host), inventory.profiles.get(nic.spec.profile)
        refusal = refuse_profile(profile) if profile and host and host.channel == ChannelKind.VEPA.value else None
        if refusal:
            yield nic.problem(refusal.code, refusal.message, refusal.remedy, "profile")


def check_stations(inventory: Inventory) -> Iterator[Problem]:
    """What others' stations have is what they ask for by VDP, and not written."""
    has_agents = any(network.signalling for _, network in inventory.networks)
    speaks = {
        document.name
        for document, host in inventory.hosts
        if has_agents and host.remote and host.channel == ChannelKind.VEPA.value
    }
    remedy = "take it out; or `signalling` out of the network, and write what is there"
    for document, adapter in inventory.adapters:
        if adapter.host in speaks:
            message = f"host {adapter.host} is a station that says by VDP what it has"
            yield document.problem("station-speaks", message, remedy, ("host",))
    for document, machine in inventory.machines:
        if machine.host in speaks:
            message = f"host {machine.host} is a station that says by VDP what it has"
            yield document.problem("station-speaks", message, remedy, ("host",))


MOST_FILTERS = 60
"""Of a VSI: what a TLV has room for."""


def check_foreign_bridges(inventory: Inventory) -> Iterator[Problem]:
    """Another's bridge is told VLANs and MACs by VDP, and nothing else; its ports are its own."""
    for document, network in inventory.networks:
        for name, bridge in network.bridges.items():
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


def way_of(binding: Binding, vlan: int) -> NetworkPort | None:
    """The network port by which a NIC has a VLAN."""
    return binding.pin if binding.pin and vlan in binding.pin.profile.vlans else None


def find_split(layout: Layout) -> Iterator[tuple[Binding, Binding, int]]:
    """The NICs that have a VLAN by another network port than one before them on their VEPA uplink; each once."""
    first: dict[tuple[str, str, int], Binding] = {}
    for binding in layout.bindings:
        uplink = binding.uplink
        for vlan in sorted(binding.profile.vlans) if uplink.kind is ChannelKind.VEPA else ():
            other = first.setdefault((uplink.host, uplink.fabric, vlan), binding)
            if way_of(other, vlan) != way_of(binding, vlan):
                yield other, binding, vlan
                break


def check_vepa_pins(layout: Layout, reading: Reading) -> Iterator[Problem]:
    """NICs of a VEPA uplink that share a VLAN have it by the same network port."""
    documents = {document.name: document for document, _ in of_spec(reading, MachineSpec)}
    for other, binding, vlan in find_split(layout):
        ways = (way_of(one, vlan) for one in (binding, other))
        mine, theirs = (f"by {way.bridge}/{way.name}" if way else "by no network port" for way in ways)
        message = f"has VLAN {vlan} {mine} and {other.name} {theirs}: by VEPA a flood cannot tell them apart"
        remedy = "write the same `pin` for both"
        yield documents[binding.machine].problem("vepa-pins-differ", message, remedy, ("nics", binding.nic))
