# SPDX-License-Identifier: Apache-2.0
"""Daemons of ours as a test has them: what they log, and what they tell a service manager."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30.0
Line = dict[str, Any]


class Daemon:
    """A process of ours whose log is a JSON object a line; `ear` hears what it tells a service manager."""

    def __init__(self, folder: Path, *argv: str, least: Sequence[str] = ()) -> None:
        """`least`: what starts it with fewer rights."""
        place = folder / "notify"
        place.unlink(missing_ok=True)
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(str(place))
        self.ear.settimeout(DEADLINE_S)
        environment = {**os.environ, "NOTIFY_SOCKET": str(place)}
        command = [*least, sys.executable, "-m", *argv]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
        self.lines: queue.Queue[Line] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.lines.put(json.loads(line))

    def until(self, event: str, count: int = 1) -> list[Line]:
        """The lines until one of this kind, or so many, have come."""
        found: list[Line] = []
        end = time.monotonic() + DEADLINE_S
        while sum(one["event"] == event for one in found) < count:
            found.append(self.lines.get(timeout=max(end - time.monotonic(), 0.01)))
        return found

    def told(self, word: str) -> list[str]:
        """What the service manager is told, up to this word."""
        found: list[str] = []
        while word not in found:
            found += self.ear.recv(4096).decode().split("\n")
        return found

    def close(self) -> None:
        """Whatever it is doing."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.ear.close()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


@contextmanager
def running(folder: Path, *argv: str, least: Sequence[str] = ()) -> Iterator[Daemon]:
    """A daemon for a block."""
    daemon = Daemon(folder, *argv, least=least)
    try:
        yield daemon
    finally:
        daemon.close()
