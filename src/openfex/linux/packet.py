# SPDX-License-Identifier: Apache-2.0
"""Door to frames on a link: AF_PACKET sockets (packet(7)), a frame a send or receive, octets as they were on the wire.

The kernel takes a frame's outer VLAN tag out of the octets before a packet socket sees it, and tells it beside them
(PACKET_AUXDATA); it is put back here, with the TPID it had. With `vnet_hdr` a frame may be a GSO super-frame, in
both directions, and says so in a virtio-net header (PACKET_VNET_HDR).
"""

from __future__ import annotations

import errno
import select
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol

from openfex.errors import InputError
from openfex.linux import netns as spaces
from openfex.linux.border import crossing
from openfex.linux.vnet import LENGTH, NEEDS_CHECKSUM, PLAIN, VnetHeader

ETH_P_ALL = 3

_SOL_PACKET = 263
_ADD_MEMBERSHIP, _STATISTICS, _AUXDATA, _VNET_HDR, _IGNORE_OUTGOING = 1, 6, 8, 15, 23
_MR_MULTICAST, _MR_PROMISC = 0, 1
_OUTGOING = 4
_SO_RCVBUFFORCE = 33
_QUEUE = 64 << 20
_ROOM = LENGTH + (1 << 16) + 64
_AUXDATA_FORMAT = struct.Struct("=IIIHHHH")
_CONTROL_ROOM = socket.CMSG_SPACE(_AUXDATA_FORMAT.size)
_TAG_VALID, _TPID_VALID = 1 << 4, 1 << 6
_MACS = 12
_CTAG = 0x8100


class PacketSocket:
    """A socket that sees and sends the frames of one link; each instance is used by one thread at a time."""

    def __init__(  # noqa: PLR0913 -- options, all of them by name
        self,
        ifname: str,
        *,
        netns: str | None = None,
        promiscuous: bool = True,
        protocol: int = ETH_P_ALL,
        outgoing: bool = False,
        vnet_hdr: bool = False,
        groups: Sequence[bytes] = (),
        queue: int = _QUEUE,
    ) -> None:
        """Open a socket on `ifname`; `outgoing` shows also what is sent there, `protocol` narrows it to one.

        `groups`: group addresses that the device is to let in; `queue`: octets that may wait to be read.
        """
        self.name = ifname
        self._header = LENGTH if vnet_hdr else 0
        self._outgoing = outgoing
        self._dropped = 0
        self._poll = select.poll()
        with crossing(f"open a packet socket on {ifname}"), spaces.entered(netns):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
            try:
                self._set_up(groups, promiscuous=promiscuous, protocol=protocol, queue=queue)
            except BaseException:
                self._socket.close()
                raise
        self._poll.register(self._socket, select.POLLIN)

    def __enter__(self) -> PacketSocket:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def fileno(self) -> int:
        """The open file descriptor, for select and poll."""
        return self._socket.fileno()

    @property
    def is_gone(self) -> bool:
        """Whether its device was removed, or put into another name space: it hears nothing more, whatever comes."""
        return not self._socket.getsockname()[0]

    @property
    def dropped(self) -> int:
        """Frames lost since the socket was opened because nobody read them in time."""
        with crossing(f"read the counters of a packet socket on {self.name}"):
            counters = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 8)  # reading sets them to zero
        self._dropped += int(struct.unpack("=II", counters)[1])
        return self._dropped

    def send(self, octets: bytes) -> None:
        """Send one frame, its Ethernet header included."""
        with crossing(f"send on {self.name}"):
            self._socket.send(PLAIN.encode() + octets if self._header else octets)

    def send_many(self, frames: Sequence[bytes]) -> None:
        """Send frames in order."""
        before = PLAIN.encode() if self._header else b""
        send = self._socket.send
        with crossing(f"send on {self.name}"):
            for octets in frames:
                send(before + octets)

    def send_gso(  # noqa: PLR0913 -- the fields of one header
        self,
        octets: bytes,
        *,
        gso_type: int,
        gso_size: int,
        header_length: int,
        checksum_start: int,
        checksum_offset: int,
    ) -> None:
        """Send a super-frame that is cut into pieces of `gso_size` octets of payload where a wire needs it."""
        header = VnetHeader(NEEDS_CHECKSUM, gso_type, header_length, gso_size, checksum_start, checksum_offset)
        self.send_vnet(octets, header)

    def send_vnet(self, octets: bytes, header: VnetHeader) -> None:
        """Send one frame with a virtio-net header."""
        if not self._header:
            raise InputError(f"the packet socket on {self.name} has no virtio headers", code="no-vnet-header")
        with crossing(f"send on {self.name}"):
            self._socket.send(header.encode() + octets)

    def receive(self, deadline_s: float) -> bytes | None:
        """The next frame; None if none comes within `deadline_s` seconds."""
        found = self.receive_vnet(deadline_s)
        return None if found is None else found[0]

    def receive_vnet(self, deadline_s: float) -> tuple[bytes, VnetHeader] | None:
        """The next frame and its virtio-net header (`PLAIN` on a socket without)."""
        end = time.monotonic() + deadline_s
        while True:
            found = self._read()
            if found is not None:
                return found
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._poll.poll(left * 1000)

    def drain(self) -> list[bytes]:
        """The frames that are there now."""
        frames: list[bytes] = []
        while (found := self._read()) is not None:
            frames.append(found[0])
        return frames

    def _set_up(self, groups: Sequence[bytes], *, promiscuous: bool, protocol: int, queue: int) -> None:
        door = self._socket
        index = socket.if_nametoindex(self.name)
        door.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, queue)
        door.setsockopt(_SOL_PACKET, _AUXDATA, 1)
        door.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, int(not self._outgoing))
        if self._header:
            door.setsockopt(_SOL_PACKET, _VNET_HDR, 1)
        if promiscuous:
            door.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("=iHH8s", index, _MR_PROMISC, 0, b""))
        for group in groups:
            request = struct.pack("=iHH8s", index, _MR_MULTICAST, len(group), group)
            door.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, request)
        door.bind((self.name, protocol))  # last, so that no frame is seen before all is set

    def _read(self) -> tuple[bytes, VnetHeader] | None:
        while True:
            try:
                octets, control, _, _ = self._socket.recvmsg(_ROOM, _CONTROL_ROOM, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            except OSError as cause:
                if cause.errno == errno.ENETDOWN:  # said once when the link goes down; frames may come again later
                    continue
                with crossing(f"receive on {self.name}"):
                    raise
            header = VnetHeader.decode(octets) if self._header else PLAIN
            tag = _tag_beside(control)
            if not tag:
                return octets[self._header :] if self._header else octets, header
            frame = octets[self._header :]
            return frame[:_MACS] + tag + frame[_MACS:], header.shifted(len(tag))


class Source(Protocol):
    """What frames can be collected from: a PacketSocket, or a Tap."""

    def fileno(self) -> int:
        """The open file descriptor."""

    def drain(self) -> list[bytes]:
        """The frames that are there now."""


class PacketCapture:
    """Frames of several sockets, collected side by side by one thread: `frames[name]` grows as they come."""

    def __init__(self, sockets: Mapping[str, Source]) -> None:
        self.sockets = dict(sockets)
        self.frames: dict[str, list[bytes]] = {name: [] for name in sockets}

    def collect(self, until: Callable[[Mapping[str, list[bytes]]], bool], deadline_s: float) -> bool:
        """Collect until `until(frames)` holds; False if it does not within `deadline_s` seconds."""
        end = time.monotonic() + deadline_s
        with selectors.DefaultSelector() as selector:
            for name, source in self.sockets.items():
                selector.register(source, selectors.EVENT_READ, name)
            self._take(self.sockets)
            while not until(self.frames):
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._take(key.data for key, _ in selector.select(left))
        return True

    def _take(self, names: Iterable[str]) -> None:
        for name in names:
            self.frames[name] += self.sockets[name].drain()


def collect(
    sockets: Mapping[str, Source], until: Callable[[Mapping[str, list[bytes]]], bool], deadline_s: float
) -> dict[str, list[bytes]]:
    """The frames of several sockets, up to when `until(frames)` holds or `deadline_s` seconds have passed."""
    capture = PacketCapture(sockets)
    capture.collect(until, deadline_s)
    return capture.frames


def _tag_beside(control: list[tuple[int, int, bytes]]) -> bytes:
    """The VLAN tag that the kernel took out of the octets, as it was; nothing if there was none."""
    for level, kind, payload in control:
        if (level, kind) == (_SOL_PACKET, _AUXDATA) and len(payload) >= _AUXDATA_FORMAT.size:
            status, _, _, _, _, tci, tpid = _AUXDATA_FORMAT.unpack_from(payload)
            if status & _TAG_VALID:
                return struct.pack("!HH", tpid if status & _TPID_VALID else _CTAG, tci)
    return b""
