# SPDX-License-Identifier: Apache-2.0
"""The engine `kernel` over maps of its own: tables in, frames through without a wire (BPF_PROG_TEST_RUN), counts out.

Nothing is pinned, and all of it goes when it is closed. Where a redirect went a test run does not tell; so the test
build has programs that write their decision into a map and send nothing. `act` runs the real program, for its octets:
only on frames with one way to go, because copies are really sent.
"""

from __future__ import annotations

import os
import shutil
import struct
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from openfex.datapath.abi import (
    COUNTERS,
    LEARNT,
    MAC,
    MEMORY,
    SETTINGS,
    STATION,
    STATION_KEY,
    U32,
    U64,
)
from openfex.datapath.decision import read_decision
from openfex.datapath.node import Node, check_sizes, room_for
from openfex.datapath.objects import object_path
from openfex.datapath.profiles import read_hits, remove_profiles, write_profiles
from openfex.datapath.rows import Device, Devices, Rows, allot_vlan_sets, bridge_rows, extender_rows, read_vlan_sets
from openfex.datapath.tables import ARRAYS, read_counters, read_drops, read_stations, read_totals, write_tables
from openfex.linux.libbpf import Map, Object, Program, TestRun, bpf_filesystem, possible_cpus
from openfex.model.counters import PortCounters, Totals
from openfex.model.drops import DropReason
from openfex.model.limits import FIRST_UPLINK
from openfex.model.values import CHANNEL_BITS, Mac, port_channel, port_link, port_number
from openfex.rules.decision import Decision, Hit, outcome
from openfex.rules.tables import BridgeTables, ExtenderTables, Station

LINKS = {"extender": 6, "bridge": FIRST_UPLINK + 4}
"""How many links there is room for, unless more is asked for; link 0 is nobody's."""
_COARSE_CLOCK = 6
"""CLOCK_MONOTONIC_COARSE, which the programs read; the time module has no name for it."""
SKB_CONTEXT = struct.Struct("=3I")
_XDP_CONTEXT = struct.Struct("=6I")
_ONE_WAY = {"tc": (7,), "xdp": (3, 4)}
"""TC_ACT_REDIRECT; XDP_TX and XDP_REDIRECT."""
_XDP_PASS = 2
_OWN = ("ageing", "exported", "capture", "rings", "packets", "works")
"""Maps that are not in every build of a role."""


def kernel_now_ns() -> int:
    """The clock by which the programs learn and age."""
    return time.clock_gettime_ns(_COARSE_CLOCK)


@dataclass(frozen=True, slots=True)
class Acted:
    """What a real program did with a frame: `sent` by one port, or `passed` on from XDP to tc; and its octets then."""

    sent: bool
    passed: bool
    octets: bytes


class _PrivateNode(Node):
    """A node whose maps are not pinned."""

    def __init__(self, role: str, maps: Mapping[str, Map]) -> None:
        super().__init__("private", role)
        self._maps = maps

    def map(self, name: str) -> Map:
        return self._maps[name]

    def counters(self) -> list[Map]:
        return [self._maps["counters"]]


class KernelTables:
    """The programs of a role, loaded, and their maps."""

    def __init__(  # noqa: PLR0913 -- options, all of them by name
        self,
        role: str,
        attachment: str = "tc",
        *,
        test: bool = True,
        links: int | None = None,
        max_entries: Mapping[str, int] | None = None,
        beside: KernelTables | None = None,
    ) -> None:
        """Load a build; `max_entries` are for maps whose size does not follow from `links`.

        What is loaded `beside` another shares with it all maps that both have.
        """
        self.role = role
        self.attachment = attachment
        rows = (links or LINKS[role]) << CHANNEL_BITS
        entries, self.constants = room_for(role, rows)
        path = object_path(role, attachment, test=test)
        if beside is None:
            self._object = Object.load(path, max_entries=entries | dict(max_entries or {}), constants=self.constants)
        else:
            with beside.pinned() as pins:
                self._object = Object.load(path, reuse=pins, constants=self.constants)
        check_sizes(self._object.maps)
        self._node = _PrivateNode(role, self._object.maps)
        self._written: Rows = {}
        self._counted: set[int] = set()
        self._ports: set[int] = set()

    def close(self) -> None:
        """Let the kernel forget all of it."""
        self._object.close()

    @property
    def names(self) -> list[str]:
        """Of all its maps."""
        return list(self._object.maps)

    def map(self, name: str) -> Map:
        """One of the maps."""
        return self._object.map(name)

    def program(self, name: str) -> Program:
        """One of the programs."""
        return self._object.program(name)

    @contextmanager
    def pinned(self) -> Iterator[dict[str, Path]]:
        """Pins of the maps that another build of the role has too, for as long as it takes to open them."""
        folder = bpf_filesystem() / f"openfex-private-{os.getpid()}"
        folder.mkdir()
        shared = [name for name in self._object.maps if name not in _OWN and "." not in name]
        try:
            for name in shared:
                self.map(name).pin(folder / name)
            yield {name: folder / name for name in shared}
        finally:
            shutil.rmtree(folder)

    # Tables in

    def write(self, tables: ExtenderTables | BridgeTables, devices: Devices | None = None) -> None:
        """Start again with these tables: nothing counted, and learnt what the tables say is learnt."""
        self.reset()
        self.rewrite(tables, devices)
        if isinstance(tables, BridgeTables):
            self.learn(tables.stations)

    def rewrite(self, tables: ExtenderTables | BridgeTables, devices: Devices | None = None) -> None:
        """Go on with these tables; stations and counts stay."""
        places = made_up_devices(tables) if devices is None else devices
        if isinstance(tables, ExtenderTables):
            self.write_rows(extender_rows(tables, places))
            return
        used = [terms.vlans for terms in tables.profiles.values() if terms.vlans is not None]
        sets = allot_vlan_sets(used, read_vlan_sets(self._written) if self._written else {})
        rows = bridge_rows(tables, places, sets)
        learnt = {MAC.pack(mac.octets, 0): U32.pack(port | LEARNT) for mac, port in tables.memory.macs.items()}
        rows["veths"] = learnt | rows["veths"]
        self.write_rows(rows)
        write_profiles(self._node, tables.profiles, sets)
        remove_profiles(self._node, tables.profiles)
        row = SETTINGS.pack(tables.ageing_ns, tables.epoch, 0)
        self.map("settings").put(U32.pack(0), row)

    def change(self, tables: ExtenderTables | BridgeTables) -> None:
        """Go on with these tables as a node does that carries frames: all in the order that a frame can stand."""
        write_tables(self._node, tables, made_up_devices(tables))

    def write_rows(self, wanted: Rows) -> None:
        """Make these the rows that there are."""
        for name in {*wanted, *self._written}:
            one, rows, before = self.map(name), wanted.get(name, {}), self._written.get(name, {})
            one.put_many(list(rows.items()))
            gone = [key for key in before if key not in rows]
            if name in ARRAYS:
                one.put_many([(key, bytes(one.value_size)) for key in gone])
            else:
                for key in gone:
                    one.delete(key)
        self._written = dict(wanted)
        self._ports |= {U32.unpack(key)[0] for key in wanted.get("ports", ())}

    def learn(self, stations: Mapping[tuple[Mac, int], Station]) -> None:
        """Write stations as if they had been learnt."""
        self.map("stations").put_many(
            [
                (STATION_KEY.pack(mac.octets, vlan), STATION.pack(one.seen_ns, one.port, one.epoch))
                for (mac, vlan), one in stations.items()
            ]
        )

    def reset(self) -> None:
        """Forget what was counted and learnt."""
        counters = self.map("counters")
        firsts = range(0, counters.max_entries, counters.max_entries // possible_cpus())
        counters.put_many(
            [(U32.pack(first + port), bytes(COUNTERS.size)) for first in firsts for port in self._counted]
        )
        self._counted.clear()
        totals = self.map("totals")
        totals.put_many([(U32.pack(row), bytes(totals.row_size)) for row in range(totals.max_entries)])
        if self.role == "bridge":
            self.map("memories").put_many([(U32.pack(port), bytes(MEMORY.size)) for port in self._ports])
            self._clear_hits()
            for mac in self.macs():
                self.map("veths").delete(MAC.pack(mac.octets, 0))
        for name in ("drops", "stations") if self.role == "bridge" else ("drops",):
            for key in list(self.map(name).keys()):
                self.map(name).delete(key)

    def _clear_hits(self) -> None:
        hits = self.map("hits")
        for first, octets in hits.used():
            words = array("Q", octets)
            hits.put_many([(U32.pack(first + at), bytes(U64.size)) for at, word in enumerate(words) if word])

    def set_clock(self, now_ns: int) -> None:
        """The time by which rates are paid for; 0 is the kernel's own."""
        self.map("test_clock").put(U32.pack(0), U64.pack(now_ns))

    # Counts out

    def hits(self) -> dict[Hit, int]:
        """How often each rule has decided."""
        return {hit: frames for hit, frames in read_hits(self._node).items() if frames}

    def macs(self) -> dict[Mac, int]:
        """The sources that were learnt, by their vEths."""
        rows = {MAC.unpack(key)[0]: U32.unpack(value)[0] for key, value in self.map("veths").items()}
        return {Mac(octets): port & ~LEARNT for octets, port in rows.items() if port & LEARNT}

    def counters(self) -> dict[int, PortCounters]:
        """Counters of the ports that have counted."""
        found = read_counters(self._node)
        self._counted.update(found)
        return found

    def drops(self) -> Counter[tuple[int, DropReason]]:
        """Drops by port and reason."""
        return read_drops(self._node)

    def totals(self) -> Totals:
        """The totals."""
        return read_totals(self._node)

    def stations(self) -> dict[tuple[Mac, int], Station]:
        """What has been learnt."""
        return read_stations(self._node)


class KernelEngine(KernelTables):
    """The test build, and frames through it."""

    def __enter__(self) -> KernelEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def decide(self, at: int, octets: bytes) -> Decision:
        """What the programs decide about a frame at a port, or (channel 0) at a link; it is counted and learnt from."""
        self._run(f"{self._program(at)}_decide", at, octets)
        row = self.map("exported").get(U32.pack(0))
        assert row is not None
        exported = read_decision(row)
        self._counted.add(exported.decision.port)
        return outcome(exported.decision)

    def time(self, at: int, octets: bytes, frames: int) -> int:
        """Nanoseconds that a decision about such a frame takes, with its effects and counters, of so many in a row."""
        return self._run(f"{self._program(at)}_decide", at, octets, frames).duration_ns

    def act(self, at: int, octets: bytes) -> Acted:
        """Run the real program. At tc not for frames with several ways to go: their copies would be sent."""
        run = self._run(self._program(at), at, octets)
        self._counted.update((at, port_number(port_link(at))))
        xdp = self.attachment == "xdp"
        start = _XDP_CONTEXT.unpack_from(run.context)[0] if xdp else 0
        return Acted(run.retval in _ONE_WAY[self.attachment], xdp and run.retval == _XDP_PASS, run.data[start:])

    def start_ageing(self) -> None:
        """Start the timer that forgets stations; it ends with the maps."""
        self.program("bridge_start_ageing").test_run(bytes(14))

    def _program(self, at: int) -> str:
        prefix = "xdp_" if self.attachment == "xdp" else ""
        if self.role == "bridge":
            return f"{prefix}bridge_in"
        return f"{prefix}extender_{'up' if port_channel(at) else 'down'}"

    def repeat(self, at: int, octets: bytes, times: int) -> None:
        """Decide about a frame again and again, each time by the tables of that moment; all are counted."""
        self._run(f"{self._program(at)}_decide", at, octets, times)

    def _run(self, program: str, at: int, octets: bytes, times: int = 1) -> TestRun:
        number = at if port_channel(at) else port_link(at)
        if self.attachment == "tc":
            return self.program(program).test_run(octets, context=SKB_CONTEXT.pack(0, 0, number), repeat=times)
        context = _XDP_CONTEXT.pack(U32.size, U32.size + len(octets), 0, 0, 0, 0)
        return self.program(program).test_run(U32.pack(number) + octets, context=context, repeat=times)


def made_up_devices(
    tables: ExtenderTables | BridgeTables, is_xdp: Callable[[int], bool] = lambda port: True
) -> dict[int, Device]:
    """A device for every link and function, taken by XDP or not. Their numbers are made up: nothing is sent."""
    ports = [port_number(link) for link in tables.links]
    ports += tables.functions if isinstance(tables, ExtenderTables) else ()
    return {port: Device(1 + index, xdp=is_xdp(port)) for index, port in enumerate(ports)}
