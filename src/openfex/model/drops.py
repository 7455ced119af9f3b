# SPDX-License-Identifier: Apache-2.0
"""Why a frame was dropped: each dropped frame is counted under exactly one of these (promise P4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import IntEnum


class DropReason(IntEnum):
    """The numbers are those of `enum fex_drop` in bpf/include/abi.h."""

    NONE = 0
    TRUNCATED = 1
    TOO_MANY_TAGS = 2
    FORGED_TAG = 3
    BPDU = 4
    LINK_LOCAL = 5
    NOT_IN_CHANNEL = 6
    WRONG_DIRECTION = 7
    BAD_TAG = 8
    UNKNOWN_CHANNEL = 9
    PORT_DOWN = 10
    SPOOFED_SOURCE = 11
    BAD_SOURCE = 12
    VLAN_NOT_ALLOWED = 13
    VLAN_MISMATCH = 14
    OWN_SOURCE = 15
    NOT_PINNED = 16
    NETWORK_TO_NETWORK = 17
    SAME_PORT = 18
    UNKNOWN_LIST = 19
    SOURCE_PRUNED = 20
    NO_RECEIVER = 21
    NOT_SENT = 22
    UNREADABLE_HEADER = 23
    SPOOFED_ADDRESS = 24
    TOO_MANY_MACS = 25
    ACL_IN = 26
    ACL_OUT = 27
    RATE_IN = 28
    RATE_OUT = 29

    @property
    def word(self) -> str:
        """The reason as it is printed, `spoofed-source`."""
        return self.name.lower().replace("_", "-")

    @property
    def meaning(self) -> str:
        """One line for people."""
        return MEANINGS[self]


MEANINGS: dict[DropReason, str] = {
    DropReason.NONE: "not dropped",
    DropReason.TRUNCATED: "the frame ends inside its own header or tags",
    DropReason.TOO_MANY_TAGS: "more than two VLAN tags",
    DropReason.FORGED_TAG: "a VN-Tag or E-Tag from somebody who may not send one",
    DropReason.BPDU: "a spanning-tree frame (01-80-C2-00-00-00 or 01-00-0C-CC-CC-CD) at a port that is an end host's",
    DropReason.LINK_LOCAL: "an address that no bridge forwards (01-80-C2-00-00-01 to -0F)",
    DropReason.NOT_IN_CHANNEL: "on an uplink, but not in a channel of the uplink's kind",
    DropReason.WRONG_DIRECTION: "a VN-Tag whose direction bit says the opposite of where it came from",
    DropReason.BAD_TAG: "a tag version, extension or list id that has no meaning here",
    DropReason.UNKNOWN_CHANNEL: "a channel that no function was carved for",
    DropReason.PORT_DOWN: "the port is down or has no profile: no profile, no traffic",
    DropReason.SPOOFED_SOURCE: "the source MAC is not one that the function may use",
    DropReason.BAD_SOURCE: "the source MAC is a group address or zero",
    DropReason.VLAN_NOT_ALLOWED: "the port may not send in this VLAN, or may not send tagged frames",
    DropReason.VLAN_MISMATCH: "the destination's port is not in the frame's VLAN",
    DropReason.OWN_SOURCE: "from the network, with the source MAC of one of our own vEths",
    DropReason.NOT_PINNED: "from the network, for a vEth that is pinned to another network port",
    DropReason.NETWORK_TO_NETWORK: "from the network, for a station on the network: to the network we are an end host",
    DropReason.SAME_PORT: "the destination is behind the port that the frame came from",
    DropReason.UNKNOWN_LIST: "a replication list that this extender was never given",
    DropReason.SOURCE_PRUNED: "the only receiver is the function that sent it",
    DropReason.NO_RECEIVER: "nobody else is in the VLAN",
    DropReason.NOT_SENT: "the kernel could not reshape or send it after the verdict",
    DropReason.UNREADABLE_HEADER: "a rule must look at a header that is cut off, broken, or behind too many others",
    DropReason.SPOOFED_ADDRESS: "an IP, ARP or neighbour address that is not the NIC's own",
    DropReason.TOO_MANY_MACS: "a source MAC that the port would have to learn, and it has learnt all that it may",
    DropReason.ACL_IN: "a rule of the port it came in by denies it",
    DropReason.ACL_OUT: "a rule of the port it would leave by denies it",
    DropReason.RATE_IN: "more than the port it came in by may send",
    DropReason.RATE_OUT: "more than may be sent to the port it would leave by",
}


def drops_by_port(drops: Mapping[tuple[int, DropReason], int]) -> Counter[int]:
    """Dropped frames by port, whatever the reason."""
    found: Counter[int] = Counter()
    for (port, _), frames in drops.items():
        found[port] += frames
    return found
