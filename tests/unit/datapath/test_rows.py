# SPDX-License-Identifier: Apache-2.0
"""Tables become rows of octets, and rows the same tables again; what names no device of this moment counts as down."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.datapath.abi import FUNCTION, LINK, LIST, OWNER_KEY, PORT, U32, PortFlag, bits, links_of, mask, members
from openfex.datapath.rows import (
    Device,
    allot_vlan_sets,
    bridge_rows,
    extender_rows,
    ports_with,
    read_bridge,
    read_extender,
    read_vlan_sets,
)
from openfex.errors import RefusedError
from openfex.model.limits import FIRST_UPLINK, MAX_VLAN_SETS
from openfex.model.values import ChannelKind, Mac, port_number
from openfex.rules.tables import BridgeTables, ExtenderTables, Function, Members, Port
from openfex.testing.layouts import veth_mac
from openfex.testing.strategies import bridge_tables, extender_tables

UPLINK, FUNCTION_PORT = port_number(1), port_number(1, 3)
VLANS = st.frozensets(st.integers(1, 4094), max_size=5)


def devices_of(tables: ExtenderTables | BridgeTables) -> dict[int, Device]:
    ports = [port_number(link) for link in tables.links]
    ports += tables.functions if isinstance(tables, ExtenderTables) else ()
    return {port: Device(100 + index, direct=bool(index % 2)) for index, port in enumerate(ports)}


@given(extender_tables())
def test_an_extender_s_tables_read_back(tables: ExtenderTables) -> None:
    devices = devices_of(tables)
    assert read_extender(extender_rows(tables, devices), devices) == tables


@given(bridge_tables())
def test_a_bridge_s_tables_read_back(tables: BridgeTables) -> None:
    """But for what is not in rows: settings, and what was learnt."""
    devices = devices_of(tables)
    wanted = replace(BridgeTables(), links=tables.links, ports=tables.ports, veths=tables.veths, floods=tables.floods)
    assert read_bridge(bridge_rows(tables, devices, {}), devices) == wanted


@given(bridge_tables(), bridge_tables())
def test_a_vlan_set_keeps_its_row_from_tables_to_tables(one: BridgeTables, other: BridgeTables) -> None:
    held = read_vlan_sets(bridge_rows(one, devices_of(one), {}))
    after = read_vlan_sets(bridge_rows(other, devices_of(other), held))
    for vlans, row in after.items():
        assert held.get(vlans, row) == row
        assert vlans in held or row not in held.values()


@given(VLANS)
def test_bits_and_masks_read_back(numbers: frozenset[int]) -> None:
    assert members(tuple(bits(numbers))) == numbers
    links = frozenset(FIRST_UPLINK + number % 64 for number in numbers)
    assert links_of(mask(links, FIRST_UPLINK), FIRST_UPLINK) == links


def one_function(device: Device | None) -> tuple[ExtenderTables, dict[int, Device]]:
    tables = ExtenderTables({1: ChannelKind.ETAG}, {FUNCTION_PORT: Function(up=True)})
    devices = {UPLINK: Device(7)}
    return tables, devices | ({FUNCTION_PORT: device} if device else {})


def test_a_function_s_row_says_how_its_device_is_reached() -> None:
    for direct, flags in (
        (False, PortFlag.KNOWN | PortFlag.UP),
        (True, PortFlag.KNOWN | PortFlag.UP | PortFlag.DIRECT),
    ):
        tables, devices = one_function(Device(9, direct))
        rows = extender_rows(tables, devices)
        assert rows["functions"] == {U32.pack(FUNCTION_PORT): FUNCTION.pack(9, flags, 0)}
        assert rows["links"] == {U32.pack(1): LINK.pack(7, 2, 0)}


def test_what_xdp_may_send_to_is_flagged_and_is_no_other_device_for_it() -> None:
    tables, devices = one_function(Device(9))
    by_xdp = {port: replace(device, xdp=port == FUNCTION_PORT) for port, device in devices.items()}
    rows = extender_rows(tables, by_xdp)
    flags = PortFlag.KNOWN | PortFlag.UP | PortFlag.XDP
    assert rows["functions"] == {U32.pack(FUNCTION_PORT): FUNCTION.pack(9, flags, 0)}
    assert rows["links"] == {U32.pack(1): LINK.pack(7, 2, 0)}
    assert read_extender(rows, devices) == tables
    assert ports_with(PortFlag.XDP, rows) == {FUNCTION_PORT}


def test_a_function_by_vepa_has_its_vlan_and_its_addresses() -> None:
    function, owner = Function(up=True, vepa=True, vlan=20, trunk=True), Mac(bytes(range(6)))
    tables = ExtenderTables({1: ChannelKind.VEPA}, {FUNCTION_PORT: function}, owners={(1, owner): FUNCTION_PORT})
    rows = extender_rows(tables, {UPLINK: Device(7), FUNCTION_PORT: Device(9)})
    flags = PortFlag.KNOWN | PortFlag.UP | PortFlag.VEPA | PortFlag.TRUNK
    assert rows["functions"] == {U32.pack(FUNCTION_PORT): FUNCTION.pack(9, flags, 20)}
    assert rows["owners"] == {OWNER_KEY.pack(owner.octets, 1): U32.pack(FUNCTION_PORT)}
    assert read_extender(rows, None) == tables


def test_a_bridge_s_uplink_is_flagged_alike() -> None:
    uplink = port_number(FIRST_UPLINK)
    tables = BridgeTables(links={FIRST_UPLINK: ChannelKind.VNTAG, 1: None})
    rows = bridge_rows(tables, {uplink: Device(5, direct=True, xdp=True), port_number(1): Device(6, direct=True)}, {})
    assert rows["links"][U32.pack(FIRST_UPLINK)] == LINK.pack(5, 1, PortFlag.DIRECT | PortFlag.XDP)
    assert ports_with(PortFlag.XDP, rows) == {uplink}
    assert read_bridge(rows, {uplink: Device(5, direct=True), port_number(1): Device(6, True)}).links == tables.links


def test_p3_a_function_without_a_device_is_down() -> None:
    tables, devices = one_function(None)
    rows = extender_rows(tables, devices)
    assert rows["functions"] == {U32.pack(FUNCTION_PORT): FUNCTION.pack(0, PortFlag.KNOWN, 0)}
    assert read_extender(rows, devices).functions == {FUNCTION_PORT: Function(up=False)}


def test_p3_a_row_that_names_yesterday_s_device_counts_as_down() -> None:
    tables, devices = one_function(Device(9))
    rows = extender_rows(tables, devices)
    today = {UPLINK: Device(7), FUNCTION_PORT: Device(10)}
    assert read_extender(rows, today).functions == {FUNCTION_PORT: Function(up=False)}
    assert read_extender(rows, {FUNCTION_PORT: Device(9)}).links == {}
    assert read_extender(rows, None) == tables


def test_a_list_has_a_bit_a_member() -> None:
    tables = ExtenderTables(lists={(2, 0x3FFF): Members(frozenset({1, 64}), frozenset({4094}))})
    words = [0] * 128
    words[0], words[1], words[64 + 63] = 1 << 1, 1 << 0, 1 << 62
    assert extender_rows(tables, {})["lists"] == {U32.pack(2 << 16 | 0x3FFF): LIST.pack(*words)}


def test_a_port_s_row_has_its_flags_pin_and_profile() -> None:
    mac, number = veth_mac(16, 1), port_number(16, 1)
    trunk = Port(up=True, profile=7, mac=mac, pin=port_number(1))
    rows = bridge_rows(BridgeTables(ports={number: trunk}), {}, {frozenset({10, 20}): 5})
    flags = PortFlag.KNOWN | PortFlag.UP
    assert rows["ports"] == {U32.pack(number): PORT.pack(mac.octets, 0, flags, port_number(1), 7, 0)}
    assert read_vlan_sets(rows) == {frozenset({10, 20}): 5}


def test_vlan_sets_are_refused_when_there_are_too_many() -> None:
    sets = [frozenset({1 + number}) for number in range(MAX_VLAN_SETS)]
    assert sorted(allot_vlan_sets(sets[:-1], {}).values()) == list(range(1, MAX_VLAN_SETS))
    with pytest.raises(RefusedError) as caught:
        allot_vlan_sets(sets, {})
    assert caught.value.code == "too-many-vlan-lists"


def test_rows_of_vlan_sets_that_are_gone_are_given_again() -> None:
    """Old ones keep their rows until the ports that point there are written."""
    held = {frozenset({1 + number}): 1 + number for number in range(600)}
    ids = allot_vlan_sets([frozenset({2000 + number}) for number in range(600)], held)
    assert len(set(ids.values())) == len(ids)


@pytest.mark.parametrize("queued", [False, True])
def test_what_is_to_be_queued_is_not_handed_over_past_the_queue(queued: bool) -> None:
    tables = BridgeTables(links={FIRST_UPLINK: ChannelKind.ETAG})
    uplink = port_number(FIRST_UPLINK)
    rows = bridge_rows(tables, {uplink: Device(5, direct=True, queued=queued)}, {})
    flags = PortFlag.QUEUED if queued else PortFlag.DIRECT
    assert rows["links"] == {U32.pack(FIRST_UPLINK): LINK.pack(5, 2, flags)}
    assert ports_with(PortFlag.QUEUED, rows) == ({uplink} if queued else frozenset())
    assert read_bridge(rows, {uplink: Device(5, direct=True)}).links == tables.links
