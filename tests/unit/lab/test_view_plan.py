# SPDX-License-Identifier: Apache-2.0
"""Plans, reports and status as rows and lines."""

from __future__ import annotations

from openfex.lab.view.plan import counts, down_line, operation_rows, report_line, report_view, status_rows
from openfex.model.place import Place
from openfex.plan.difference import Operation
from openfex.plan.objects import (
    FunctionKey,
    FunctionSpec,
    NodeKey,
    NodeSpec,
    SpaceKey,
    SpaceSpec,
    TablesKey,
    TablesSpec,
    WireKey,
)
from openfex.rules.tables import ExtenderTables, Function
from tests.unit.lab.sights import BRIDGE, HOST, small_layout

FUNCTION = FunctionSpec("f0p0", "veth", Place(HOST, "f0v0"), 1500)
MAKE_SPACE = Operation(SpaceKey("fex_small_machine_vm1"), None, SpaceSpec(False))
REMOVE_SPACE = Operation(SpaceKey("fex_small_machine_old"), SpaceSpec(False), None)
MAKE_WIRES = [Operation(WireKey(name), None, None) for name in ("h1.a", "sw-a/up0")]


def change_function() -> Operation:
    """A function that moves and grows."""
    new = FunctionSpec("f0p0", "veth", Place("fex_small_machine_vm1", "eth0"), 9000)
    return Operation(FunctionKey(HOST, "nic0/0"), FUNCTION, new)


def test_operations_are_numbered_in_order_and_changes_say_what_differs() -> None:
    rows = operation_rows([MAKE_SPACE, change_function()])
    assert rows[0] == {"step": 1, "verb": "make", "what": "name space fex_small_machine_vm1", "difference": []}
    assert rows[1]["difference"] == [
        f"place: {HOST}:f0v0 to fex_small_machine_vm1:eth0",
        "mtu: 1500 to 9000",
    ]


def test_long_tables_and_sets_are_told_by_number() -> None:
    old = ExtenderTables(functions={1: Function(False), 2: Function(False), 3: Function(False)})
    new = ExtenderTables(functions={1: Function(True), 2: Function(False), 4: Function(True), 5: Function(True)})
    tables = Operation(TablesKey(False, HOST), TablesSpec(old), TablesSpec(new))
    devices = [NodeSpec("bridge", "b", 4096, frozenset(one)) for one in ({(1, "x")}, {(1, "y"), (2, "z")})]
    node = Operation(NodeKey(BRIDGE), devices[0], devices[1])
    rows = operation_rows([tables, node])
    assert rows[0]["difference"] == ["functions: 2 new, 1 changed, 1 gone"]
    assert rows[1]["difference"] == ["devices: 2 new, 1 gone"]


def test_a_report_counts_what_was_done() -> None:
    operations = [MAKE_SPACE, change_function(), REMOVE_SPACE, *MAKE_WIRES]
    assert counts(operations) == {"made": 3, "changed": 1, "removed": 1}
    assert report_line("small", operations, ["h1"], 1.234) == "lab small is up: 3 made, 1 changed, 1 removed (1.23 s)"
    assert report_line("small", [], [], 0.1) == "lab small is as wanted: nothing to do (0.10 s)"
    assert report_line("small", [], ["h1", "sw-a"], 0.1) == "lab small is up: agents of h1, sw-a started (0.10 s)"
    view = report_view("small", operations, ["h1"], 1.2345)
    assert view.items() >= {"lab": "small", "made": 3, "agents": ["h1"], "duration_s": 1.234}.items()


def test_taking_down_says_what_is_gone() -> None:
    assert down_line("small", [], 0.0) == "nothing is left of lab small: nothing to do"
    assert "1 name spaces" in down_line("small", ["name space x", "pins x"], 0.5)


def test_status_of_a_lab_that_is_as_wanted() -> None:
    rows = status_rows(small_layout(), [])
    assert [(row["kind"], row["name"], row["state"]) for row in rows] == [
        ("host", "h1", "up"),
        ("bridge", "sw-a", "up"),
        ("bridge", "sw-b", "up"),
        ("machine", "vm1", "up"),
        ("network", "outside", "up"),
    ]


def test_status_says_whose_agents_do_not_run() -> None:
    rows = status_rows(small_layout(), [], ["h1", "sw-b", "vm1"])
    missing = {row["name"]: row["missing"] for row in rows if row["state"] != "up"}
    assert missing == {"h1": ["start agent of h1"], "sw-b": ["start agent of sw-b"]}


def test_status_says_by_node_what_is_missing() -> None:
    rows = status_rows(small_layout(), [MAKE_SPACE, change_function(), REMOVE_SPACE, *MAKE_WIRES])
    missing = {row["name"]: row["missing"] for row in rows if row["state"] != "up"}
    assert missing == {
        "h1": ["change function nic0/0", "make wire h1.a"],
        "sw-a": ["make wire sw-a/up0"],
        "vm1": ["make name space fex_small_machine_vm1"],
        "old": ["remove name space fex_small_machine_old"],
    }
