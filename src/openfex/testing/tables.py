# SPDX-License-Identifier: Apache-2.0
"""Tables by chance: as the compiler makes them, and made wrong on purpose in one or two places.

Whatever is in the tables, the engines must agree; so also on tables that no compiler would make.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from openfex.model.limits import FIRST_UPLINK, MAX_PROFILES
from openfex.model.values import Mac, port_number
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.rules.tables import BridgeTables, ExtenderTables, Flood, Function, Members, Port, Station, Terms
from openfex.testing.chance import Chance, any_of, one_in, some
from openfex.testing.layouts import CHANNELS, VLANS, PolicyMaker, make_layout
from openfex.testing.policies import make_policy

STATIONS = tuple(Mac(bytes((2, 0, 0, 0, 0, number))) for number in range(1, 7))
"""What is behind network ports."""
AGEING_NS = 10 * 10**9
_AGES_NS = (0, 0, 3 * 10**9, 30 * 10**9)
"""New; old enough to be refreshed; too old. Far from every limit, so that a slow machine changes no outcome."""


def make_extender_tables(chance: Chance) -> ExtenderTables:
    """The tables of a host with one uplink or two."""
    layout = make_layout(chance, most_hosts=2, two_fabrics=one_in(chance, 2))
    bridges = {bridge.name: compile_bridge(layout, bridge.name) for bridge in layout.bridges}
    return compile_extender(layout, layout.hosts[0], bridges)


def make_bridge_tables(chance: Chance, policies: PolicyMaker = make_policy) -> BridgeTables:
    """The tables of a bridge that has learnt some stations; their `seen_ns` count from now, so below zero."""
    tables = compile_bridge(make_layout(chance, policies=policies), "sw-a")
    tables.ageing_ns = AGEING_NS
    tables.epoch = chance.randint(0, 3)
    _learn(chance, tables)
    return tables


def _learn(chance: Chance, tables: BridgeTables) -> None:
    ports = [number for number, port in tables.ports.items() if port.network]
    for mac in some(chance, (*STATIONS, *list(tables.veths)[:2]), 0, 6):
        for vlan in some(chance, VLANS[:4], 1, 2):
            epoch = max(0, tables.epoch - chance.randint(0, 1))
            port = any_of(chance, ports, port_number(1))
            tables.stations[mac, vlan] = Station(port, -chance.choice(_AGES_NS), epoch)


def from_now(tables: BridgeTables, now_ns: int) -> BridgeTables:
    """The same tables at a time: the stations' `seen_ns` are moved on by `now_ns`."""
    stations = {key: replace(one, seen_ns=one.seen_ns + now_ns) for key, one in tables.stations.items()}
    return replace(tables, stations=stations)


def _spoil_link(chance: Chance, tables: BridgeTables) -> None:
    tables.links.pop(chance.choice(sorted(tables.links)))


def _spoil_port(chance: Chance, tables: BridgeTables) -> None:
    """A row that nobody compiles: down, gone, without an address, a trunk of nothing, pinned to what is not there."""
    number = chance.choice(sorted(tables.ports))
    port = tables.ports[number]
    pins = (0, port_number(9), port_number(1), *sorted(tables.ports))
    replacement = chance.choice(
        (
            replace(port, up=not port.up),
            replace(port, mac=None),
            replace(port, profile=0),
            replace(port, profile=chance.choice(sorted(tables.profiles))),
            replace(port, profile=_spoil_terms(chance, tables)),
            replace(port, network=not port.network),
            replace(port, peer=not port.peer),
            replace(port, vepa=not port.vepa),
            replace(port, pin=chance.choice(pins)),
            None,
        )
    )
    if replacement is None:
        del tables.ports[number]
    else:
        tables.ports[number] = replacement


def _spoil_terms(chance: Chance, tables: BridgeTables) -> int:
    """A profile that nobody writes: of no VLAN, a trunk of nothing; its number."""
    number = next(one for one in range(1, MAX_PROFILES) if one not in tables.profiles)
    tables.profiles[number] = chance.choice(
        (Terms(), Terms(vlan=20), Terms(vlans=frozenset()), Terms(20, frozenset()), Terms(20, service=20))
    )
    return number


def _spoil_veth(chance: Chance, tables: BridgeTables) -> None:
    """An address that leads nowhere, to a network port, or to somebody else's vEth; or one that is missing."""
    mac = any_of(chance, sorted(tables.veths), STATIONS[0])
    if one_in(chance, 3):
        tables.veths.pop(mac, None)
    else:
        tables.veths[mac] = chance.choice((port_number(FIRST_UPLINK, 4000), *sorted(tables.ports)))


def _spoil_flood(chance: Chance, tables: BridgeTables) -> None:
    """A flood that is missing, or whose masks do not fit the uplinks or each other."""
    scope = (chance.choice((0, 1, 2)), chance.choice(VLANS))
    links = (*range(FIRST_UPLINK, FIRST_UPLINK + 4), FIRST_UPLINK + 63)
    peers = frozenset(some(chance, (1, 2, 3, 15), 0, 2))
    one, many = (frozenset(some(chance, links, 0, 5)) for _ in range(2))
    flood = Flood(one, many, chance.randint(0, 0x3FFF), peers)
    tables.floods[chance.choice((scope, *sorted(tables.floods)))] = flood
    if one_in(chance, 3):
        tables.floods.pop(chance.choice(sorted(tables.floods)))


def _spoil_station(chance: Chance, tables: BridgeTables) -> None:
    """A station at a port that is none, and one that was seen in a time to come (another CPU's clock is ahead)."""
    port = chance.choice((0, port_number(9), port_number(FIRST_UPLINK, 1), port_number(1)))
    tables.stations[chance.choice(STATIONS), chance.choice(VLANS)] = Station(
        port, chance.choice((0, 10**9)), tables.epoch
    )


_SPOILERS: tuple[Callable[[Chance, BridgeTables], None], ...] = (
    _spoil_port,
    _spoil_veth,
    _spoil_flood,
    _spoil_station,
    _spoil_link,
)


def spoil_bridge_tables(chance: Chance, tables: BridgeTables) -> BridgeTables:
    """The same tables, changed in up to three places into some that no compiler makes."""
    for _ in range(chance.randint(1, 3)):
        if tables.ports and tables.links:
            chance.choice(_SPOILERS)(chance, tables)
    return tables


def spoil_extender_tables(chance: Chance, tables: ExtenderTables) -> ExtenderTables:
    """The same for an extender: links and functions that are missing, lists of anybody and of nobody."""
    for _ in range(chance.randint(1, 3)):
        link = chance.choice((1, 2))
        match chance.choice(("function", "no function", "list", "link", "owner")):
            case "owner":
                mac = any_of(chance, sorted(tables.owners), (link, STATIONS[0]))
                tables.owners[mac] = any_of(chance, sorted(tables.functions), port_number(link, 5))
            case "no function":
                tables.functions.pop(any_of(chance, sorted(tables.functions), 0), None)
            case "function":
                odd = Function(one_in(chance, 2), one_in(chance, 2), chance.choice((0, *VLANS)), one_in(chance, 2))
                tables.functions[port_number(link, chance.choice(CHANNELS))] = odd
            case "list":
                members = Members(
                    frozenset(some(chance, CHANNELS, 0, 3)), frozenset(some(chance, (0, 4095, *CHANNELS), 0, 3))
                )
                tables.lists[link, chance.choice((0, 1, 0x0FFF, 0x1001, 0x3FFF, *VLANS[:2]))] = members
            case _:
                tables.links.pop(link, None)
    return tables


def all_down(tables: BridgeTables) -> BridgeTables:
    """The same ports, none of them with a profile: what a bridge has before the first binding."""
    ports = {number: port if port.network else Port() for number, port in tables.ports.items()}
    return replace(tables, ports=ports, veths={}, floods={})
