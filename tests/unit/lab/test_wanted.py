# SPDX-License-Identifier: Apache-2.0
"""What a kernel must hold for a layout."""

from __future__ import annotations

from openfex.lab.names import netns_of
from openfex.lab.wanted import want
from openfex.model.reader import read_documents
from openfex.plan.allotment import allotment_of
from openfex.plan.layout import lay_out
from openfex.plan.objects import NodeKey, NodeSpec

BRIDGE = """
kind: network
name: lab
spec: {bridges: {sw: {}}}
"""
HOST = """
---
kind: host
name: h%d
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
"""
BUILDS = {"extender": "e", "bridge": "b"}


def test_a_bridge_has_room_for_every_uplink_s_number_also_where_others_are_gone() -> None:
    five = lay_out(read_documents(BRIDGE + "".join(HOST % number for number in range(1, 6))))
    last = lay_out(read_documents(BRIDGE + HOST % 5), allotment_of(five))
    for layout in (five, last):
        node = want(layout, BUILDS, {})[NodeKey(netns_of("lab", "bridge", "sw"))]
        assert isinstance(node, NodeSpec)
        assert max(port for port, _ in node.devices) | 0xFFF < node.rows
