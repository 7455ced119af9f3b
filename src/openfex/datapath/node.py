# SPDX-License-Identifier: Apache-2.0
"""Door to the datapath of one node: programs and maps pinned in the BPF file system, attached to the node's devices.

Nothing here needs a process to stay: pins keep the maps, filters keep the programs. A new process opens the pins and
goes on. Pins lie in `/sys/fs/bpf/openfex/<node>/`: a file a map, and a folder a build of the programs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from openfex.datapath.abi import ANY_PORT, DROP_KEY, KEY_SIZES, U32, VALUE_SIZES
from openfex.datapath.objects import PROGRAMS, build_of, object_path
from openfex.errors import InternalError
from openfex.linux.libbpf import Map, Object, Program, bpf_filesystem
from openfex.linux.netlink import Netlink
from openfex.model.drops import DropReason
from openfex.model.values import port_channel, port_link

LABEL = "openfex"
"""The name of our filters, by which a later process knows them."""
SIZED = {"extender": ("functions", "counters"), "bridge": ("ports", "counters")}
"""The maps that have a row a port."""
MAPS = {
    "extender": ("links", "functions", "lists", "counters", "drops", "totals"),
    "bridge": (
        *("links", "ports", "vlan_sets", "veths", "stations", "floods", "settings", "ageing"),
        *("counters", "drops", "totals"),
    ),
}


def pin_folder() -> Path:
    """Where all pins of ours are."""
    return bpf_filesystem() / "openfex"


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
        self._open: dict[str, Map] = {}

    def close(self) -> None:
        """Close what was opened; the pins stay."""
        for one in self._open.values():
            one.close()
        self._open.clear()

    def map(self, name: str) -> Map:
        """A pinned map, opened once."""
        if name not in self._open:
            self._open[name] = Map.pinned(self.pins / name)
        return self._open[name]

    def _is_complete(self, folder: Path) -> bool:
        return all((folder / name).exists() for name in PROGRAMS[self.role])

    @property
    def builds(self) -> list[str]:
        """The builds of the programs that are pinned whole."""
        if not self.pins.is_dir():
            return []
        return sorted(one.name for one in self.pins.iterdir() if one.is_dir() and self._is_complete(one))

    @property
    def rows(self) -> int:
        """How many ports the tables have room for; 0 if there are none."""
        if not all((self.pins / name).exists() for name in MAPS[self.role]):
            return 0
        return self.map(SIZED[self.role][0]).max_entries

    def load(self, rows: int) -> None:
        """Load this build of the programs and pin it; maps that are pinned already are kept, with all they hold."""
        build = build_of(self.role)
        self.pins.mkdir(parents=True, exist_ok=True)
        if self.rows != rows:
            self.close()
            for name in MAPS[self.role]:
                (self.pins / name).unlink(missing_ok=True)
        kept = {name: self.pins / name for name in MAPS[self.role] if (self.pins / name).exists()}
        sizes = dict.fromkeys(SIZED[self.role], rows)
        with Object.load(object_path(self.role), max_entries=sizes, reuse=kept) as loaded:
            check_sizes(loaded.maps)
            for name in MAPS[self.role]:
                if name not in kept:
                    loaded.map(name).pin(self.pins / name)
            self._make_overflow_rows()
            if self.role == "bridge":
                loaded.program("bridge_start_ageing").test_run(bytes(14))
            self._pin_programs(loaded, self.pins / build)

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

    def drop_builds(self, keep: str) -> None:
        """Unpin the builds that are not `keep`; filters that still use them keep them alive."""
        for one in self.builds:
            if one != keep:
                shutil.rmtree(self.pins / one)

    def remove(self) -> None:
        """Unpin everything."""
        self.close()
        shutil.rmtree(self.pins, ignore_errors=True)

    @contextmanager
    def _programs(self) -> Iterator[Mapping[str, Program]]:
        folder = self.pins / build_of(self.role)
        with ExitStack() as stack:
            yield {name: stack.enter_context(Program.pinned(folder / name)) for name in PROGRAMS[self.role]}

    def _program_for(self, port: int) -> str:
        if self.role == "bridge":
            return "bridge_in"
        return "extender_up" if port_channel(port) else "extender_down"

    def attach(self, netlink: Netlink, devices: Iterable[tuple[int, str]]) -> None:
        """Put the right program on each device: (port number, device). An older one is replaced in one step.

        The filter's classid tells the program which port (extender) or link it runs for.
        """
        with self._programs() as programs, netlink.batch():
            for port, device in devices:
                program = self._program_for(port)
                classid = port if program == "extender_up" else port_link(port)
                netlink.add_clsact(device)
                netlink.attach(device, programs[program].fd, label=f"{LABEL}:{program}", classid=classid)

    def attached(self, netlink: Netlink, devices: Iterable[str]) -> frozenset[tuple[int, str]]:
        """Which of the devices have our program of this build, and for which port number."""
        if build_of(self.role) not in self.builds:
            return frozenset()
        with self._programs() as programs:
            ids = {program.id: name for name, program in programs.items()}
        found = set()
        for device in devices:
            for one in netlink.filters(device):
                if one.program_id in ids and one.label.startswith(LABEL):
                    whole = ids[one.program_id] == "extender_up"
                    found.add((one.classid if whole else one.classid << 12, device))
        return frozenset(found)
