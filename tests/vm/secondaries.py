# SPDX-License-Identifier: Apache-2.0
"""Runs in a twin: takes an NVMe controller's flexible resources, or gives two of each to secondary controllers 1 and 2.

`secondaries.py take|give DEVICE`. What it prints is the list of secondary controllers afterwards, a line each: its id,
whether it is online, its queues and interrupts. NVM Express Base Specification: Virtualization Management (opcode 1Ch),
Identify with CNS 15h; the door is the kernel's NVME_IOCTL_ADMIN_CMD.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import sys

_ADMIN_COMMAND = 0xC0484E41
_FORMAT = struct.Struct("=BBHIIIQQII6I" + "II")
_IDENTIFY, _VIRTUALIZATION = 0x06, 0x1C
_SECONDARY_LIST = 0x15
_PRIMARY_FLEXIBLE, _ASSIGN, _ONLINE = 1, 8, 9
_QUEUES, _INTERRUPTS = 0, 1
_ROOM = 4096


def admin(fd: int, opcode: int, cdw10: int, cdw11: int = 0, room: int = 0) -> bytes:
    """What the controller writes into a buffer. Raises OSError with what the controller says."""
    buffer = ctypes.create_string_buffer(max(room, 1))
    address = ctypes.addressof(buffer) if room else 0
    command = bytearray(_FORMAT.pack(opcode, 0, 0, 0, 0, 0, 0, address, 0, room, cdw10, cdw11, 0, 0, 0, 0, 0, 0))
    status = fcntl.ioctl(fd, _ADMIN_COMMAND, command)
    if status:
        raise OSError(status, f"opcode {opcode:#x} ended with status {status:#x}")
    return buffer.raw


def manage(fd: int, controller: int, action: int, resource: int = 0, count: int = 0) -> None:
    """One action of Virtualization Management."""
    admin(fd, _VIRTUALIZATION, controller << 16 | resource << 8 | action, count)


def main() -> None:
    what, device = sys.argv[1:]
    fd = os.open(device, os.O_RDWR)
    for resource in (_INTERRUPTS, _QUEUES):
        if what == "take":
            manage(fd, 0, _PRIMARY_FLEXIBLE, resource)
        else:
            for controller in (1, 2):
                manage(fd, controller, _ASSIGN, resource, 2)
    if what == "give":
        for controller in (1, 2):
            manage(fd, controller, _ONLINE)
    found = admin(fd, _IDENTIFY, _SECONDARY_LIST, room=_ROOM)
    for number in range(found[0]):
        controller, _, online, _, queues, interrupts = struct.unpack_from("=HHBxxxHHH", found, 32 + 32 * number)
        print(controller, online, queues, interrupts)


if __name__ == "__main__":
    main()
