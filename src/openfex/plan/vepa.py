# SPDX-License-Identifier: Apache-2.0
"""What a VEPA uplink cannot do: its frames name a VLAN and a MAC, and no port (802.1Qbg). Pure.

So a flood there is one copy for all of a VLAN: it can neither be for those alone that are pinned to one network port,
nor be judged for one of them. And who sends from an address that is not known is nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from openfex.model.layout import Binding, Layout, NetworkPort, Profile
from openfex.model.values import ChannelKind


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
