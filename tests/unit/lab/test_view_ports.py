# SPDX-License-Identifier: Apache-2.0
"""`show ports`: what the tables say, and what the documents would have."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from openfex.lab.view.ports import port_rows, vlan_text
from openfex.lab.view.sight import NodeSight, Said
from openfex.model.counters import PortCounters
from openfex.model.drops import DropReason
from openfex.model.values import Mac, port_number
from openfex.rules.tables import Port, Terms
from openfex.wire.control import FunctionEntry, Reason, VethEntry
from tests.unit.lab.sights import BRIDGE, HOST, bridge_tables, by_name, small_sight, with_node

VM1 = port_number(16, 1)


def test_there_is_a_row_a_function_and_a_network_port_on_every_bridge() -> None:
    names = [row["name"] for row in port_rows(small_sight())]
    assert names == [f"{bridge}/{port}" for bridge in ("sw-a", "sw-b") for port in ("up0", *VETHS)]


VETHS = [f"veth1.{channel}" for channel in range(1, 7)]


def test_a_bound_port_says_what_its_row_says() -> None:
    row = by_name(port_rows(small_sight()))["sw-a/veth1.1"]
    wanted = {"channel": 1, "kind": "etag", "host": "h1", "function": "nic0/0", "nic": "vm1/eth0", "state": "up"}
    wanted |= {"profile": "web", "vlan": 10, "trunk": None, "mac": "52:54:00:00:00:01", "pin": "sw-a/up0", "note": ""}
    assert row.items() >= wanted.items()


def test_a_trunk_says_what_it_allows() -> None:
    row = by_name(port_rows(small_sight()))["sw-a/veth1.2"]
    assert (row["profile"], row["vlan"], row["trunk"]) == ("router", 10, "10,20-22")


def test_an_unbound_port_is_down_without_a_profile() -> None:
    row = by_name(port_rows(small_sight()))["sw-a/veth1.3"]
    wanted = {"state": "down, no profile", "profile": None, "vlan": None, "mac": None, "pin": None, "nic": None}
    assert row.items() >= wanted.items()


def test_a_storage_function_has_a_port_that_is_down() -> None:
    row = by_name(port_rows(small_sight()))["sw-a/veth1.5"]
    assert (row["function"], row["state"]) == ("nic0/4", "down, no profile")


def test_the_other_fabric_keeps_the_function_down() -> None:
    assert by_name(port_rows(small_sight()))["sw-b/veth1.1"]["state"] == "down, no profile"


def test_a_network_port_says_its_profile() -> None:
    row = by_name(port_rows(small_sight()))["sw-a/up0"]
    assert row.items() >= {"kind": "network", "profile": "open-trunk", "trunk": "1-4094", "channel": None}.items()


def test_counters_and_drops_are_those_of_the_port() -> None:
    sight = small_sight()
    node = replace(
        sight.nodes[BRIDGE],
        counters={VM1: PortCounters(3, 4, 5, 300, 2, 1, 6, 200)},
        drops={(VM1, DropReason.BPDU): 1, (VM1, DropReason.SPOOFED_SOURCE): 4, (VM1 + 1, DropReason.BPDU): 9},
    )
    row = by_name(port_rows(with_node(sight, BRIDGE, node)))["sw-a/veth1.1"]
    counted = {"in_frames": 12, "in_octets": 300, "out_frames": 9, "out_octets": 200, "drops": 5}
    counted |= {"in_unicast": 3, "in_multicast": 4, "in_broadcast": 5}
    counted |= {"out_unicast": 2, "out_multicast": 1, "out_broadcast": 6}
    assert row.items() >= counted.items()


def test_what_the_host_has_delivered_is_told_beside_what_the_bridge_sent() -> None:
    sight = small_sight()
    node = replace(sight.nodes[HOST], counters={port_number(1, 1): PortCounters(out_unicast=9, out_octets=900)})
    rows = by_name(port_rows(with_node(sight, HOST, node)))
    told = {
        name: rows[name]["delivered_frames"] for name in ("sw-a/veth1.1", "sw-a/veth1.2", "sw-b/veth1.1", "sw-a/up0")
    }
    assert told == {"sw-a/veth1.1": 9, "sw-a/veth1.2": 0, "sw-b/veth1.1": 0, "sw-a/up0": None}


def test_a_nic_that_is_down_is_noted_at_its_port() -> None:
    sight = small_sight()
    machine = "fex_small_machine_vm1"
    down = [replace(link, up=False) for link in sight.links[machine]]
    rows = by_name(port_rows(replace(sight, links={**sight.links, machine: down})))
    assert rows["sw-a/veth1.1"]["note"] == "its NIC is down: what is sent to it is lost"
    assert rows["sw-a/veth1.2"]["note"] == rows["sw-b/veth1.1"]["note"] == ""


def test_what_its_host_says_of_its_link_is_noted_at_a_port_that_is_up() -> None:
    bound, gone = UUID(int=1), port_number(16, 2)
    said = {
        ("sw-a", VM1): Said(FunctionEntry("nic0/0", True, bound), VethEntry(1, True)),
        ("sw-a", gone): Said(FunctionEntry("nic0/1", False, bound), VethEntry(2, True)),
        ("sw-a", port_number(16, 3)): Said(FunctionEntry("nic0/2"), VethEntry(3, reason=Reason.NO_ASSOCIATION)),
        ("sw-b", VM1): Said(FunctionEntry("nic0/0", False, bound), VethEntry(1)),
    }
    rows = by_name(port_rows(replace(small_sight(), said=said)))
    noted = {name: row["note"] for name, row in rows.items() if row["note"]}
    assert noted == {"sw-a/veth1.2": "no link at its host"}


def test_where_the_tables_differ_the_row_says_what_they_say() -> None:
    sight = small_sight()
    bridge_tables(sight).profiles[99] = Terms(66)
    bridge_tables(sight).ports[VM1] = Port(up=True, profile=99, mac=Mac.parse("52:54:00:00:00:77"))
    row = by_name(port_rows(sight))["sw-a/veth1.1"]
    wanted = {"state": "up", "profile": None, "vlan": 66, "mac": "52:54:00:00:00:77", "pin": None}
    assert row.items() >= wanted.items()
    assert row["note"] == "the documents say: up, VLAN 10, 52:54:00:00:00:01"


def test_a_bound_port_that_is_down_in_the_tables_is_down() -> None:
    sight = small_sight()
    bridge_tables(sight).ports[VM1] = Port()
    assert by_name(port_rows(sight))["sw-a/veth1.1"]["state"] == "down, no profile"


def test_a_port_that_is_down_with_its_row_kept_is_just_down() -> None:
    sight = small_sight()
    ports = bridge_tables(sight).ports
    ports[VM1] = replace(ports[VM1], up=False)
    assert by_name(port_rows(sight))["sw-a/veth1.1"]["state"] == "down"


def test_ports_that_only_one_side_knows_are_shown() -> None:
    sight = small_sight()
    ports = bridge_tables(sight).ports
    del ports[VM1]
    ports[port_number(16, 300)] = Port()
    rows = by_name(port_rows(sight))
    assert rows["sw-a/veth1.1"]["state"] == "missing"
    assert rows["sw-a/veth1.300"]["note"] == "the documents say: no such port"


def test_a_port_whose_cable_is_not_in_the_tables_says_so() -> None:
    sight = small_sight()
    del bridge_tables(sight).links[16]
    assert by_name(port_rows(sight))["sw-a/veth1.1"]["note"] == "its link is not in the tables"


def test_without_a_datapath_every_port_says_so() -> None:
    rows = by_name(port_rows(with_node(small_sight(), BRIDGE, NodeSight())))
    assert {rows[f"sw-a/{name}"]["state"] for name in ("up0", *VETHS)} == {"no datapath"}


def test_vlans_are_written_as_people_write_them() -> None:
    assert vlan_text(10, None) == "10"
    assert vlan_text(0, frozenset({1, 2, 3})) == "1-3"
    assert vlan_text(2, frozenset({1, 2, 3})) == "1-3 (native 2)"
