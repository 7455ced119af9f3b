# SPDX-License-Identifier: Apache-2.0
"""Captured frames as people and programs read them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from openfex.datapath.abi import Seen
from openfex.datapath.record import CapturedFrame
from openfex.lab.capture import Sighting
from openfex.lab.points import points_of
from openfex.lab.view.frames import frame_comment, frame_line, frame_row
from openfex.model.drops import DropReason
from openfex.model.values import port_number
from openfex.rules.decision import Verdict
from openfex.wire import VlanTag
from tests.unit.lab.sights import small_layout

LAYOUT = small_layout()
VETH, OTHER, NETWORK = port_number(16, 1), port_number(16, 2), port_number(1)
OCTETS = bytes.fromhex("ffffffffffff 525400000001 0806") + bytes(46)
CAME = CapturedFrame(0, Seen.IN, Verdict.DELIVER, DropReason.NONE, False, VETH, OTHER, 10, OCTETS, 60)
TIME_NS = 1_700_000_000_000_001_500


def at_veth(frame: CapturedFrame) -> Sighting:
    (point,) = points_of(LAYOUT, "sw-a/veth1.1")
    return Sighting(point, frame, TIME_NS)


def dropped(reason: DropReason, *, late: bool = False) -> CapturedFrame:
    seen = Seen.DROPPED if late else Seen.IN | Seen.DROPPED
    return replace(CAME, seen=seen, verdict=Verdict.DROP, reason=reason, goes_to=0, late=late)


@pytest.mark.parametrize(
    ("frame", "comment"),
    [
        (CAME, "in, to sw-a/veth1.2"),
        (replace(CAME, verdict=Verdict.FLOOD, goes_to=0), "in, flooded in VLAN 10"),
        (replace(CAME, seen=Seen.OUT, came_by=NETWORK, goes_to=VETH), "out, from sw-a/up0"),
        (
            replace(CAME, seen=Seen.OUT, verdict=Verdict.FLOOD, came_by=NETWORK, goes_to=0),
            "out, from sw-a/up0, a copy",
        ),
        (
            dropped(DropReason.SPOOFED_SOURCE),
            "in, dropped: spoofed-source (the source MAC is not one that the function may use)",
        ),
        (
            dropped(DropReason.NOT_SENT, late=True),
            "in, dropped after its verdict: not-sent (the kernel could not reshape or send it after the verdict)",
        ),
    ],
)
def test_a_comment_says_port_direction_and_fate(frame: CapturedFrame, comment: str) -> None:
    assert frame_comment(LAYOUT, at_veth(frame)) == f"sw-a/veth1.1 {comment}"


def test_what_the_rules_of_a_port_keep_from_leaving_by_it_is_told_as_on_its_way_out() -> None:
    frame = dropped(DropReason.ACL_OUT, late=True)
    assert frame_comment(LAYOUT, at_veth(frame)).startswith("sw-a/veth1.1 out, dropped: acl-out (")


def test_a_list_at_a_host_has_members() -> None:
    (point,) = points_of(LAYOUT, "h1/up-a")
    frame = replace(CAME, verdict=Verdict.REPLICATE, came_by=port_number(1), goes_to=0, vlan=0)
    assert frame_comment(LAYOUT, Sighting(point, frame, TIME_NS)) == "h1/up-a in, to the members of a list"


def test_a_row_has_plain_values() -> None:
    assert frame_row(LAYOUT, at_veth(CAME)) == {
        "time": "2023-11-14T22:13:20.000001500Z",
        "port": "sw-a/veth1.1",
        "direction": "in",
        "verdict": "deliver",
        "dropped": None,
        "from": "sw-a/veth1.1",
        "to": "sw-a/veth1.2",
        "source": "52:54:00:00:00:01",
        "destination": "ff:ff:ff:ff:ff:ff",
        "vlan": 10,
        "type": "0x0806",
        "length": 60,
        "captured": 60,
    }
    row = frame_row(LAYOUT, at_veth(dropped(DropReason.SPOOFED_SOURCE)))
    assert row.items() >= {"verdict": "drop", "dropped": "spoofed-source", "to": None}.items()


def test_a_line_has_what_people_look_for() -> None:
    line = frame_line(LAYOUT, at_veth(CAME))
    assert re.fullmatch(
        r"\d\d:\d\d:20\.000001 52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff ARP VLAN 10 60: sw-a/veth1\.1 in, to .*", line
    )


def test_before_the_bridge_has_found_the_vlan_it_is_that_of_the_tag() -> None:
    tagged = OCTETS[:12] + VlanTag(20).encode() + OCTETS[12:]
    assert frame_row(LAYOUT, at_veth(replace(CAME, vlan=0, octets=tagged)))["vlan"] == 20
    assert frame_row(LAYOUT, at_veth(replace(CAME, vlan=0)))["vlan"] is None
