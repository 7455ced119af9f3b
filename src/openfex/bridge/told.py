# SPDX-License-Identifier: Apache-2.0
"""What a bridge's tables are in the words of channel control: what each station is told. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from openfex.bridge.register import Station
from openfex.model.layout import Layout
from openfex.model.values import DEFAULT_CHANNEL, port_number
from openfex.protocol.cdcp import MOST_GIVEN
from openfex.rules.compiler import compile_extender
from openfex.rules.tables import BridgeTables, Members
from openfex.wire.control import Key, Kind, ListRow, Reason, VethEntry, function_key, list_key, numbers_of

ROW_BITS = 64


def entries_of(layout: Layout, tables: BridgeTables, station: Station) -> dict[Key, bytes]:
    """What a station is told: its vEths, and the lists of its uplink."""
    host, (bridge,) = layout.host(f"link{station.link}"), layout.bridges
    entries: dict[Key, bytes] = {}
    for function in host.functions:
        port = tables.ports.get(port_number(station.link, function.channel))
        is_up = port is not None and port.up
        reason = Reason.NONE if is_up else station.why.get(function.index, Reason.NO_ASSOCIATION)
        entry = VethEntry(function.channel, is_up, reason)
        entries[function_key(function.index, Kind.VETH)] = entry.encode()
    for (_, list_id), members in compile_extender(layout, host, {bridge.name: tables}).lists.items():
        entries |= _list_rows(list_id, members)
    return entries


def _list_rows(list_id: int, members: Members) -> dict[Key, bytes]:
    """A list as entries; one without members has one row of nobody, so that it is known."""
    rows: dict[int, list[int]] = {}
    for which, channels in enumerate((members.tagged, members.untagged)):
        for channel in channels:
            rows.setdefault(channel // ROW_BITS, [0, 0])[which] |= 1 << channel % ROW_BITS
    return {list_key(list_id, row): ListRow(*bits).encode() for row, bits in (rows or {0: [0, 0]}).items()}


def is_same(one: BridgeTables, other: BridgeTables) -> bool:
    """Whether two tables say the same, but for what the programs have learnt."""
    names = ("links", "profiles", "ports", "veths", "floods", "ageing_ns")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def reasons_of(said: Mapping[Key, bytes]) -> dict[int, Reason]:
    """Why vEths of a table that a station was told are down, by number of the function."""
    veths = {numbers_of(key)[0]: VethEntry.decode(value) for key, value in said.items() if key.kind is Kind.VETH}
    return {number: Reason(one.reason) for number, one in veths.items() if one.reason in tuple(Reason) and not one.up}


def channels_of(said: Mapping[Key, bytes]) -> dict[int, int]:
    """The S-channels of a table that a station was told, as many as CDCP can give; it asks for the lowest."""
    told = {numbers_of(key)[0]: VethEntry.decode(value).channel for key, value in said.items() if key.kind is Kind.VETH}
    given = sorted((number, channel) for number, channel in told.items() if DEFAULT_CHANNEL not in (number, channel))
    return dict(given[:MOST_GIVEN])
