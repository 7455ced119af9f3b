# SPDX-License-Identifier: Apache-2.0
"""Door to the kernel's events about devices (NETLINK_KOBJECT_UEVENT), what udev listens to, and about links.

Each is a datagram of texts ended by zeroes: `add@/devices/...`, then `ACTION=add`, `DEVPATH=...`, `SUBSYSTEM=pci` ...
The kernel's own come from port 0 in group 1; what udev sends on, in group 2, is not asked for. That a link gets carrier
or another name is told by rtnetlink (group RTMGRP_LINK) alone.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from types import TracebackType

from openfex.linux import netns
from openfex.linux.border import crossing
from openfex.linux.links import Link, read_event_of_link

_KOBJECT_UEVENT = 15
_KERNEL_GROUP, _LINK_GROUP = 1, 1
_ROOM = 1 << 16
_SO_RCVBUFFORCE = 33
_QUEUE = 4 << 20
_LOST_EVENTS_S = 1.0
"""Looked again after so long even without an event: the queue may have overflowed (ENOBUFS)."""


def read_event(octets: bytes) -> dict[str, str]:
    """The keys of an event; none for what is no event of the kernel's."""
    head, *texts = octets.split(b"\0")
    if b"@" not in head:
        return {}
    found = (text.decode(errors="replace").partition("=") for text in texts)
    return {key: value for key, sign, value in found if sign}


class Events:
    """Device events from when this is made; close it, or use it in a `with`."""

    def __init__(self) -> None:
        self.lost = 0
        """How many times the kernel said that events were lost."""
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with crossing("listen to device events"):
            self._socket = socket.socket(socket.AF_NETLINK, kind, _KOBJECT_UEVENT)
            self._links = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
            self._enlarge()
            self._socket.bind((0, _KERNEL_GROUP))
            self._links.bind((0, _LINK_GROUP))

    def __enter__(self) -> Events:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()
        self._links.close()

    def wait(self, holds: Callable[[], bool], deadline_s: float) -> bool:
        """Wait until something holds, asked now and whenever an event has come; whether it does in the end."""
        end = time.monotonic() + deadline_s
        while not holds():
            left = end - time.monotonic()
            if left <= 0:
                return False
            with crossing("wait for a device event"):
                select.select([self._socket, self._links], [], [], min(left, _LOST_EVENTS_S))
            self.take()
        return True

    @property
    def doors(self) -> tuple[socket.socket, socket.socket]:
        """What can be read when something has come: device events, and events of links."""
        return self._socket, self._links

    def take(self) -> list[dict[str, str]]:
        """The device events that have come since the last time; those of links are dropped."""
        self._drain(self._links)
        return self._take_devices()

    def take_all(self) -> tuple[list[dict[str, str]], list[bytes], bool]:
        """Device events, the octets of link events, and whether some were lost (ENOBUFS)."""
        before = self.lost
        links = [octets for octets, port in self._drain(self._links) if port == 0]
        devices = self._take_devices()
        return devices, links, self.lost != before

    def _take_devices(self) -> list[dict[str, str]]:
        events = (read_event(octets) for octets, port in self._drain(self._socket) if port == 0)
        return [event for event in events if event]

    def _enlarge(self) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _QUEUE)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE)

    def _drain(self, door: socket.socket) -> list[tuple[bytes, int]]:
        found, lost = _drain(door)
        self.lost += lost
        return found


class LinkEvents:
    """What becomes of links in one name space (None: this thread's), from when this is made; close it."""

    def __init__(self, space: str | None = None) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with crossing("listen to events of links"), netns.entered(space):
            self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
            self._socket.bind((0, _LINK_GROUP))

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def fileno(self) -> int:
        """What can be read when something has come."""
        return self._socket.fileno()

    def take(self) -> tuple[list[Link], bool]:
        """Links as they were when each event came, down where they went; and whether some were lost (ENOBUFS)."""
        found, lost = _drain(self._socket)
        links = (read_event_of_link(octets) for octets, port in found if port == 0)
        return [link for link in links if link], bool(lost)


def _drain(door: socket.socket) -> tuple[list[tuple[bytes, int]], int]:
    """All datagrams that are there, and whose they are; and how many times some were lost."""
    found: list[tuple[bytes, int]] = []
    lost = 0
    while True:
        try:
            octets, (port, _) = door.recvfrom(_ROOM)
        except BlockingIOError:
            return found, lost
        except OSError:  # ENOBUFS: whoever asks looks again
            lost += 1
            continue
        found.append((octets, port))
