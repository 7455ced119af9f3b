# SPDX-License-Identifier: Apache-2.0
"""What a decision sees of a frame: addresses, the channel's tag, the outermost VLAN tag. Twin of bpf/lib/frame.h."""

from __future__ import annotations

from dataclasses import dataclass, replace

from openfex.errors import WireError
from openfex.model.drops import DropReason
from openfex.model.values import ChannelKind, Mac
from openfex.wire import ETag, VlanTag, VnTag, lldp
from openfex.wire.ecp import Ecpdu

MOST_VLAN_TAGS = 2
C_TAG = 0x8100
S_TAG = 0x88A8
BPDU_ADDRESSES = (Mac(b"\x01\x80\xc2\0\0\0"), Mac(b"\x01\0\x0c\xcc\xcc\xcd"))
NOBODY = Mac(bytes(6))
LLDP, ECP = lldp.ETHERTYPE, Ecpdu.ETHERTYPE


@dataclass(frozen=True, slots=True)
class Head:
    """A parsed head. `whole` is False where the frame ended inside it; then what was not reached is zero."""

    dst: Mac = NOBODY
    src: Mac = NOBODY
    octets: int = 0
    whole: bool = False
    kind: ChannelKind | None = None
    target: int = 0
    source: int = 0
    down: bool = False
    list: bool = False
    looped: bool = False
    bad: bool = False
    vlan_tags: int = 0
    tpid: int = 0
    tci: int = 0
    type: int = 0
    inner: int = 0
    """Where `type` stands in the frame."""

    @property
    def tag_vid(self) -> int:
        """The VLAN id of the outermost C-tag, 0 for none or a priority tag."""
        return self.tci & 0xFFF if self.tpid == C_TAG else 0


def _channel_tag(head: Head, octets: bytes) -> Head:
    ethertype = int.from_bytes(octets[12:14], "big")
    if ethertype == VnTag.ETHERTYPE:
        vntag = VnTag.decode(octets[12:])
        return replace(
            head,
            kind=ChannelKind.VNTAG,
            target=vntag.dvif,
            source=vntag.svif,
            down=bool(vntag.direction),
            list=bool(vntag.pointer),
            looped=bool(vntag.looped),
            bad=vntag.version != 0,
        )
    if ethertype == ETag.ETHERTYPE:
        etag = ETag.decode(octets[12:])
        return replace(
            head,
            kind=ChannelKind.ETAG,
            target=etag.grp << 12 | etag.ecid & 0xFFF,
            source=etag.ingress & 0xFFF,
            list=etag.grp != 0,
            bad=etag.ecid > 0xFFF or etag.ingress > 0xFFF,
        )
    return head


def read_head(octets: bytes) -> Head:
    """Parse a frame's head: at most one channel tag, outermost, and three VLAN tags. Never raises."""
    head = Head(octets=len(octets))
    if len(octets) < 14:
        return head
    head = replace(head, dst=Mac(octets[:6]), src=Mac(octets[6:12]))
    at = 12
    try:
        head = _channel_tag(head, octets)
        if head.kind is not None:
            at += head.kind.overhead
            head = replace(head, octets=len(octets) - head.kind.overhead)
            if len(octets) < at + 2:
                return replace(Head(octets=len(octets)), dst=head.dst, src=head.src)
        while int.from_bytes(octets[at : at + 2], "big") in (C_TAG, S_TAG) and head.vlan_tags <= MOST_VLAN_TAGS:
            tag = VlanTag.decode(octets[at:])
            if len(octets) < at + 6:
                return head
            if not head.vlan_tags:
                head = replace(head, tpid=tag.tpid, tci=tag.tci)
            head = replace(head, vlan_tags=head.vlan_tags + 1)
            at += VlanTag.LENGTH
    except WireError:
        return head
    return replace(head, whole=True, type=int.from_bytes(octets[at : at + 2], "big"), inner=at)


def is_control(head: Head) -> bool:
    """Whether it is signalling: LLDP or ECP without any tag. From a machine it is a forgery (P2)."""
    return head.kind is None and not head.vlan_tags and head.type in {LLDP, ECP} and head.dst.is_link_local


def judge_head(head: Head) -> DropReason:
    """The drop reasons that hold for whoever sends a frame into our ports."""
    if head.vlan_tags > MOST_VLAN_TAGS:
        return DropReason.TOO_MANY_TAGS
    if head.type in (VnTag.ETHERTYPE, ETag.ETHERTYPE):
        return DropReason.FORGED_TAG
    if head.dst in BPDU_ADDRESSES:
        return DropReason.BPDU
    if head.dst.is_link_local:
        return DropReason.LINK_LOCAL
    return DropReason.NONE
