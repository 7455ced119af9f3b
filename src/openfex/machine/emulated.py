# SPDX-License-Identifier: Apache-2.0
"""Adapters with SR-IOV that QEMU emulates, as its arguments. Pure.

Each sits behind a PCIe root port of its own, at a slot that follows from its place in the list: so the guest finds it
by that slot, whatever numbers its firmware gives to buses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from openfex.errors import InputError
from openfex.machine.command_line import quote
from openfex.model.values import Mac

_FIRST_SLOT, _LAST_SLOT = 0x10, 0x1E
"""Slots of the root bus that QEMU's machine q35 leaves free, with those below for what else a guest has."""


@dataclass(frozen=True, slots=True)
class Igb:
    """An Intel 82576 network adapter: 7 functions; its port is wired to a TAP in a name space (None: the caller's).

    The TAP is made if it is not there and then ends with the guest. It carries frames as a wire does: no super-frames,
    no checksums left to do.
    """

    name: str
    netns: str | None
    tap: str
    mac: Mac | None = None


@dataclass(frozen=True, slots=True)
class Nvme:
    """An NVMe controller: its functions are secondary controllers of one subsystem.

    Namespace 1 is shared, and all controllers have it. Those from 2 on are private, and nobody has them. A function
    stays offline until it is given queues and interrupts, of which `functions` times `queues` are there.
    """

    name: str
    functions: int = 4
    size_mib: int = 64
    queues: int = 2
    """So many queue pairs (the admin queue's is one) and interrupts there are for each function."""
    most: int = 0
    """So many of them one function can be given, if the others have fewer; 0: as many as there are for each."""
    private: int = 0
    """How many private namespaces there are."""


@dataclass(frozen=True, slots=True)
class Iommu:
    """An Intel IOMMU, which remaps all devices of the guest; `vfio-pci` needs it."""


Device = Igb | Nvme | Iommu


def kernel_words(devices: Sequence[Device]) -> list[str]:
    """What a kernel must be told to use them."""
    return ["intel_iommu=on"] if any(isinstance(one, Iommu) for one in devices) else []


def media(folder: Path, device: Nvme) -> dict[int, Path]:
    """The files that are its namespaces' media, by the namespace's identifier."""
    names = [device.name, *(f"{device.name}-{nsid}" for nsid in range(2, device.private + 2))]
    return {nsid: folder / f"{name}.raw" for nsid, name in enumerate(names, 1)}


def root_port(devices: Sequence[Device], name: str) -> str:
    """The PCI address of the root port that an adapter is behind, as sysfs has it."""
    return f"0000:00:{_slots(devices)[name]:02x}.0"


def write_devices(devices: Sequence[Device], taps: Mapping[str, int], folder: Path) -> list[str]:
    """The arguments: `taps` are the open TAPs of igb adapters by name, and media are in `folder`. Raises InputError."""
    argv: list[str] = []
    slots = _slots(devices)
    for one in devices:
        if isinstance(one, Iommu):
            # Before all others, or QEMU leaves them out; caching mode is what lets a guest hand functions on.
            argv = ["-device", "intel-iommu,intremap=on,caching-mode=on", *argv]
            continue
        slot = slots[one.name]
        argv += ["-device", f"pcie-root-port,id=port-{one.name},bus=pcie.0,addr={slot:#x},chassis={slot},slot={slot}"]
        argv += _igb(one, taps[one.name]) if isinstance(one, Igb) else _nvme(one, folder)
    return argv


def _slots(devices: Sequence[Device]) -> dict[str, int]:
    names = [one.name for one in devices if not isinstance(one, Iommu)]
    odd = [name for name in names if not (name.isascii() and name.isalnum() and name[0].isalpha())]
    if odd or len(set(names)) < len(names):
        what = f"{odd[0]!r} cannot name an emulated adapter" if odd else "two emulated adapters have one name"
        raise InputError(what, code="bad-adapter-name", remedy="use letters and digits, and each name once")
    if len(names) > _LAST_SLOT - _FIRST_SLOT + 1:
        raise InputError(f"{len(names)} emulated adapters do not fit into one guest", code="too-many-adapters")
    return {name: _FIRST_SLOT + index for index, name in enumerate(names)}


def _igb(one: Igb, tap: int) -> list[str]:
    mac = f",mac={one.mac}" if one.mac else ""
    argv = ["-netdev", f"tap,id=wire-{one.name},fd={tap}"]
    return [*argv, "-device", f"igb,id={one.name},bus=port-{one.name},netdev=wire-{one.name},romfile={mac}"]


def _nvme(one: Nvme, folder: Path) -> list[str]:
    # The controller keeps some of each for itself; the rest is flexible, which is what functions are given.
    flexible, most = one.functions * one.queues, one.most or one.queues
    pairs, vectors = flexible + 4, flexible + 4
    controller = f"nvme,id={one.name},serial={one.name},bus=port-{one.name},subsys=subsystem-{one.name}"
    controller += f",max_ioqpairs={pairs},msix_qsize={vectors},sriov_max_vfs={one.functions}"
    controller += f",sriov_vq_flexible={flexible},sriov_vi_flexible={flexible}"
    controller += f",sriov_max_vq_per_vf={most},sriov_max_vi_per_vf={most}"
    argv = ["-device", f"nvme-subsys,id=subsystem-{one.name},nqn={one.name}", "-device", controller]
    for nsid, path in media(folder, one).items():
        drive = f"medium-{one.name}-{nsid}"
        argv += ["-drive", f"if=none,id={drive},format=raw,file={quote(path)}"]
        holders = "shared=on" if nsid == 1 else "shared=off,detached=on"
        argv += ["-device", f"nvme-ns,bus={one.name},drive={drive},nsid={nsid},{holders}"]
    return argv
