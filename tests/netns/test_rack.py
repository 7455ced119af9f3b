# SPDX-License-Identifier: Apache-2.0
"""The rack of examples/rack.yaml: it comes up, is changed while frames flow, loses none of them, and goes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from openfex.lab import lab
from openfex.lab.names import netns_of
from openfex.lab.view.look import look
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.linux.sysctl import sysctl
from openfex.model.layout import Binding, Layout
from openfex.proof.bed import Seen, frame, numbers
from openfex.proof.kernel_bed import nic_place
from openfex.proof.residue import residue

pytestmark = [pytest.mark.root, pytest.mark.slow]
EXAMPLES = Path(__file__).parents[2] / "examples"
LAB = "test-rack"
RACK = (EXAMPLES / "rack.yaml").read_text().replace("name: rack\n", f"name: {LAB}\n", 1)
BURST, PAUSE_S, DEADLINE_S = 4, 0.004, 10.0


@pytest.fixture(scope="module")
def rack() -> Iterator[Layout]:
    lab.down(LAB)
    layout = lab.up(RACK).layout
    for machine in layout.machines:  # or their own multicasts, each for 128 others, fill the kernel's backlog of 1000
        sysctl(netns_of(LAB, "machine", machine.name), "net.ipv6.conf.all.disable_ipv6", 1)
    yield layout
    lab.down(LAB)
    assert residue(LAB) == []


def _never(seen: Seen) -> bool:
    return False


class Stream:
    """A counted stream from one NIC to another, in a thread of its own, for as long as the block lasts."""

    def __init__(self, layout: Layout, sender: Binding, receiver: Binding) -> None:
        here, there = nic_place(layout, sender), nic_place(layout, receiver)
        self._out, self._into = (PacketSocket(one.device, netns=one.netns) for one in (here, there))
        self._capture = PacketCapture({"into": self._into})
        self._ends = (sender.mac, receiver.mac)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0

    def __enter__(self) -> Stream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._capture.collect(lambda seen: self.sent - 1 in numbers(seen["into"][-BURST:]), DEADLINE_S)
        self._out.close()
        self._into.close()

    def _run(self) -> None:
        sender, receiver = self._ends
        while not self._stop.is_set():
            burst = range(self.sent, self.sent + BURST)
            self._out.send_many([frame(receiver, sender, number) for number in burst])
            self.sent += BURST
            self._capture.collect(_never, PAUSE_S)

    @property
    def arrived(self) -> list[int]:
        """The numbers that have arrived, in order."""
        return numbers(self._capture.frames["into"])


def _binding(layout: Layout, machine: str) -> Binding:
    return next(one for one in layout.bindings if one.machine == machine)


def _edits() -> list[str]:
    """A machine taken out, one given another profile, one moved to another host, a host taken out with its machines."""
    documents = RACK.split("---\n")
    without = [one for one in documents if "name: app-0306\n" not in one]
    moved = [one.replace("host: h04", "host: h03") if "name: db-0408\n" in one else one for one in without]
    other = [one.replace("profile: web", "profile: db") if "name: web-0504\n" in one else one for one in moved]
    smaller = [one for one in other if "h32" not in one]
    return ["---\n".join(one) for one in (without, moved, other, smaller, documents)]


def test_the_example_is_what_its_script_writes() -> None:
    written = subprocess.run([sys.executable, EXAMPLES / "rack.py"], capture_output=True, text=True, check=True)
    assert written.stdout == (EXAMPLES / "rack.yaml").read_text()


def test_p6_edits_of_a_rack_lose_no_frame_of_what_they_do_not_touch(rack: Layout) -> None:
    pairs = (("web-0101", "web-0102"), ("web-0201", "web-1702"), ("db-3108", "db-0108"))
    streams = [Stream(rack, _binding(rack, one), _binding(rack, other)) for one, other in pairs]
    done = 0
    with streams[0], streams[1], streams[2]:
        for text in _edits():
            done += len(lab.up(text).operations)
    assert done > 10
    assert lab.drift(LAB).operations == ()
    for stream in streams:
        assert stream.sent > BURST
        assert stream.arrived == list(range(stream.sent))


def test_p4_a_rack_that_nobody_sends_forged_frames_into_drops_only_on_the_way_out(rack: Layout) -> None:
    """What is dropped while machines go and come is for those that are gone, and is counted so."""
    drops = {reason.word for node in look(rack).nodes.values() for (_, reason) in node.drops}
    assert drops <= {"port-down", "no-receiver", "unknown-list", "unknown-channel"}
