# SPDX-License-Identifier: Apache-2.0
"""Hosts and bridges that agree: their agents write the tables, and the reference engines carry frames by them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.lab.town import DELAY_S, ideal
from openfex.model.layout import Binding, Layout
from openfex.model.reader import read_documents
from openfex.model.values import BROADCAST, ChannelKind, port_number
from openfex.plan.layout import lay_out
from openfex.proof.bed import frame
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.rules.tables import BridgeTables
from openfex.testing.fabric import Spot
from openfex.testing.signalling import Town

FAST = (8, 12, 14)
"""RTE, RWD, RKA: a keep-alive every 164 ms; expiry after 0.27 s."""
SLOWER = (11, 17, 17)
"""A keep-alive every 1.3 s; expiry after 2.2 s."""
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
spec: {{vlan: {{trunk: {{native: 10, allowed: [10, 20]}}}}}}
---
kind: profile
name: judged
spec: {{vlan: {{access: 10}}, rate: {{{way}: 1Gbit}}}}
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


def text_of(kind: ChannelKind) -> str:
    way = "in" if kind is ChannelKind.VEPA else "out"  # by which no profile may judge what leaves
    return TEXT.format(kind=kind.value, way=way)


def layout_of(kind: ChannelKind) -> Layout:
    return lay_out(read_documents(text_of(kind)))


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


def tables_of(town: Town) -> dict[str, object]:
    """The tables of every node, the very objects."""
    hosts = {name: one.tables for name, one in town.fabric.hosts.items()}
    return {**hosts, **{name: one.tables for name, one in town.fabric.bridges.items()}}


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
    rounds = 10 / (10e-6 * 2 ** FAST[2])
    assert (town.sent - before) / rounds < 20, "three cables, a PDU, its answer and two acks each"
    check(town)


# NICs come and go.


def test_a_nic_that_is_bound_comes_up_and_one_that_is_not_any_more_goes_down(town: Town) -> None:
    town.run(1)
    nics = [one for one in town.layout.bindings if one.uplink.host == "h2"]
    spare = next(one for one in nics if one.name == "m4/eth0")
    town.bind("h2", [one for one in nics if one is not spare])
    town.run(1)
    assert town.host("h2").is_settled
    assert reached(town, "m1/eth0") == [one for one in ALL if one not in {"m1/eth0", "m4/eth0"}]
    assert not town.fabric.bridges["sw-a"].tables.ports[spare.bridge_port].up
    town.bind("h2", nics)
    town.run(1)
    assert town.host("h2").is_settled
    check(town)


def test_a_nic_of_another_profile_stays_up_while_that_is_agreed_on(town: Town) -> None:
    town.run(1)
    mine = [one for one in town.layout.bindings if one.uplink.host == "h2"]
    trunk = next(one.profile for one in town.layout.bindings if one.name == "m2/eth0")
    changed = replace(binding(town, "m4/eth0"), profile=trunk)
    before = town.fabric.hosts["h2"].tables
    town.bind("h2", [changed if one.name == changed.name else one for one in mine])
    town.run(1)
    assert town.fabric.bridges["sw-a"].tables.ports[changed.bridge_port].profile == trunk.number
    after = town.fabric.hosts["h2"].tables
    assert [one.up for one in after.functions.values()] == [one.up for one in before.functions.values()], "never down"
    assert "de-associated" not in [*town.events("h2"), *town.events("sw-a")]


@pytest.mark.parametrize("pause", [0.0, 0.0015, 0.003, 0.01])
def test_a_nic_that_is_let_go_before_it_is_up_does_not_come_up_and_may_come_back(town: Town, pause: float) -> None:
    town.run(1)
    nics = [one for one in town.layout.bindings if one.uplink.host == "h2"]
    for _ in range(3):
        town.bind("h2", nics[:-1])
        town.run(pause)
        town.bind("h2", nics)
        town.run(pause)
    town.bind("h2", nics[:-1])
    town.run(5)
    assert town.host("h2").is_settled
    assert not town.fabric.bridges["sw-a"].tables.ports[nics[-1].bridge_port].up
    town.bind("h2", nics)
    town.run(5)
    check(town)


# P5: an agent may die at any moment; what it wrote goes on, and another one takes up from there.


@pytest.mark.parametrize("name", ["h1", "h2", "sw-a"])
def test_p5_an_agent_that_is_killed_and_restarted_rebuilds_nothing(town: Town, name: str) -> None:
    town.run(1)
    before = tables_of(town)
    town.kill(name)
    town.run(0.1)
    town.restart(name)
    town.run(5)
    check(town)
    written = [event for event in town.events(name) if event in {"lost", "refused", "expired", "de-associated"}]
    assert written == []
    for node, found in tables_of(town).items():
        assert found is before[node], "nobody has written anything"


def test_p5_a_bridge_whose_agent_is_dead_expires_nothing_and_gives_everybody_time_when_it_is_back(town: Town) -> None:
    town.run(1)
    tables = town.fabric.bridges["sw-a"].tables
    town.kill("sw-a")
    town.run(60)
    assert town.fabric.bridges["sw-a"].tables is tables
    assert reached(town, "m1/eth0") == [one for one in ALL if one != "m1/eth0"], "and its hosts take nothing down"
    town.restart("sw-a")
    town.run(5)
    check(town)
    assert "expired" not in town.events("sw-a")


@pytest.mark.parametrize("ms", range(1, 9))
def test_p5_a_bridge_that_died_before_it_remembered_anything_is_told_all(town: Town, ms: int) -> None:
    town.run(ms / 1000)
    town.kill("sw-a")
    town.restart("sw-a")
    town.run(5)
    check(town)


def test_p5_all_agents_at_once(town: Town) -> None:
    town.run(1)
    for name in [*town.agents]:
        town.kill(name)
    town.run(1)
    assert reached(town, "m1/eth0") == [one for one in ALL if one != "m1/eth0"]
    town.start()
    town.run(5)
    check(town)


# P3: no profile, no traffic.


@pytest.mark.parametrize("kind", ChannelKind)
def test_p3_a_silent_host_is_not_waited_for_until_it_has_its_new_lists(kind: ChannelKind) -> None:
    more = "---\nkind: machine\nname: m5\nspec: {host: h2, nics: {eth0: {profile: web}, eth1: {profile: web}}}\n"
    town = Town(lay_out(read_documents(text_of(kind) + more)), SLOWER)
    town.start()
    while not town.is_settled:
        town.run(0.001)
    town.kill("h2")  # its VSIs have been up for different times, and go one after the other
    town.run(10)
    assert town.events("sw-a").count("expired") == 5
    assert "host-late" not in town.events("sw-a")


def test_p3_veths_of_a_silent_host_go_down_after_its_keep_alive_time(town: Town) -> None:
    town.run(1)
    town.kill("h2")
    silent_from = town.now
    town.run(5)
    expired = [at for at, who, log in town.logs if who == "sw-a" and log.event == "expired"]
    assert len(expired) == 3
    expiry = 1.5 * (7 * 10e-6 * 2 ** FAST[0] + 10e-6 * 2 ** FAST[2])
    assert all(silent_from < at <= silent_from + expiry + 0.001 for at in expired)
    bridge = town.fabric.bridges["sw-a"].tables
    assert not any(bridge.ports[binding(town, name).bridge_port].up for name in ("m3/eth0", "m3/eth1", "m4/eth0"))
    assert reached(town, "m1/eth0") == ["m2/eth0"]
    town.restart("h2")
    town.run(5)
    check(town)


def test_p3_a_carved_function_is_a_port_that_is_down(town: Town) -> None:
    town.run(1)
    ports = town.fabric.bridges["sw-a"].tables.ports
    link = binding(town, "m1/eth0").uplink.bridge_link
    carved = [port_number(link, function.channel) for function in town.layout.host("h1").functions]
    assert [ports[number].up for number in carved] == [True, False, True, False]
    assert [ports[number].profile > 0 for number in carved] == [True, False, True, False]


# P2 and P7: whose a VSI is.


def test_p7_a_vsi_that_moves_with_a_higher_generation_is_taken_from_its_old_host(town: Town) -> None:
    town.run(1)
    moving = binding(town, "m1/eth0")
    there = town.layout.host("h2")
    moved = replace(moving, function=there.functions[5], uplink=there.uplinks[0], generation=2)
    h2 = [one for one in town.layout.bindings if one.uplink.host == "h2"]
    town.restart_host("h2", [*h2, moved])
    town.run(5)
    ports = town.fabric.bridges["sw-a"].tables.ports
    assert ports[moved.bridge_port].mac == moving.mac
    assert not ports[moving.bridge_port].up
    assert town.host("h2").is_settled
    assert not town.fabric.hosts["h1"].tables.functions[moving.host_port].up


def test_p7_a_vsi_of_an_older_generation_takes_nothing(town: Town) -> None:
    town.run(1)
    moving = binding(town, "m1/eth0")
    there = town.layout.host("h2")
    late = replace(moving, function=there.functions[5], uplink=there.uplinks[0], generation=1)
    h2 = [one for one in town.layout.bindings if one.uplink.host == "h2"]
    town.restart_host("h2", [*h2, late])
    town.run(5)
    check(town)
    assert {log.code for _, who, log in town.logs if who == "sw-a" and log.event == "refused"} == {"vsi-elsewhere"}


def test_p2_a_station_cannot_have_another_s_mac(town: Town) -> None:
    thief = replace(binding(town, "m4/eth0"), mac=binding(town, "m1/eth0").mac)
    others = [one for one in town.layout.bindings if one.uplink.host == "h2" and one.name != "m4/eth0"]
    town.run(1)
    town.restart_host("h2", [*others, thief])
    town.run(5)
    refused = {log.code for _, who, log in town.logs if who == "sw-a" and log.event == "refused"}
    assert refused == {"mac-taken"}
    assert town.fabric.bridges["sw-a"].tables.veths[thief.mac] == binding(town, "m1/eth0").bridge_port
    assert not town.host("h2").is_settled


@pytest.mark.parametrize("lost", range(4))
def test_ports_come_up_over_a_bad_cable(town: Town, lost: int) -> None:
    """Every fourth frame is lost, or comes twice."""
    count = iter(range(10**9))
    town.fate = lambda *_: () if (turn := next(count)) % 4 == lost else (DELAY_S,) * (1 + turn % 3 // 2)
    town.run(20)
    town.fate = ideal
    town.run(20)
    check(town)


def test_a_host_that_never_says_it_has_its_lists_is_not_waited_for(town: Town) -> None:
    town.run(1)
    town.kill("h1")
    town.restart_host("h2", [one for one in town.layout.bindings if one.uplink.host == "h2"][:1])
    town.run(5)
    assert not town.fabric.bridges["sw-a"].tables.ports[binding(town, "m4/eth0").bridge_port].up
