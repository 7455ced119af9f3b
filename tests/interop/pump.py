# SPDX-License-Identifier: Apache-2.0
"""A machine of the protocols on a real device: frames and deadlines go in, what it puts out is sent or kept.

    with Pump(station_end(settings), space, "st0") as pump:
        pump.start()
        pump.until(lambda: pump.told_of(Agreed), "EVB agrees")
        done = pump.run(["lldptool", ...])              the machine goes on meanwhile

One thread does it all: it waits for frames, for the machine's deadline and for what the test waits for.
"""

from __future__ import annotations

import os
import select
import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from openfex.linux import netns
from openfex.linux.packet import PacketSocket
from openfex.protocol.output import Transmit
from openfex.protocol.vdp_bridge import Bridge
from openfex.protocol.vdp_station import Station
from openfex.rules.head import ECP, LLDP

PATIENCES = 20.0
"""For what a foreign program does; what it needs is a few seconds at most."""


class End(Protocol):
    """An uplink's end, or an LLDP agent alone."""

    @property
    def deadline(self) -> float | None: ...

    def start(self, now: float) -> Sequence[object]: ...

    def receive(self, octets: bytes, now: float) -> Sequence[object]: ...

    def expire(self, now: float) -> Sequence[object]: ...


E = TypeVar("E", bound=End)
V = TypeVar("V", bound=Station | Bridge)
T = TypeVar("T")
Owner = Callable[[object, float], Sequence[object]]


class Pump(Generic[E]):
    """An end on a device. `owner` sees all that it tells, and may answer with what one of its verbs put out."""

    def __init__(self, end: E, space: str, device: str, owner: Owner = lambda *_: ()) -> None:
        self.end = end
        self.owner = owner
        self.told: list[tuple[float, object]] = []
        self.heard: list[tuple[float, bytes]] = []
        with ExitStack() as held:
            protocols = (LLDP, ECP)
            self._sockets = [held.enter_context(PacketSocket(device, netns=space, protocol=one)) for one in protocols]
            self._selector = held.enter_context(selectors.DefaultSelector())
            self._held = held.pop_all()
        for one in self._sockets:
            self._selector.register(one, selectors.EVENT_READ)

    def __enter__(self) -> Pump[E]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._held.close()

    def start(self) -> None:
        """Have the end speak."""
        now = time.monotonic()
        self.put(self.end.start(now), now)

    def do(self, verb: Callable[[float], Sequence[object]]) -> float:
        """Put a wish to the end, now; when that was."""
        now = time.monotonic()
        self.put(verb(now), now)
        return now

    def put(self, outputs: Sequence[object], now: float) -> None:
        """Send frames; keep all else, and put it to the owner."""
        for output in outputs:
            if isinstance(output, Transmit):
                protocol = int.from_bytes(output.octets[12:14], "big")
                self._sockets[protocol == ECP].send(output.octets)
            else:
                self.told.append((now, output))
                self.put(self.owner(output, now), now)

    def told_of(self, kind: type[T]) -> list[T]:
        """What of a kind the end has told so far."""
        return [output for _, output in self.told if isinstance(output, kind)]

    def until(self, holds: Callable[[], object], what: str, patience_s: float = PATIENCES) -> float:
        """Go on until it holds; when that was. Fails if it does not in time."""
        end = time.monotonic() + patience_s
        while not holds():
            now = time.monotonic()
            assert now < end, f"not within {patience_s:g} s: {what}; told: {[one for _, one in self.told[-6:]]}"
            self._turn(now, end)
        return time.monotonic()

    def go_on(self, seconds: float) -> None:
        """Go on for so long: for what shows only when time has passed."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end, "time passes", seconds + PATIENCES)

    def run(self, space: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command in a name space to its end; the end of the uplink goes on meanwhile."""
        with TemporaryFile() as said:
            process = netns.spawn(space, command, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            watch = os.pidfd_open(process.pid)
            try:
                with self._watching(watch):
                    self.until(lambda: process.poll() is not None, f"{command} ends")
            finally:
                os.close(watch)
                process.kill()
                process.wait()
            said.seek(0)
            return subprocess.CompletedProcess(command, process.returncode, said.read().decode())

    def receive(self, door: socket.socket) -> bytes:
        """What comes next at a socket of the test's."""
        with self._watching(door):
            self.until(lambda: select.select([door], [], [], 0)[0], "the peer answers")
        return door.recv(1 << 16)

    @contextmanager
    def _watching(self, source: int | socket.socket) -> Iterator[None]:
        """Wait for this, too."""
        self._selector.register(source, selectors.EVENT_READ)
        try:
            yield
        finally:
            self._selector.unregister(source)

    def _turn(self, now: float, end: float) -> None:
        """Wait for what comes first, and see to it."""
        due = self.end.deadline
        until = end if due is None else min(end, due)
        self._selector.select(max(until - now, 0))
        for one in self._sockets:
            for octets in one.drain():
                now = time.monotonic()
                self.heard.append((now, octets))
                self.put(self.end.receive(octets, now), now)
        now, due = time.monotonic(), self.end.deadline
        if due is not None and due <= now:
            self.put(self.end.expire(now), now)
