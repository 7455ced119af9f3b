# SPDX-License-Identifier: Apache-2.0
"""What a kernel must hold for a layout."""

from __future__ import annotations

import pytest

from openfex.lab.names import netns_of
from openfex.lab.wanted import want
from openfex.model.reader import read_documents
from openfex.model.values import port_number
from openfex.plan.allotment import allotment_of
from openfex.plan.layout import lay_out
from openfex.plan.objects import FunctionKey, NodeKey, NodeSpec, TablesKey, WireKey

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


XDP = """
---
kind: adapter
name: veths
spec: {host: h1, model: bcm-8, functions: 2}
---
kind: adapter
name: taps
spec: {host: h1, model: bcm-8, functions: 1, backing: tap}
---
kind: profile
name: web
spec: {vlan: {access: 10}}
---
kind: machine
name: vm1
spec: {host: h1, nics: {eth0: {profile: web, function: veths/1}}}
---
kind: machine
name: q1
spec: {host: h1, type: host, nics: {tap0: {profile: web, function: taps/0}}}
"""


@pytest.mark.parametrize("attachment", ["auto", "tc", "xdp"])
def test_xdp_is_for_both_ends_of_the_wire_and_for_bound_functions_that_are_no_taps(attachment: str) -> None:
    host = HOST.replace("bridge: sw", f"bridge: sw, attachment: {attachment}") % 1
    state = want(lay_out(read_documents(BRIDGE + host + XDP)), BUILDS, {})
    at_host, at_bridge = (netns_of("lab", *node) for node in (("host", "h1"), ("bridge", "sw")))
    found = {key: getattr(state[key], "xdp", None) for key in state}
    by_xdp = attachment == "xdp"
    assert found[NodeKey(at_host)] == ({"up-a", "f0p1"} if by_xdp else set())
    assert found[NodeKey(at_bridge)] == ({"uplink16"} if by_xdp else set())
    assert found[TablesKey(False, at_host)] == ({port_number(1), port_number(1, 2)} if by_xdp else set())
    assert found[TablesKey(True, at_bridge)] == ({port_number(16)} if by_xdp else set())
    assert found[WireKey("h1.a")] is by_xdp
    functions = {key.name: found[key] for key in state if isinstance(key, FunctionKey)}
    assert functions == {"veths/0": False, "veths/1": by_xdp, "taps/0": False}


def test_a_bridge_has_room_for_every_uplink_s_number_also_where_others_are_gone() -> None:
    five = lay_out(read_documents(BRIDGE + "".join(HOST % number for number in range(1, 6))))
    last = lay_out(read_documents(BRIDGE + HOST % 5), allotment_of(five))
    for layout in (five, last):
        node = want(layout, BUILDS, {})[NodeKey(netns_of("lab", "bridge", "sw"))]
        assert isinstance(node, NodeSpec)
        assert max(port for port, _ in node.devices) | 0xFFF < node.rows
