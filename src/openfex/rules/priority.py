# SPDX-License-Identifier: Apache-2.0
"""A frame's priority inside the bridge, and the DSCP that is written into it; the specification of bpf/lib/priority.h.

A priority is what a VLAN tag has above its VID: PCP and DEI. Which one is believed: docs/design/policy.md.
"""

from __future__ import annotations

from openfex.model.policy import Priority, Trust
from openfex.rules.head import C_TAG, Head
from openfex.rules.packet import IPV4, IPV6
from openfex.rules.policy import Frame

PRIORITY = 0xF000
"""PCP and DEI in the second word of a VLAN tag."""
LEAST = {IPV4: 20, IPV6: 40}
"""How many octets of an IP header there must be."""
SHIFT = {IPV4: 2, IPV6: 6}
"""Where the DSCP stands in the first word of an IP header (RFC 2474; RFC 8200, 3)."""
_CHECKSUM_AT = 10


def read_dscp(octets: bytes, head: Head) -> int | None:
    """The DSCP of a frame; None where there is no IP header, or not all of it."""
    at = head.inner + 2
    if head.type not in LEAST or len(octets) < at + LEAST[head.type]:
        return None
    if octets[at] >> 4 != (4 if head.type == IPV4 else 6):
        return None
    return int.from_bytes(octets[at : at + 2], "big") >> SHIFT[head.type] & 63


def _has_priority(frame: Frame) -> bool:
    """A C-tag's, or where a service tag was all that it bore, that one's."""
    return frame.head.tpid == C_TAG or (frame.unwrapped and not frame.head.tpid)


def priority_of(frame: Frame, policy: Priority) -> int:
    """What a frame that comes in has inside: its own where that is believed and there is one, else the port's."""
    head, given = frame.head, policy.pcp << 13
    if policy.trust is Trust.PCP:
        return head.tci & PRIORITY if _has_priority(frame) else given
    dscp = read_dscp(frame.octets, head) if policy.trust is Trust.DSCP else None
    return given if dscp is None else dscp >> 3 << 13


def dscp_of(frame: Frame, policy: Priority) -> int | None:
    """What is to be written into a frame, if it has a place for it."""
    return None if read_dscp(frame.octets, frame.head) is None else policy.dscp


def write_dscp(octets: bytes, head: Head, dscp: int | None) -> bytes:
    """The frame with another DSCP. IPv4's checksum is changed by what it was before (RFC 1624, 3)."""
    if dscp is None:
        return octets
    at = head.inner + 2
    old = int.from_bytes(octets[at : at + 2], "big")
    new = old & ~(63 << SHIFT[head.type]) | dscp << SHIFT[head.type]
    octets = octets[:at] + new.to_bytes(2, "big") + octets[at + 2 :]
    if head.type == IPV6:
        return octets
    at += _CHECKSUM_AT
    total = (int.from_bytes(octets[at : at + 2], "big") ^ 0xFFFF) + (old ^ 0xFFFF) + new
    for _ in range(2):
        total = (total & 0xFFFF) + (total >> 16)
    return octets[:at] + (total ^ 0xFFFF).to_bytes(2, "big") + octets[at + 2 :]
