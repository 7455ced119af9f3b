# SPDX-License-Identifier: Apache-2.0
"""The door to NVMe controllers: a tree of files for sysfs, and what the ioctl gets and gives."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from pathlib import Path

import pytest

from openfex.errors import KernelError, NotFoundError, RefusedError
from openfex.linux.nvme import Disk, Nvme, pack
from openfex.wire.nvme import AdminCommand, Cns, attach_namespace, identify

ADDRESS = "0000:01:00.0"


@pytest.fixture
def door(tmp_path: Path) -> Nvme:
    for name, address in (("nvme0", ADDRESS), ("nvme1", "0000:01:00.1"), ("nvme-subsys0", ADDRESS)):
        place = tmp_path / "class/nvme" / name
        place.mkdir(parents=True)
        (place / "address").write_text(f"{address}\n")
        (place / "state").write_text("live\n")
    for disk, nsid, sectors in (
        ("nvme0n2", "2", "8"),
        ("nvme0c1n1", "1", "16"),
        ("nvme0n3", "?", "8"),
        ("ng0n1", "1", "8"),
    ):
        place = tmp_path / "class/nvme/nvme1" / disk
        place.mkdir()
        (place / "nsid").write_text(nsid)
        (place / "size").write_text(sectors)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvme0").touch()
    return Nvme(tmp_path, tmp_path / "dev")


def test_controllers_are_found_by_pci_address(door: Nvme) -> None:
    assert (door.controller(ADDRESS), door.controller("0000:01:00.1")) == ("nvme0", "nvme1")
    assert door.controller("0000:01:00.2") == ""
    assert (door.state("nvme0"), door.state("nvme7")) == ("live", "")


def test_disks_are_named_as_the_host_uses_them(door: Nvme) -> None:
    """A path of a shared namespace, nvme0c1n1, is used by the head that it belongs to."""
    assert door.disks("nvme1") == (Disk("nvme0n1", 1, 8192), Disk("nvme0n2", 2, 4096))
    assert door.disks("nvme9") == ()


def test_a_machine_without_nvme_has_none(tmp_path: Path) -> None:
    assert Nvme(tmp_path).controller(ADDRESS) == ""


def test_a_command_is_72_octets_for_linux() -> None:
    octets = pack(identify(Cns.PRIMARY), 0x1000, 4096)
    assert len(octets) == 72
    opcode, nsid, address, _, length, cdw10 = struct.unpack_from("<B3xI16xQIII", octets)
    assert (opcode, nsid, address, length, cdw10) == (0x06, 0, 0x1000, 4096, 0x14)
    assert struct.unpack_from("<II", octets, 64) == (60_000, 0)


def answering(monkeypatch: pytest.MonkeyPatch, status: int, data: bytes = b"", result: int = 0) -> list[bytes]:
    """An ioctl that writes an answer, as the kernel does; gives what it was handed."""
    seen: list[bytes] = []

    def ioctl(fd: int, request: int, argument: bytearray) -> int:
        assert request == 0xC0484E41
        seen.append(bytes(argument))
        address, length = struct.unpack_from("<Q4xI", argument, 24)
        seen.append(ctypes.string_at(address, length) if length else b"")
        ctypes.memmove(address, data, len(data))
        argument[68:72] = struct.pack("<I", result)
        return status

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    return seen


def test_a_command_s_answer_is_its_data_and_its_result(door: Nvme, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, 0, b"\7" * 4096, 3)
    answer = door.submit("nvme0", identify(Cns.CONTROLLER))
    assert (answer.data, answer.result) == (b"\7" * 4096, 3)


def test_a_command_s_data_reach_the_controller(door: Nvme, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = answering(monkeypatch, 0)
    door.submit("nvme0", attach_namespace(1, [3]))
    assert seen[1] == b"\1\0\3\0".ljust(4096, b"\0")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (0x4122, "storage-overcommitted"),
        (0x4121, "storage-share-too-large"),
        (0x4119, "namespace-private"),
        (0x4002, "nvme-refused"),
    ],
)
def test_a_controller_s_no_has_a_code(door: Nvme, monkeypatch: pytest.MonkeyPatch, status: int, code: str) -> None:
    """With do not retry, as QEMU sets it."""
    answering(monkeypatch, status)
    with pytest.raises(RefusedError) as refused:
        door.submit("nvme0", AdminCommand(0x1C))
    assert refused.value.code == code
    assert f"status 0x{status & 0x7FF:x}" in refused.value.message


def test_what_is_no_controller_is_told(door: Nvme, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        door.submit("../nvme0", AdminCommand(6))
    with pytest.raises(KernelError) as failed:
        door.rescan("nvme5")
    assert failed.value.errno == errno.ENOENT
    with pytest.raises(NotFoundError):
        door.reset(ADDRESS)


def test_a_reset_is_that_of_the_pci_function(door: Nvme, tmp_path: Path) -> None:
    place = tmp_path / "bus/pci/devices" / ADDRESS
    place.mkdir(parents=True)
    (place / "reset").touch()
    door.reset(ADDRESS)
    assert (place / "reset").read_text() == "1"


def test_a_disk_is_somebody_s_while_it_is_open(door: Nvme, tmp_path: Path) -> None:
    (tmp_path / "dev/nvme0n1").touch()
    assert door.user(Disk("nvme0n1", 1, 0)) == ""
    assert door.user(Disk("nvme0n9", 9, 0)) == ""
    with (tmp_path / "dev/nvme0n1").open("rb"):
        assert door.user(Disk("nvme0n1", 1, 0)) == f"process {os.getpid()} has it open"
