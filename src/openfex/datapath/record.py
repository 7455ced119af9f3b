# SPDX-License-Identifier: Apache-2.0
"""What a program wrote of a frame while its port was captured, read. Pure.

The octets of a record are those that came in. What left by the port is made of them here, as the programs make it: the
channel's tag off, the VLAN tags as the port has them, and the DSCP that was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openfex.datapath.abi import MARK, RECORD, Leaves, Seen
from openfex.model.drops import DropReason
from openfex.model.limits import FIRST_UPLINK
from openfex.model.values import ChannelKind, port_channel, port_link
from openfex.rules.decision import Verdict
from openfex.rules.head import read_head
from openfex.rules.priority import read_dscp, write_dscp
from openfex.rules.schannel import TPIDS
from openfex.rules.service import wrap
from openfex.wire import ETag, VlanTag, VnTag

_AT = 12
"""Where tags begin: behind the addresses."""
_OVERHEADS = {VnTag.ETHERTYPE: ChannelKind.VNTAG.overhead, ETag.ETHERTYPE: ChannelKind.ETAG.overhead}
Kinds = Mapping[int, ChannelKind | None]
"""The kind of each link; None: a network port."""


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """A frame at a port: when (CLOCK_MONOTONIC), as what, what became of it, and its first octets.

    `came_by` and `goes_to` are port numbers of the node; `goes_to` is 0 where there are several ways or none. `vlan` is
    the VLAN inside the bridge, 0 where it was not found out. `late`: dropped after its verdict, and the octets are as
    they were then.
    """

    time_ns: int
    seen: Seen
    verdict: Verdict
    reason: DropReason
    late: bool
    came_by: int
    goes_to: int
    vlan: int
    octets: bytes
    length: int


def room_for(snap: int) -> int:
    """How many octets to take of a frame for `snap` of them without tags that come off."""
    return snap + ETag.LENGTH + 2 * VlanTag.LENGTH


def read_record(record: bytes, role: str, snap: int, kinds: Kinds) -> CapturedFrame | None:
    """The frame of a record; None where the program only asked whether there still is a ring.

    `kinds` are those of the node's links. At most `snap` octets; for as many the program must take `room_for(snap)`.
    """
    words = RECORD.unpack(record[: RECORD.size])
    time_ns, came_by, goes_to, length, taken, tpid, tag_tci, tci, verdict, reason, seen, leaves, late, *marks = words
    if not seen:
        return None
    octets = whole = record[RECORD.size : RECORD.size + taken]
    if tpid:
        octets = _insert(octets, tpid, tag_tci)
    if not late and _is_in_channel(came_by, role, seen):
        octets = _cut(octets, _overhead(octets, kinds.get(port_link(came_by))))
    if seen & Seen.OUT:
        mark, service, unwrapped = marks
        octets = _cut(octets, VlanTag.LENGTH * unwrapped)
        octets = wrap(_mark(_leave(octets, Leaves(leaves), tci, role), mark), service, tci)
    return CapturedFrame(
        time_ns=time_ns,
        seen=Seen(seen),
        verdict=Verdict(verdict),
        reason=DropReason(reason),
        late=bool(late),
        came_by=came_by,
        goes_to=goes_to,
        vlan=tci & 0xFFF,
        octets=octets[:snap],
        length=length + len(octets) - len(whole),
    )


def _overhead(octets: bytes, kind: ChannelKind | None) -> int:
    """How much of a frame from such a link is its channel's tag; perhaps only the first octets are there."""
    if kind is None or not kind.is_schannel:
        return _OVERHEADS.get(_type(octets), 0)
    vid = int.from_bytes(octets[_AT + 2 : _AT + VlanTag.LENGTH], "big") & 0xFFF
    return kind.overhead if _type(octets) == TPIDS[kind] and vid else 0


def _is_in_channel(came_by: int, role: str, seen: int) -> bool:
    """True for a frame with a channel's tag that is not shown at the uplink itself."""
    if role == "bridge":
        return bool(port_link(came_by) >= FIRST_UPLINK and (port_channel(came_by) or seen & Seen.OUT))
    return bool(not port_channel(came_by) and seen & Seen.OUT)


def _leave(octets: bytes, leaves: Leaves, tci: int, role: str) -> bytes:
    """A C-tag is put in the place of a C-tag alone; a host takes off whatever VLAN tag is outermost."""
    changes = role == "bridge" or leaves is Leaves.TAGGED
    own = (VlanTag.C_TPID,) if changes else (VlanTag.C_TPID, VlanTag.S_TPID)
    if leaves is not Leaves.AS_IS and _type(octets) in own:
        octets = _cut(octets, VlanTag.LENGTH)
    return _insert(octets, VlanTag.C_TPID, tci) if leaves is Leaves.TAGGED else octets


def _mark(octets: bytes, mark: int) -> bytes:
    """With the DSCP that was written, where its place has been taken."""
    head = read_head(octets)
    return write_dscp(octets, head, mark & ~MARK) if mark and read_dscp(octets, head) is not None else octets


def _type(octets: bytes) -> int:
    return int.from_bytes(octets[_AT : _AT + 2], "big")


def _cut(octets: bytes, count: int) -> bytes:
    return octets[:_AT] + octets[_AT + count :]


def _insert(octets: bytes, tpid: int, tci: int) -> bytes:
    return octets[:_AT] + tpid.to_bytes(2, "big") + tci.to_bytes(2, "big") + octets[_AT:]
