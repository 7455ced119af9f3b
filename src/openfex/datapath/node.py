# SPDX-License-Identifier: Apache-2.0
"""Door to the datapath of one node: programs and maps pinned in the BPF file system, attached to the node's devices.

Nothing here needs a process to stay: pins keep the maps, filters keep the programs. A new process opens the pins and
goes on. Pins lie in `/sys/fs/bpf/openfex/<node>/`: a file a map, and a folder a *size* (rows a port, 81920). In that
are the maps that have a row a port, and a folder a build of the programs, which use those maps.

A node only grows. Then a folder of the new size is made beside the old one, the ports' rows are copied, and the
programs of the new size take the places of the old ones, device by device, while the old ones go on counting in the
old counters. So these are kept: what a port has counted is the sum over all sizes, and never wrong, also when the
process is killed on the way.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from openfex.datapath.abi import ANY_PORT, DROP_KEY, KEY_SIZES, U32, VALUE_SIZES
from openfex.datapath.objects import PROGRAMS, build_of, object_path
from openfex.datapath.terms import ROOM
from openfex.errors import InternalError
from openfex.linux.libbpf import Map, Object, Program, bpf_filesystem, possible_cpus
from openfex.linux.netlink import Filter, Netlink
from openfex.model.drops import DropReason
from openfex.model.values import port_channel, port_link, port_number

LABEL = "openfex"
"""The name of our filters, by which a later process knows them."""
SIZED = {"extender": ("counters", "functions"), "bridge": ("counters", "memories", "ports")}
"""The maps that have a row a port: what is counted, what is remembered, and what is known of it."""
MAPS = {
    "extender": ("links", "lists", "owners", "drops", "totals", "capture", "rings"),
    "bridge": (
        *("links", "vlan_sets", "veths", "homes", "stations", "floods", "judged", "settings", "ageing"),
        *("profiles", "addresses", "acls", "acl_nodes", "acl_runs", "vectors", "hits"),
        *("drops", "totals", "capture", "rings"),
    ),
}
"""The others."""
Room = tuple[dict[str, int], dict[str, int]]
"""Entries by map, and values of constants."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A program of ours on a device. `current`: it is of this build, and uses the tables as they are now."""

    port: int
    device: str
    current: bool


def pin_folder() -> Path:
    """Where all pins of ours are."""
    return bpf_filesystem() / "openfex"


def room_for(role: str, rows: int) -> Room:
    """What a role's programs are loaded with to have so many rows a port. The kernel numbers CPUs without gaps."""
    entries = dict.fromkeys(SIZED[role], rows) | {"counters": rows * possible_cpus()}
    if role == "bridge":
        entries |= ROOM | {"hits": ROOM["hits"] * possible_cpus()}
        return entries, {"counter_rows": rows, "hit_rows": ROOM["hits"]}
    return entries, {"counter_rows": rows}


def check_sizes(maps: Mapping[str, Map]) -> None:
    """Compare the structs of the object with ours. Raises InternalError."""
    for name, size in VALUE_SIZES.items():
        if name in maps and maps[name].value_size != size:
            raise InternalError(f"map {name} has values of {maps[name].value_size} octets, expected {size}")
        if name in maps and maps[name].key_size != KEY_SIZES.get(name, U32.size):
            raise InternalError(f"map {name} has keys of {maps[name].key_size} octets")


class Node:
    """The datapath of the node `name`, which is also the name of its name space."""

    def __init__(self, name: str, role: str) -> None:
        self.name = name
        self.role = role
        self.pins = pin_folder() / name
        self._open: dict[Path, Map] = {}

    def close(self) -> None:
        """Close what was opened; the pins stay."""
        for one in self._open.values():
            one.close()
        self._open.clear()

    def map(self, name: str) -> Map:
        """A pinned map, of those that have sizes the largest; opened once."""
        return self._map(self.pin(name))

    def counters(self) -> list[Map]:
        """The counters of every size that the node has had."""
        return [self._map(self.pin("counters", size)) for size in self._sizes()]

    def _map(self, pin: Path) -> Map:
        if pin not in self._open:
            self._open[pin] = Map.pinned(pin)
        return self._open[pin]

    def pin(self, name: str, rows: int | None = None) -> Path:
        """Where a map is pinned; of those that have sizes that of so many rows, or the largest there is."""
        if name not in SIZED[self.role]:
            return self.pins / name
        return self.pins / str(self.rows if rows is None else rows) / name

    def programs_folder(self, build: str) -> Path:
        """Where the programs of a build are pinned, which use the tables as they are now."""
        return self.pins / str(self.rows) / build

    def _sizes(self) -> list[int]:
        """The sizes whose maps are pinned, the largest last; all but that have only their counters left."""
        if not self.pins.is_dir():
            return []
        return sorted(int(one.name) for one in self.pins.iterdir() if (one / "counters").exists())

    @property
    def builds(self) -> list[str]:
        """The builds of the programs that are pinned whole, and use the tables as they are now."""
        folder = self.pins / str(self.rows)
        if not folder.is_dir():
            return []
        return sorted(
            one.name for one in folder.iterdir() if all((one / name).exists() for name in PROGRAMS[self.role])
        )

    @property
    def rows(self) -> int:
        """How many ports the tables have room for; 0 if there are none."""
        if not all((self.pins / name).exists() for name in MAPS[self.role]):
            return 0
        whole = (size for size in self._sizes() if all(self.pin(name, size).exists() for name in SIZED[self.role]))
        return max(whole, default=0)

    def load(self, rows: int) -> None:
        """Load this build of the programs and pin it; maps that are pinned already are kept, with all they hold."""
        before = self.rows
        if not before:
            self.close()
        rows = max(rows, before)
        folder = self.pins / str(rows)
        folder.mkdir(parents=True, exist_ok=True)
        pins = {name: self.pin(name, rows) for name in (*MAPS[self.role], *SIZED[self.role])}
        kept = {name: pin for name, pin in pins.items() if pin.exists()}
        entries, constants = room_for(self.role, rows)
        with Object.load(object_path(self.role), max_entries=entries, reuse=kept, constants=constants) as loaded:
            check_sizes(loaded.maps)
            if 0 < before < rows:
                for table in SIZED[self.role][1:]:
                    _copy(self.map(table), loaded.map(table))
            for name, pin in pins.items():
                if name not in kept:
                    loaded.map(name).pin(pin)
            self._make_overflow_rows()
            if self.role == "bridge":
                loaded.program("bridge_start_ageing").test_run(bytes(14))
            self._pin_programs(loaded, folder / build_of(self.role))

    def _pin_programs(self, loaded: Object, folder: Path) -> None:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        for name in PROGRAMS[self.role]:
            loaded.program(name).pin(folder / name)

    def _make_overflow_rows(self) -> None:
        """The rows of `drops` that take what no longer fits, one a reason, so that no drop goes uncounted."""
        drops = self.map("drops")
        for reason in DropReason:
            key = DROP_KEY.pack(ANY_PORT, reason)
            if drops.get(key) is None:
                drops.put(key, bytes(drops.row_size))

    def drop_older(self) -> None:
        """Unpin older builds, and of smaller sizes all but the counters; filters that still use them keep them."""
        rows = self.rows
        for size in self._sizes():
            for one in (self.pins / str(size)).iterdir():
                if one.is_dir() and (size, one.name) != (rows, build_of(self.role)):
                    shutil.rmtree(one)
                elif size < rows and one.name != "counters":
                    one.unlink()

    def remove(self) -> None:
        """Unpin everything."""
        self.close()
        shutil.rmtree(self.pins, ignore_errors=True)

    @contextmanager
    def _programs(self, build: str) -> Iterator[Mapping[str, Program]]:
        folder = self.programs_folder(build)
        with ExitStack() as stack:
            yield {name: stack.enter_context(Program.pinned(folder / name)) for name in PROGRAMS[self.role]}

    def program_ids(self, build: str) -> dict[int, str]:
        """The names of a build's programs by their ids."""
        with self._programs(build) as programs:
            return {program.id: name for name, program in programs.items()}

    def told(self, port: int) -> tuple[str, int]:
        """The program for a port number, and the number that it must be told: of the port (extender), or its link's."""
        if self.role == "bridge":
            return "bridge_in", port_link(port)
        return ("extender_up", port) if port_channel(port) else ("extender_down", port_link(port))

    def attach(self, netlink: Netlink, devices: Iterable[tuple[int, str]]) -> None:
        """Put the right program on each device: (port number, device). An older one is replaced in one step.

        The filter's classid tells the program which port (extender) or link it runs for.
        """
        with self._programs(build_of(self.role)) as programs, netlink.batch():
            for port, device in devices:
                program, classid = self.told(port)
                netlink.add_clsact(device)
                netlink.attach(device, programs[program].fd, label=f"{LABEL}:{program}", classid=classid)

    def attached(self, netlink: Netlink, devices: Iterable[str]) -> list[Attachment]:
        """Which of the devices have a program of ours."""
        build = build_of(self.role)
        ids = self.program_ids(build) if build in self.builds else {}
        return [
            Attachment(_port_of(one), device, one.program_id in ids)
            for device in devices
            for one in netlink.filters(device)
            if one.label.startswith(f"{LABEL}:")
        ]

    def detach(self, netlink: Netlink, devices: Iterable[str]) -> None:
        """Take our programs from devices, those of them that are still there."""
        there = {link.name for link in netlink.links()}
        with netlink.batch():
            for device in there.intersection(devices):
                netlink.detach(device)


def _port_of(one: Filter) -> int:
    """The port number that a filter of ours is for."""
    return one.classid if one.label == f"{LABEL}:extender_up" else port_number(one.classid)


def _copy(old: Map, new: Map) -> None:
    """The rows of an array into a larger one."""
    for first, octets in old.used():
        rows = (octets[at : at + old.row_size] for at in range(0, len(octets), old.row_size))
        new.put_many([(U32.pack(number), row) for number, row in enumerate(rows, first)])
