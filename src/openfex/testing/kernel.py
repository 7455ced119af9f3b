# SPDX-License-Identifier: Apache-2.0
"""The engine `kernel` as a judge: the test build of the programs, run on frames without a wire (BPF_PROG_TEST_RUN).

It has maps of its own, with no pins, and goes when it is closed. Where a redirect went a test run does not tell; so the
test build has programs that write their decision into a map and send nothing. `act` runs the real program, for its octets:
only on frames with one way to go, because copies are really sent.
"""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from openfex.datapath.abi import DECISION, SETTINGS, STATION, STATION_KEY, U32, links_of
from openfex.datapath.node import Node, check_sizes
from openfex.datapath.objects import object_path
from openfex.datapath.rows import Device, Rows, bridge_rows, extender_rows
from openfex.datapath.tables import ARRAYS, read_counters, read_drops, read_stations, read_totals
from openfex.linux.libbpf import Map, Object, TestRun
from openfex.model.counters import PortCounters, Totals
from openfex.model.drops import DropReason
from openfex.model.limits import FIRST_UPLINK
from openfex.model.values import CHANNEL_BITS, Mac, port_channel, port_link, port_number
from openfex.rules.decision import Decision, Verdict, drop
from openfex.rules.tables import BridgeTables, ExtenderTables, Station

ROWS = {"extender": "functions", "bridge": "ports"}
"""The map that has a row a port; the counters have as many."""
LINKS = {"extender": 6, "bridge": FIRST_UPLINK + 4}
"""How many links there is room for, unless more is asked for; link 0 is nobody's."""
_COARSE_CLOCK = 6
"""CLOCK_MONOTONIC_COARSE, which the programs read; the time module has no name for it."""
_SKB_CONTEXT = struct.Struct("=3I")
_XDP_CONTEXT = struct.Struct("=6I")
_ONE_WAY = {"tc": (7,), "xdp": (0, 4)}
"""TC_ACT_REDIRECT; XDP_REDIRECT, or XDP_ABORTED where the map of devices has no such row."""


def kernel_now_ns() -> int:
    """The clock by which the programs learn and age."""
    return time.clock_gettime_ns(_COARSE_CLOCK)


@dataclass(frozen=True, slots=True)
class Acted:
    """What a real program did with a frame: `sent` if it left for one port, and then its octets."""

    retval: int
    sent: bool
    octets: bytes
    after: bytes
    """The context after the run."""


class _PrivateNode(Node):
    """A node whose maps are not pinned."""

    def __init__(self, role: str, maps: Mapping[str, Map]) -> None:
        super().__init__("private", role)
        self._maps = maps

    def map(self, name: str) -> Map:
        return self._maps[name]


class KernelEngine:
    """A port extender's or a bridge's programs over private maps."""

    def __init__(
        self, role: str, attachment: str = "tc", *, links: int | None = None, max_entries: Mapping[str, int] | None = None
    ) -> None:
        """Load the test build; `max_entries` are for maps whose size does not follow from `links`."""
        self.role = role
        self.attachment = attachment
        rows = (links or LINKS[role]) << CHANNEL_BITS
        sizes = {ROWS[role]: rows, "counters": rows, **(max_entries or {})}
        self._object = Object.load(object_path(role, attachment, test=True), max_entries=sizes)
        check_sizes(self._object.maps)
        self._node = _PrivateNode(role, self._object.maps)
        self._exported = self._object.map("exported")
        self._written: Rows = {}
        self._counted: set[int] = set()
        self._prefix = "xdp_" if attachment == "xdp" else ""

    def __enter__(self) -> KernelEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the kernel forget all of it."""
        self._object.close()

    def map(self, name: str) -> Map:
        """One of its maps."""
        return self._object.map(name)

    # Tables in

    def write(self, tables: ExtenderTables | BridgeTables) -> None:
        """Start again with these tables, nothing counted, and the stations that the tables name learnt."""
        self.reset()
        if isinstance(tables, ExtenderTables):
            self.write_rows(extender_rows(tables, _devices(tables)))
            return
        self.write_rows(bridge_rows(tables, _devices(tables), {}))
        self.set(ageing_ns=tables.ageing_ns, epoch=tables.epoch)
        self.learn(tables.stations)

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

    def set(self, *, ageing_ns: int, epoch: int) -> None:
        """Write the settings of a bridge."""
        self.map("settings").put(U32.pack(0), SETTINGS.pack(ageing_ns, epoch, 0))

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
        counters.put_many([(U32.pack(port), bytes(counters.row_size)) for port in self._counted])
        self._counted.clear()
        totals = self.map("totals")
        totals.put_many([(key, bytes(totals.row_size)) for key in totals.keys()])
        for name in ("drops", "stations") if self.role == "bridge" else ("drops",):
            for key in list(self.map(name).keys()):
                self.map(name).delete(key)

    # Frames through

    def decide(self, at: int, octets: bytes) -> Decision:
        """What the programs decide about a frame at a port, or (channel 0) at a link; it is counted and learnt from."""
        self._run(f"{self._program(at)}_decide", at, octets)
        row = self._exported.get(U32.pack(0))
        assert row is not None
        verdict, reason, port, out, number, source, uplinks, vlan, tci, tagged = DECISION.unpack(row)
        self._counted.add(port)
        if verdict == Verdict.DROP:
            return drop(port, DropReason(reason))
        links = links_of(uplinks, FIRST_UPLINK) if verdict == Verdict.FLOOD else frozenset()
        reached = (DropReason(reason), out, number, source, links, vlan, tci, bool(tagged))
        return Decision(Verdict(verdict), port, *reached)

    def act(self, at: int, octets: bytes) -> Acted:
        """Run the real program. Not for frames that are flooded or replicated at tc: their copies would be sent."""
        run = self._run(self._program(at), at, octets)
        self._counted.update((at, port_number(port_link(at))))
        sent = run.retval in _ONE_WAY[self.attachment]
        if self.attachment == "tc":
            return Acted(run.retval, sent, run.data, run.context)
        start = _XDP_CONTEXT.unpack_from(run.context)[0]
        return Acted(run.retval, sent, run.data[start:], run.context)

    def start_ageing(self) -> None:
        """Start the timer that forgets stations; it ends with the maps."""
        self._object.program("bridge_start_ageing").test_run(bytes(14))

    def _program(self, at: int) -> str:
        if self.role == "bridge":
            return f"{self._prefix}bridge_in"
        return f"{self._prefix}extender_{'up' if port_channel(at) else 'down'}"

    def _run(self, program: str, at: int, octets: bytes) -> TestRun:
        number = at if port_channel(at) else port_link(at)
        if self.attachment == "tc":
            return self._object.program(program).test_run(octets, context=_SKB_CONTEXT.pack(0, 0, number))
        context = _XDP_CONTEXT.pack(U32.size, U32.size + len(octets), 0, 0, 0, 0)
        return self._object.program(program).test_run(U32.pack(number) + octets, context=context)

    # Counts out

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


def _devices(tables: ExtenderTables | BridgeTables) -> dict[int, Device]:
    """A device for every link and function. Their numbers are made up: nothing is sent."""
    ports = [port_number(link) for link in tables.links]
    ports += tables.functions if isinstance(tables, ExtenderTables) else ()
    return {port: Device(1 + index) for index, port in enumerate(ports)}
