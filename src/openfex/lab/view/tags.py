# SPDX-License-Identifier: Apache-2.0
"""The tags of a frame in words, and the VLANs of a port. Pure."""

from __future__ import annotations

from openfex.rules.head import C_TAG, Head
from openfex.rules.tables import Terms

CONTROL_STEP = ("control", "LLDP or ECP without a tag, from an uplink: for the node's own agent")


def tag_text(head: Head) -> str:
    """The channel's tag of a frame."""
    if head.kind is None:
        return "no tag of a channel"
    if head.list:
        return f"{head.kind.value} list 0x{head.target:04x}"
    return f"{head.kind.value} channel {head.target or head.source}"


def vlan_text(head: Head) -> str:
    """The outermost VLAN tag of a frame: `untagged`, `tagged 10`."""
    if head.tpid and head.tpid != C_TAG:
        return f"service tag {head.tci & 0xFFF}"
    return "untagged" if not head.tpid else f"tagged {head.tag_vid or '0 (priority)'}"


def vlans_text(terms: Terms) -> str:
    """What VLANs a port has: `access VLAN 10`, `trunk of 10,20, native 10`."""
    if terms.vlans is None:
        return f"access VLAN {terms.vlan}" if terms.vlan else "in no VLAN"
    return f"trunk of {_ranges(terms.vlans)}, {f'native {terms.vlan}' if terms.vlan else 'no native VLAN'}"


def _ranges(numbers: frozenset[int]) -> str:
    """`10,20-30`."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][-1] == number - 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ",".join("-".join(map(str, span)) for span in spans) or "nothing"
