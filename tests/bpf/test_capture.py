# SPDX-License-Identifier: Apache-2.0
"""What a capture shows is what the reference engines do: which frames, their octets at the port, and reasons of drops.

Frames run without a wire (BPF_PROG_TEST_RUN), in a name space without devices. So a copy of a flood, which is shown as
it is decided, is then shown as a drop, too: there is no device for it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from openfex.datapath.abi import CAPTURE, U32, Seen
from openfex.datapath.record import CapturedFrame, Kinds, read_record
from openfex.datapath.rows import Device
from openfex.linux import netns
from openfex.linux.perf import PerfRings
from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.model.values import BROADCAST, ChannelKind, port_channel, port_link, port_number
from openfex.rules.bridge import decide_bridge
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.rules.decision import Verdict
from openfex.rules.engine import Bridge, Extender, Sent
from openfex.rules.head import read_head
from openfex.rules.schannel import enter_schannel
from openfex.rules.tables import BridgeTables, ExtenderTables
from openfex.testing.chance import Chance, one_in
from openfex.testing.frames import BridgeScene, ExtenderScene
from openfex.testing.kernel import KernelEngine, kernel_now_ns
from openfex.testing.layouts import LayoutBuilder, access, make_layout, veth_mac
from openfex.testing.policies import make_priority_policy
from openfex.testing.tables import from_now, make_extender_tables, spoil_extender_tables
from openfex.wire import ETag

pytestmark = pytest.mark.root

SEEDS, FRAMES = 60, 60
SNAP = 32_768
ALL = Seen.IN | Seen.OUT | Seen.DROPPED
NO_DEVICE = 1000
"""From here on no device has such a number."""
ROW = U32.pack(0)
LATE = {DropReason.NOT_SENT, DropReason.NO_RECEIVER}
"""Found out behind the verdict; on a bridge the second seldom is."""
Shown = tuple[str, bytes, DropReason]


@dataclass(frozen=True)
class Rings:
    """An engine and the process that captures there."""

    kernel: KernelEngine
    rings: PerfRings
    kinds: dict[int, ChannelKind | None] = field(default_factory=dict)

    def write(self, tables: BridgeTables | ExtenderTables) -> None:
        ports = [port_number(link) for link in tables.links]
        ports += tables.functions if isinstance(tables, ExtenderTables) else ()
        self.kinds.clear()
        self.kinds.update(tables.links)
        self.kernel.write(tables, {port: Device(NO_DEVICE + index) for index, port in enumerate(ports)})

    def capture(self, port: int, seen: Seen = ALL, snap: int = SNAP) -> None:
        self.kernel.map("capture").put(ROW, CAPTURE.pack(1, port, seen, snap, 0, kernel_now_ns()))

    def frames(self) -> list[CapturedFrame]:
        found = (read_record(record, self.kernel.role, SNAP, self.kinds) for record in self.rings.drain())
        return [frame for frame in found if frame]

    def row(self) -> tuple[int, ...]:
        row = self.kernel.map("capture").get(ROW)
        assert row is not None
        return CAPTURE.unpack(row)


@contextmanager
def ringed(role: str) -> Iterator[Rings]:
    with netns.unnamed(), KernelEngine(role) as kernel:
        rings = PerfRings(kernel.map("rings"), 64)
        try:
            yield Rings(kernel, rings)
        finally:
            rings.close()


@pytest.fixture
def bridge() -> Iterator[Rings]:
    with ringed("bridge") as rings:
        yield rings


@pytest.fixture
def extender() -> Iterator[Rings]:
    with ringed("extender") as rings:
        yield rings


def shown(frames: list[CapturedFrame]) -> Counter[Shown]:
    """Direction, octets and reason, but for the drops of copies, for which there was no device."""
    assert {one.reason for one in frames if one.late} <= LATE
    return Counter(("out" if one.seen & Seen.OUT else "in", one.octets, one.reason) for one in frames if not one.late)


def bare(octets: bytes, kinds: Kinds, at: int) -> bytes:
    """A frame without its channel's tag, at a port."""
    kind = enter_schannel(read_head(octets), octets, kinds.get(port_link(at))).kind
    return octets[:12] + octets[12 + (kind.overhead if kind else 0) :]


@dataclass(frozen=True)
class Hop:
    """What the reference made of a frame: the port it is counted on, why it was dropped if it was, what left."""

    port: int
    reason: DropReason
    sent: list[Sent]
    is_late: bool
    mistaken: set[int]
    """Where a copy was dropped after its verdict, for it would be taken for another S-channel's."""


def follow(node: Bridge | Extender, at: int, octets: bytes) -> Hop:
    before, drops = {port: row.in_frames for port, row in node.counters.items()}, Counter(node.drops)
    floods = True
    if isinstance(node, Bridge):
        link, now_ns = port_link(at), kernel_now_ns()
        decision = decide_bridge(node.frame_from(link, octets), link, now_ns, node.tables)
        floods = decision.verdict is Verdict.FLOOD
        sent = node.receive(link, octets, now_ns)
    elif port_channel(at):
        sent = node.from_function(at, octets)
    else:
        sent = node.from_uplink(port_link(at), octets)
    seen = (port for port, row in node.counters.items() if row.in_frames > before.get(port, 0))
    port = next(seen, port_number(port_link(at)))  # signalling is no port's, and seen at its uplink
    fresh = node.drops - drops
    mistaken = {at for at, reason in fresh if reason is DropReason.FORGED_TAG and at != port}
    reason = next((reason for at, reason in fresh if at not in mistaken), DropReason.NONE)
    return Hop(port, reason, sent, reason is DropReason.NOT_SENT or (floods and reason in LATE), mistaken)


def wanted(hop: Hop, port: int, came: bytes, out: list[bytes]) -> Counter[Shown]:
    """A port's frames. What went nowhere after all is shown as it was decided, and then as a drop."""
    reason = DropReason.NONE if hop.is_late else hop.reason
    found: Counter[Shown] = Counter(("out", octets, DropReason.NONE) for octets in out)
    if hop.port == port:
        found["in", came, reason] += 1
    return found


def at_port(layout: Layout, hosts: dict[str, Extender], port: int, sent: list[Sent], links: Kinds) -> list[bytes]:
    """What leaves a bridge by a port: by a network port, by an uplink without its tag, or by a vEth at its function."""
    uplinks = {uplink.bridge_link: uplink for uplink in layout.uplinks_of("sw-a")}
    if not port_channel(port):
        return [bare(one.octets, links, port) for one in sent if one.port == port]
    uplink = uplinks[port_link(port)]
    function = port_number(uplink.host_link, port_channel(port))
    down = [one for one in sent if port_link(one.port) == uplink.bridge_link]
    by_vepa = uplink.kind is ChannelKind.VEPA  # there it is shown as on the uplink, with its VLAN's tag
    copies = [(one, copy) for one in down for copy in hosts[uplink.host].from_uplink(uplink.host_link, one.octets)]
    return [one.octets if by_vepa else copy.octets for one, copy in copies if copy.port == function]


def run_bridge(rings: Rings, chance: Chance, kinds: Counter[str]) -> None:
    layout = make_layout(chance, policies=make_priority_policy)
    tables = from_now(compile_bridge(layout, "sw-a"), kernel_now_ns())
    rings.write(tables)
    node, scene = Bridge(tables=tables), BridgeScene(tables)
    hosts = {one.name: Extender(tables=compile_extender(layout, one, {"sw-a": tables})) for one in layout.hosts}
    ports = sorted({*tables.ports, *(port_number(link) for link in tables.links)})
    for _ in range(FRAMES):
        port, arrival = chance.choice(ports), scene.arrival(chance)
        rings.capture(port)
        hop = follow(node, arrival.at, arrival.octets)
        rings.kernel.act(arrival.at, arrival.octets)
        came = bare(arrival.octets, tables.links, arrival.at) if port_channel(port) else arrival.octets
        if port in hop.mistaken:
            rings.frames()
            continue
        got = shown(rings.frames())
        assert got == wanted(hop, port, came, at_port(layout, hosts, port, hop.sent, tables.links)), (
            f"{arrival} at {port:#x}: {hop}"
        )
        kinds.update(f"{direction} {reason.word}" for direction, _, reason in got)


def run_extender(rings: Rings, chance: Chance, kinds: Counter[str]) -> None:
    tables = make_extender_tables(chance)
    if one_in(chance, 3):
        tables = spoil_extender_tables(chance, tables)
    rings.write(tables)
    node, scene = Extender(tables=tables), ExtenderScene(tables)
    ports = sorted({*tables.functions, *(port_number(link) for link in tables.links)})
    if not ports:
        return
    for _ in range(FRAMES):
        port, arrival = chance.choice(ports), scene.arrival(chance)
        rings.capture(port)
        hop = follow(node, arrival.at, arrival.octets)
        rings.kernel.act(arrival.at, arrival.octets)
        out = [
            one.octets if port_channel(port) else bare(one.octets, tables.links, port)
            for one in hop.sent
            if one.port == port
        ]
        got = shown(rings.frames())
        assert got == wanted(hop, port, arrival.octets, out), f"{arrival} at {port:#x}: {hop}"
        kinds.update(f"{direction} {reason.word}" for direction, _, reason in got)


def test_a_port_of_a_bridge_shows_what_the_reference_does(bridge: Rings) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(SEEDS):
        run_bridge(bridge, random.Random(seed), kinds)
    assert min(kinds[kind] for kind in ("in none", "out none", "in spoofed-source", "in vlan-not-allowed")) > 0, kinds


def test_a_port_of_an_extender_shows_what_the_reference_does(extender: Rings) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(SEEDS):
        run_extender(extender, random.Random(seed), kinds)
    assert min(kinds[kind] for kind in ("in none", "out none", "in port-down", "in forged-tag")) > 0, kinds


LINK, ONE, OTHER = 16, port_number(16, 1), port_number(16, 2)
REST = b"\x12\x34" + bytes(range(46))


def two_veths() -> BridgeTables:
    builder = LayoutBuilder()
    host = builder.host("h1", ChannelKind.ETAG, [builder.bridge("sw-a")], (1, 2))
    for channel in (1, 2):
        builder.bind(host, channel, access(10))
    return compile_bridge(builder.layout(), "sw-a")


def up(channel: int, dst: bytes, src: bytes) -> bytes:
    return dst + src + ETag(ecid=channel).encode() + REST


ACROSS = up(1, veth_mac(LINK, 2).octets, veth_mac(LINK, 1).octets)
SPOOFED = up(1, veth_mac(LINK, 2).octets, veth_mac(LINK, 9).octets)
FLOODED = up(1, BROADCAST.octets, veth_mac(LINK, 1).octets)


@pytest.mark.parametrize(
    ("port", "seen", "count"),
    [(ONE, Seen.IN, 2), (ONE, Seen.OUT, 0), (ONE, Seen.DROPPED, 1), (OTHER, Seen.OUT, 1), (OTHER, Seen.DROPPED, 0)],
)
def test_only_what_is_asked_for_is_shown(bridge: Rings, port: int, seen: Seen, count: int) -> None:
    bridge.write(two_veths())
    bridge.capture(port, seen)
    for octets in (ACROSS, SPOOFED):
        bridge.kernel.act(port_number(LINK), octets)
    frames = bridge.frames()
    assert len(frames) == count
    assert all(one.seen == seen for one in frames)


def test_of_a_long_frame_the_beginning_is_taken_and_its_length_told(bridge: Rings) -> None:
    bridge.write(two_veths())
    bridge.capture(ONE, snap=64)
    bridge.kernel.act(port_number(LINK), ACROSS + bytes(1000))
    (one,) = bridge.frames()
    alone = bare(ACROSS, bridge.kinds, port_number(LINK))
    assert one.octets == alone[:56]  # 64 with the E-Tag, which came off
    assert one.length == len(alone) + 1000


def test_a_copy_that_cannot_be_sent_is_a_drop_of_its_own(bridge: Rings) -> None:
    bridge.write(two_veths())
    bridge.capture(ONE)
    bridge.kernel.act(port_number(LINK), FLOODED)
    first, second = bridge.frames()
    assert (first.seen, first.reason, first.late) == (Seen.IN, DropReason.NONE, False)
    assert (second.seen, second.reason, second.late) == (Seen.DROPPED, DropReason.NOT_SENT, True)


def test_what_finds_no_room_is_counted(bridge: Rings) -> None:
    bridge.write(two_veths())
    bridge.capture(ONE)
    sent = 10_000
    for _ in range(sent):
        bridge.kernel.act(port_number(LINK), SPOOFED)
    lost = bridge.row()[4]
    assert 0 < lost < sent
    assert len(bridge.frames()) + lost == sent


def test_without_rings_the_next_frame_ends_the_capture(bridge: Rings) -> None:
    """As after a kill: the kernel takes the rings out of the map when the process that put them there ends."""
    bridge.write(two_veths())
    bridge.capture(ONE)
    bridge.rings.close()
    bridge.kernel.act(port_number(LINK), ACROSS)
    assert bridge.row()[0] == 0


def test_frames_of_other_ports_ask_now_and_then_whether_there_are_rings(bridge: Rings) -> None:
    bridge.write(two_veths())
    bridge.capture(port_number(1))
    bridge.rings.close()
    bridge.kernel.act(port_number(LINK), ACROSS)
    assert bridge.row()[0] == 1  # it was asked just now
    long_ago = kernel_now_ns() - 2_000_000_000
    bridge.kernel.map("capture").put(ROW, CAPTURE.pack(1, port_number(1), ALL, SNAP, 0, long_ago))
    bridge.kernel.act(port_number(LINK), ACROSS)
    assert bridge.row()[0] == 0


def test_to_ask_hands_nobody_a_frame(bridge: Rings) -> None:
    bridge.write(two_veths())
    bridge.kernel.map("capture").put(ROW, CAPTURE.pack(1, port_number(1), ALL, SNAP, 0, 0))
    bridge.kernel.act(port_number(LINK), ACROSS)
    assert bridge.row()[0] == 1
    assert bridge.frames() == []
