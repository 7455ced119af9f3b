# SPDX-License-Identifier: Apache-2.0
"""Where the network devices of PCI functions are: in every name space that has a name or a process, and can be seen."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from openfex.errors import NotFoundError, OpenfexError
from openfex.linux import netns
from openfex.linux.border import crossing
from openfex.linux.links import RTM_SETLINK, LinkChange
from openfex.linux.netlink import Netlink
from openfex.linux.rtnetlink import Request, RouteSocket
from openfex.model.adapters import NetDevice

PID = "pid:"
_PROC = Path("/proc")


def spaces() -> dict[str, Path]:
    """The file of each name space there is but this one: by its name, or where it has none by a process in it."""
    own = Path("/proc/thread-self/ns/net").stat()
    seen = {(own.st_dev, own.st_ino)}
    found: dict[str, Path] = {}
    candidates = [(name, netns.path(name)) for name in netns.names() if netns.exists(name)]
    pids = sorted(int(one) for one in os.listdir(_PROC) if one.isdecimal())
    candidates += [(f"{PID}{pid}", _PROC / str(pid) / "ns/net") for pid in pids]
    for name, path in candidates:
        try:
            state = path.stat()
        except OSError:  # it has ended meanwhile, or is not ours to look at
            continue
        if (state.st_dev, state.st_ino) not in seen:
            seen.add((state.st_dev, state.st_ino))
            found[name] = path
    return found


@contextmanager
def entered(space: str) -> Iterator[None]:
    """Run the block in a name space as `NetDevice.space` names it. Raises NotFoundError."""
    if not space:
        yield
        return
    if not space.startswith(PID):
        with netns.entered(space):
            yield
        return
    path = _PROC / space.removeprefix(PID) / "ns/net"
    if not path.exists():
        raise NotFoundError(f"there is no process {space.removeprefix(PID)}", code="netns-not-found")
    with crossing(f"open the name space of {space}"):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with netns.entered_fd(fd):
            yield
    finally:
        os.close(fd)


def devices() -> dict[str, NetDevice]:
    """The network device of each PCI function that has one, by the function's address.

    A function may have several (ports, representors): the one with the lowest number, which was there first.
    """
    found: dict[str, NetDevice] = {}
    for space in ("", *spaces()):
        try:
            with entered(space), Netlink() as netlink:
                links = netlink.links()
        except OpenfexError:
            if not space:
                raise
            continue  # it has gone meanwhile, or must not be entered
        for link in sorted(links, key=lambda one: one.index):
            if link.pci and link.pci not in found:
                found[link.pci] = NetDevice(space, link.name, link.index, link.mac, link.up, link.carrier)
    return found


def move(device: NetDevice, space: str, name: str) -> None:
    """Put a device into a name space, down and renamed in one step: `ip link set DEV down netns SPACE name NAME`."""
    with entered(space):
        target = netns.current()
    try:
        with entered(device.space):
            socket = RouteSocket()
        try:
            change = LinkChange(up=False, new_name=name, netns_fd=None if space == device.space else target)
            action = f"move {device.name} to {space or 'the host'}"
            socket.do([Request(RTM_SETLINK, change.body(index=device.index), action, missing=device.name)])
        finally:
            socket.close()
    finally:
        os.close(target)


def vfio_holders() -> Mapping[str, int]:
    """Who has which IOMMU group open: the group's number, and a process."""
    found: dict[str, int] = {}
    for pid in (int(one) for one in os.listdir(_PROC) if one.isdecimal()):
        for target in _open_files(_PROC / str(pid) / "fd"):
            if target.parent == Path("/dev/vfio") and target.name.isdecimal():
                found.setdefault(target.name, pid)
    return found


def _open_files(folder: Path) -> Iterator[Path]:
    """What a process has open. Files are closed while they are looked at, and processes end."""
    try:
        names = os.listdir(folder)
    except OSError:  # it has ended meanwhile, or is not ours to look at
        return
    for name in names:
        try:
            yield (folder / name).readlink()
        except OSError:
            continue
