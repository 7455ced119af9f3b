# SPDX-License-Identifier: Apache-2.0
"""Door to this process's signals."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_Handler = Callable[[int, FrameType | None], object] | signal.Handlers


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no Ctrl-C, impatient and second, leave half of the work. Signals reach the main thread only."""
    with _handled(signal.SIG_IGN):
        yield


@contextmanager
def noted() -> Iterator[list[int]]:
    """Note in a list which signals have asked to end, and leave it to the block to do so."""
    asked: list[int] = []
    with _handled(lambda number, _: asked.append(number)):
        yield asked


@contextmanager
def waking() -> Iterator[socket.socket]:
    """A socket that can be read when a signal has come, so that whoever waits for it and other things wakes up."""
    ours, kernels = socket.socketpair()
    for one in (ours, kernels):
        one.setblocking(False)
    before = signal.set_wakeup_fd(kernels.fileno(), warn_on_full_buffer=False)
    try:
        yield ours
    finally:
        signal.set_wakeup_fd(before)
        ours.close()
        kernels.close()


@contextmanager
def _handled(handler: _Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in ENDINGS}
    try:
        yield
    finally:
        for number, older in before.items():
            signal.signal(number, older)
