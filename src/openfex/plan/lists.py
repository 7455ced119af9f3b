# SPDX-License-Identifier: Apache-2.0
"""Whether the lists that a lab needs have room in the tables: replication lists, and lists of VLANs on trunks. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from openfex.errors import Problem
from openfex.model.layout import Bridge, Layout
from openfex.model.limits import MAX_LISTS, MAX_VLAN_SETS
from openfex.model.networks import NetworkSpec
from openfex.model.reader import Document, Reading, of_spec


def check_lists(layout: Layout, reading: Reading) -> Iterator[Problem]:
    """The lists of each bridge."""
    for document, _ in of_spec(reading, NetworkSpec):
        for bridge in layout.bridges:
            yield from _check_replication_lists(layout, document, bridge)
            yield from _check_vlan_lists(layout, document, bridge)


def _check_replication_lists(layout: Layout, document: Document, bridge: Bridge) -> Iterator[Problem]:
    """Each VLAN with a bound vEth has a list, and one more for each network port that such vEths are pinned to."""
    vlans: dict[str, set[int]] = {}
    for profile, pin in {(one.profile, one.pin) for one in layout.bindings if one.uplink.bridge == bridge.name}:
        vlans.setdefault("", set()).update(profile.vlans)
        if pin:
            vlans.setdefault(pin.name, set()).update(profile.vlans & pin.profile.vlans)
    count = sum(map(len, vlans.values()))
    if count > MAX_LISTS:
        message = f"bridge {bridge.name} needs {count} replication lists, the most is {MAX_LISTS}"
        remedy = "allow fewer VLANs on trunks, or pin their vEths to fewer network ports"
        yield document.problem("too-many-lists", message, remedy, ("bridges", bridge.name))


def _check_vlan_lists(layout: Layout, document: Document, bridge: Bridge) -> Iterator[Problem]:
    allowed = {port.profile.allowed for port in bridge.ports}
    allowed |= {one.profile.allowed for one in layout.bindings if one.uplink.bridge == bridge.name}
    count = len(allowed - {None})
    if count >= MAX_VLAN_SETS:
        message = f"the trunks of bridge {bridge.name} have {count} different lists of VLANs, the most is"
        remedy = "use the same list more often"
        path = ("bridges", bridge.name)
        yield document.problem("too-many-vlan-lists", f"{message} {MAX_VLAN_SETS - 1}", remedy, path)
