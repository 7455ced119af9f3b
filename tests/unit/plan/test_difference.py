# SPDX-License-Identifier: Apache-2.0
"""Plans: complete, in an order in which each step finds what it needs, and nothing that need not be done."""

from __future__ import annotations

from dataclasses import dataclass, replace

from openfex.model.place import Place
from openfex.model.values import Mac
from openfex.plan.difference import difference
from openfex.plan.objects import (
    FunctionKey,
    FunctionSpec,
    NicKey,
    NicSpec,
    NodeKey,
    NodeSpec,
    SpaceKey,
    SpaceSpec,
    State,
    TablesKey,
    TablesSpec,
    WireKey,
    WireSpec,
)

HOST, BRIDGE, VM1, VM2 = "host", "bridge", "vm1", "vm2"
WIRE = WireSpec(Place(HOST, "up-a"), Place(BRIDGE, "uplink16"), 9216)


@dataclass(frozen=True)
class Listed:
    """Tables of which others may go on asking for something."""

    ports: tuple[str | None, ...]
    lists: frozenset[int] = frozenset()

    def keeping(self, old: Listed) -> Listed:
        return replace(self, lists=self.lists | old.lists)


def _function(index: int, machine: str | None) -> State:
    pf, name = f"f0p{index}", f"n/{index}"
    place = Place(machine, "eth0") if machine else Place(HOST, f"f0v{index}")
    state: State = {FunctionKey(HOST, name): FunctionSpec(pf, "veth", place, 1500)}
    if machine:
        state[NicKey(HOST, name)] = NicSpec(pf, place, Mac.parse(f"52:54:00:00:00:0{index}"), ())
    return state


def _state(*holders: str | None) -> State:
    state: State = {SpaceKey(name): SpaceSpec(True) for name in (HOST, BRIDGE, VM1, VM2)}
    state[WireKey("h.a")] = WIRE
    for index, machine in enumerate(holders):
        state.update(_function(index, machine))
    devices = {(1 << 12 | 1 + index, f"f0p{index}") for index in range(len(holders))}
    state[NodeKey(HOST)] = NodeSpec("extender", "b", 4096, frozenset({(1 << 12, "up-a"), *devices}))
    state[NodeKey(BRIDGE)] = NodeSpec("bridge", "b", 4096, frozenset({(16 << 12, "uplink16")}))
    state[TablesKey(False, HOST)] = TablesSpec(Listed(holders))
    state[TablesKey(True, BRIDGE)] = TablesSpec(Listed(holders))
    return state


def _told(wanted: State, observed: State) -> list[str]:
    return [str(operation) for operation in difference(wanted, observed)]


def _with_xdp(state: State) -> State:
    """The same, with the wire, all functions and both ends by XDP."""
    found: State = {}
    for key, spec in state.items():
        if isinstance(spec, WireSpec | FunctionSpec):
            found[key] = replace(spec, xdp=True)
        elif isinstance(spec, NodeSpec):
            found[key] = replace(spec, xdp=frozenset(device for _, device in spec.devices))
        elif isinstance(spec, TablesSpec):
            found[key] = replace(spec, xdp=frozenset({1 << 12}))
        else:
            found[key] = spec
    return found


def test_xdp_is_there_before_the_tables_lead_to_it_and_until_they_do_no_more() -> None:
    plain = _state(VM1)
    made = ["wire h.a", "function n/0", "datapath of bridge", "datapath of host", "tables of host", "tables of bridge"]
    assert _told(_with_xdp(plain), plain) == [f"change {one}" for one in made]
    gone = [*made[4:], *made[2:4], "function n/0", "wire h.a"]
    assert _told(plain, _with_xdp(plain)) == [f"change {one}" for one in gone]


def test_lists_of_hosts_are_there_before_the_bridge_names_them_and_until_it_does_no_more() -> None:
    observed, wanted = _state(VM1), _state(VM1)
    old, new = Listed((VM1,), frozenset({1})), Listed((VM1,), frozenset({2}))
    observed[TablesKey(False, HOST)], wanted[TablesKey(False, HOST)] = TablesSpec(old), TablesSpec(new)
    wanted[TablesKey(True, BRIDGE)] = TablesSpec(Listed((VM2,)))
    operations = difference(wanted, observed)
    assert [str(one) for one in operations] == [f"change tables of {one}" for one in (HOST, BRIDGE, HOST)]
    assert [one.new for one in operations[::2]] == [TablesSpec(new.keeping(old)), TablesSpec(new)]
    wanted[TablesKey(False, HOST)] = TablesSpec(Listed((VM1,)))
    assert _told(wanted, observed) == [f"change tables of {one}" for one in (BRIDGE, HOST)]


def test_what_else_changes_with_it_does_not_wait() -> None:
    observed = _with_xdp(_state(VM1))
    wanted = _state(VM1)
    wanted[WireKey("h.a")] = replace(WIRE, mtu=1600)
    wires = [one for one in difference(wanted, observed) if isinstance(one.key, WireKey)]
    assert [(one.old, one.new, one.late) for one in wires] == [
        (replace(WIRE, xdp=True), replace(WIRE, mtu=1600, xdp=True), False),
        (replace(WIRE, mtu=1600, xdp=True), replace(WIRE, mtu=1600), True),
    ]


def test_nothing_is_to_be_done_where_all_is_as_wanted() -> None:
    assert _told(_state(VM1, None), _state(VM1, None)) == []


def test_a_fresh_lab_raises_its_nics_last_and_tells_hosts_before_bridges() -> None:
    assert [text.split(" of ")[0].split()[1] for text in _told(_state(VM1), {})] == [
        *["name"] * 4,
        *["wire", "function", "datapath", "datapath", "tables", "tables", "NIC"],
    ]
    told = _told(_state(VM1), {})
    assert told.index("make tables of host") < told.index("make tables of bridge")


def test_unbinding_lowers_the_nic_first() -> None:
    assert _told(_state(None), _state(VM1)) == [
        "remove NIC on function n/0",
        "change function n/0",
        "change tables of host",
        "change tables of bridge",
    ]


def test_two_that_change_places_go_home_first() -> None:
    operations = difference(_state(VM2, VM1), _state(VM1, VM2))
    steps = [(one.key, one.new.place) for one in operations if isinstance(one.new, FunctionSpec)]
    first, second = FunctionKey(HOST, "n/0"), FunctionKey(HOST, "n/1")
    assert steps == [
        (first, Place(HOST, "f0v0")),
        (second, Place(HOST, "f0v1")),
        (first, Place(VM2, "eth0")),
        (second, Place(VM1, "eth0")),
    ]


def test_p2_a_nic_is_lowered_before_it_moves() -> None:
    told = _told(_state(VM2, VM1), _state(VM1, VM2))
    assert told[:2] == ["remove NIC on function n/1", "remove NIC on function n/0"]
    assert told[-2:] == ["make NIC on function n/0", "make NIC on function n/1"]


def test_one_that_leaves_makes_room_before_another_comes() -> None:
    operations = difference(_state(VM2, None), _state(None, VM2))
    steps = [str(one.key) for one in operations if isinstance(one.new, FunctionSpec)]
    assert steps == ["function n/1", "function n/0"]


def test_a_wire_with_another_end_is_made_anew_with_what_hung_on_it() -> None:
    observed = _state(VM1)
    observed[WireKey("h.a")] = replace(WIRE, far=Place(BRIDGE, "uplink17"))
    assert _told(_state(VM1), observed) == [
        "remove wire h.a",
        "make wire h.a",
        "change datapath of host",
        "make tables of host",
        "make tables of bridge",
    ]


def test_another_mtu_makes_no_wire_anew() -> None:
    observed = _state(VM1)
    observed[WireKey("h.a")] = replace(WIRE, mtu=1500)
    assert _told(_state(VM1), observed) == ["change wire h.a"]


def test_another_backing_makes_the_function_anew_and_raises_its_nic_again() -> None:
    observed = _state(VM1)
    observed[FunctionKey(HOST, "n/0")] = FunctionSpec("f0p0", "tap", Place(VM1, "eth0"), 1500)
    told = _told(_state(VM1), observed)
    assert told[0] == "remove function n/0"
    assert told[-1] == "make NIC on function n/0"
    assert "change datapath of host" in told


def test_a_space_goes_after_what_was_in_it() -> None:
    wanted = _state(None)
    del wanted[SpaceKey(VM1)]
    assert _told(wanted, _state(VM1))[-1] == "remove name space vm1"
