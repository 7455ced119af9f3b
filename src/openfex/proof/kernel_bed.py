# SPDX-License-Identifier: Apache-2.0
"""The demo's lab in the kernel: packet sockets at every NIC, on both ends of every uplink, at every network port."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType

from openfex.datapath.profiles import read_hits
from openfex.datapath.rows import Devices
from openfex.datapath.tables import read_counters, read_drops, read_tables, read_totals
from openfex.errors import InternalError
from openfex.lab.names import netns_of, outside
from openfex.lab.wanted import outside_device
from openfex.lab.workshop import Workshop
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.model.layout import Binding, Layout, NetworkPort
from openfex.model.place import Place
from openfex.model.values import Mac
from openfex.proof.bed import DOWN, MARK, NETWORK, NIC, UP, NodeCounts, Seen, Send
from openfex.proof.wire_tap import WireTap, listening
from openfex.rules.decision import Hit
from openfex.rules.tables import BridgeTables, ExtenderTables

DEADLINE_S = 5.0


def _either(heard: list[bytes], tapped: list[bytes]) -> list[bytes]:
    """What a socket heard or a tap saw: both what XDP passed on, the socket alone what was handed over behind XDP."""
    return list((Counter(tapped) | Counter(heard)).elements()) if tapped else heard


def nic_place(layout: Layout, binding: Binding) -> Place:
    """Where a machine's NIC is."""
    machine = next(one for one in layout.machines if one.name == binding.machine)
    kind, name = ("host", machine.host) if machine.in_host else ("machine", machine.name)
    return Place(netns_of(layout.lab, kind, name), binding.nic)


def port_place(layout: Layout, port: NetworkPort) -> Place:
    """Where what leaves a network port can be heard: at the other end of its cable."""
    for one, other in (*layout.wires, *(wire[::-1] for wire in layout.wires)):
        if one == port:
            return Place(netns_of(layout.lab, "bridge", other.bridge), other.name)
    return Place(outside(layout.lab), outside_device(port))


class KernelBed:
    """The lab `layout`, which is up."""

    engine = "kernel"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.workshop = Workshop(layout.lab)
        self._stack = ExitStack()
        self._stack.enter_context(self.workshop)
        self._nics = {one.name: nic_place(layout, one) for one in layout.bindings}
        places = self._places()
        self._sockets = {name: self._listen(place) for name, place in places.items()}
        self._taps = {name: self._tap(place) for name, place in places.items() if self._is_tapped(name)}

    def __enter__(self) -> KernelBed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the sockets; the lab stays."""
        self._stack.close()

    def _listen(self, place: Place) -> PacketSocket:
        return self._stack.enter_context(PacketSocket(place.device, netns=place.netns))

    def _tap(self, place: Place) -> WireTap:
        tap = WireTap(place)
        self._stack.callback(tap.close)
        return tap

    def _is_tapped(self, name: str) -> bool:
        """Whether XDP may take frames away before a packet socket hears them."""
        uplinks = (uplink for host in self.layout.hosts for uplink in host.uplinks if uplink.is_xdp)
        return any(name in (f"{UP}{one.host}.{one.fabric}", f"{DOWN}{one.host}.{one.fabric}") for one in uplinks)

    def _places(self) -> dict[str, Place]:
        places = {NIC + name: place for name, place in self._nics.items()}
        for host in self.layout.hosts:
            for uplink in host.uplinks:
                name = f"{host.name}.{uplink.fabric}"
                places[UP + name] = Place(netns_of(self.layout.lab, "bridge", uplink.bridge), uplink.bridge_device)
                places[DOWN + name] = Place(netns_of(self.layout.lab, "host", host.name), uplink.device)
        for bridge in self.layout.bridges:
            for port in bridge.ports:
                places[f"{NETWORK}{port.bridge}/{port.name}"] = port_place(self.layout, port)
        return places

    def exchange(self, sends: Sequence[Send], until: Callable[[Seen], bool]) -> Seen:
        """Send through the NICs and listen everywhere; only frames of proofs are shown."""
        for socket in self._sockets.values():
            socket.drain()
        capture = PacketCapture(self._sockets)
        with listening(list(self._taps.values())):
            self.send(sends)
            if not capture.collect(until, DEADLINE_S):
                raise InternalError(f"the last of {len(sends)} frames did not arrive within {DEADLINE_S:.0f} s")
        tapped = {name: tap.drain() for name, tap in self._taps.items()}
        return {
            name: [one for one in _either(frames, tapped.get(name, [])) if MARK in one]
            for name, frames in capture.frames.items()
        }

    def send(self, sends: Sequence[Send]) -> None:
        """Send, and listen to nothing."""
        for place, octets in sends:
            self._sockets[place].send(octets)

    def _devices(self, name: str) -> Devices:
        return self.workshop.devices(name)

    def bridge_tables(self) -> BridgeTables:
        """The tables of the bridge, read from the kernel."""
        name = netns_of(self.layout.lab, "bridge", self.layout.bridges[0].name)
        tables = read_tables(self.workshop.node(name), self._devices(name))
        assert isinstance(tables, BridgeTables)
        return tables

    def extender_tables(self, host: str) -> ExtenderTables:
        """The tables of a host, read from the kernel."""
        name = netns_of(self.layout.lab, "host", host)
        tables = read_tables(self.workshop.node(name), self._devices(name))
        assert isinstance(tables, ExtenderTables)
        return tables

    def _read_counts(self) -> dict[str, NodeCounts]:
        nodes = [("host", host.name) for host in self.layout.hosts]
        nodes += [("bridge", bridge.name) for bridge in self.layout.bridges]
        counts = {}
        for kind, name in nodes:
            node = self.workshop.node(netns_of(self.layout.lab, kind, name))
            counts[name] = NodeCounts(read_counters(node), read_drops(node), read_totals(node))
        return counts

    def counts(self) -> Mapping[str, NodeCounts]:
        """What every node has counted, read at a moment when nothing was in the middle of a decision.

        Maps are read one after the other while machines may be sending: read again until two readings are the same.
        """
        deadline = time.monotonic() + DEADLINE_S
        counts = self._read_counts()
        while (again := self._read_counts()) != counts and time.monotonic() < deadline:
            counts = again
        return counts

    def hits(self) -> Mapping[Hit, int]:
        """How many frames each rule of the bridge has decided, read from the kernel."""
        return read_hits(self.workshop.node(netns_of(self.layout.lab, "bridge", self.layout.bridges[0].name)))

    def now_ns(self) -> int:
        """The kernel's clock (CLOCK_MONOTONIC)."""
        return time.monotonic_ns()

    def rest(self, duration_ns: int) -> None:
        """Wait."""
        time.sleep(duration_ns / 1e9)

    def change_mac(self, nic: str, mac: Mac) -> None:
        """As root inside the machine: `ip link set eth0 address MAC`."""
        place = self._nics[nic]
        self.workshop.spaces.netlink(place.netns).set(place.device, mac=mac)
