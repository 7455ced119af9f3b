# SPDX-License-Identifier: Apache-2.0
"""The door of `adapter/keeper.py` to this machine: the kernel's events, signals, the service manager, the clock."""

from __future__ import annotations

import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from socket import socket

from openfex.adapter.keeper import Woken
from openfex.errors import OpenfexError
from openfex.linux import notify, signals
from openfex.linux.border import crossing
from openfex.linux.links import event_is_of_pci
from openfex.linux.uevent import Events
from openfex.plan.watch import Told

QUIET_S = 0.3
"""Events come in crowds: looked when none has come for so long,"""
MOST_S = 3.0
"""and so long behind the first at the latest."""
_ROOM = 4096
Sleep = Callable[[Sequence[socket], float | None], None]
"""Wait until one of these can be read, or for so many seconds."""


def is_about_adapters(event: dict[str, str]) -> bool:
    """Whether a device event can be about an adapter, a function, or the network device of one."""
    virtual = event.get("DEVPATH", "").startswith("/devices/virtual/")
    return event.get("SUBSYSTEM") in ("pci", "net") and not virtual


def recoveries(events: Iterable[dict[str, str]]) -> tuple[Told, ...]:
    """What the kernel tells while PCIe recovers from an error (AER): pci_uevent_ers in the kernel."""
    return tuple(
        Told("recovery", event.get("PCI_SLOT_NAME", ""), f"recovery from a PCIe error: {event['ERROR_EVENT']}")
        for event in events
        if event.get("SUBSYSTEM") == "pci" and "ERROR_EVENT" in event
    )


def by_select(doors: Sequence[socket], duration_s: float | None) -> None:
    """Do nothing meanwhile."""
    select.select(doors, [], [], duration_s)


class KernelDoor:
    """See `keeper.Door`. Make it by `opened`."""

    def __init__(
        self, events: Events, asked: list[int], waker: socket, write: Callable[[Told], None], sleep: Sleep = by_select
    ) -> None:
        self._events, self._asked, self._waker, self._write, self._sleep = events, asked, waker, write, sleep

    def now(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()

    def tell(self, told: Told) -> None:
        """A line of the log."""
        self._write(told)

    def notify(self, *lines: str) -> None:
        """Tell the service manager. That it does not listen ends nothing."""
        try:
            notify.notify(lines)
        except OpenfexError as error:
            self.tell(Told("failed", "", str(error), {"code": error.code}))

    def wait(self, until: float | None) -> Woken:
        """Wait for signals and for events about adapters, until a crowd of these is over."""
        first = last = None
        told: tuple[Told, ...] = ()
        while True:
            if self._asked:
                numbers = set(self._asked)
                self._asked.clear()
                return Woken(bool(numbers - {signal.SIGHUP}), signal.SIGHUP in numbers, told)
            now = self.now()
            end = until if first is None or last is None else min(last + QUIET_S, first + MOST_S)
            if end is not None and now >= end:
                return Woken(told=told)
            with crossing("wait for a device event"):
                self._sleep([*self._events.doors, self._waker], None if end is None else end - now)
            found, more = self._take()
            told += more
            if found:
                last = self.now()
                first = last if first is None else first

    def _take(self) -> tuple[bool, tuple[Told, ...]]:
        """Whether what has come is about adapters, or may be, and what of it is told."""
        with suppress(BlockingIOError):
            self._waker.recv(_ROOM)
        devices, links, lost = self._events.take_all()
        found = lost or any(map(is_about_adapters, devices)) or any(map(event_is_of_pci, links))
        return found, recoveries(devices)


@contextmanager
def opened(write: Callable[[Told], None], sleep: Sleep = by_select) -> Iterator[KernelDoor]:
    """Listen from now on; SIGTERM, SIGINT and SIGHUP are for `wait` until the block ends."""
    with signals.waking() as waker, signals.noted() as asked, Events() as events:
        yield KernelDoor(events, asked, waker, write, sleep)
