# SPDX-License-Identifier: Apache-2.0
"""Door to network name spaces by name: setns(2), unshare(2), and bind mounts in /run/netns, as `ip netns` keeps them.

A name space is a file in /run/netns on which the kernel's own file (/proc/PID/ns/net) is bind-mounted: the mount
keeps the name space alive without a process. setns changes the calling *thread* only, and a child process inherits
the name space of the thread that forks it. So `run` and `spawn` need neither `nsenter` nor code between fork and
exec: they enter, fork, and come back. Unlike `ip netns exec` they leave /sys as it is, so pinned BPF objects in
/sys/fs/bpf stay visible.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypedDict, Unpack

from openfex.errors import InputError, KernelError, NotFoundError
from openfex.linux import libc
from openfex.linux.border import crossing

FOLDER = Path("/run/netns")
_OWN = Path("/proc/thread-self/ns/net")
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


class ProcessOptions(TypedDict, total=False):
    """What `run` and `spawn` hand on to subprocess, under subprocess's own names."""

    stdin: int | IO[bytes] | None
    stdout: int | IO[bytes] | None
    stderr: int | IO[bytes] | None
    cwd: str | Path | None
    env: Mapping[str, str] | None
    pass_fds: Sequence[int]
    start_new_session: bool
    close_fds: bool


def path(name: str) -> Path:
    """The file of a name space. Raises InputError for what cannot be a file's name."""
    if not name or "/" in name or name in (".", "..") or len(name) > 255:
        raise InputError(f"{name!r} cannot name a network name space", code="bad-netns-name")
    return FOLDER / name


def create(name: str) -> None:
    """Make a name space with its loopback up: `ip netns add NAME`."""
    target = path(name)
    with crossing(f"create name space {name}"), _folder():
        if target.exists() and not exists(name):
            target.unlink()  # a file left by a crash between making it and mounting on it
        try:
            os.close(os.open(target, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0))
        except FileExistsError as cause:
            raise KernelError(f"name space {name} exists already", errno.EEXIST, code="netns-exists") from cause
        try:
            with unnamed():
                libc.mount(str(_OWN), target, "none", libc.MS_BIND)
        except OSError:
            delete(name)
            raise


def delete(name: str) -> None:
    """Take the name away, or do nothing if it is not there: `ip netns del NAME`.

    The kernel ends the name space a little later, when no process, socket or open file holds it.
    """
    target = path(name)
    with crossing(f"delete name space {name}"):
        try:
            libc.unmount(target)
        except OSError as cause:
            if cause.errno not in (errno.EINVAL, errno.ENOENT):
                raise
        target.unlink(missing_ok=True)


def names(prefix: str = "") -> list[str]:
    """The names there are that begin with `prefix`, sorted: `ip netns list`."""
    try:
        return sorted(entry for entry in os.listdir(FOLDER) if entry.startswith(prefix))
    except FileNotFoundError:
        return []


def exists(name: str) -> bool:
    """True if the name is that of a living name space, not of a file left over."""
    try:
        return path(name).stat().st_dev == _OWN.stat().st_dev
    except FileNotFoundError:
        return False


def handle(name: str) -> int:
    """An open file descriptor of a name space; the caller closes it. Raises NotFoundError."""
    if not exists(name):
        raise NotFoundError(f"there is no network name space {name}", code="netns-not-found")
    with crossing(f"open name space {name}"):
        return os.open(path(name), os.O_RDONLY | os.O_CLOEXEC)


def current() -> int:
    """An open file descriptor of the name space that this thread is in; the caller closes it."""
    with crossing("open this thread's name space"):
        return os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def entered(name: str | None) -> Iterator[None]:
    """Run the block with this thread in a name space (None: stay), and come back: `nsenter --net=/run/netns/NAME`."""
    if name is None:
        yield
        return
    fd = handle(name)
    try:
        with entered_fd(fd):
            yield
    finally:
        os.close(fd)


@contextmanager
def entered_fd(fd: int) -> Iterator[None]:
    """The same for a name space that is held open."""
    with _returning():
        with crossing("enter a network name space"):
            libc.setns(fd, libc.CLONE_NEWNET)
        yield


@contextmanager
def unnamed() -> Iterator[None]:
    """Run the block in a new name space that has no name and ends with it, its loopback up: `unshare --net`."""
    with _returning():
        with crossing("make a network name space"):
            libc.unshare(libc.CLONE_NEWNET)
            _loopback_up()
        yield


def processes(name: str) -> list[int]:
    """The processes that live in a name space: `ip netns pids NAME`."""
    wanted = path(name).stat() if exists(name) else None
    return [pid for pid in _all_processes() if wanted is not None and _in(pid, wanted)]


def of_process(pid: int, prefix: str = "") -> str:
    """The name, beginning with `prefix`, of the name space that a process lives in; empty if it has none."""
    return next((name for name in names(prefix) if exists(name) and _in(pid, path(name).stat())), "")


def run(
    name: str | None,
    argv: Sequence[str],
    *,
    check: bool = False,
    input: str | None = None,  # noqa: A002 -- as subprocess calls it
    timeout: float | None = None,
    **options: Unpack[ProcessOptions],
) -> subprocess.CompletedProcess[str]:
    """Run a command in a name space to its end, its output kept as text: `nsenter --net=/run/netns/NAME ARGV`."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    with crossing(f"run {argv[0]}"), entered(name):
        return subprocess.run(argv, check=check, input=input, timeout=timeout, text=True, **options)


def spawn(name: str | None, argv: Sequence[str], **options: Unpack[ProcessOptions]) -> subprocess.Popen[bytes]:
    """Start a command in a name space and leave it running."""
    with crossing(f"start {argv[0]}"), entered(name):
        return subprocess.Popen(argv, **options)


@contextmanager
def _folder() -> Iterator[None]:
    """Hold /run/netns, made and mounted shared as `ip netns` does, locked against others doing the same."""
    FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            libc.mount("", FOLDER, "none", libc.MS_SHARED | libc.MS_REC)
        except OSError as cause:
            if cause.errno != errno.EINVAL:  # EINVAL: it is no mount point yet
                raise
            libc.mount(str(FOLDER), FOLDER, "none", libc.MS_BIND | libc.MS_REC)
            libc.mount("", FOLDER, "none", libc.MS_SHARED | libc.MS_REC)
        yield
    finally:
        os.close(lock)


@contextmanager
def _returning() -> Iterator[None]:
    """Come back to the name space this thread is in now, however the block ends."""
    home = current()
    try:
        yield
    finally:
        try:
            with crossing("go back to this thread's network name space"):
                libc.setns(home, libc.CLONE_NEWNET)
        finally:
            os.close(home)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
        fcntl.ioctl(door, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _all_processes() -> list[int]:
    return sorted(int(entry) for entry in os.listdir("/proc") if entry.isdecimal())


def _in(pid: int, wanted: os.stat_result) -> bool:
    try:
        found = os.stat(f"/proc/{pid}/ns/net")
    except OSError:  # it ended meanwhile, or is not ours to look at
        return False
    return (found.st_ino, found.st_dev) == (wanted.st_ino, wanted.st_dev)
