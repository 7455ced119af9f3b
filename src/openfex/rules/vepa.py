# SPDX-License-Identifier: Apache-2.0
"""VEPA (802.1Qbg): no channel's tag. A frame on the uplink bears the C-tag of its VLAN, and its MAC says whose it is.

The specification of bpf/lib/vepa.h. So the extender looks at sources, which the bridge does on all other kinds: there a
forged address would be another's port. Replication lists are named by their VLAN; who sent a frame that comes back is
told by its source.
"""

from __future__ import annotations

from dataclasses import replace

from openfex.model.drops import DropReason
from openfex.model.values import Mac, port_channel, port_link, port_number
from openfex.rules.decision import Decision, Verdict, deny, drop
from openfex.rules.head import C_TAG, S_TAG, Head
from openfex.rules.priority import PRIORITY
from openfex.rules.tables import BridgeTables, ExtenderTables, Function, Members


def is_in_vlan(head: Head) -> bool:
    """Whether a frame from a VEPA uplink says which VLAN it is in."""
    return head.kind is None and head.tag_vid > 0


def find_sender(src: Mac, link: int, tables: BridgeTables) -> int | None:
    """The port of the vEth on a VEPA uplink that a frame from there belongs to."""
    owner = tables.owner_of(src)
    return owner if owner is not None and port_link(owner) == link else None


def _vlan_of(head: Head, function: Function) -> int:
    """The VLAN that a function sends a frame in; 0: it may not. Which ones a trunk has the bridge knows."""
    if not function.trunk and (head.tpid == S_TAG or head.vlan_tags > 1):
        return 0
    if not head.tag_vid:
        return function.vlan
    return head.tag_vid if function.trunk else 0


def tag_up(head: Head, d: Decision, tables: ExtenderTables) -> Decision:
    """A frame of a function goes up in a VLAN of its own, from an address of its own."""
    if tables.owners.get((port_link(d.port), head.src)) != d.port:
        return deny(d, DropReason.SPOOFED_SOURCE)
    vlan = _vlan_of(head, tables.functions[d.port])
    if not vlan:
        return deny(d, DropReason.VLAN_NOT_ALLOWED)
    priority = head.tci & PRIORITY if head.tpid == C_TAG else 0
    return replace(d, vlan=vlan, tci=priority | vlan, tagged=True)


def _replicate(head: Head, link: int, tables: ExtenderTables) -> Decision:
    """To all that are in the VLAN, but not to who has the source."""
    if (link, head.tag_vid) not in tables.lists:
        return drop(port_number(link), DropReason.UNKNOWN_LIST)
    source = port_channel(tables.owners.get((link, head.src), 0))
    return Decision(Verdict.REPLICATE, port_number(link), list_id=head.tag_vid, source=source)


def decide_down_by_mac(head: Head, link: int, tables: ExtenderTables) -> Decision:
    """A frame from a VEPA uplink: to who has the destination, without the tag where it has the VLAN untagged."""
    uplink = port_number(link)
    if not is_in_vlan(head):
        return drop(uplink, DropReason.NOT_IN_CHANNEL)
    port = tables.owners.get((link, head.dst))
    if port is None:
        return _replicate(head, link, tables)
    reason = tables.judge_function(port)
    members, channel = tables.lists.get((link, head.tag_vid), Members()), port_channel(port)
    if not reason and channel not in members.tagged | members.untagged:
        reason = DropReason.VLAN_MISMATCH
    if reason:
        return drop(uplink, reason)
    tagged = channel not in members.untagged
    return Decision(Verdict.DELIVER, uplink, out=port, vlan=head.tag_vid, tci=head.tci, tagged=tagged)
