# SPDX-License-Identifier: Apache-2.0
"""S-channels (802.1Qbg): the outermost VLAN tag of an uplink's frames is the channel's.

The specification of bpf/lib/schannel.h. What has no such tag is in the default channel, which has none: a real
adapter's own traffic (SVID 1 of CDCP).
"""

from __future__ import annotations

from dataclasses import replace

from openfex.model.values import DEFAULT_CHANNEL, ChannelKind
from openfex.rules.head import C_TAG, S_TAG, Head
from openfex.wire import VlanTag

TPIDS = {ChannelKind.SCHANNEL: S_TAG, ChannelKind.SCHANNEL_Q: C_TAG}


def enter_schannel(head: Head, octets: bytes, kind: ChannelKind | None) -> Head:
    """A frame from a link of that kind as it is inside its S-channel; as it is, where it is in none by a tag."""
    if kind is None or not kind.is_schannel or not head.whole or head.kind is not None:
        return head
    vid = head.tci & 0xFFF
    if head.tpid != TPIDS[kind] or not vid:
        return head
    inside = replace(head, kind=kind, target=vid, bad=vid == DEFAULT_CHANNEL, octets=head.octets - VlanTag.LENGTH)
    if head.vlan_tags == 1:
        return replace(inside, vlan_tags=0, tpid=0, tci=0)
    tag = VlanTag.decode(octets[12 + VlanTag.LENGTH :])
    left = head.vlan_tags - (head.type not in {C_TAG, S_TAG})  # three were counted, and there are more
    return replace(inside, vlan_tags=left, tpid=tag.tpid, tci=tag.tci)


def is_in_default(head: Head, kind: ChannelKind | None) -> bool:
    """Whether a frame from a link of that kind is in its default channel: as it is inside its S-channel, if in any."""
    return head.kind is None and kind is not None and kind.is_schannel


def begins_with_channel(head: Head, kind: ChannelKind | None) -> bool:
    """Whether a frame that goes without a channel's tag would be taken for one in another S-channel."""
    return kind is not None and kind.is_schannel and head.tpid == TPIDS[kind] and bool(head.tci & 0xFFF)


def may_go_untagged(head: Head, kind: ChannelKind, *, tagged: bool, service: int) -> bool:
    """Whether a frame can leave by the default channel: no VLAN tag of its own may be taken for a channel's.

    `head` is what came in; `tagged`: it leaves with its VLAN's tag.
    """
    if service:
        return False
    if tagged:
        return TPIDS[kind] != C_TAG
    return head.vlan_tags == (head.tpid == C_TAG)


def schannel_tag(kind: ChannelKind, channel: int, tci: int) -> bytes:
    """The channel's tag, in either direction, with the priority of `tci`; the default channel has none."""
    if channel == DEFAULT_CHANNEL:
        return b""
    return VlanTag(channel, tci >> 13, tci >> 12 & 1, TPIDS[kind]).encode()
