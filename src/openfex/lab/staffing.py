# SPDX-License-Identifier: Apache-2.0
"""Starting and ending the process that a lab's agents are in (`agents.py`), and who it is.

It holds a lock as long as it lives, with its process id and what documents it goes by; so whoever finds the lock free
knows that there are no agents, however they ended.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openfex.errors import RefusedError, VerificationError
from openfex.lab import kept
from openfex.linux.border import crossing

SETTLED = "settled"
READY_S = 15.0
ENDING_S = 5.0
_LOOK_AGAIN_S = 0.005


@dataclass(frozen=True, slots=True)
class OnDuty:
    """The process of a lab's agents, and a digest of the documents that it has read."""

    pid: int
    digest: str


def lock_file(lab: str, node: str = "") -> Path:
    """What the process of a lab's agents holds, or one that is for one node alone."""
    return kept.folder(lab) / f"agents{'-' if node else ''}{node}.lock"


def log_file(lab: str) -> Path:
    """What its agents say, a JSON object a line."""
    return kept.folder(lab) / "agents.log"


def digest_of(text: str) -> str:
    """By which documents are told apart."""
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def on_duty(lab: str, node: str = "") -> Iterator[None]:
    """Be the process of this lab's agents, or of one node's. Raises RefusedError if another one is."""
    with crossing(f"lock {lock_file(lab, node)}"):
        handle = os.open(lock_file(lab, node), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            os.close(handle)
            raise RefusedError(f"the agents of lab {lab} are running already", code="agents-run") from cause
        text = kept.document_file(lab).read_text()
        os.truncate(handle, 0)
        os.pwrite(handle, json.dumps({"pid": os.getpid(), "digest": digest_of(text)}).encode(), 0)
    try:
        yield
    finally:
        os.close(handle)


def find(lab: str, node: str = "") -> OnDuty | None:
    """The process of a lab's agents, or of one node's, if there is one."""
    return _holder(lock_file(lab, node))


def _holder(lock: Path) -> OnDuty | None:
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _is_free(handle):
            return None
        raw = json.loads(os.pread(handle, 4096, 0) or b"{}")
        return OnDuty(raw["pid"], raw["digest"]) if raw else OnDuty(0, "")
    finally:
        os.close(handle)


def _is_free(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(handle, fcntl.LOCK_UN)
    return True


def stop(lab: str) -> bool:
    """End the agents of a lab, if there are any; what they wrote stays. Raises VerificationError."""
    locks = sorted(kept.folder(lab).glob("agents*.lock"))
    ended = [_end(lab, lock) for lock in locks]
    return any(ended)


def _end(lab: str, lock: Path) -> bool:
    found = _holder(lock)
    if found is None:
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + ENDING_S
        if found.pid:
            os.kill(found.pid, number)
        while time.monotonic() < end:
            if _holder(lock) is None:
                _reap(found.pid)
                return True
            time.sleep(_LOOK_AGAIN_S)
    raise VerificationError(f"process {found.pid} with the agents of lab {lab} does not end", code="agents-run")


def _reap(pid: int) -> None:
    """Where it was this process that started it, nobody else takes notice of its end."""
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return


def start(lab: str) -> None:
    """Have other agents take over, by the documents that are kept now; returns when every NIC is up.

    Raises RefusedError "not-associated" with what bridges have refused, where that is not so after READY_S.
    """
    stop(lab)
    there, told = os.pipe()
    try:
        pid = _spawn(lab, told)
        os.close(told)
        try:
            _wait(lab, there)
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            _reap(pid)
            raise
    finally:
        os.close(there)


def _spawn(lab: str, told: int) -> int:
    """A process of its own: it goes on when this one has ended, and writes what it does to the lab's log."""
    command = [sys.executable, "-P", "-m", "openfex", "lab", "agents", lab, "--ready", str(told)]
    write = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.set_inheritable(told, True)
    return os.posix_spawn(
        sys.executable,
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log_file(lab)), write, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _wait(lab: str, there: int) -> None:
    end, octets = time.monotonic() + READY_S, b""
    while f"{SETTLED}\n".encode() not in octets:
        left = end - time.monotonic()
        readable, _, _ = select.select([there], [], [], max(left, 0))
        found = os.read(there, 1 << 16) if readable else b""
        if not found:
            raise _failure(lab, octets, is_late=not readable)
        octets += found


def _failure(lab: str, octets: bytes, is_late: bool) -> RefusedError | VerificationError:
    refused = [json.loads(line) for line in octets.splitlines()]
    reasons = dict.fromkeys(f"{one['node']}: {one['about']} {one['words']}" for one in refused)
    if reasons:
        return RefusedError(f"bridges have refused: {'; '.join(reasons)}", code="not-associated")
    what = f"are not done after {READY_S:.0f} s" if is_late else "have ended"
    remedy = f"{log_file(lab)} says what they did"
    return VerificationError(f"the agents of lab {lab} {what}", code="agents-failed", remedy=remedy)
