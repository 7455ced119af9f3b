# SPDX-License-Identifier: Apache-2.0
"""From a layout to tables: who is a port, who is on which list, and that lists keep their ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.errors import RefusedError
from openfex.model.layout import Layout
from openfex.model.limits import MAX_LISTS
from openfex.model.policy import FREE, Policy, Rule
from openfex.model.values import ChannelKind, port_channel, port_link, port_number
from openfex.rules.compiler import allot_lists, compile_bridge, compile_extender, list_number
from openfex.rules.tables import Flood, Function, Members, Port, Terms
from openfex.testing.layouts import LayoutBuilder, access, trunk, veth_mac
from openfex.testing.strategies import layouts
from tests.unit.rules.lab import H1, H2, NET2, WEB, bridge_tables, extender_tables, layout

Scope = tuple[int, int]
scopes = st.sets(st.tuples(st.integers(0, 3), st.integers(1, 4094)), max_size=20)


# Ports.


def test_every_carved_function_is_a_port_and_up_only_when_bound() -> None:
    tables = bridge_tables()
    assert {port_channel(number) for number in tables.ports if port_link(number) == H1} == {1, 2, 3, 4}
    assert [tables.ports[port_number(H1, channel)].up for channel in (1, 2, 3, 4)] == [True, True, False, True]
    assert tables.ports[port_number(H1, 3)] == Port()


def test_a_bound_veth_has_mac_profile_and_pin() -> None:
    tables = bridge_tables()
    assert tables.ports[port_number(H2, 1)] == Port(up=True, profile=access(10).number, mac=veth_mac(H2, 1), pin=NET2)
    assert tables.profiles[access(10).number] == Terms(10)
    assert tables.terms_of(tables.ports[port_number(H1, 4)]).vlans == frozenset({10, 20})
    assert tables.veths == {one.mac: number for number, one in tables.ports.items() if one.mac}


def test_network_ports_have_no_channel_and_uplinks_have_the_host_s() -> None:
    tables = bridge_tables()
    assert tables.links == {1: None, 2: None, H1: ChannelKind.VNTAG, H2: ChannelKind.ETAG}
    assert tables.ports[NET2] == Port(up=True, network=True, profile=access(10).number)


def test_an_extender_has_every_function_on_every_uplink_and_up_on_the_bound_one() -> None:
    builder = LayoutBuilder()
    for name in ("sw-a", "sw-b"):
        builder.port(builder.bridge(name), access(10))
    host = builder.host("h", ChannelKind.ETAG, ["sw-a", "sw-b"], [1, 2])
    builder.bind(host, 1, WEB, uplink=1)
    plan = builder.layout()
    tables = compile_extender(plan, host, {name: compile_bridge(plan, name) for name in ("sw-a", "sw-b")})
    up, down = Function(up=True), Function()
    assert tables.functions == {
        port_number(1, 1): down,
        port_number(1, 2): down,
        port_number(2, 1): up,
        port_number(2, 2): down,
    }
    assert tables.links == {1: ChannelKind.ETAG, 2: ChannelKind.ETAG}
    assert {link for link, _ in tables.lists} == {2}


# Lists.


def test_a_vlan_s_flood_names_uplinks_with_members_and_those_with_several() -> None:
    floods = bridge_tables().floods
    everyone = floods[0, 10]
    assert (everyone.any, everyone.many) == (frozenset({H1, H2}), frozenset({H1}))
    assert (floods[0, 20].any, floods[0, 20].many) == (frozenset({H1, H2}), frozenset())


def test_one_network_port_s_scope_holds_only_what_is_pinned_there() -> None:
    floods = bridge_tables().floods
    assert floods[1, 10] == Flood(frozenset({H1}), frozenset({H1}), floods[1, 10].list_id)
    assert floods[2, 10] == Flood(frozenset({H2}), frozenset(), floods[2, 10].list_id)
    assert (2, 20) not in floods
    lists = extender_tables("h2").lists
    assert lists[1, floods[2, 10].list_id] == Members(untagged=frozenset({1}))
    assert (1, floods[1, 10].list_id) not in lists
    assert lists[1, floods[1, 20].list_id] == Members(untagged=frozenset({2}))


def test_members_take_the_tag_on_a_trunk_but_for_its_native_vlan() -> None:
    floods, lists = bridge_tables().floods, extender_tables("h1").lists
    assert lists[1, floods[0, 10].list_id] == Members(untagged=frozenset({1, 2, 4}))
    assert lists[1, floods[0, 20].list_id] == Members(tagged=frozenset({4}))


def test_a_vlan_that_the_pin_does_not_carry_has_no_scope_there() -> None:
    builder = LayoutBuilder()
    pin = builder.port(builder.bridge("sw"), access(10))
    builder.bind(builder.host("h", ChannelKind.ETAG, ["sw"], [1]), 1, access(20), pin)
    assert set(compile_bridge(builder.layout(), "sw").floods) == {(0, 20)}


def test_the_lists_of_bridge_and_host_have_the_same_ids() -> None:
    floods = bridge_tables().floods
    for host, link in (("h1", H1), ("h2", H2)):
        ids = {flood.list_id for flood in floods.values() if link in flood.any}
        assert {number for _, number in extender_tables(host).lists} == ids


@given(layouts())
def test_masks_and_members_say_the_same(plan: Layout) -> None:
    tables = compile_bridge(plan, "sw-a")
    for host in plan.hosts:
        lists = compile_extender(plan, host, {"sw-a": tables}).lists
        link = host.uplinks[0].bridge_link
        vepa = host.kind is ChannelKind.VEPA  # one list a VLAN, with all that any scope there has
        for (scope, vlan), flood in tables.floods.items():
            members = lists.get((1, vlan if vepa else flood.list_id), Members())
            if vepa and scope and link not in flood.any:
                continue
            assert (link in flood.any, link in flood.many) == (len(members) > 0, len(members) > 1)
            assert not members.tagged & members.untagged


@given(layouts())
def test_the_same_layout_gives_the_same_tables(plan: Layout) -> None:
    assert compile_bridge(plan, "sw-a") == compile_bridge(plan, "sw-a")


# List ids.


def test_list_ids_can_be_named_by_both_kinds_of_tag() -> None:
    numbers = [list_number(ordinal) for ordinal in range(MAX_LISTS)]
    assert len(set(numbers)) == MAX_LISTS
    assert {number >> 12 for number in numbers} == {1, 2, 3}
    assert {number & 0xFFF for number in numbers} == set(range(1, 4096))


@given(scopes, scopes)
def test_a_list_keeps_its_id_for_as_long_as_it_exists(before: set[Scope], after: set[Scope]) -> None:
    held = allot_lists(before, {})
    now = allot_lists(after, held)
    assert {scope: now[scope] for scope in before & after} == {scope: held[scope] for scope in before & after}
    assert len(set(now.values())) == len(now)
    fresh = {now[scope] for scope in after - before}
    assert not fresh & set(held.values()), "an id must not mean two lists while hosts still have the old one"


def test_a_bridge_keeps_its_ids_when_a_vlan_comes_and_goes() -> None:
    held = bridge_tables()
    numbers = {scope: 0x2000 + ordinal for ordinal, scope in enumerate(held.floods)}
    held.floods = {scope: replace(flood, list_id=numbers[scope]) for scope, flood in held.floods.items()}
    held.floods[0, 5] = Flood(list_id=0x1001)
    floods = compile_bridge(layout(), "sw-a", held).floods
    assert {scope: flood.list_id for scope, flood in floods.items()} == numbers


def _judging(*channels: int, bound: Iterable[int] = (1, 2, 3)) -> Layout:
    """A host whose vEths of these channels are judged for what leaves by them, in one VLAN with the others."""
    judged = Policy(acl_out=(Rule(True),))
    builder = LayoutBuilder()
    host = builder.host("h", ChannelKind.VNTAG, [builder.bridge("sw")], [1, 2, 3])
    for channel in bound:
        builder.bind(host, channel, access(10, judged if channel in channels else FREE))
    return builder.layout()


@pytest.mark.parametrize(
    ("before", "after", "another"),
    [
        (_judging(), _judging(2), True),
        (_judging(2), _judging(), True),
        (_judging(2, 3), _judging(2, 1), True),
        (_judging(2), _judging(2), False),
        (_judging(bound=[1, 3]), _judging(2), False),
        (_judging(2), _judging(bound=[1, 3]), False),
    ],
    ids=["begins", "ceases", "one each", "stays", "comes", "goes"],
)
def test_a_list_is_another_when_a_veth_that_goes_on_is_put_on_it_or_taken_off(
    before: Layout, after: Layout, another: bool
) -> None:
    held = compile_bridge(before, "sw")
    now = compile_bridge(after, "sw", held)
    assert (now.floods[0, 10].list_id != held.floods[0, 10].list_id) == another
    host = after.host("h")
    old, new = (compile_extender(one, host, {"sw": tables}) for one, tables in ((before, held), (after, now)))
    both = new.keeping(old)
    assert all(both.lists[1, tables.floods[0, 10].list_id] for tables in (held, now))
    assert compile_bridge(after, "sw", now) == now, "and once that is done it stays"


def test_while_ports_begin_or_cease_to_be_judged_alone_nobody_is_left_out() -> None:
    free = Flood(frozenset({H1}), frozenset({H1}), 1, judged=())
    some = Flood(frozenset({H1}), frozenset(), 2, judged=(5,))
    others = Flood(frozenset({H1}), frozenset(), 3, judged=(6,))
    assert free.between(some) == replace(some, many=some.any)
    assert some.between(free) == replace(some, many=some.any)
    assert some.between(others) == replace(some, many=some.any)


def test_too_many_lists_are_refused_with_a_code_and_a_remedy() -> None:
    wanted = [(ordinal // 4094, 1 + ordinal % 4094) for ordinal in range(MAX_LISTS + 1)]
    assert len(allot_lists(wanted[:-1], {})) == MAX_LISTS
    with pytest.raises(RefusedError) as caught:
        allot_lists(wanted, {})
    assert caught.value.code == "too-many-lists"
    assert caught.value.remedy


def test_ids_of_lists_that_are_gone_are_given_again() -> None:
    held = {(0, vlan): list_number(vlan) for vlan in range(1, 4095)}
    held |= {(1, vlan): list_number(4094 + vlan) for vlan in range(1, 4095)}
    ids = allot_lists([(2 + ordinal // 4094, 1 + ordinal % 4094) for ordinal in range(MAX_LISTS // 2)], held)
    assert len(set(ids.values())) == len(ids)


def test_a_trunk_of_everything_still_compiles() -> None:
    builder = LayoutBuilder()
    pin = builder.port(builder.bridge("sw"), trunk(range(1, 4095)))
    host = builder.host("h", ChannelKind.VNTAG, ["sw"], [1, 2])
    for channel in (1, 2):
        builder.bind(host, channel, trunk(range(1, 4095), native=1), pin)
    floods = compile_bridge(builder.layout(), "sw").floods
    assert len(floods) == 2 * 4094
