# SPDX-License-Identifier: Apache-2.0
"""The tables of `show` other than ports and paths."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from openfex.datapath.abi import ANY_PORT
from openfex.errors import NotFoundError
from openfex.lab.view.inventory import (
    adapter_rows,
    binding_of,
    binding_rows,
    catalogue_rows,
    drop_rows,
    function_rows,
    host_rows,
    machine_rows,
    node_rows,
    profile_rows,
    space_of,
)
from openfex.lab.view.sight import NodeSight, Said, node_of
from openfex.model.counters import PortCounters, Totals
from openfex.model.drops import DropReason
from openfex.model.layout import Guest
from openfex.model.values import Mac, port_number
from openfex.rules.tables import Function, Station
from openfex.wire.control import FunctionEntry, Reason, VethEntry
from tests.unit.lab.sights import (
    BRIDGE,
    HOST,
    by_name,
    extender_tables,
    small_layout,
    small_sight,
    with_node,
)


def test_the_catalogue_has_the_limits() -> None:
    limits = {row["model"]: row["limit"] for row in catalogue_rows()}
    assert limits["vic-m81kr"] == 128
    assert limits["82576"] == 7


def test_an_adapter_is_counted_as_the_kernel_has_it() -> None:
    (row,) = adapter_rows(small_sight())
    assert row.items() >= {"name": "nic0", "limit": 8, "nic": 4, "storage": 2, "bound": 2}.items()
    (bare,) = adapter_rows(replace(small_sight(), links={}, nodes={}))
    assert (bare["nic"], bare["bound"]) == (0, 0)


def test_functions_say_who_has_them_and_where_they_are() -> None:
    rows = by_name(function_rows(small_sight()))
    bound = {"state": "bound", "nic": "vm1/eth0", "mac": "52:54:00:00:00:01", "where": "vm1:eth0", "channel": 1}
    assert rows["nic0/0"].items() >= bound.items()
    assert rows["nic0/1"]["where"] == "h1:data0"
    assert rows["nic0/2"].items() >= {"state": "free", "nic": None, "mac": None, "where": "h1:f0v2", "note": ""}.items()
    assert rows["nic0/4"].items() >= {"purpose": "storage", "state": "free", "where": None, "note": ""}.items()


def test_a_function_that_the_kernel_keeps_down_is_free_whatever_the_documents_say() -> None:
    sight = small_sight()
    extender_tables(sight).functions[port_number(1, 1)] = Function(False)
    row = by_name(function_rows(sight))["nic0/0"]
    assert (row["state"], row["note"]) == ("free", "the documents bind it to vm1/eth0")
    said = Said(FunctionEntry("nic0/0", vsi=UUID(int=1)), VethEntry(1, reason=Reason.REFUSED))
    row = by_name(function_rows(replace(sight, said={("sw-a", port_number(16, 1)): said})))["nic0/0"]
    assert row["note"] == "the documents bind it to vm1/eth0; its vEth is down: refused"


def test_a_function_that_is_gone_is_not_carved() -> None:
    row = by_name(function_rows(replace(small_sight(), links={})))["nic0/2"]
    assert (row["where"], row["note"]) == (None, "not carved")


def test_without_a_datapath_nothing_is_known_of_a_function_s_state() -> None:
    rows = by_name(function_rows(with_node(small_sight(), HOST, NodeSight())))
    assert rows["nic0/2"]["state"] == "unknown"


def test_profiles_say_how_many_ports_have_them() -> None:
    rows = by_name(profile_rows(small_layout()))
    assert rows["web"].items() >= {"mode": "access", "vlan": 10, "trunk": None, "ports": 1}.items()
    assert rows["router"].items() >= {"mode": "trunk", "vlan": 10, "trunk": "10,20-22", "ports": 1}.items()


def test_hosts_and_machines() -> None:
    (host,) = host_rows(small_sight())
    wanted = {"name": "h1", "channel": "etag", "datapath": "loaded", "functions": 6, "bound": 2}
    assert host.items() >= wanted.items()
    assert host["uplinks"] == ["a: up-a to sw-a", "b: up-b to sw-b"]
    rows = by_name(machine_rows(small_sight()))
    assert rows["vm1"].items() >= {"namespace": "fex_small_machine_vm1", "state": "there", "type": "namespace"}.items()
    assert rows["vm1"]["nics"] == ["eth0 52:54:00:00:00:01 10.0.10.1/24"]
    assert rows["local"].items() >= {"namespace": HOST, "type": "host"}.items()
    assert by_name(machine_rows(replace(small_sight(), links={})))["vm1"]["state"] == "missing"


def test_a_virtual_machine_is_what_qemu_says_of_it() -> None:
    sight = small_sight()
    machines = [replace(one, guest=Guest(192, 1)) if one.name == "local" else one for one in sight.layout.machines]
    sight = replace(sight, layout=replace(sight.layout, machines=tuple(machines)))
    row = by_name(machine_rows(sight))["local"]
    assert (row["type"], row["namespace"], row["state"]) == ("qemu", HOST, "missing")
    assert by_name(machine_rows(replace(sight, guests={"local": "paused"})))["local"]["state"] == "paused"


def test_a_binding_is_up_when_both_ends_are() -> None:
    sight = small_sight()
    row = by_name(binding_rows(sight))["vm1/eth0"]
    wanted = {"function": "nic0/0", "port": "sw-a/veth1.1", "fabric": "a", "state": "up", "generation": 1}
    assert row.items() >= wanted.items()
    extender_tables(sight).functions[port_number(1, 1)] = Function(False)
    assert by_name(binding_rows(sight))["vm1/eth0"]["state"] == "down"


def test_drops_are_told_by_node_port_and_reason_the_most_first() -> None:
    sight = small_sight()
    sight = with_node(sight, BRIDGE, NodeSight(drops={(port_number(16, 1), DropReason.BPDU): 2}))
    at_host = {
        (port_number(1, 3), DropReason.PORT_DOWN): 4,
        (port_number(2, 3), DropReason.PORT_DOWN): 1,
        (port_number(1), DropReason.NOT_IN_CHANNEL): 9,
        (ANY_PORT, DropReason.TRUNCATED): 1,
    }
    rows = drop_rows(with_node(sight, HOST, NodeSight(drops=at_host)))
    told = [(row["node"], row["port"], row["reason"], row["frames"]) for row in rows]
    assert told == [
        ("h1", "h1/up-a", "not-in-channel", 9),
        ("h1", "nic0/2", "port-down", 5),
        ("sw-a", "sw-a/veth1.1", "bpdu", 2),
        ("h1", "(not told apart)", "truncated", 1),
    ]
    assert "no profile, no traffic" in str(rows[1]["meaning"])


def test_a_node_counts_in_and_replicated_as_out_and_drops() -> None:
    heard = {(Mac(bytes((2, 0, 0, 0, 0, last))), 10): Station(port_number(1), 0) for last in range(5)}
    counters = {port_number(1): PortCounters(5, 0, 0, 500), port_number(16): PortCounters(1, 0, 0, 60, 6, 0, 0, 360)}
    node = NodeSight(
        counters=counters, drops={(port_number(1), DropReason.BPDU): 2}, totals=Totals(2, 7, 1, 3, 4), stations=heard
    )
    rows = by_name(node_rows(with_node(small_sight(), BRIDGE, node)))
    assert list(rows) == ["h1", "sw-a", "sw-b"]
    counted = {"kind": "bridge", "in_frames": 6, "replicated": 2, "out_frames": 6, "drops": 2}
    assert rows["sw-a"].items() >= counted.items()
    learnt = {"stations": 5, "learnt": 7, "moved": 1, "aged": 3, "not_learnt": 4}
    assert rows["sw-a"].items() >= learnt.items()
    assert rows["h1"].items() >= {"kind": "host", "in_frames": 0, "stations": None, "learnt": None}.items()


def test_watched_drops_say_what_is_new() -> None:
    number = port_number(16, 1)
    before = with_node(small_sight(), BRIDGE, NodeSight(drops={(number, DropReason.BPDU): 2}))
    after = with_node(before, BRIDGE, NodeSight(drops={(number, DropReason.BPDU): 5}))
    assert [row["new"] for row in drop_rows(after, before)] == [3]


def test_a_command_runs_where_the_machine_lives() -> None:
    layout = small_layout()
    assert space_of(layout, "vm1") == "fex_small_machine_vm1"
    assert space_of(layout, "local") == HOST
    assert space_of(layout, "h1") == HOST
    assert space_of(layout, "sw-a") == BRIDGE
    with pytest.raises(NotFoundError, match="vm1, local") as caught:
        space_of(layout, "vm9")
    assert caught.value.code == "no-such-machine"


def test_a_nic_is_named_by_machine_and_name() -> None:
    assert binding_of(small_layout(), "local/data0").function.name == "nic0/1"
    with pytest.raises(NotFoundError, match="vm1/eth0, local/data0"):
        binding_of(small_layout(), "vm1")


def test_a_node_is_known_by_its_name_space() -> None:
    layout = small_layout()
    assert node_of(layout, HOST) == ("host", "h1")
    assert node_of(layout, "fex_small_network_outside") == ("network", "outside")
    assert node_of(layout, "elsewhere") == ("", "elsewhere")
