# SPDX-License-Identifier: Apache-2.0
"""Tables to rows of octets and back: what rules/ means, as the kernel holds it. Pure.

`Devices` adds what only the kernel knows: the ifindex that a link or a function is reached by. A function's `direct`
device is a veth, whose peer can be handed the frame at once; that of an `xdp` device takes what XDP sends.
What is straight to the peer passes no queue, so a `queued` device is not used so.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from openfex.datapath.abi import (
    ADDRESS,
    FLOOD,
    FUNCTION,
    HOME,
    HOME_FACTOR,
    JUDGED_KEY,
    LEARNT,
    LINK,
    LIST,
    MAC,
    OWNER_KEY,
    PORT,
    U32,
    U64,
    VLAN_SET,
    PortFlag,
    bits,
    kind_number,
    kind_of,
    links_of,
    mask,
    members,
)
from openfex.errors import RefusedError
from openfex.model.limits import FIRST_UPLINK, MAX_VLAN_SETS
from openfex.model.values import ChannelKind, Mac, port_number
from openfex.rules.tables import BridgeTables, ExtenderTables, Flood, Function, Members, Port

Rows = dict[str, dict[bytes, bytes]]
"""By map: key -> value. In arrays a row of zeros is a row that is not there."""


@dataclass(frozen=True, slots=True)
class Device:
    """The device that a port number is reached by."""

    ifindex: int
    direct: bool = False
    xdp: bool = False
    queued: bool = False


Devices = Mapping[int, Device]


def _key(number: int) -> bytes:
    return U32.pack(number)


def _link_flags(kind: ChannelKind | None, device: Device) -> PortFlag:
    """What comes by a network port is for others too, so its wire is used as any other would be."""
    direct = PortFlag.DIRECT if kind is not None and device.direct and not device.queued else PortFlag(0)
    return direct | (PortFlag.XDP if device.xdp else 0) | (PortFlag.QUEUED if device.queued else 0)


def _link_rows(
    links: Mapping[int, ChannelKind | None] | Mapping[int, ChannelKind], devices: Devices
) -> dict[bytes, bytes]:
    rows = {}
    for link, kind in links.items():
        device = devices.get(port_number(link), Device(0))
        rows[_key(link)] = LINK.pack(device.ifindex, kind_number(kind), _link_flags(kind, device))
    return rows


def extender_rows(tables: ExtenderTables, devices: Devices) -> Rows:
    """The rows of a port extender."""
    functions = {}
    for port, function in tables.functions.items():
        device = devices.get(port, Device(0))
        flags = PortFlag.KNOWN
        flags |= PortFlag.UP if function.up and device.ifindex else 0
        flags |= PortFlag.DIRECT if device.direct else 0
        flags |= PortFlag.XDP if device.xdp else 0
        flags |= PortFlag.VEPA if function.vepa else 0
        flags |= PortFlag.TRUNK if function.trunk else 0
        functions[_key(port)] = FUNCTION.pack(device.ifindex, flags, function.vlan)
    lists = {
        _key(link << 16 | number): LIST.pack(*bits(one.tagged), *bits(one.untagged))
        for (link, number), one in tables.lists.items()
    }
    owners = {OWNER_KEY.pack(mac.octets, link): _key(port) for (link, mac), port in tables.owners.items()}
    return {"links": _link_rows(tables.links, devices), "functions": functions, "lists": lists, "owners": owners}


def read_links(rows: Rows, devices: Devices | None) -> dict[int, ChannelKind | None]:
    """The kind of each link; None: a network port. One that is reached otherwise than by its device is not there."""
    links = {}
    for key, value in rows["links"].items():
        link = U32.unpack(key)[0]
        ifindex, number, flags = LINK.unpack(value)
        kind = kind_of(number)
        device = devices.get(port_number(link), Device(0)) if devices is not None else None
        if ifindex and (device is None or _is_reached(device, ifindex, flags, told=kind is not None)):
            links[link] = kind
    return links


def _is_reached(device: Device, ifindex: int, flags: int, *, told: bool = True) -> bool:
    """Whether a row leads to this device, and in the way that it is `told`. Of XDP and queues `ports_with` tells."""
    direct = device.direct and told and not flags & PortFlag.QUEUED
    return device.ifindex == ifindex and direct == bool(flags & PortFlag.DIRECT)


def ports_with(flag: PortFlag, rows: Rows) -> frozenset[int]:
    """The ports whose rows have a flag."""
    links = {port_number(U32.unpack(key)[0]): LINK.unpack(value)[2] for key, value in rows["links"].items()}
    functions = {U32.unpack(key)[0]: FUNCTION.unpack(value)[1] for key, value in rows.get("functions", {}).items()}
    return frozenset(port for port, flags in (links | functions).items() if flags & flag)


def read_extender(rows: Rows, devices: Devices | None) -> ExtenderTables:
    """The tables that a port extender's rows mean; what names a device that is not its port's counts as down.

    Devices come and go, and their numbers with them.
    """
    tables = ExtenderTables()
    tables.links = {link: kind for link, kind in read_links(rows, devices).items() if kind is not None}
    for key, value in rows["functions"].items():
        port = U32.unpack(key)[0]
        ifindex, number, vlan = FUNCTION.unpack(value)
        flags = PortFlag(number)
        if flags & PortFlag.KNOWN:
            current = devices is None or _is_reached(devices.get(port, Device(0)), ifindex, flags)
            ways = (bool(flags & PortFlag.VEPA), vlan, bool(flags & PortFlag.TRUNK))
            tables.functions[port] = Function(bool(flags & PortFlag.UP) and current, *ways)
    for key, value in rows["lists"].items():
        words = LIST.unpack(value)
        number = U32.unpack(key)[0]
        tables.lists[number >> 16, number & 0xFFFF] = Members(members(words[:64]), members(words[64:]))
    for key, value in rows["owners"].items():
        octets, link = OWNER_KEY.unpack(key)
        tables.owners[link, Mac(octets)] = U32.unpack(value)[0]
    return tables


def allot_vlan_sets(sets: Iterable[frozenset[int]], held: Mapping[frozenset[int], int]) -> dict[frozenset[int], int]:
    """A row for each VLAN set, from 1; a set that has one keeps it. Raises RefusedError when there are too many."""
    wanted = sorted(set(sets), key=sorted)
    if len(wanted) >= MAX_VLAN_SETS:
        raise RefusedError(f"more than {MAX_VLAN_SETS - 1} different VLAN lists on trunks", code="too-many-vlan-lists")
    kept = {one: held[one] for one in wanted if one in held}
    free = iter(sorted(set(range(1, MAX_VLAN_SETS)) - set(held.values())))
    spare = iter(sorted(set(held.values()) - set(kept.values())))
    return {one: kept[one] if one in kept else next(free, None) or next(spare) for one in wanted}


def _port_row(port: Port) -> bytes:
    flags = PortFlag.KNOWN
    flags |= PortFlag.UP if port.up else 0
    flags |= PortFlag.NETWORK if port.network else 0
    flags |= PortFlag.PEERING if port.peer else 0
    flags |= PortFlag.VEPA if port.vepa else 0
    return PORT.pack(port.mac.octets if port.mac else bytes(6), 0, flags, port.pin, port.profile, 0)


_MAPPED = bytes(10) + b"\xff\xff"
"""What stands before the four octets of IPv4 in IPv6 (RFC 4291, 2.5.5.2)."""


def _address_key(port: int, address: bytes) -> bytes:
    return ADDRESS.pack(port, 0, address if len(address) == 16 else _MAPPED + address)


def _read_address(key: bytes) -> tuple[int, bytes]:
    port, _, octets = ADDRESS.unpack(key)
    return port, octets[12:] if octets.startswith(_MAPPED) else octets


def _series(judged: tuple[int, ...]) -> int:
    """A number for the vEths that are judged alone: another one when they are others."""
    return zlib.crc32(array("I", judged).tobytes())


def _flood_row(flood: Flood) -> bytes:
    any_, many = mask(flood.any, FIRST_UPLINK), mask(flood.many, FIRST_UPLINK)
    return FLOOD.pack(any_, many, flood.list_id, mask(flood.peers, 0), len(flood.judged), _series(flood.judged))


def flood_rows_between(present: Rows, tables: BridgeTables) -> dict[bytes, bytes]:
    """The rows of floods that hold while others of them change, where that makes a difference."""
    rows = {}
    for (scope, vlan), new in tables.floods.items():
        key = scope << 12 | vlan
        value = present["floods"].get(_key(key))
        if value is not None and value != _flood_row(new):
            old = _read_flood(key, value, present["judged"])
            if old.judged != new.judged:
                rows[_key(key)] = _flood_row(old.between(new))
    return rows


def _judged_rows(key: int, flood: Flood) -> dict[bytes, bytes]:
    series = _series(flood.judged)
    return {JUDGED_KEY.pack(key, series, number): _key(port) for number, port in enumerate(flood.judged)}


def home_of(mac: Mac) -> tuple[int, int]:
    """The row in which a vEth's MAC is found without a hash, and what tells it from others that have the same row."""
    number = int.from_bytes(mac.octets, "big") * HOME_FACTOR % (1 << 48)
    return number >> 32, number & 0xFFFF_FFFF


def home_rows(veths: Mapping[Mac, int]) -> dict[bytes, bytes]:
    """One MAC a row, the first of those that have the same."""
    rows: dict[bytes, bytes] = {}
    for mac, port in sorted(veths.items()):
        row, rest = home_of(mac)
        rows.setdefault(_key(row), U64.pack(rest << 32 | HOME | port))
    return rows


def bridge_rows(tables: BridgeTables, devices: Devices, sets: Mapping[frozenset[int], int]) -> Rows:
    """The rows of a bridge, but for its profiles, its settings and what it learns. `sets`: the row of each VLAN set."""
    floods = {scope << 12 | vlan: flood for (scope, vlan), flood in tables.floods.items()}
    return {
        "links": _link_rows(tables.links, devices),
        "vlan_sets": {_key(row): VLAN_SET.pack(*bits(vlans)) for vlans, row in sets.items()},
        "ports": {_key(number): _port_row(port) for number, port in tables.ports.items()},
        "addresses": {
            _address_key(number, address): _key(1)
            for number, port in tables.ports.items()
            for address in port.addresses
        },
        "veths": {MAC.pack(mac.octets, 0): _key(number) for mac, number in tables.veths.items()},
        "homes": home_rows(tables.veths),
        "judged": {key: row for scope, flood in floods.items() for key, row in _judged_rows(scope, flood).items()},
        "floods": {_key(scope): _flood_row(flood) for scope, flood in floods.items()},
    }


def read_vlan_sets(rows: Rows) -> dict[frozenset[int], int]:
    """Which VLAN set has which row."""
    return {members(VLAN_SET.unpack(value)): U32.unpack(key)[0] for key, value in rows["vlan_sets"].items()}


def _read_port(value: bytes, addresses: frozenset[bytes]) -> Port:
    octets, _, flags, pin, profile, _ = PORT.unpack(value)
    return Port(
        up=bool(flags & PortFlag.UP),
        network=bool(flags & PortFlag.NETWORK),
        peer=bool(flags & PortFlag.PEERING),
        vepa=bool(flags & PortFlag.VEPA),
        profile=profile,
        mac=Mac(octets) if any(octets) else None,
        pin=pin,
        addresses=addresses,
    )


def _read_flood(key: int, value: bytes, judged: Mapping[bytes, bytes]) -> Flood:
    any_, many, number, peers, count, series = FLOOD.unpack(value)
    rows = [judged.get(JUDGED_KEY.pack(key, series, index), _key(0)) for index in range(count)]
    ports = tuple(U32.unpack(row)[0] for row in rows)
    return Flood(links_of(any_, FIRST_UPLINK), links_of(many, FIRST_UPLINK), number, links_of(peers, 0), ports)


def _at_home(veths: dict[Mac, int], homes: Mapping[bytes, bytes]) -> dict[Mac, int]:
    """Those whose row is as it should be; a run may have been killed before it wrote that."""
    wanted = home_rows(veths)
    rows = {mac: _key(home_of(mac)[0]) for mac in veths}
    return {mac: port for mac, port in veths.items() if wanted[rows[mac]] == homes.get(rows[mac])}


def read_bridge(rows: Rows, devices: Devices | None) -> BridgeTables:
    """The tables that a bridge's rows mean, but for its profiles and its settings."""
    tables = BridgeTables()
    addresses: dict[int, set[bytes]] = {}
    for key in rows["addresses"]:
        port, address = _read_address(key)
        addresses.setdefault(port, set()).add(address)
    for key, value in rows["ports"].items():
        number = U32.unpack(key)[0]
        tables.ports[number] = _read_port(value, frozenset(addresses.get(number, ())))
    tables.links = read_links(rows, devices)
    for key, value in rows["veths"].items():
        owner = U32.unpack(value)[0]
        macs = tables.memory.macs if owner & LEARNT else tables.veths
        macs[Mac(MAC.unpack(key)[0])] = owner & ~LEARNT
    tables.veths = _at_home(tables.veths, rows["homes"])
    for key, value in rows["floods"].items():
        scope = U32.unpack(key)[0]
        tables.floods[scope >> 12, scope & 0xFFF] = _read_flood(scope, value, rows["judged"])
    return tables
