# SPDX-License-Identifier: Apache-2.0
"""Uplinks that carry so much and no more: who has a minimum gets it, in both directions; made, seen and taken away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest

from openfex.adapter.shaping import DEFAULT, classes_of
from openfex.lab import lab
from openfex.lab.names import netns_of
from openfex.lab.view.look import look_at
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketSocket
from openfex.linux.queues import HTB
from openfex.model.layout import Binding, Layout
from openfex.model.place import Place
from openfex.model.shape import Shape, Share
from openfex.plan.objects import WireKey
from openfex.proof.bed import frame
from openfex.proof.kernel_bed import nic_place
from openfex.wire import VlanTag
from tests.netns.policed import wait_until

pytestmark = pytest.mark.root
LAB = "test-shapes"
SHAPED = ", rate: 40Mbit, classes: {voice: {pcp: [5, 6], minimum: 30Mbit}}"
TEXT = """
kind: network
name: test-shapes
spec: {bridges: {sw: {ports: [up0]}}}
---
kind: profile
name: voice
spec: {vlan: {access: 10}, priority: {pcp: 5}}
---
kind: profile
name: data
spec: {vlan: {access: 10}}
---
kind: host
name: h1
spec: {channel: CHANNEL, uplinks: {a: {device: up-a, bridge: swSHAPE}}}
---
kind: host
name: h2
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
---
kind: adapter
name: n1
spec: {host: h1, model: bcm-8, functions: 4}
---
kind: adapter
name: n2
spec: {host: h2, model: bcm-8, functions: 4}
---
kind: machine
name: v1
spec: {host: h1, nics: {eth0: {profile: voice}}}
---
kind: machine
name: d1
spec: {host: h1, nics: {eth0: {profile: data}}}
---
kind: machine
name: v2
spec: {host: h2, nics: {eth0: {profile: voice}}}
---
kind: machine
name: d2
spec: {host: h2, nics: {eth0: {profile: data}}}
"""
SHAPE = Shape(
    5_000_000, frozenset({Share(frozenset({5, 6}), 3_750_000), Share(frozenset({0, 1, 2, 3, 4, 7}), 1_250_000)})
)
PIECE, WARM, COUNTED = 25, 1_000, 4_000
DEADLINE_S, LOOK_S = 60.0, 0.01
OCTETS = 1400
SOCKETS = 60
"""Each waits when it has a few dozen frames in a queue; a queue holds 1,000."""


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    lab.down(LAB)
    yield
    lab.down(LAB)


def text(shape: str = SHAPED, channel: str = "etag") -> str:
    return TEXT.replace("SHAPE", shape).replace("CHANNEL", channel)


class Streams:
    """Streams side by side, each as much as its socket gets rid of."""

    def __init__(self, layout: Layout, pairs: list[tuple[str, str, bytes]], stack: ExitStack) -> None:
        bindings = {one.machine: one for one in layout.bindings}
        self._done = Event()
        self._heard = []
        pool = stack.enter_context(ThreadPoolExecutor(len(pairs)))
        stack.callback(self._done.set)
        for sender, receiver, tags in pairs:
            here, there = (nic_place(layout, bindings[one]) for one in (sender, receiver))
            out = PacketSocket(here.device, netns=here.netns)
            self._heard.append((stack.enter_context(Netlink(there.netns)), there.device))
            pool.submit(self._send, out, _filled(bindings[receiver], bindings[sender], tags))

    def _send(self, out: PacketSocket, octets: bytes) -> None:
        with out:
            while not self._done.is_set():
                out.send_many([octets] * PIECE)

    def arrived(self) -> list[int]:
        return [heard.statistics(device).rx_packets for heard, device in self._heard]

    def run(self, frames: int) -> list[int]:
        """Wait until so many more have arrived; how many of each."""
        before, end = self.arrived(), time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            came = [now - then for now, then in zip(self.arrived(), before, strict=True)]
            if sum(came) >= frames:
                return came
            self._done.wait(LOOK_S)
        raise AssertionError(f"within {DEADLINE_S} s only {self.arrived()} arrived")


def _filled(receiver: Binding, sender: Binding, tags: bytes) -> bytes:
    return frame(receiver.mac, sender.mac, 0, tags).ljust(OCTETS, b"\0")


@pytest.mark.slow
@pytest.mark.parametrize("channel", ["vntag", "etag"])
@pytest.mark.parametrize("direction", ["down", "up"])
def test_who_has_a_minimum_gets_it_when_the_uplink_is_full(channel: str, direction: str) -> None:
    """Down, the profile says what priority a frame has; up, the frame itself."""
    layout = lab.up(text(channel=channel)).layout
    own = VlanTag(0, pcp=5).encode() if direction == "up" else b""
    here, there = ("2", "1") if direction == "down" else ("1", "2")
    with ExitStack() as stack:
        streams = Streams(layout, [(f"v{here}", f"v{there}", own), (f"d{here}", f"d{there}", b"")], stack)
        streams.run(WARM)
        voice, data = streams.run(COUNTED)
    assert 0.65 < voice / (voice + data) < 0.85, (voice, data)


@pytest.mark.slow
def test_what_a_minimum_leaves_is_the_others_and_the_other_way_round() -> None:
    layout = lab.up(text()).layout
    for machine in "vd":
        with ExitStack() as stack:
            streams = Streams(layout, [(f"{machine}2", f"{machine}1", b"")], stack)
            assert streams.run(WARM)[0] >= WARM


def test_what_a_full_queue_drops_is_lost_behind_the_verdict_and_shown() -> None:
    layout = lab.up(text(", rate: 10Mbit")).layout
    bindings = {one.machine: one for one in layout.bindings}
    here = nic_place(layout, bindings["d2"])
    with Netlink(netns_of(LAB, "bridge", "sw")) as bridge, ExitStack() as stack:
        outs = [stack.enter_context(PacketSocket(here.device, netns=here.netns)) for _ in range(SOCKETS)]
        for out in outs:
            out.send_many([_filled(bindings["d1"], bindings["d2"], b"")] * PIECE)
        place = Place(netns_of(LAB, "bridge", "sw"), "uplink16")

        def is_shown() -> bool:
            """The last frames may still be on their way."""
            dropped = bridge.queue_drops("uplink16")
            statistics = look_at(LAB, [place])[place].statistics
            return statistics is not None and 0 < dropped == statistics.tx_dropped

        wait_until(is_shown, "what the queue drops is shown")


def test_queues_are_made_seen_changed_and_taken_away() -> None:
    lab.up(text())
    with Netlink(netns_of(LAB, "host", "h1")) as host, Netlink(netns_of(LAB, "bridge", "sw")) as bridge:
        ends = [(host, "up-a"), (bridge, "uplink16")]

        def shapes() -> list[bool]:
            return [netlink.classes(device) == classes_of(SHAPE) for netlink, device in ends]

        assert shapes() == [True, True]
        assert lab.up(text()).operations == ()
        bridge.set_classes("uplink16", classes_of(SHAPE)[:-1], DEFAULT)
        (planned,) = lab.plan(text()).operations
        assert planned.key == WireKey("h1.a")
        lab.up(text())
        assert shapes() == [True, True]
        lab.up(text(SHAPED.replace("30Mbit", "20Mbit")))
        assert shapes() == [False, False]
        lab.up(text(""))
        assert [netlink.classes(device) for netlink, device in ends] == [[], []]
        assert [netlink.link(device).queue for netlink, device in ends] == ["noqueue", "noqueue"]
        assert lab.up(text("")).operations == ()


def test_an_uplink_goes_from_queues_to_xdp_and_back() -> None:
    for shape in (SHAPED, ", attachment: xdp", SHAPED):
        lab.up(text(shape))
        assert lab.up(text(shape)).operations == ()
        with Netlink(netns_of(LAB, "host", "h1")) as host:
            link = host.link("up-a")
        assert (link.queue == HTB, link.xdp > 0) == (shape == SHAPED, shape != SHAPED)
