# SPDX-License-Identifier: Apache-2.0
"""A bridge's agent beside stations that are in a hurry, late, hostile, or restarted."""

from __future__ import annotations

import pytest

from openfex.model.layout import Layout
from openfex.model.reader import read_documents
from openfex.model.values import port_number
from openfex.plan.layout import lay_out
from openfex.wire.vdp import Command
from openfex.wire.vsi import Vsiid
from tests.unit.bridge.rig import Rig, function, host, mac, uuid, vsi

TEXT = """
kind: network
name: lab
spec: {bridges: {sw: {ports: {up0: {profile: all}, up1: {profile: all}, up2: {profile: all}, up3: {profile: all}}}}}
---
kind: profile
name: web
spec: {vlan: {access: 10}}
---
kind: profile
name: other
spec: {vlan: {access: 11}}
---
kind: profile
name: all
spec: {vlan: {trunk: {allowed: [1-4094]}}}
---
kind: profile
name: router
spec: {vlan: {access: 10}, source: {macs: ["02:00:00:00:00:01"]}}
---
kind: host
name: h1
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
---
kind: host
name: h2
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
"""


@pytest.fixture(scope="module")
def layout() -> Layout:
    return lay_out(read_documents(TEXT))


@pytest.fixture
def rig(layout: Layout) -> Rig:
    made = Rig(layout)
    made.begin(*made.links)
    return made


def test_p3_what_is_refused_while_it_is_being_granted_is_not_up(rig: Rig) -> None:
    """The station asks for something else before the tables are written: the first answer is to nobody's question."""
    one = rig.links[0]
    rig.tell(one, {**host(), **function(1, bound=1)})
    rig.holds = True
    rig.ask(one, vsi(1, 1))
    rig.ask(one, vsi(1, 1, "no such profile"))
    rig.holds = False
    rig.finish()
    rig.run(5)
    assert (rig.up(), rig.codes()) == ({}, {"unknown-vsi-type"})
    assert rig.agent.ends[one].vdp.associations == {}
    assert [len(station.held) for station in rig.memory.values()] == [0, 0]


def test_p7_one_vsi_that_two_ask_for_at_once_is_one_s_and_after_a_restart_too(rig: Rig, layout: Layout) -> None:
    one, other = rig.links
    rig.tell(one, {**host(), **function(1, bound=1, generation=1), **function(2, bound=5)})
    rig.tell(other, {**host("g"), **function(1, bound=1, generation=2)})
    rig.holds = True
    rig.ask(one, vsi(5, 5))  # so that both of the next wait for the same change
    rig.ask(one, vsi(1, 1))
    rig.ask(other, vsi(1, 1))
    rig.holds = False
    rig.finish()
    rig.run(5)
    assert rig.up() == {port_number(one, 2): mac(5), port_number(other, 1): mac(1)}
    again = Rig(layout, memory=rig.memory, tables=rig.tables)
    again.begin()
    assert {link: len(station.held) for link, station in again.agent.stations.items()} == {one: 1, other: 1}
    assert again.writes == 0


def test_p7_a_lower_generation_takes_nothing_while_the_owner_tells_anew(rig: Rig) -> None:
    one, other = rig.links
    rig.tell(one, {**host(), **function(1, bound=1, generation=5)})
    rig.ask(one, vsi(1, 1))
    rig.run(1)
    rig.agent.ends[one].mirror._listener.is_synced = False  # between two PDUs of a table that is told anew
    rig.agent.stations[one].functions.clear()
    rig.agent.stations[one].bound.clear()
    rig.tell(other, {**host("g"), **function(1, bound=1, generation=4)})
    rig.ask(other, vsi(1, 1))
    rig.run(1)
    assert "vsi-elsewhere" in rig.codes()
    assert port_number(other, 1) not in rig.up()


def test_p8_a_vsi_is_not_taken_from_its_host_before_it_is_associated_elsewhere(rig: Rig) -> None:
    one, other = rig.links
    rig.tell(one, {**host(), **function(1, bound=1, generation=1)})
    rig.ask(one, vsi(1, 1))
    rig.tell(other, {**host("g"), **function(1, bound=1, generation=2)})
    rig.ask(other, vsi(1, 1), Command.PRE_ASSOCIATE_RR)
    rig.run(1)
    assert rig.up() == {port_number(one, 1): mac(1)}
    rig.ask(other, vsi(1, 1))
    rig.run(1)
    assert rig.up() == {port_number(other, 1): mac(1)}


def test_p2_a_profile_s_addresses_take_no_other_station_s(rig: Rig) -> None:
    one, other = rig.links
    rig.tell(one, {**host(), **function(1, bound=1)})
    rig.ask(one, vsi(1, 1))
    rig.tell(other, {**host("g"), **function(1, bound=2)})
    rig.ask(other, vsi(2, 2, "router"))
    rig.run(1)
    assert rig.codes() == {"mac-taken"}
    assert rig.tables.veths == {mac(1): port_number(one, 1)}


def test_a_station_that_asks_for_more_lists_than_there_are_is_refused_and_others_go_on(rig: Rig) -> None:
    one, other = rig.links
    functions = [function(number, bound=number, pin=f"up{number - 1}") for number in range(1, 5)]
    rig.tell(one, {key: value for entries in (host(), *functions) for key, value in entries.items()})
    for number in range(1, 5):
        rig.ask(one, vsi(number, number, "all"))
        rig.run(3)
    assert "too-many-lists" in rig.codes()
    before = len(rig.up())
    rig.tell(other, {**host("g"), **function(1, bound=9)})
    rig.ask(other, vsi(9, 9))
    rig.run(3)
    assert (len(rig.up()), rig.up()[port_number(other, 1)]) == (before + 1, mac(9))


def test_a_vsi_that_its_host_takes_off_its_function_is_let_go(rig: Rig) -> None:
    one = rig.links[0]
    rig.tell(one, {**host(), **function(1, bound=1)})
    rig.ask(one, vsi(1, 1))
    rig.tell(one, {**host(), **function(1)})
    rig.run(1)
    assert rig.up() == {}
    assert rig.agent.ends[one].vdp.associations == {}


def test_a_write_that_fails_is_tried_again(rig: Rig) -> None:
    one = rig.links[0]
    rig.tell(one, {**host(), **function(1, bound=1)})
    rig.holds = True
    rig.ask(one, vsi(1, 1))
    before = rig.writes
    assert rig.agent.failed(rig.now) == []
    rig.run(0.5)
    assert rig.writes == before
    rig.run(1)
    assert rig.writes == before + 1
    rig.finish()
    assert rig.up() == {port_number(one, 1): mac(1)}
    assert Vsiid.uuid(uuid(1)) in rig.agent.stations[one].held


@pytest.mark.parametrize("pin", ["up9", ""])
def test_a_network_port_that_there_is_not_is_no_wish(rig: Rig, pin: str) -> None:
    one = rig.links[0]
    rig.tell(one, {**host(), **function(1, bound=1, pin=pin)})
    rig.ask(one, vsi(1, 1))
    assert rig.tables.ports[port_number(one, 1)].pin in {port_number(link) for link in range(1, 5)}


def test_what_only_has_to_be_remembered_writes_no_table(rig: Rig) -> None:
    one, _ = rig.links
    rig.tell(one, {**host(), **function(1)})
    tables, writes = rig.tables, rig.writes
    rig.tell(one, {**host(), **function(1, bound=1)})
    assert rig.writes > writes
    assert rig.tables is tables
    assert rig.memory[one].told.keys() >= function(1).keys()


def test_what_is_asked_while_tables_are_written_is_one_change(rig: Rig) -> None:
    one, _ = rig.links
    bound = [entries for number in range(1, 9) for entries in function(number, bound=number).items()]
    rig.tell(one, {**host(), **dict(bound)})
    rig.ask(one, vsi(1, 1))
    before = rig.writes
    rig.holds = True
    rig.run(1)
    rig.ask(one, vsi(2, 2))
    rig.run(0.1)
    for number in range(3, 9):
        rig.ask(one, vsi(number, number))
    rig.finish()
    rig.holds = False
    rig.run(1)
    assert len(rig.up()) == 8
    assert rig.writes - before == 2


def test_what_is_asked_before_its_function_is_told_waits_for_that(rig: Rig) -> None:
    one, _ = rig.links
    rig.tell(one, {**host(), **function(1)})
    rig.ask(one, vsi(1, 1))
    rig.run(1)
    assert rig.up() == {}
    rig.tell(one, {**host(), **function(1, bound=1)})
    rig.run(1)
    assert rig.up() == {port_number(one, 1): mac(1)}


def test_a_vsi_that_gets_another_address_leaves_its_own_to_others(rig: Rig) -> None:
    one, other = rig.links
    rig.tell(one, {**host(), **function(1, bound=1)})
    rig.tell(other, {**host("g"), **function(1, bound=2)})
    rig.ask(one, vsi(1, 1))
    rig.ask(one, vsi(1, 3))
    rig.ask(other, vsi(2, 1))
    rig.run(1)
    assert rig.up() == {port_number(one, 1): mac(3), port_number(other, 1): mac(1)}
    assert rig.codes() == set()


def test_a_list_s_id_is_no_other_list_s_while_a_host_may_have_it(rig: Rig, layout: Layout) -> None:
    """A host that has died has its lists, and delivers by them."""
    one, other = rig.links
    rig.tell(one, {**host(), **function(1, bound=1), **function(2, bound=2)})
    rig.ask(one, vsi(1, 1))
    rig.ask(one, vsi(2, 2))
    rig.run(1)
    old = {flood.list_id for flood in rig.tables.floods.values()}
    dead = rig.stations.pop(one)
    rig.run(30)
    assert rig.tables.floods == {}
    rig.tell(other, {**host("g"), **function(1, bound=3), **function(2, bound=4)})
    rig.ask(other, vsi(3, 3, "other"))
    rig.ask(other, vsi(4, 4, "other"))
    rig.run(3)
    new = {flood.list_id for flood in rig.tables.floods.values()}
    assert new
    assert not new & old
    again = Rig(layout, memory=rig.memory, tables=rig.tables)
    again.begin(other)
    assert again.agent._known_lists() >= old, "and another agent knows that, too"
    rig.stations[one] = dead
    rig.run(30)
    assert not rig.agent._known_lists() & old, "now it has dropped them"
