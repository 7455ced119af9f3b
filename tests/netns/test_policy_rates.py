# SPDX-License-Identifier: Apache-2.0
"""Rates on real veths: how exact they are, and that super-frames stay whole and move on debt."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from openfex.linux.packet import PacketSocket
from openfex.linux.vnet import NEEDS_CHECKSUM, PLAIN, GsoType, VnetHeader
from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.proof.kernel_bed import nic_place
from openfex.wire import ipv4_tcp
from tests.netns.labs import running
from tests.netns.policed import DEADLINE_S, Counts, binding_of, counts_of, documents, inside, server

pytestmark = pytest.mark.root
MEGABIT = 10**6
SECONDS = 10.0
SEGMENT = 1448
CLOSE_NS = 20_000_000
"""A fifth of a percent of the time that is measured."""
GSO_FROM = 500 * MEGABIT
"""From here on a socket of ours sends enough only if it sends super-frames."""
PRECISION = 0.02


def profile(name: str, said: str) -> str:
    return f"kind: profile\nname: {name}\nspec: {{vlan: {{access: 10}}, {said}}}\n"


def lab(*profiles: str, attachment: str = "tc") -> str:
    """A machine with each of the profiles, and one that they send to."""
    machines = {text.split("\n")[1].removeprefix("name: "): text for text in profiles}
    nics = {name: f"profile: {name}, address: 10.0.10.{last}/24" for last, name in enumerate(machines, start=1)}
    plain = "kind: profile\nname: open\nspec: {vlan: {access: 10}}\n"
    nics["sink"] = "profile: open, address: 10.0.10.100/24"
    return documents("test-rates", "---\n".join([plain, *profiles]), nics, attachment=attachment)


@dataclass
class Load:
    """Frames from one NIC to another, as fast as they can be sent."""

    layout: Layout
    sender: str
    receiver: str
    counts: Counts
    nic: PacketSocket
    octets: bytes
    header: VnetHeader
    batch: int
    way: DropReason

    def send(self) -> None:
        """A batch."""
        for _ in range(self.batch):
            self.nic.send_vnet(self.octets, self.header)

    @property
    def dropped(self) -> int:
        at = self.sender if self.way is DropReason.RATE_IN else self.receiver
        return self.counts.drops(at, self.way)

    def empty(self) -> tuple[int, int]:
        """Send until a frame is dropped within a short while: then the bucket was empty. When that began and ended."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            before, first = self.dropped, time.monotonic_ns()
            self.send()
            last = time.monotonic_ns()
            if self.dropped > before and last - first < CLOSE_NS:
                return first, last
        raise AssertionError("this machine does not send more than the rate")

    def passed(self) -> int:
        """Octets that have reached the receiver's port."""
        return self.counts.port(self.receiver).out_octets


@contextmanager
def loaded(layout: Layout, ends: tuple[str, str], way: DropReason, counts: Counts, *, gso: bool) -> Iterator[Load]:
    sender, receiver = ends
    one, other = binding_of(layout, sender), binding_of(layout, receiver)
    addresses = IPv4Address("10.0.10.1"), IPv4Address("192.0.2.1")  # nobody's: nobody answers
    payload = bytes(40 * SEGMENT if gso else 1000)
    packet = ipv4_tcp(*addresses, 1000, 2000, 1, 0, 0x10, payload, partial_checksum=True)
    octets = other.mac.octets + one.mac.octets + b"\x08\x00" + packet
    header = VnetHeader(NEEDS_CHECKSUM, GsoType.TCPV4, 54, SEGMENT, 34, 16) if gso else PLAIN
    place = nic_place(layout, one)
    with PacketSocket(place.device, netns=place.netns, vnet_hdr=True) as nic:
        yield Load(layout, sender, receiver, counts, nic, octets, header, 16, way)


def measured_rate(load: Load) -> tuple[float, float]:
    """Between which two numbers of bits a second the rate lies, from one moment with an empty bucket to another."""
    started = load.empty()
    before = load.passed()
    while time.monotonic_ns() < started[1] + SECONDS * 1e9:
        load.send()
    ended = load.empty()
    bits = (load.passed() - before) * 8e9
    return bits / (ended[1] - started[0]), bits / (ended[0] - started[1])


@pytest.mark.long
@pytest.mark.parametrize("way", [DropReason.RATE_IN, DropReason.RATE_OUT], ids=["in", "out"])
@pytest.mark.parametrize(
    ("rate", "wires"), [*((rate, "tc") for rate in (1, 10, 100, 1000, 4000, 10_000)), (10, "xdp"), (100, "xdp")]
)
def test_a_rate_is_exact(rate: int, wires: str, way: DropReason) -> None:
    """Within 2 % over 10 s; the burst lets the sender lose its CPU for a tenth of a second without losing anything."""
    burst = f"burst: {max(64, rate * 100_000 // 8 >> 10)}KiB"
    said = f"rate: {{{'in' if way is DropReason.RATE_IN else 'out'}: {{bits: {rate}Mbit, {burst}}}}}"
    ends = ("limited", "sink") if way is DropReason.RATE_IN else ("sink", "limited")
    with running(lab(profile("limited", said), attachment=wires)) as layout, counts_of(layout) as counts:
        gso = rate * MEGABIT >= GSO_FROM
        with loaded(layout, ends, way, counts, gso=gso) as load:
            least, most = measured_rate(load)
    print(f"\n{rate} Mbit/s {way.word}, {wires}: {least / MEGABIT:.3f} to {most / MEGABIT:.3f}")
    assert rate * MEGABIT * (1 - PRECISION) <= least <= most <= rate * MEGABIT * (1 + PRECISION)


def receive_all(listening: socket.socket, size: int) -> int:
    """How much of a stream arrives."""
    there, _ = listening.accept()
    there.settimeout(DEADLINE_S)
    got = 0
    with there:
        while got < size and (part := there.recv(1 << 16)):
            got += len(part)
    return got


@pytest.mark.slow
def test_tcp_moves_at_a_megabit_though_its_super_frames_exceed_what_a_bucket_holds() -> None:
    """They pass on debt. It is no faster than it may be: the burst and one super-frame of debt at most are ahead."""
    size, burst = 256 << 10, 8 << 10
    said = "rate: {in: {bits: 1Mbit, burst: 8KiB}}"
    with (
        running(lab(profile("slow", said))) as layout,
        server(layout, "sink", 80) as listening,
        inside(layout, "slow"),
        socket.socket() as calling,
        ThreadPoolExecutor(1) as pool,
    ):
        calling.settimeout(DEADLINE_S * 6)
        arrived = pool.submit(receive_all, listening, size)
        start = time.monotonic()
        calling.connect(("10.0.10.100", 80))
        calling.sendall(bytes(size))
        assert arrived.result() == size
        took_s = time.monotonic() - start
    assert took_s >= (size - burst - (64 << 10)) * 8 / MEGABIT


def test_p10_a_super_frame_that_is_judged_stays_whole_and_is_paid_for_by_its_segments() -> None:
    """Rules, guard and rates of both ends look at it; it arrives as it was sent, and its port owes each segment."""
    acl = "acl: {in: [{permit: {protocol: tcp, port: 2000}}], out: [{permit: {protocol: tcp, port: 2000}}]}"
    said = f"{acl}, source: {{guard: true}}, rate: {{in: 1Gbit, out: 1Gbit}}"
    with running(lab(profile("one", said), profile("two", said))) as layout, counts_of(layout) as counts:
        place = nic_place(layout, binding_of(layout, "two"))
        with (
            PacketSocket(place.device, netns=place.netns, vnet_hdr=True) as into,
            loaded(layout, ("one", "two"), DropReason.RATE_IN, counts, gso=True) as load,
        ):
            load.nic.send_vnet(load.octets, load.header)
            found = into.receive_vnet(DEADLINE_S)
            while found is not None and found[0] != load.octets:
                found = into.receive_vnet(DEADLINE_S)
        counted = counts.port("two")
    assert found is not None
    assert (found[1].gso_type, found[1].gso_size) == (GsoType.TCPV4, SEGMENT)
    assert (counted.out_unicast, counted.out_octets) == (40, 40 * (54 + SEGMENT))
