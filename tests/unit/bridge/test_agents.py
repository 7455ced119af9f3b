# SPDX-License-Identifier: Apache-2.0
"""Hosts and bridges that agree: their agents write the tables, and the reference engines carry frames by them."""

from __future__ import annotations

import pytest

from openfex.model.layout import Binding, Layout
from openfex.model.reader import read_documents
from openfex.model.values import BROADCAST, ChannelKind
from openfex.plan.layout import lay_out
from openfex.proof.bed import frame
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.rules.tables import BridgeTables
from openfex.testing.fabric import Spot
from openfex.testing.signalling import Town

FAST = {"rte": 8, "rwd": 12, "rka": 14}
"""Keep-alives every 164 ms; expiry after 0.27 s."""
TEXT = """
kind: network
name: lab
spec: {{bridges: {{sw-a: {{fabric: a, ports: [up0]}}, sw-b: {{fabric: b, ports: [up0]}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: profile
name: trunk
spec: {{vlan: {{native: 10, allowed: [10, 20]}}}}
---
kind: profile
name: judged
spec: {{vlan: {{access: 10}}, rate: {{out: 1Gbit}}}}
---
kind: profile
name: guarded
spec: {{vlan: {{access: 10}}, source: {{guard: true}}}}
---
kind: host
name: h1
spec: {{channel: {kind}, uplinks: {{a: {{device: up-a, bridge: sw-a}}, b: {{device: up-b, bridge: sw-b}}}}}}
---
kind: adapter
name: n1
spec: {{host: h1, model: vic-1280, functions: 4}}
---
kind: host
name: h2
spec: {{channel: {kind}, uplinks: {{a: {{device: up-a, bridge: sw-a}}}}}}
---
kind: adapter
name: n2
spec: {{host: h2, model: vic-1280, functions: 70}}
---
kind: machine
name: m1
spec: {{host: h1, nics: {{eth0: {{profile: web}}, eth1: {{profile: web, fabric: b}}}}}}
---
kind: machine
name: m2
spec: {{host: h1, nics: {{eth0: {{profile: trunk}}}}}}
---
kind: machine
name: m3
spec: {{host: h2, nics: {{eth0: {{profile: guarded, address: 10.0.10.3/24}}, eth1: {{profile: judged}}}}}}
---
kind: machine
name: m4
spec: {{host: h2, nics: {{eth0: {{profile: web, function: n2/69}}}}}}
"""


def layout_of(kind: ChannelKind) -> Layout:
    return lay_out(read_documents(TEXT.format(kind=kind.value)))


@pytest.fixture(params=list(ChannelKind), ids=lambda kind: kind.value)
def town(request: pytest.FixtureRequest) -> Town:
    made = Town(layout_of(request.param), FAST)
    made.start()
    return made


def binding(town: Town, name: str) -> Binding:
    return next(one for one in town.layout.bindings if one.name == name)


def reached(town: Town, sender: str) -> list[str]:
    """Which NICs a broadcast of one reaches."""
    one = binding(town, sender)
    spots = town.fabric.from_function(one.uplink.host, one.host_port, frame(BROADCAST, one.mac, 1))
    names = {Spot(one.uplink.host, one.host_port): one.name for one in town.layout.bindings}
    return sorted(names[spot] for spot in spots if spot in names)


ALL = ["m1/eth0", "m2/eth0", "m3/eth0", "m3/eth1", "m4/eth0"]


def check(town: Town) -> None:
    """The tables are those that a layout compiles to, but for the ids of lists and which network port a vEth has."""
    bridges = {}
    for one in town.layout.bridges:
        wanted, found = compile_bridge(town.layout, one.name), town.fabric.bridges[one.name].tables
        bridges[one.name] = found
        assert found.links == {**wanted.links}
        assert found.ports == wanted.ports
        assert found.veths == wanted.veths
        assert found.profiles == wanted.profiles
        assert [*found.floods] == [*wanted.floods]
    for host in town.layout.hosts:
        wanted_host = compile_extender(town.layout, host, bridges)
        assert town.fabric.hosts[host.name].tables == wanted_host


def test_ports_come_up_by_signalling_alone(town: Town) -> None:
    assert town.fabric.bridges["sw-a"].tables == BridgeTables()
    town.run(1)
    assert town.host("h1").is_settled
    assert town.host("h2").is_settled
    check(town)
    assert reached(town, "m1/eth0") == [one for one in ALL if one != "m1/eth0"]


def test_two_that_have_agreed_are_quiet_until_the_next_keep_alive(town: Town) -> None:
    town.run(1)
    before = town.sent
    town.run(10)
    rounds = 10 / (10e-6 * 2 ** FAST["rka"])
    assert (town.sent - before) / rounds < 20, "three cables, a PDU, its answer and two acks each"
    check(town)
