# SPDX-License-Identifier: Apache-2.0
"""Frames through packet sockets and TAPs: octets as they were, tags put back, super-frames whole."""

from __future__ import annotations

import struct
import subprocess
import time
from collections.abc import Iterator

import pytest

from openfex.errors import InputError, KernelError
from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketCapture, PacketSocket, collect
from openfex.linux.sysctl import sysctl
from openfex.linux.tap import open_tap
from openfex.linux.vnet import NEEDS_CHECKSUM, PLAIN, GsoType, VnetHeader

pytestmark = pytest.mark.root
NAME = "fex-test-packet"
DEADLINE_S = 5.0
SILENCE_S = 0.02
HEAD = bytes.fromhex("5254000000025254000000 01".replace(" ", ""))
PLAIN_FRAME = HEAD + b"\x88\xb5" + bytes(range(46))


@pytest.fixture
def wire() -> Iterator[str]:
    """A veth pair a-b without any chatter of the stack's own."""
    netns.delete(NAME)
    netns.create(NAME)
    sysctl(NAME, "net.ipv6.conf.default.disable_ipv6", 1)
    with Netlink(NAME) as netlink:
        netlink.add_veth("a", "b", mtu=1600, up=True)
        netlink.set("b", up=True)
        assert netlink.wait_ready(["a", "b"], DEADLINE_S) == []
    yield NAME
    netns.delete(NAME)


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"\x81\x00\x20\x0a", id="c-tag"),
        pytest.param(b"\x88\xa8\x00\x64", id="s-tag"),
        pytest.param(b"\x88\xa8\x00\x64\x81\x00\xe0\x0a", id="s-tag and c-tag"),
        pytest.param(b"\x81\x00\x00\x00", id="priority tag"),
        pytest.param(b"\x89\x3f" + bytes(6), id="e-tag"),
    ],
)
def test_a_frame_arrives_octet_by_octet(wire: str, tags: bytes) -> None:
    frame = HEAD + tags + PLAIN_FRAME[12:]
    with PacketSocket("a", netns=wire) as near, PacketSocket("b", netns=wire) as far:
        near.send(frame)
        assert far.receive(DEADLINE_S) == frame


def test_frames_keep_their_order_and_none_is_lost(wire: str) -> None:
    frames = [PLAIN_FRAME + struct.pack("!I", number) for number in range(5000)]
    with PacketSocket("a", netns=wire) as near, PacketSocket("b", netns=wire) as far:
        for at in range(0, len(frames), 50):  # all links of a machine share queues of 1,000 frames
            near.send_many(frames[at : at + 50])
            assert [far.receive(DEADLINE_S) for _ in range(50)] == frames[at : at + 50]
        assert (far.dropped, far.drain()) == (0, [])


def test_silence_is_none_after_the_deadline(wire: str) -> None:
    with PacketSocket("b", netns=wire) as far:
        started = time.monotonic()
        assert far.receive(SILENCE_S) is None
        assert SILENCE_S <= time.monotonic() - started < DEADLINE_S
        assert far.receive(0) is None


def test_what_is_sent_is_seen_only_when_asked_for(wire: str) -> None:
    with PacketSocket("a", netns=wire) as near, PacketSocket("a", netns=wire, outgoing=True) as curious:
        near.send(PLAIN_FRAME)
        assert curious.receive(DEADLINE_S) == PLAIN_FRAME
        assert near.drain() == []


def test_one_protocol_can_be_asked_for(wire: str) -> None:
    other = HEAD + b"\x88\xb6" + bytes(46)
    with PacketSocket("a", netns=wire) as near, PacketSocket("b", netns=wire, protocol=0x88B6) as far:
        near.send_many([PLAIN_FRAME, other])
        assert far.receive(DEADLINE_S) == other
        assert far.drain() == []


def test_frames_nobody_reads_in_time_are_counted(wire: str) -> None:
    large = PLAIN_FRAME + bytes(1500)
    with (
        PacketSocket("a", netns=wire) as near,
        PacketSocket("b", netns=wire) as far,
        PacketSocket("b", netns=wire) as fast,
    ):
        far._socket.setsockopt(1, 8, 4096)  # SO_RCVBUF: a few frames
        for _ in range(20):
            near.send_many([large] * 50)
            assert len([fast.receive(DEADLINE_S) for _ in range(50)]) == 50
        kept = len(far.drain())
        assert 0 < kept < 1000
        assert far.dropped + kept == 1000
        assert far.dropped + kept == 1000, "reading the count does not reset it"


def test_a_link_that_goes_down_and_up_does_not_end_a_capture(wire: str) -> None:
    with PacketSocket("a", netns=wire) as near, PacketSocket("b", netns=wire) as far, Netlink(wire) as netlink:
        netlink.set("b", up=False)
        assert far.receive(SILENCE_S) is None
        netlink.set("b", up=True)
        assert netlink.wait_ready(["a", "b"], DEADLINE_S) == []
        near.send(PLAIN_FRAME)
        assert far.receive(DEADLINE_S) == PLAIN_FRAME
        netlink.set("a", up=False)
        with pytest.raises(KernelError, match="cannot send on a"):
            near.send(PLAIN_FRAME)


def test_a_missing_link_is_refused(wire: str) -> None:
    with pytest.raises(KernelError, match="cannot open a packet socket on nope"):
        PacketSocket("nope", netns=wire)


def test_several_sockets_are_collected_until_enough(wire: str) -> None:
    with PacketSocket("a", netns=wire) as near, PacketSocket("b", netns=wire) as far:
        capture = PacketCapture({"near": near, "far": far})
        near.send_many([PLAIN_FRAME] * 3)
        far.send(PLAIN_FRAME)
        assert capture.collect(lambda frames: sum(map(len, frames.values())) == 4, DEADLINE_S)
        assert {name: len(frames) for name, frames in capture.frames.items()} == {"near": 1, "far": 3}
        assert not capture.collect(lambda frames: len(frames["near"]) == 2, SILENCE_S)
        near.send(PLAIN_FRAME)
        assert len(collect({"far": far}, lambda frames: bool(frames["far"]), DEADLINE_S)["far"]) == 1


def tcp_super_frame(payload: int, tag: bytes = b"") -> tuple[bytes, VnetHeader]:
    """A TCP frame too long for the wire, its checksum half done, and what is to be done with it."""
    source, target, length = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), 20 + payload
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 1, 0x4000, 64, 6, 0, source, target)
    total = sum(struct.unpack("!10H", ip))
    total = (total & 0xFFFF) + (total >> 16)
    ip = ip[:10] + struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + ip[12:]
    pseudo = sum(struct.unpack("!6H", source + target + struct.pack("!HH", 6, length)))
    pseudo = (pseudo & 0xFFFF) + (pseudo >> 16)
    tcp = struct.pack("!HHIIBBHHH", 1, 2, 1, 1, 0x50, 0x18, 1000, pseudo, 0)
    ethernet = HEAD + tag + b"\x08\x00"
    start = len(ethernet) + 20
    header = VnetHeader(NEEDS_CHECKSUM, GsoType.TCPV4, start + 20, 1400, start, 16)
    return ethernet + ip + tcp + bytes(i & 0xFF for i in range(payload)), header


@pytest.mark.parametrize("tag", [b"", b"\x81\x00\x00\x0a"], ids=["untagged", "c-tag"])
def test_a_super_frame_stays_whole_between_sockets_that_take_it(wire: str, tag: bytes) -> None:
    frame, header = tcp_super_frame(30_000, tag)
    with (
        PacketSocket("a", netns=wire, vnet_hdr=True) as near,
        PacketSocket("b", netns=wire, vnet_hdr=True) as far,
    ):
        near.send_gso(
            frame,
            gso_type=header.gso_type,
            gso_size=header.gso_size,
            header_length=header.header_length,
            checksum_start=header.checksum_start,
            checksum_offset=header.checksum_offset,
        )
        received = far.receive_vnet(DEADLINE_S)
        assert received is not None
        assert received[0] == frame
        assert (received[1].gso_type, received[1].gso_size) == (GsoType.TCPV4, 1400)
        assert (received[1].checksum_start, received[1].checksum_offset) == (header.checksum_start, 16)
        near.send(PLAIN_FRAME)
        assert far.receive_vnet(DEADLINE_S) == (PLAIN_FRAME, PLAIN)


def test_a_socket_without_headers_refuses_a_super_frame(wire: str) -> None:
    frame, header = tcp_super_frame(3000)
    with PacketSocket("a", netns=wire) as near, pytest.raises(InputError):
        near.send_vnet(frame, header)


@pytest.mark.parametrize("vnet_hdr", [True, False])
def test_a_tap_is_a_machines_end(wire: str, vnet_hdr: bool) -> None:
    with Netlink(wire) as netlink:
        netlink.add_tap("vf0", 1500, vnet_hdr=vnet_hdr)
        netlink.set("vf0", up=True)
        with open_tap("vf0", vnet_hdr=vnet_hdr, netns=wire) as machine, PacketSocket("vf0", netns=wire) as host:
            assert netlink.wait_ready(["vf0"], DEADLINE_S) == []
            machine.send(PLAIN_FRAME)
            assert host.receive(DEADLINE_S) == PLAIN_FRAME
            host.send(PLAIN_FRAME)
            assert machine.receive(DEADLINE_S) == (PLAIN_FRAME, PLAIN)
            assert machine.receive(SILENCE_S) is None
            host.send_many([PLAIN_FRAME] * 3)
            frames = collect({"vf0": machine}, lambda found: len(found["vf0"]) == 3, DEADLINE_S)
            assert frames == {"vf0": [PLAIN_FRAME] * 3}
        assert not netlink.link("vf0").carrier


def test_super_frames_cross_a_tap_whole_in_both_directions(wire: str) -> None:
    frame, header = tcp_super_frame(20_000)
    with Netlink(wire) as netlink:
        netlink.add_tap("vf0", 1500)
        netlink.set("vf0", up=True)
    with (
        Netlink(wire) as netlink,
        open_tap("vf0", netns=wire) as machine,
        PacketSocket("vf0", netns=wire, vnet_hdr=True) as host,
    ):
        assert netlink.wait_ready(["vf0"], DEADLINE_S) == []
        machine.send(frame, header)
        received = host.receive_vnet(DEADLINE_S)
        assert received is not None
        assert (received[0], received[1].gso_size) == (frame, 1400)
        host.send_vnet(frame, header)
        taken = machine.receive(DEADLINE_S)
        assert taken is not None
        assert (taken[0], taken[1].gso_type, taken[1].gso_size) == (frame, GsoType.TCPV4, 1400)


@pytest.mark.interop
def test_tcpdump_sees_the_same_octets(wire: str) -> None:
    frame = HEAD + b"\x88\xa8\x00\x64\x81\x00\xe0\x0a" + PLAIN_FRAME[12:]
    argv = ["tcpdump", "-i", "b", "-c", "1", "-w", "-", "-U", "--immediate-mode"]
    child = netns.spawn(wire, argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        assert any(b"listening on b" in line for line in child.stderr)
        with PacketSocket("a", netns=wire) as near, PacketSocket("b", netns=wire) as far:
            near.send(frame)
            captured, _ = child.communicate(timeout=DEADLINE_S)
            assert captured[40:] == frame == far.receive(DEADLINE_S)
    finally:
        child.kill()
        child.wait()
