# SPDX-License-Identifier: Apache-2.0
"""Captured frames as rows, lines and comments. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from openfex.datapath.abi import Seen
from openfex.lab.capture import Sighting
from openfex.lab.points import port_name
from openfex.lab.view.sight import Row
from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.rules.decision import Verdict
from openfex.rules.head import Head, read_head
from openfex.wire import ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6

_PROTOCOLS = {ETHERTYPE_ARP: "ARP", ETHERTYPE_IPV4: "IPv4", ETHERTYPE_IPV6: "IPv6"}
_S = 1_000_000_000


_STOPPED = (DropReason.ACL_OUT, DropReason.RATE_OUT)
"""Why the port that a frame would leave by keeps it back."""


def direction_of(one: Sighting) -> str:
    """`in`: from the machine or the network into the port; `out`: to them, also where the port's rules stop it."""
    return "out" if one.frame.reason in _STOPPED or one.frame.seen & Seen.OUT else "in"


def frame_row(layout: Layout, one: Sighting) -> Row:
    """A frame as plain values."""
    frame, head = one.frame, read_head(one.frame.octets)
    return {
        "time": f"{datetime.fromtimestamp(one.time_ns // _S, UTC):%Y-%m-%dT%H:%M:%S}.{one.time_ns % _S:09}Z",
        "port": one.point.name,
        "direction": direction_of(one),
        "verdict": frame.verdict.name.lower(),
        "dropped": frame.reason.word if frame.reason else None,
        "from": port_name(layout, one.point, frame.came_by),
        "to": port_name(layout, one.point, frame.goes_to) if frame.goes_to else None,
        "source": str(head.src),
        "destination": str(head.dst),
        "vlan": _vlan(one, head),
        "type": f"0x{head.type:04x}",
        "length": frame.length,
        "captured": len(frame.octets),
    }


def frame_line(layout: Layout, one: Sighting) -> str:
    """A frame as a line for people, with the time of day here."""
    head = read_head(one.frame.octets)
    clock = f"{datetime.fromtimestamp(one.time_ns // _S).astimezone():%H:%M:%S}.{one.time_ns % _S // 1000:06}"
    vlan = _vlan(one, head)
    what = _PROTOCOLS.get(head.type, f"0x{head.type:04x}") + (f" VLAN {vlan}" if vlan else "")
    return f"{clock} {head.src} > {head.dst} {what} {one.frame.length}: {frame_comment(layout, one)}"


def frame_comment(layout: Layout, one: Sighting) -> str:
    """Port, direction, and what became of the frame: `sw-a/veth1.1 in, dropped: spoofed-source (...)`."""
    return f"{one.point.name} {direction_of(one)}, {_fate(layout, one)}"


def _fate(layout: Layout, one: Sighting) -> str:
    frame = one.frame
    if frame.reason is not DropReason.NONE:
        late = " after its verdict" if frame.late and direction_of(one) == "in" else ""
        return f"dropped{late}: {frame.reason.word} ({frame.reason.meaning})"
    copied = "" if frame.goes_to else ", a copy"
    if frame.seen & Seen.OUT:
        return f"from {port_name(layout, one.point, frame.came_by)}{copied}"
    if frame.goes_to:
        return f"to {port_name(layout, one.point, frame.goes_to)}"
    if frame.verdict is Verdict.CONTROL:
        return "to the node's own agent"
    return f"flooded in VLAN {frame.vlan}" if frame.verdict is Verdict.FLOOD else "to the members of a list"


def _vlan(one: Sighting, head: Head) -> int | None:
    """The VLAN inside the bridge if the frame came so far, else that of its tag."""
    return one.frame.vlan or head.tag_vid or None
