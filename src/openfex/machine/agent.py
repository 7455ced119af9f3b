# SPDX-License-Identifier: Apache-2.0
"""Running commands in a guest: our end of the ports whose other end is the guest's agent (`guest/agent`).

A session is one command. A token that nobody can guess stands before what the command says and after it, so that
whatever it prints cannot be taken for its end, nor what an earlier one left behind for its beginning.
"""

from __future__ import annotations

import base64
import fcntl
import secrets
import shlex
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openfex.errors import NotFoundError, RefusedError, UnsupportedError
from openfex.linux.border import crossing
from openfex.machine.command_line import SESSIONS, session_socket

ANSWER_S = 60.0
"""A guest that runs has begun with a command long before; one that boots comes to it within this time."""
_ROOM = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command. `status` is as a shell has it: 128 and the signal's number for one that was killed."""

    status: int
    output: bytes
    errors: bytes


def ask(folder: Path, argv: Sequence[str], deadline_s: float | None = None) -> Answer:
    """Run a command in the guest whose sockets are in `folder`, to its end."""
    output = bytearray()
    status, errors = run(folder, argv, output.extend, deadline_s)
    return Answer(status, bytes(output), errors)


def run(
    folder: Path, argv: Sequence[str], write: Callable[[bytes], object], deadline_s: float | None = None
) -> tuple[int, bytes]:
    """The same, giving what the command prints to `write` as it comes; its status, and what it said on stderr."""
    with crossing("run a command in a guest"), _session(folder) as door:
        token = secrets.token_hex(16).encode()
        door.sendall(token + b" " + base64.b64encode(shlex.join(argv).encode()) + b"\n")
        reader = _Reader(door)
        reader.pass_over(token + b"\n", ANSWER_S)
        reader.copy_until(token + b" ", write, deadline_s)
        status, length = reader.end()
        return status, reader.octets(length)


@contextmanager
def _session(folder: Path) -> Iterator[socket.socket]:
    """A session that nobody else has. QEMU serves one caller a socket; the lock says whether there is one."""
    if not folder.is_dir():
        raise NotFoundError("the virtual machine does not run", code="guest-not-running", remedy="fex lab up FILE")
    for number in range(1, SESSIONS + 1):
        path = folder / session_socket(number)
        with path.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
                _connect(door, path)
                yield door
            return
    remedy = "wait for one of them to end"
    raise RefusedError(f"{SESSIONS} commands are running in this guest", code="guest-busy", remedy=remedy)


def _connect(door: socket.socket, path: Path) -> None:
    try:
        door.connect(str(path))
    except (ConnectionRefusedError, FileNotFoundError) as cause:
        remedy = "start it again with `fex lab up FILE`"
        raise NotFoundError("the virtual machine does not run", code="guest-not-running", remedy=remedy) from cause


_LONGEST_LINE, _MOST_ERRORS = 64, 1 << 24
"""What is taken from a guest at most."""


class _Reader:
    """What comes out of a session, cut at its tokens."""

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self._kept = bytearray()

    def pass_over(self, mark: bytes, deadline_s: float) -> None:
        """Forget everything up to a mark and the mark. Raises UnsupportedError if it does not come in time."""
        self.copy_until(mark, lambda _: None, deadline_s)

    def copy_until(self, mark: bytes, write: Callable[[bytes], object], deadline_s: float | None) -> None:
        """Write everything up to a mark, and forget the mark."""
        end = None if deadline_s is None else time.monotonic() + deadline_s
        while (at := self._kept.find(mark)) < 0:
            sure = len(self._kept) - _begun(self._kept, mark)
            if sure:
                write(bytes(self._kept[:sure]))
                del self._kept[:sure]
            self._fill(end)
        write(bytes(self._kept[:at]))
        del self._kept[: at + len(mark)]

    def end(self) -> tuple[int, int]:
        """The rest of the line: a status, and how many octets of stderr follow. A guest may say anything."""
        end = time.monotonic() + ANSWER_S
        while (at := self._kept.find(b"\n")) < 0 and len(self._kept) < _LONGEST_LINE:
            self._fill(end)
        words = bytes(self._kept[: max(at, 0)]).split()
        del self._kept[: at + 1]
        if len(words) != 2 or not all(word.isdigit() for word in words) or int(words[1]) > _MOST_ERRORS:
            raise _silent("the virtual machine answers what no agent of ours says")
        return int(words[0]), int(words[1])

    def octets(self, length: int) -> bytes:
        """So many octets."""
        end = time.monotonic() + ANSWER_S
        while len(self._kept) < length:
            self._fill(end)
        return bytes(self._kept[:length])

    def _fill(self, end: float | None) -> None:
        if end is not None and time.monotonic() >= end:
            raise _silent("the virtual machine does not answer")
        try:
            self._door.settimeout(None if end is None else max(0.001, end - time.monotonic()))
            found = self._door.recv(_ROOM)
        except TimeoutError as cause:
            raise _silent("the virtual machine does not answer") from cause
        if not found:
            raise _silent("the virtual machine ended")
        self._kept += found


def _begun(octets: bytearray, mark: bytes) -> int:
    """How much of a mark may have come: so many octets at the end are its first ones."""
    return next((count for count in range(len(mark) - 1, 0, -1) if octets.endswith(mark[:count])), 0)


def _silent(message: str) -> UnsupportedError:
    remedy = "it may be booting, or run an image without our agent; its console: /run/openfex/LAB/vm/NAME/serial.log"
    return UnsupportedError(message, code="guest-silent", remedy=remedy)
