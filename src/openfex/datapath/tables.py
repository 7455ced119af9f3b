# SPDX-License-Identifier: Apache-2.0
"""Door to the tables of a node in the kernel: read what they mean, write what differs, read what is counted."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from operator import add

from openfex.datapath.abi import (
    COUNTERS,
    DROP_KEY,
    LEARNT,
    MEMORY,
    SETTINGS,
    STATION,
    STATION_KEY,
    U32,
    U64,
    PortFlag,
    Total,
)
from openfex.datapath.node import Node
from openfex.datapath.profiles import read_profiles, remove_profiles, write_profiles
from openfex.datapath.rows import (
    Devices,
    Rows,
    allot_vlan_sets,
    bridge_rows,
    extender_rows,
    flood_rows_between,
    ports_with,
    read_bridge,
    read_extender,
    read_links,
    read_vlan_sets,
)
from openfex.datapath.terms import Tell, foreign
from openfex.linux.libbpf import Map, possible_cpus, wait_for_programs
from openfex.model.counters import PortCounters, Totals
from openfex.model.drops import DropReason
from openfex.model.values import ChannelKind, Mac
from openfex.rules.tables import BridgeTables, ExtenderTables, Station

POINTED_TO = ("vlan_sets", "addresses", "judged")
"""What profiles and floods ask for: it is there before they do, and until no program can ask any more."""
TABLES = {
    "extender": ("lists", "functions", "owners", "links"),
    "bridge": (*POINTED_TO, "ports", "floods", "links", "veths", "homes"),
}
"""The maps that tables are written to, in this order: what is pointed to before what points to it."""
ARRAYS = {"links", "vlan_sets", "functions", "ports", "homes"}


def _array_rows(one: Map) -> Iterator[tuple[bytes, bytes]]:
    size, zeros = one.row_size, bytes(one.row_size)
    for first, octets in one.used():
        for index, at in enumerate(range(0, len(octets), size), first):
            if not octets.startswith(zeros, at):
                yield U32.pack(index), octets[at : at + size]


def _read_map(node: Node, name: str) -> dict[bytes, bytes]:
    one = node.map(name)
    return dict(_array_rows(one) if name in ARRAYS else one.items())


def read_rows(node: Node) -> Rows:
    """All rows that are there, by map."""
    return {name: _read_map(node, name) for name in TABLES[node.role]}


def read_tables(node: Node, devices: Devices | None, tell: Tell = foreign) -> ExtenderTables | BridgeTables:
    """What the node's tables mean. A row whose device is not the one of `devices` counts as down."""
    return read_tables_and_ways(node, devices, tell)[0]


def read_tables_and_ways(
    node: Node, devices: Devices | None, tell: Tell = foreign
) -> tuple[ExtenderTables | BridgeTables, frozenset[int], frozenset[int]]:
    """The same, the ports that XDP may send to, and those whose device has a queue that tells frames apart."""
    rows = read_rows(node)
    ways = (ports_with(PortFlag.XDP, rows), ports_with(PortFlag.QUEUED, rows))
    if node.role == "extender":
        return read_extender(rows, devices), *ways
    tables = read_bridge(rows, devices)
    sets = {row: vlans for vlans, row in read_vlan_sets(rows).items()}
    tables.profiles = read_profiles(node, sets, tell)
    tables.ageing_ns = _settings(node)[0]
    return tables, *ways


def read_live(node: Node, tell: Tell = foreign) -> ExtenderTables | BridgeTables:
    """All that the node's programs look at, as they see it: whatever devices there are, and what has been learnt."""
    tables = read_tables(node, None, tell)
    if isinstance(tables, BridgeTables):
        tables.stations = read_stations(node)
        tables.most_stations = node.map("stations").max_entries
        tables.epoch = _settings(node)[1]
    return tables


def _settings(node: Node) -> tuple[int, int]:
    ageing_ns, epoch, _ = SETTINGS.unpack(node.map("settings").get(U32.pack(0)) or bytes(SETTINGS.size))
    return ageing_ns, epoch


def _renew_epoch(node: Node) -> None:
    ageing_ns, epoch = _settings(node)
    node.map("settings").put(U32.pack(0), SETTINGS.pack(ageing_ns, epoch + 1, 0))


def _write_changed(node: Node, name: str, wanted: Mapping[bytes, bytes], present: Mapping[bytes, bytes]) -> int:
    changed = [(key, value) for key, value in wanted.items() if present.get(key) != value]
    if changed:
        node.map(name).put_many(changed)
    return len(changed)


def _remove_gone(node: Node, name: str, wanted: Mapping[bytes, bytes], present: Mapping[bytes, bytes]) -> int:
    one = node.map(name)
    gone = [key for key in present if key not in wanted]
    if gone and name in ARRAYS:
        one.put_many([(key, bytes(one.value_size)) for key in gone])
    for key in gone if name not in ARRAYS else ():
        one.delete(key)
    return len(gone)


def write_tables(node: Node, tables: ExtenderTables | BridgeTables, devices: Devices) -> int:
    """Make the node's tables mean `tables`; returns how many rows that took. Idempotent."""
    present = read_rows(node)
    if isinstance(tables, BridgeTables):
        return _write_bridge(node, tables, devices, present)
    wanted = extender_rows(tables, devices)
    written = sum(_write_changed(node, name, wanted[name], present[name]) for name in TABLES["extender"])
    return written + sum(_remove_gone(node, name, wanted[name], present[name]) for name in reversed(TABLES["extender"]))


def _write_bridge(node: Node, tables: BridgeTables, devices: Devices, present: Rows) -> int:
    used = (terms.vlans for terms in tables.profiles.values() if terms.vlans is not None)
    sets = allot_vlan_sets(used, read_vlan_sets(present))
    wanted = bridge_rows(tables, devices, sets)
    _keep_learnt(node, wanted, present)
    if wanted["veths"] != present["veths"]:
        _renew_epoch(node)  # and once more behind the rows: a run may be killed between
    written = {name: _write_changed(node, name, wanted[name], present[name]) for name in POINTED_TO}
    node.map("floods").put_many(list(flood_rows_between(present, tables).items()))
    switched = write_profiles(node, tables.profiles, sets)
    others = [name for name in TABLES["bridge"] if name not in POINTED_TO]
    written |= {name: _write_changed(node, name, wanted[name], present[name]) for name in others}
    for name in reversed(others):
        written[name] += _remove_gone(node, name, wanted[name], present[name])
    switched += remove_profiles(node, tables.profiles)
    if any(present[name].keys() - wanted[name].keys() for name in POINTED_TO):
        wait_for_programs()  # who still judges by what there was looks at its VLANs, addresses and copies
    for name in POINTED_TO:
        written[name] += _remove_gone(node, name, wanted[name], present[name])
    if written["veths"]:
        _renew_epoch(node)
    ageing_ns, epoch = _settings(node)
    if ageing_ns != tables.ageing_ns:
        node.map("settings").put(U32.pack(0), SETTINGS.pack(tables.ageing_ns, epoch, 0))
    return sum(written.values()) + switched


def _keep_learnt(node: Node, wanted: Rows, present: Rows) -> None:
    """A source that was learnt stays while its port is the same; a port that is another one remembers nothing."""
    changed = {key for key, row in present["ports"].items() if wanted["ports"].get(key) != row}
    learnt = {mac: U32.unpack(owner)[0] & ~LEARNT for mac, owner in present["veths"].items() if _is_learnt(owner)}
    kept = {mac: port for mac, port in learnt.items() if U32.pack(port) not in changed and mac not in wanted["veths"]}
    wanted["veths"] |= {mac: U32.pack(port | LEARNT) for mac, port in kept.items()}
    for key in changed:
        node.map("memories").put(key, bytes(MEMORY.size))
    counts = Counter(kept.values())
    for port in {port for mac, port in learnt.items() if mac not in kept and U32.pack(port) not in changed}:
        *due, _ = MEMORY.unpack(node.map("memories").get(U32.pack(port)) or bytes(MEMORY.size))
        node.map("memories").put(U32.pack(port), MEMORY.pack(*due, counts[port]))


def _is_learnt(owner: bytes) -> bool:
    return bool(U32.unpack(owner)[0] & LEARNT)


def read_kinds(node: Node) -> dict[int, ChannelKind | None]:
    """The kind of each of a node's links; None: a network port."""
    return read_links({"links": _read_map(node, "links")}, None)


def held_tables(node: Node) -> BridgeTables:
    """What a bridge has, but for its profiles and settings; nothing where it is not loaded."""
    return read_bridge(read_rows(node), None) if node.rows else BridgeTables()


def _sum_cpus(octets: bytes, size: int) -> Iterator[tuple[int, ...]]:
    """Rows of u64 words, `size` octets for each CPU, added up over the CPUs."""
    words, width = array("Q", octets), size // U64.size
    step = width * possible_cpus()
    columns = (zip(*(words[at::step] for at in range(word, step, width)), strict=True) for word in range(width))
    return zip(*(map(sum, column) for column in columns), strict=True)


def read_counters(node: Node) -> dict[int, PortCounters]:
    """Counters by port number, of ports that have counted anything."""
    found: dict[int, tuple[int, ...]] = {}
    zeros = (0,) * (COUNTERS.size // U64.size)
    for one in node.counters():
        rows = one.max_entries // possible_cpus()
        for first, octets in one.used():
            for number, row in enumerate(COUNTERS.iter_unpack(octets), first):
                if row != zeros:
                    port = number % rows
                    found[port] = tuple(map(add, found[port], row)) if port in found else row
    return {port: PortCounters(*row) for port, row in found.items()}


def read_drops(node: Node) -> Counter[tuple[int, DropReason]]:
    """Dropped frames by port number and reason; port ANY_PORT is where a full table counted."""
    drops: Counter[tuple[int, DropReason]] = Counter()
    for key, octets in node.map("drops").items():
        port, reason = DROP_KEY.unpack(key)
        [(count,)] = _sum_cpus(octets, U64.size)
        if count:
            drops[port, DropReason(reason)] += count
    return drops


def read_totals(node: Node) -> Totals:
    """The totals of a node."""
    counts = _sum_cpus(node.map("totals").range(0, len(Total)), U64.size)
    return Totals(**{total.name.lower(): count for total, (count,) in zip(Total, counts, strict=True)})


def read_stations(node: Node) -> dict[tuple[Mac, int], Station]:
    """What a bridge has learnt, by MAC and VLAN."""
    stations = {}
    for key, value in node.map("stations").items():
        octets, vlan = STATION_KEY.unpack(key)
        seen_ns, port, epoch = STATION.unpack(value)
        stations[Mac(octets), vlan] = Station(port, seen_ns, epoch)
    return stations
