# SPDX-License-Identifier: Apache-2.0
"""Service tags (802.1ad) of network ports: taken off what comes in, before it is judged, and put around what leaves.

The specification of bpf/lib/service.h.
"""

from __future__ import annotations

from dataclasses import replace

from openfex.rules.head import C_TAG, S_TAG
from openfex.rules.policy import Frame
from openfex.rules.priority import PRIORITY
from openfex.wire import VlanTag


def unwrap(frame: Frame, service: int) -> Frame:
    """The frame as it is behind its service tag, if that is the port's. Where no C-tag follows, its priority stays."""
    head = frame.head
    if not service or head.tpid != S_TAG or head.tci & 0xFFF != service:
        return frame
    if head.vlan_tags == 1:
        return replace(frame, unwrapped=True, head=replace(head, vlan_tags=0, tpid=0, tci=head.tci & PRIORITY))
    at = 12 + (head.kind.overhead if head.kind else 0) + VlanTag.LENGTH
    tag = VlanTag.decode(frame.octets[at:])
    left = head.vlan_tags - (head.type not in {C_TAG, S_TAG})  # three were counted, and there are more
    return replace(frame, unwrapped=True, head=replace(head, vlan_tags=left, tpid=tag.tpid, tci=tag.tci))


def wrap(octets: bytes, service: int, tci: int) -> bytes:
    """A frame with the service tag that it leaves with, which has its priority; 0 for none."""
    tag = VlanTag(service, tci >> 13, tci >> 12 & 1, S_TAG).encode() if service else b""
    return octets[:12] + tag + octets[12:]
