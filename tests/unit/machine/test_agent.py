# SPDX-License-Identifier: Apache-2.0
"""Commands in a guest: our end of a session, against a guest's end told in Python."""

from __future__ import annotations

import base64
import fcntl
import shlex
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from openfex.errors import NotFoundError, RefusedError, UnsupportedError
from openfex.machine import agent
from openfex.machine.command_line import SESSIONS, session_socket

Guest = Callable[[socket.socket, bytes, list[str]], None]


@contextmanager
def serving(folder: Path, guest: Guest) -> Iterator[None]:
    """A guest's end at the first socket: it reads one request and does what it is told to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(folder / session_socket(1)))
        server.listen()

        def serve() -> None:
            door, _ = server.accept()
            with door:
                token, command = door.makefile("rb").readline().split()
                guest(door, token, shlex.split(base64.b64decode(command).decode()))

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def test_output_errors_and_status_come_apart(tmp_path: Path) -> None:
    def guest(door: socket.socket, token: bytes, argv: list[str]) -> None:
        assert argv == ["echo", "it's; $HOME", ""]
        door.sendall(b"left over from before\n" + token + b"\n")
        for part in (b"out", b"put without an end", token[:9], b" is not the mark", token + b" 3 6\n", b"er", b"rors"):
            door.sendall(part)

    with serving(tmp_path, guest):
        answer = agent.ask(tmp_path, ["echo", "it's; $HOME", ""])
    assert answer.status == 3
    assert answer.output.startswith(b"output without an end")
    assert answer.output.endswith(b" is not the mark")
    assert answer.errors == b"errors"


def test_what_is_printed_is_handed_on_at_once(tmp_path: Path) -> None:
    seen = threading.Event()
    parts: list[bytes] = []

    def guest(door: socket.socket, token: bytes, _: list[str]) -> None:
        door.sendall(token + b"\nfirst\n")
        assert seen.wait(10), "the first line did not come before the end"
        door.sendall(token + b" 0 0\n")

    def write(octets: bytes) -> None:
        parts.append(octets)
        if b"".join(parts) == b"first\n":
            seen.set()

    with serving(tmp_path, guest):
        assert agent.run(tmp_path, ["it"], write) == (0, b"")


def test_a_guest_that_says_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "ANSWER_S", 0.05)
    done = threading.Event()

    def guest(door: socket.socket, token: bytes, argv: list[str]) -> None:
        done.wait(10)

    with serving(tmp_path, guest):
        with pytest.raises(UnsupportedError) as refused:
            agent.ask(tmp_path, ["true"])
        done.set()
    assert refused.value.code == "guest-silent"


def test_a_guest_that_ends_meanwhile_is_no_answer(tmp_path: Path) -> None:
    def guest(door: socket.socket, token: bytes, argv: list[str]) -> None:
        door.sendall(token + b"\nhalf")

    with serving(tmp_path, guest), pytest.raises(UnsupportedError) as refused:
        agent.ask(tmp_path, ["true"])
    assert refused.value.code == "guest-silent"


def test_a_guest_that_is_not_there(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(NotFoundError) as refused:
            agent.ask(folder, ["true"])
        assert refused.value.code == "guest-not-running"


def test_there_are_so_many_sessions(tmp_path: Path) -> None:
    with ExitStack() as stack:
        for number in range(1, SESSIONS + 1):
            lock = stack.enter_context((tmp_path / session_socket(number)).with_suffix(".lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RefusedError) as refused:
            agent.ask(tmp_path, ["true"])
    assert refused.value.code == "guest-busy"
