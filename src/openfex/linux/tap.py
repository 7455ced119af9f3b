# SPDX-License-Identifier: Apache-2.0
"""Door to TAP devices: /dev/net/tun and its ioctls (linux/if_tun.h), to make one and to be the machine behind it.

A persistent TAP is a link without a process. It has carrier only while something, QEMU or `Tap`, has it open.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import time
from types import TracebackType

from openfex.errors import InputError
from openfex.linux import netns as spaces
from openfex.linux.border import crossing
from openfex.linux.vnet import LENGTH, PLAIN, VnetHeader

_DEVICE = "/dev/net/tun"
_TUNSETIFF, _TUNSETPERSIST, _TUNSETOFFLOAD = 0x400454CA, 0x400454CB, 0x400454D0
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_OFFLOADS = 0x01 | 0x02 | 0x04
"""TUN_F_CSUM, TSO4 and TSO6: what a machine with virtio-net takes, so that super-frames reach it whole."""
_ROOM = LENGTH + (1 << 16) + 64


def make(name: str, *, vnet_hdr: bool = True) -> None:
    """Make a persistent TAP in this thread's name space: `ip tuntap add NAME mode tap [vnet_hdr]`."""
    with crossing(f"add tap {name}"):
        fd = _open(name, vnet_hdr=vnet_hdr)
        try:
            fcntl.ioctl(fd, _TUNSETPERSIST, 1)
        finally:
            os.close(fd)


def open_tap(name: str, *, vnet_hdr: bool = True, netns: str | None = None) -> Tap:
    """Take the machine's place behind a TAP, which is made if it is not there and then goes with the `Tap`."""
    with spaces.entered(netns), crossing(f"open tap {name}"):
        fd = _open(name, vnet_hdr=vnet_hdr)
        try:
            os.set_blocking(fd, False)
            if vnet_hdr:
                fcntl.ioctl(fd, _TUNSETOFFLOAD, _OFFLOADS)
        except BaseException:
            os.close(fd)
            raise
    return Tap(name, fd, vnet_hdr=vnet_hdr)


class Tap:
    """The machine's end of a TAP: what it sends enters the link, what leaves the link it receives."""

    def __init__(self, name: str, fd: int, *, vnet_hdr: bool) -> None:
        self.name = name
        self._fd = fd
        self._header = LENGTH if vnet_hdr else 0

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Leave the TAP; a persistent one stays, without carrier."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def fileno(self) -> int:
        """The open file descriptor, for select and poll."""
        return self._fd

    def send(self, octets: bytes, header: VnetHeader = PLAIN) -> None:
        """Send one frame, as the machine's driver would."""
        if header is not PLAIN and not self._header:
            raise InputError(f"tap {self.name} was opened without virtio headers", code="no-vnet-header")
        with crossing(f"send on tap {self.name}"):
            os.write(self._fd, header.encode() + octets if self._header else octets)

    def receive(self, deadline_s: float) -> tuple[bytes, VnetHeader] | None:
        """The next frame and its header; None if none comes within `deadline_s` seconds."""
        end = time.monotonic() + deadline_s
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        while True:
            found = self._read()
            if found is not None:
                return found
            if not poll.poll(max(0.0, end - time.monotonic()) * 1000) and time.monotonic() >= end:
                return None

    def drain(self) -> list[bytes]:
        """The frames that are there now."""
        frames: list[bytes] = []
        while (found := self._read()) is not None:
            frames.append(found[0])
        return frames

    def _read(self) -> tuple[bytes, VnetHeader] | None:
        with crossing(f"receive on tap {self.name}"):
            try:
                octets = os.read(self._fd, _ROOM)
            except BlockingIOError:
                return None
        header = VnetHeader.decode(octets) if self._header else PLAIN
        return octets[self._header :], header


def _open(name: str, *, vnet_hdr: bool) -> int:
    fd = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    try:
        flags = _IFF_TAP | _IFF_NO_PI | (_IFF_VNET_HDR if vnet_hdr else 0)
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    except BaseException:
        os.close(fd)
        raise
    return fd
