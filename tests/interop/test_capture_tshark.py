# SPDX-License-Identifier: Apache-2.0
"""`fex capture` on a lab, as tshark reads it while it runs; and that a killed one leaves nothing behind."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

import openfex
from openfex.datapath.abi import CAPTURE, U32
from openfex.datapath.capture import Capture
from openfex.datapath.node import Node
from openfex.errors import RefusedError
from openfex.lab.names import netns_of
from openfex.lab.points import ALL
from openfex.linux.packet import PacketSocket
from openfex.model.layout import Binding, Layout
from openfex.model.values import BROADCAST, ChannelKind, Mac
from openfex.wire import ETag, Frame, Tag, VlanTag
from tests.netns.labs import paths, running

pytestmark = [pytest.mark.root, pytest.mark.interop]

LAB = "test-paths"
COMMAND = [sys.executable, "-m", "openfex", "capture", "--lab", LAB]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(openfex.__file__).parents[1])}
MARK = b"captured by a test"
TSHARK = ["tshark", "-l", "-n", "-r", "-", "-Y", f"frame contains {MARK.hex(':')}", "-T", "fields"]
FIELDS = ("frame.interface_name", "frame.packet_flags_direction", "frame.len", "vlan.id", "frame.comment")
IN, OUT = "0x00000001", "0x00000002"
DEADLINE_S = 20.0
STRANGER, BPDU = Mac.parse("52:54:00:00:00:99"), Mac.parse("01:80:c2:00:00:00")


class Lines:
    """What a process prints, line by line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._file = process.stdout.fileno()
        self._octets = b""

    @property
    def read(self) -> list[str]:
        return self._octets.decode().splitlines()

    def until(self, enough: Callable[[list[str]], bool]) -> list[str]:
        """The lines there are when there are enough, or when no more will come."""
        end = time.monotonic() + DEADLINE_S
        while not enough(self.read):
            assert time.monotonic() < end, self.read
            if select.select([self._file], [], [], 0.1)[0]:
                octets = os.read(self._file, 65536)
                if not octets:
                    break
                self._octets += octets
        return self.read


@contextmanager
def capturing(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command, from the moment on when it says that it captures. At the end it is no more."""
    process = subprocess.Popen(
        [*COMMAND, *words], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    with process:
        try:
            assert process.stderr is not None
            assert b"fex: capturing" in process.stderr.readline()
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def layout() -> Iterator[Layout]:
    with running(paths(ChannelKind.VNTAG, ChannelKind.ETAG)) as found:
        yield found


class Machines:
    """The NICs of a lab's machines, and frames that bear our mark."""

    def __init__(self, layout: Layout, stack: ExitStack) -> None:
        self._nics = {one.machine: one for one in layout.bindings}
        self._sockets = {name: stack.enter_context(self._open(layout, one)) for name, one in self._nics.items()}

    @staticmethod
    def _open(layout: Layout, nic: Binding) -> PacketSocket:
        return PacketSocket(nic.nic, netns=netns_of(layout.lab, "machine", nic.machine))

    def mac(self, name: str) -> Mac:
        return self._nics[name].mac

    def send(self, name: str, dst: Mac, *tags: Tag, src: Mac | None = None) -> None:
        payload = MARK + bytes(46 - len(MARK))
        self._sockets[name].send(Frame(dst, src or self.mac(name), 0x88B5, payload, tags).encode())


@pytest.fixture
def machines(layout: Layout) -> Iterator[Machines]:
    with ExitStack() as stack:
        yield Machines(layout, stack)


def through_tshark(wanted: Sequence[tuple[str, ...]], send: Callable[[], None], *words: str) -> None:
    """`fex capture ... | tshark -r -`: while it runs all that is wanted comes out, and nothing else until it ends."""
    fields = [argument for name in FIELDS for argument in ("-e", name)]
    with (
        capturing(*words) as capture,
        subprocess.Popen([*TSHARK, *fields], stdin=capture.stdout, stdout=subprocess.PIPE) as tshark,
    ):
        send()
        lines = Lines(tshark)
        lines.until(lambda read: len(read) >= len(wanted))
        capture.send_signal(signal.SIGINT)
        rows = Counter(tuple(line.split("\t")) for line in lines.until(lambda _: False))
        assert rows == Counter(wanted)
        assert (capture.wait(DEADLINE_S), tshark.wait(DEADLINE_S)) == (0, 0)


def test_a_nic_s_frames_with_the_reasons_of_drops(machines: Machines) -> None:
    veth, function = "sw/veth1.1", "n1/0"

    def send() -> None:
        machines.send("a1", machines.mac("a3"))
        machines.send("a1", BROADCAST)
        machines.send("a1", BROADCAST, src=STRANGER)
        machines.send("a1", BROADCAST, VlanTag(99))
        machines.send("a1", BROADCAST, ETag(2))
        machines.send("a1", BPDU)
        machines.send("a3", machines.mac("a1"))
        machines.send("t2", BROADCAST, VlanTag(10))  # their native VLAN, so a1 gets it without the tag

    def dropped(reason: str, meaning: str) -> str:
        return f"in, dropped: {reason} ({meaning})"

    spoofed = dropped("spoofed-source", "the source MAC is not one that the function may use")
    vlan = dropped("vlan-not-allowed", "the port may not send in this VLAN, or may not send tagged frames")
    forged = dropped("forged-tag", "a VN-Tag or E-Tag from somebody who may not send one")
    bpdu = dropped(
        "bpdu",
        "a spanning-tree frame (01-80-C2-00-00-00 or 01-00-0C-CC-CC-CD) at a port that is an end host's",
    )
    wanted = [
        (veth, IN, "60", "", f"{veth} in, to sw/veth2.1"),
        (veth, IN, "60", "", f"{veth} in, flooded in VLAN 10"),
        (veth, IN, "60", "", f"{veth} {spoofed}"),
        (veth, IN, "64", "99", f"{veth} {vlan}"),
        (function, IN, "68", "", f"{function} {forged}"),
        (function, IN, "60", "", f"{function} {bpdu}"),
        (veth, OUT, "60", "", f"{veth} out, from sw/veth2.1"),
        (veth, OUT, "60", "", f"{veth} out, from sw/veth2.2, a copy"),
    ]
    through_tshark(wanted, send, "a1/eth0")


def test_a_trunk_s_frames_have_their_vlan_tags(machines: Machines) -> None:
    def send() -> None:
        machines.send("t2", BROADCAST, VlanTag(20))
        machines.send("a3", BROADCAST)  # in VLAN 10, which is the trunk's native one
        machines.send("t1", BROADCAST, VlanTag(99))  # in, and dropped: not asked for

    copy = "sw/veth1.3 out, from sw/veth2.{}, a copy"
    wanted = [("sw/veth1.3", OUT, "64", "20", copy.format(2)), ("sw/veth1.3", OUT, "60", "", copy.format(1))]
    through_tshark(wanted, send, "t1/eth0", "--out")


def test_at_the_host_the_copy_is_shown_that_the_machine_gets(machines: Machines) -> None:
    wanted = [("n1/2", OUT, "64", "20", "n1/2 out, from h1/up-a, a copy")]
    through_tshark(wanted, lambda: machines.send("t2", BROADCAST, VlanTag(20)), "n1/2", "--out")


def test_a_network_port_s_frames_too(machines: Machines) -> None:
    wanted = [("sw/up0", OUT, "64", "10", "sw/up0 out, from sw/veth1.1, a copy")]
    through_tshark(wanted, lambda: machines.send("a1", BROADCAST), "sw/up0")


def test_long_frames_are_cut_and_a_file_has_them(machines: Machines, tmp_path: Path) -> None:
    file = tmp_path / "a.pcapng"
    with capturing("a1/eth0", "--dropped", "--snap", "64", "-c", "1", "-w", str(file), "--json") as capture:
        machines.send("a1", BROADCAST, VlanTag(99), VlanTag(98))
        assert json.loads(b"".join(capture.stdout or ())) == {
            "ports": ["sw/veth1.1", "n1/0"],
            "frames": 1,
            "lost": 0,
            "file": str(file),
        }
    command = ["tshark", "-r", str(file), "-T", "fields", "-e", "frame.len", "-e", "frame.cap_len"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["68", "64"]


def captured_by(layout: Layout) -> int:
    """Who captures at the bridge, by the row that its programs look at."""
    with closing(Node(netns_of(layout.lab, "bridge", "sw"), "bridge")) as node:
        return int(CAPTURE.unpack(node.map("capture").get(U32.pack(0)) or bytes(CAPTURE.size))[0])


def programs() -> set[int]:
    shown = subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, check=True).stdout
    return {one["id"] for one in json.loads(shown)}


def test_a_killed_capture_leaves_nothing_behind(layout: Layout, machines: Machines) -> None:
    before = programs()
    with capturing("a1/eth0", "--json") as capture:
        assert captured_by(layout) == capture.pid
        machines.send("a1", BROADCAST)
        assert Lines(capture).until(lambda read: any("veth1.1" in line for line in read))
        capture.kill()
        capture.wait(DEADLINE_S)
    end = time.monotonic() + DEADLINE_S
    while captured_by(layout):
        assert time.monotonic() < end
        machines.send("a1", BROADCAST)  # the next frame finds that nobody is there any more
    assert programs() <= before
    with capturing("a1/eth0"):
        pass


def test_one_captures_at_a_node_at_a_time(layout: Layout) -> None:
    with capturing("sw/up0") as capture, closing(Node(netns_of(layout.lab, "bridge", "sw"), "bridge")) as node:
        with pytest.raises(RefusedError) as told:
            Capture(node, 1, ALL, 64)
        assert told.value.code == "capture-busy"
        assert captured_by(layout) == capture.pid


def test_a_capture_ends_with_the_reader_of_its_pipe() -> None:
    with capturing("sw/up1") as capture:
        assert capture.stdout is not None
        capture.stdout.close()
        assert capture.wait(DEADLINE_S) == 141
