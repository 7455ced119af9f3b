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
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from openfex import __version__
from openfex.datapath.objects import PROGRAMS, build_of
from openfex.errors import NotFoundError, RefusedError, VerificationError
from openfex.lab import kept
from openfex.linux.border import crossing

SETTLED, RELOAD, NEIGHBOURS = b"settled\n", b"reload\n", b"neighbours\n"
READY_S, REFUSED_S = 60.0, 5.0
"""How long ports may take to come up, and what a bridge has refused to be granted after all."""
MOST_REASONS = 5
ENDING_S = 5.0
PATIENCE_S = 1.0
"""Who looks whether there are agents has their lock for a moment."""
_LOOK_AGAIN_S = 0.005
_LOCK_OCTETS = 1024


@dataclass(frozen=True, slots=True)
class OnDuty:
    """The process of a lab's agents, and a digest of the documents that it has read; 0 until it has said who it is."""

    pid: int
    digest: str
    build: str


def lock_file(lab: str, node: str = "") -> Path:
    """What the process of a lab's agents holds, or one that is for one node alone."""
    return kept.folder(lab) / f"agents{'-' if node else ''}{node}.lock"


def watch_file(lab: str) -> Path:
    """What the process holds that watches them (watch.py)."""
    return kept.folder(lab) / "watch.lock"


def log_file(lab: str) -> Path:
    """What its agents say, a JSON object a line."""
    return kept.folder(lab) / "agents.log"


def read_log(lab: str) -> list[dict[str, object]]:
    """What its agents have said: whole lines, for one that is being written may be seen by half."""
    whole, _, _ = log_file(lab).read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def digest_of(text: str) -> str:
    """By which documents are told apart."""
    return hashlib.sha256(text.encode()).hexdigest()


def socket_file(lab: str, node: str = "") -> Path:
    """Where the process is asked to read its documents anew."""
    return lock_file(lab, node).with_suffix(".sock")


def memory_file(lab: str, bridge: str) -> Path:
    """What a bridge's agent remembers."""
    return kept.folder(lab) / f"bridge-{bridge}.json"


def forget(lab: str) -> None:
    """Have the bridges of a lab that has no agents begin with nobody."""
    for path in kept.folder(lab).glob("bridge-*.json"):
        path.unlink(missing_ok=True)


def build() -> str:
    """Which code agents are of: a process of another one is replaced, and not asked."""
    return "-".join([__version__, *(build_of(role) for role in sorted(PROGRAMS))])


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock that the process holds."""

    handle: int

    def note(self, digest: str) -> None:
        """Say who holds it, and by which documents."""
        text = json.dumps({"pid": os.getpid(), "digest": digest, "build": build()}).encode()
        os.pwrite(self.handle, text.ljust(_LOCK_OCTETS), 0)


@contextmanager
def on_duty(lab: str, node: str = "") -> Iterator[Lock]:
    """Be the process of this lab's agents, or of one node's. Raises RefusedError if another one is."""
    with _holding(lab, lock_file(lab, node), lambda: _is_covered(lab, node)) as lock:
        yield lock


@contextmanager
def on_watch(lab: str) -> Iterator[Lock]:
    """Be who watches this lab's agents. Raises RefusedError if another one does."""
    with _holding(lab, watch_file(lab), lambda: False) as lock:
        yield lock


@contextmanager
def _holding(lab: str, path: Path, is_covered: Callable[[], bool]) -> Iterator[Lock]:
    with crossing(f"lock {path}"):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + PATIENCE_S
    while is_covered() or not _take(handle):
        if time.monotonic() >= end:
            os.close(handle)
            raise RefusedError(f"the agents of lab {lab} are running already", code="agents-run")
        time.sleep(_LOOK_AGAIN_S)
    lock = Lock(handle)
    lock.note("")
    try:
        yield lock
    finally:
        os.close(handle)


def find(lab: str, node: str = "") -> OnDuty | None:
    """The process of a lab's agents, or of one node's, if there is one."""
    return _holder(lock_file(lab, node))


def find_watcher(lab: str) -> OnDuty | None:
    """The process that watches a lab's agents, if there is one."""
    return _holder(watch_file(lab))


def _holder(lock: Path) -> OnDuty | None:
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _take(handle, fcntl.LOCK_SH):  # two who look do not see each other
            return None
        raw = json.loads(os.pread(handle, _LOCK_OCTETS, 0) or b"{}")
        if not raw or not Path(f"/proc/{raw['pid']}").exists():
            return OnDuty(0, "", "")  # who holds it has not said so yet: that is of who was before
        return OnDuty(raw["pid"], raw["digest"], raw["build"])
    finally:
        os.close(handle)


def _is_covered(lab: str, node: str) -> bool:
    """Whether other processes are agents of the same nodes: one of the whole lab; or for that, any."""
    others = [lock_file(lab)] if node else [lock for lock in _locks(lab) if lock != lock_file(lab)]
    return any(_holder(lock) for lock in others)


def _take(handle: int, how: int = fcntl.LOCK_EX) -> bool:
    """Take the lock, if nobody has it; it goes with the handle."""
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def neighbours(lab: str) -> list[dict[str, object]]:
    """Who the agents of a lab, in however many processes, have at the other ends of uplinks. Raises NotFoundError."""
    sockets = [lock.with_suffix(".sock") for lock in _locks(lab) if _holder(lock)]
    if not sockets:
        remedy = "`fex lab up` starts them, `fex lab agents` without building anything"
        raise NotFoundError(f"lab {lab} has no agents", code="no-agents", remedy=remedy)
    return [row for path in sockets for row in _ask(path)]


def _ask(path: Path) -> list[dict[str, object]]:
    with crossing(f"ask {path}"), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as door:
        door.settimeout(READY_S)
        door.connect(str(path))
        door.sendall(NEIGHBOURS)
        octets = b""
        while found := door.recv(1 << 16):
            octets += found
    return list(json.loads(octets)) if octets else []


def _locks(lab: str) -> list[Path]:
    return sorted(kept.folder(lab).glob("agents*.lock"))


def stop(lab: str) -> bool:
    """End the agents of a lab, if there are any, and who watches them; what they wrote stays.

    Raises VerificationError.
    """
    ended = [_end(lab, lock) for lock in (watch_file(lab), *_locks(lab))]
    return any(ended)


def kill(lab: str) -> int | None:
    """Kill -9 a lab's agents, with nobody who would watch them any more; what their process was, if there was one."""
    watcher, agents = find_watcher(lab), find(lab)
    for one in (watcher, agents):
        if one and one.pid:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(one.pid, signal.SIGKILL)
            _reap(one.pid)
    return agents.pid if agents else None


def _end(lab: str, lock: Path) -> bool:
    found, told = _holder(lock), 0
    if found is None:
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        end, is_told = time.monotonic() + ENDING_S, False
        while time.monotonic() < end:
            found = _holder(lock)
            if found is None:
                _reap(told)
                return True
            if found.pid and not (is_told and found.pid == told):
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(found.pid, number)
                told, is_told = found.pid, True
            time.sleep(_LOOK_AGAIN_S)
    raise VerificationError(f"process {told} with the agents of lab {lab} does not end", code="agents-run")


def _reap(pid: int) -> None:
    """Where it was this process that started it, nobody else takes notice of its end."""
    if pid:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


class Recruit:
    """A process that is ready to be a lab's agents, and waits for the word.

    It is there before it is needed: Python takes longer to start than all that ports take to come up.
    """

    def __init__(self, lab: str) -> None:
        """Start it: a process of its own, which writes what it does to the lab's log."""
        self.lab, self._is_waiting = lab, True
        go, self._go = os.pipe()
        self._told, told = os.pipe()
        try:
            self._pid = _spawn(lab, go, told)
        except BaseException:
            self._close()
            raise
        finally:
            os.close(go)
            os.close(told)

    def begin(self) -> None:
        """Have it take over, by the documents that are kept now; returns when every NIC is up.

        Raises RefusedError "not-associated" with what bridges have refused, where that is not so after READY_S.
        """
        stop(self.lab)
        try:
            os.write(self._go, b"!")
            _wait(self.lab, self._told)
        except BaseException:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            _reap(self._pid)
            stop(self.lab)  # those whom it had watched
            raise
        finally:
            self._close()

    def dismiss(self) -> None:
        """It is not needed any more, if it has not begun."""
        if self._is_waiting:
            self._close()
            _reap(self._pid)

    def _close(self) -> None:
        self._is_waiting = False
        os.close(self._go)
        os.close(self._told)


class Veteran:
    """The process that a lab's agents are in already: it only has to read their documents anew."""

    def __init__(self, lab: str) -> None:
        self.lab = lab

    def begin(self) -> None:
        """Have it do so; returns when every NIC is up. If it has just ended, others do. Raises as `Recruit.begin`."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as door:
            try:
                door.connect(str(socket_file(self.lab)))
                door.sendall(RELOAD)
                _wait(self.lab, door.fileno())
            except OSError:
                Recruit(self.lab).begin()

    def dismiss(self) -> None:
        """It is not needed; it stays what it is."""


def call(lab: str) -> Recruit | Veteran:
    """Who will be a lab's agents: those that are, if they are of this code and watched, or others."""
    found = find(lab)
    return Veteran(lab) if found and found.build == build() and find_watcher(lab) else Recruit(lab)


def start(lab: str) -> None:
    """Have agents go by the documents that are kept now. Raises as `Recruit.begin`."""
    call(lab).begin()


def shed(keep: Iterable[int]) -> None:
    """Close all that this process has open by inheritance, but its standard files and these."""
    spared = {0, 1, 2, *keep}
    for one in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if one not in spared:
            with suppress(OSError):  # the folder's own is closed by now
                os.close(one)


def _spawn(lab: str, go: int, told: int) -> int:
    command = [sys.executable, "-P", "-m", "openfex", "lab", "agents", lab, "--go", str(go), "--ready", str(told)]
    write = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for one in (go, told):
        os.set_inheritable(one, True)
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
    while SETTLED not in octets:
        left = end - time.monotonic()
        readable, _, _ = select.select([there], [], [], max(left, 0))
        found = os.read(there, 1 << 16) if readable else b""
        if not found:
            raise _failure(lab, octets, is_late=not readable)
        octets += found
        if found.endswith(b"}\n"):
            end = min(end, time.monotonic() + REFUSED_S)


def _failure(lab: str, octets: bytes, is_late: bool) -> RefusedError | VerificationError:
    refused = [json.loads(line) for line in octets.splitlines()]
    reasons = dict.fromkeys(f"{one['node']}: {one['about']}: {one['words']}" for one in refused)
    if reasons:
        first, more = [*reasons][:MOST_REASONS], len(reasons) - MOST_REASONS
        told = "; ".join([*first, *([f"and {more} more like that"] if more > 0 else [])])
        return RefusedError(f"not every NIC has its port: {told}", code="not-associated")
    what = f"are not done after {READY_S:.0f} s" if is_late else "have ended"
    remedy = f"{log_file(lab)} says what they did"
    return VerificationError(f"the agents of lab {lab} {what}", code="agents-failed", remedy=remedy)
