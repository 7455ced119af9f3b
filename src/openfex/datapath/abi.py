# SPDX-License-Identifier: Apache-2.0
"""The structs of bpf/include/abi.h as `struct` formats, in the kernel's own byte order.

tests/unit/datapath/test_abi.py reads the header and compares names and numbers; sizes are compared at load.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag

from openfex.model.values import ChannelKind

U32 = struct.Struct("=I")
U64 = struct.Struct("=Q")
LINK = struct.Struct("=IHH")
FUNCTION = struct.Struct("=IHH")
LIST = struct.Struct("=128Q")
MAC = struct.Struct("=6sH")
OWNER_KEY = struct.Struct("=6sH")
PORT = struct.Struct("=6sH4I")
PRICE = struct.Struct("=2Q")
POLICY = struct.Struct("=2I2H2I2BH9Q")
PROFILE = struct.Struct(f"=B7x{POLICY.size}s{POLICY.size}s")
ACL = struct.Struct("=30I")
NODE = struct.Struct("=256I")
RUN = struct.Struct("=16s16s4I")
VECTOR = struct.Struct("=16Q")
ADDRESS = struct.Struct("=2I16s")
MEMORY = struct.Struct("=5Q")
JUDGED_KEY = struct.Struct("=3I")
VLAN_SET = struct.Struct("=64Q")
STATION_KEY = struct.Struct("=6sH")
STATION = struct.Struct("=QII")
FLOOD = struct.Struct("=2Q4I")
SETTINGS = struct.Struct("=QII")
COUNTERS = struct.Struct("=8Q")
DROP_KEY = struct.Struct("=II")
FLOW = struct.Struct("=44sI")
DECISION = struct.Struct("=6IQHHBBH5I4BH2B4x")
TRACE = struct.Struct(f"={DECISION.size}s{DECISION.size}sQ")
CAPTURE = struct.Struct("=4I2Q")
RECORD = struct.Struct("=Q4I3H6BHBx")

ANY_PORT = 0xFFFFFFFF
LAST_IFINDEX = 0xFFFF
LEARNT = 1 << 31
MARK = 0x40
QUEUE = 0x10010
HOME = 1 << 31
HOME_FACTOR = 0x9E3779B97F4B
TOTAL_ROWS = 8

KEY_SIZES = {"veths": MAC.size, "stations": STATION_KEY.size, "drops": DROP_KEY.size}
KEY_SIZES |= {"addresses": ADDRESS.size, "judged": JUDGED_KEY.size, "owners": OWNER_KEY.size}
"""Keys that are not a plain u32."""
VALUE_SIZES = {
    "links": LINK.size,
    "functions": FUNCTION.size,
    "lists": LIST.size,
    "owners": U32.size,
    "ports": PORT.size,
    "profiles": PROFILE.size,
    "acls": ACL.size,
    "acl_nodes": NODE.size,
    "acl_runs": RUN.size,
    "vectors": VECTOR.size,
    "hits": U64.size,
    "addresses": U32.size,
    "memories": MEMORY.size,
    "judged": U32.size,
    "vlan_sets": VLAN_SET.size,
    "veths": U32.size,
    "homes": U64.size,
    "stations": STATION.size,
    "floods": FLOOD.size,
    "flows": FLOW.size,
    "settings": SETTINGS.size,
    "counters": COUNTERS.size,
    "drops": U64.size,
    "totals": U64.size,
    "traced": TRACE.size,
    "capture": CAPTURE.size,
    "rings": U32.size,
    "ingress": U32.size,
}


class Kind(IntEnum):
    """`enum fex_kind`."""

    NONE = 0
    VNTAG = 1
    ETAG = 2
    SCHANNEL = 3
    SCHANNEL_Q = 4
    VEPA = 5


class PortFlag(IntFlag):
    """`enum fex_port_flag`."""

    KNOWN = 1
    UP = 2
    DIRECT = 4
    NETWORK = 8
    PEERING = 16
    XDP = 32
    QUEUED = 64
    VEPA = 128
    TRUNK = 256


class PolicyFlag(IntFlag):
    """`enum fex_policy_flag`."""

    TRUNK = 1
    GUARD = 2
    MORE_MACS = 4
    RATE_IN = 8
    RATE_OUT = 16
    JUDGES_OUT = 32
    PRIORITY = 64
    TRUST_PCP = 128
    TRUST_DSCP = 256


class Cast(IntEnum):
    """`enum fex_cast`: who a frame is for."""

    UNICAST = 0
    MULTICAST = 1
    BROADCAST = 2


class Total(IntEnum):
    """`enum fex_total`."""

    REPLICATED = 0
    LEARNT = 1
    MOVED = 2
    AGED = 3
    NOT_LEARNT = 4
    CONTROL = 5


class Seen(IntFlag):
    """`enum fex_seen`: as what a frame is captured."""

    IN = 1
    OUT = 2
    DROPPED = 4


class Leaves(IntEnum):
    """`enum fex_leaves`."""

    AS_IS = 0
    UNTAGGED = 1
    TAGGED = 2


def kind_number(kind: ChannelKind | None) -> Kind:
    """The number of a channel kind; None is a network port."""
    return Kind.NONE if kind is None else Kind[kind.name]


def kind_of(number: int) -> ChannelKind | None:
    """The channel kind of a number."""
    return None if number == Kind.NONE else ChannelKind[Kind(number).name]


def bits(members: frozenset[int]) -> list[int]:
    """A set of numbers below 4096 as 64 words of 64 bits."""
    words = [0] * 64
    for member in members:
        words[member >> 6] |= 1 << (member & 63)
    return words


def members(words: tuple[int, ...]) -> frozenset[int]:
    """The set of numbers that 64 words of 64 bits stand for."""
    return frozenset(row << 6 | bit for row, word in enumerate(words) if word for bit in range(64) if word >> bit & 1)


def mask(links: frozenset[int], first: int) -> int:
    """A set of links as a mask whose bit 0 is link `first`."""
    return sum(1 << (link - first) for link in links)


def links_of(mask_: int, first: int) -> frozenset[int]:
    """The links of a mask whose bit 0 is link `first`."""
    return frozenset(first + bit for bit in range(64) if mask_ >> bit & 1)
