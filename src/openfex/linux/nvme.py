# SPDX-License-Identifier: Apache-2.0
"""Door to NVMe controllers: the ioctls of /dev/nvmeN (linux/nvme_ioctl.h), and what sysfs says of them.

`root` is where sysfs is mounted, `devices` where devices are; tests build trees of their own.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from openfex.errors import NotFoundError, RefusedError
from openfex.linux import block
from openfex.linux.border import crossing
from openfex.linux.pci import SYSFS
from openfex.wire.nvme import AdminCommand, Status

_ADMIN_CMD, _RESCAN = 0xC0484E41, 0x4E46
"""NVME_IOCTL_ADMIN_CMD: _IOWR('N', 0x41, struct nvme_passthru_cmd), of 72 octets; NVME_IOCTL_RESCAN: _IO('N', 0x46)."""
_STATUS_CODE = 0x7FF
"""Status code and its type; above are more, and do not retry."""
_TIMES = struct.Struct("=II")
_DEADLINE_MS = 60_000
_SECTOR = 512
_CONTROLLER = re.compile(r"nvme[0-9]{1,6}")
_DISK = re.compile(r"(nvme[0-9]{1,6})(?:c[0-9]{1,6})?(n[0-9]{1,10})")
_NO = {
    Status.NAMESPACE_ATTACHED: ("namespace-attached", "the namespace is attached to it already"),
    Status.NAMESPACE_PRIVATE: ("namespace-private", "the namespace is private, and another controller has it"),
    Status.NAMESPACE_NOT_ATTACHED: ("namespace-not-attached", "the namespace is not attached to it"),
    Status.BAD_CONTROLLER_LIST: ("no-such-controller", "there is no such controller"),
    Status.BAD_CONTROLLER: ("no-such-controller", "there is no such controller"),
    Status.BAD_SECONDARY_STATE: ("wrong-controller-state", "not in the state that the function is in"),
    Status.BAD_NUMBER_OF_RESOURCES: ("storage-share-too-large", "no controller can have so many"),
    Status.BAD_RESOURCE: ("storage-overcommitted", "so many are not free"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a controller answered: dword 0 of the completion, and the octets it gave."""

    result: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Disk:
    """A namespace as a block device that the host can use: its name in /dev, identifier and size.

    Where the kernel joins the paths of a shared namespace (nvme_core.multipath), several controllers have the same one.
    """

    name: str
    nsid: int
    octets: int


class Nvme:
    """The NVMe controllers that the kernel drives."""

    def __init__(self, root: Path = SYSFS, devices: Path = Path("/dev")) -> None:
        self._class = root / "class/nvme"
        self._pci = root / "bus/pci/devices"
        self._devices = devices

    def controller(self, address: str) -> str:
        """The controller of a PCI function, `nvme0`; empty if its driver has made none."""
        for place in self._class.iterdir() if self._class.is_dir() else ():
            if _CONTROLLER.fullmatch(place.name) and _text(place / "address") == address:
                return place.name
        return ""

    def state(self, name: str) -> str:
        """The kernel's word for the state of a controller: `live`, `resetting`, `connecting`; empty if it is gone."""
        return _text(self._class / name / "state")

    def disks(self, name: str) -> tuple[Disk, ...]:
        """The block devices of a controller's namespaces, by identifier."""
        place = self._class / name
        found: list[Disk] = []
        for one in place.iterdir() if place.is_dir() else ():
            nsid, sectors = _text(one / "nsid"), _text(one / "size")
            if (match := _DISK.fullmatch(one.name)) and nsid.isdecimal() and sectors.isdecimal():
                found.append(Disk(match[1] + match[2], int(nsid), int(sectors) * _SECTOR))
        return tuple(sorted(found, key=lambda one: one.nsid))

    def user(self, disk: Disk) -> str:
        """Who has a disk, in words; empty if nobody has it."""
        return block.user(self._devices / disk.name)

    def submit(self, name: str, command: AdminCommand) -> Answer:
        """Hand an admin command to a controller: `nvme admin-passthru`. Raises RefusedError for what it refuses."""
        room = max(command.room, len(command.data))
        data = ctypes.create_string_buffer(command.data, room) if room else None
        octets = bytearray(pack(command, ctypes.addressof(data) if data else 0, room))
        with crossing(f"give {name} admin command 0x{command.opcode:02x}"):
            fd = self._open(name)
            try:
                status = fcntl.ioctl(fd, _ADMIN_CMD, octets)
            finally:
                os.close(fd)
        if status:
            raise refusal(name, status & _STATUS_CODE, command)
        return Answer(_TIMES.unpack_from(octets, len(octets) - _TIMES.size)[1], data.raw if data else b"")

    def rescan(self, name: str) -> None:
        """Let the kernel look for a controller's namespaces again: `nvme ns-rescan`."""
        with crossing(f"rescan {name}"):
            fd = self._open(name)
            try:
                fcntl.ioctl(fd, _RESCAN)
            finally:
                os.close(fd)

    def reset(self, address: str) -> None:
        """Reset a function's controller by its PCI function, which disturbs nothing for good: `echo 1 > reset`.

        NVME_IOCTL_RESET would only disable and enable it. That is a Controller Level Reset as well, but QEMU's
        controller changes the primary's own share at a Function Level Reset alone (nvme_activate_virt_res).
        """
        place = self._pci / address / "reset"
        if not place.exists():
            raise NotFoundError(f"PCI function {address} has no reset", code="no-reset")
        with crossing(f"reset {address}"):
            place.write_text("1")

    def _open(self, name: str) -> int:
        if not _CONTROLLER.fullmatch(name):
            raise NotFoundError(f"there is no NVMe controller {name!r}", code="no-such-controller")
        return os.open(self._devices / name, os.O_RDWR | os.O_CLOEXEC)


def pack(command: AdminCommand, address: int, length: int) -> bytes:
    """A struct nvme_passthru_cmd: a submission queue entry whose second pointer is the length, deadline and result."""
    return command.encode(address, length << 32) + _TIMES.pack(_DEADLINE_MS, 0)


def refusal(name: str, status: int, command: AdminCommand) -> RefusedError:
    """The error for a status that a controller answered with."""
    known = status in set(Status)
    code, why = _NO[Status(status)] if known else ("nvme-refused", "see the NVMe Base Specification, Status Code")
    what = f"{name} refused admin command 0x{command.opcode:02x} (dwords 0x{command.cdw10:x}, {command.cdw11})"
    return RefusedError(f"{what}: status 0x{status:x}, {why}", code=code)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
