# SPDX-License-Identifier: Apache-2.0
"""What a proof runs on: a lab whose NICs can send, whose wires can be listened to, whose tables and counts can be read.

The same proofs run on real kernel frames and on the reference engine over in-process wires.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from openfex.model.counters import PortCounters, Totals
from openfex.model.drops import DropReason
from openfex.model.layout import Binding, Layout
from openfex.model.values import BROADCAST, Mac
from openfex.rules.decision import Hit
from openfex.rules.tables import BridgeTables, ExtenderTables

ETHERTYPE = 0x88B5
"""IEEE 802, local experimental: what the frames of a proof are known by among whatever else is on the wires."""
MARK = b"openfex proof "
NIC, UP, DOWN, NETWORK = "nic:", "up:", "down:", "net:"
"""Where a frame was seen: at a NIC, on an uplink towards the bridge or from it, coming out of a network port."""

Seen = Mapping[str, list[bytes]]
Send = tuple[str, bytes]
"""Where something is sent, and its octets: a NIC sends it (`nic:vm1/eth0`), or it comes by a network port."""


def frame(dst: Mac, src: Mac, number: int, tags: bytes = b"") -> bytes:
    """A frame of a proof, 60 octets and more: `number` tells it from all others."""
    payload = MARK + number.to_bytes(8, "big")
    return (dst.octets + src.octets + tags + ETHERTYPE.to_bytes(2, "big") + payload).ljust(60, b"\0")


def numbers(frames: Sequence[bytes]) -> list[int]:
    """The numbers of the frames of a proof, whatever tags they carry."""
    found = []
    for octets in frames:
        at = octets.find(MARK)
        if at >= 0:
            found.append(int.from_bytes(octets[at + len(MARK) : at + len(MARK) + 8], "big"))
    return found


@dataclass
class NodeCounts:
    """All that a node has counted, and what devices lost after the verdict."""

    counters: Mapping[int, PortCounters]
    drops: Counter[tuple[int, DropReason]]
    totals: Totals

    @property
    def balance(self) -> tuple[int, int]:
        """(in + replicated, delivered + dropped): equal if every frame is accounted for (promise P4)."""
        came = sum(row.in_frames for row in self.counters.values()) + self.totals.replicated
        went = sum(row.out_frames for row in self.counters.values()) + sum(self.drops.values())
        return came, went


class Bed(Protocol):
    """An engine with the demo's lab on it."""

    engine: str
    layout: Layout

    def exchange(self, sends: Sequence[Send], until: Callable[[Seen], bool]) -> Seen:
        """Send, and tell what was seen where until `until` holds (or a deadline has passed)."""

    def send(self, sends: Sequence[Send]) -> None:
        """Send, and listen to nothing."""

    def bridge_tables(self) -> BridgeTables:
        """The tables of the bridge, as it has them now."""

    def extender_tables(self, host: str) -> ExtenderTables:
        """The tables of a host, as it has them now."""

    def counts(self) -> Mapping[str, NodeCounts]:
        """What every node has counted, by name."""

    def hits(self) -> Mapping[Hit, int]:
        """How many frames each rule of the bridge has decided."""

    def now_ns(self) -> int:
        """The time by the clock that rates go by."""

    def rest(self, duration_ns: int) -> None:
        """Let time pass."""

    def change_mac(self, nic: str, mac: Mac) -> None:
        """What the holder of a NIC can do to its own end."""


@dataclass(frozen=True)
class End:
    """Where frames come from or go to: a NIC, or something behind a network port."""

    place: str
    mac: Mac


@dataclass
class Stage:
    """A bed, with what proofs need again and again."""

    bed: Bed
    _last: int = 0
    sent: list[int] = field(default_factory=list)

    @property
    def bindings(self) -> dict[str, Binding]:
        """The bindings by machine name; every machine of the demo has one NIC."""
        return {binding.machine: binding for binding in self.bed.layout.bindings}

    def number(self) -> int:
        """A number that no frame has had."""
        self._last += 1
        return self._last

    def frame(self, dst: Mac, src: Mac, tags: bytes = b"") -> tuple[int, bytes]:
        """A new frame and its number."""
        number = self.number()
        return number, frame(dst, src, number, tags)

    def exchange(self, machine: str, frames: Sequence[bytes], witness: str) -> Seen:
        """Send from a machine, then one more frame to `witness`; done when that one is there.

        The path keeps order, so what has not been seen by then will not come.
        """
        return self.through(self.end(machine), frames, self.end(witness))

    def end(self, machine: str) -> End:
        """A machine's NIC."""
        binding = self.bindings[machine]
        return End(NIC + binding.name, binding.mac)

    def through(self, sender: End, frames: Sequence[bytes], witness: End) -> Seen:
        """The same from any end to any other."""
        last, fence = self.frame(witness.mac, sender.mac)
        sends = [(sender.place, octets) for octets in (*frames, fence)]
        return self.bed.exchange(sends, lambda seen: last in numbers(seen[witness.place]))

    def broadcast(self, machine: str) -> tuple[int, bytes]:
        """A broadcast of a machine."""
        return self.frame(BROADCAST, self.bindings[machine].mac)

    def drops(self, reason: DropReason) -> int:
        """How many frames all nodes together dropped for a reason so far."""
        return sum(
            count for node in self.bed.counts().values() for (_, why), count in node.drops.items() if why is reason
        )


@dataclass(frozen=True)
class Proof:
    """The outcome of one proof: whether it holds, and what was measured."""

    name: str
    ok: bool
    measured: str

    def describe(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {"name": self.name, "ok": self.ok, "measured": self.measured}
