# SPDX-License-Identifier: Apache-2.0
"""An NVMe adapter as it is, read from its primary controller and from sysfs; and the doors by which that is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from openfex.errors import UnsupportedError, WireError
from openfex.linux.nvme import Disk, Nvme
from openfex.linux.pci import Pci
from openfex.linux.uevent import Events
from openfex.linux.whereabouts import vfio_holders
from openfex.model.storage import Namespace, StorageAdapter, StorageFunction
from openfex.wire import nvme as wire
from openfex.wire.nvme import AdminCommand, Cns, identify

DRIVER = "nvme"


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors to one machine's adapters; `listen` begins to listen to events about devices."""

    bus: Pci = field(default_factory=Pci)
    controllers: Nvme = field(default_factory=Nvme)
    listen: Callable[[], Events] = Events
    vfio_holders: Callable[[], Mapping[str, int]] = vfio_holders
    """Who has which IOMMU group open: the group's number, and a process."""


def observe(doors: Doors, address: str) -> StorageAdapter:
    """An adapter as it is, by the PF's PCI address. Raises NotFoundError, and UnsupportedError for one that cannot."""
    pf = doors.bus.function(address)
    name = primary(doors, address)
    identity = wire.ControllerIdentity.decode(ask(doors, name, identify(Cns.CONTROLLER)))
    if pf.sriov is None or not identity.virtualizes:
        lack = "SR-IOV" if pf.sriov is None else "Virtualization Enhancements"
        raise UnsupportedError(f"NVMe adapter {address} has no {lack}", code="no-storage-functions")
    octets = ask(doors, name, identify(Cns.PRIMARY, controller=identity.controller))
    shares = wire.PrimaryCapabilities.decode(octets)
    namespaces = tuple(_namespaces(doors, name)) if identity.manages_namespaces else ()
    carved = dict(pf.sriov.functions)
    functions = [
        _function(doors, one, carved.get(one.vf - 1, ""), namespaces) for one in _secondaries(doors, name) if one.vf
    ]
    if len({one.number for one in functions}) != len(functions):
        raise WireError(f"{name} lists two secondary controllers of one function", code="field-out-of-range")
    return StorageAdapter(
        address,
        identity.controller,
        pf.sriov.total,
        pf.sriov.count,
        pf.sriov.autoprobe,
        shares.queues,
        shares.interrupts,
        tuple(sorted(functions, key=lambda one: one.number)),
        namespaces,
    )


def disks(doors: Doors, address: str) -> dict[int, tuple[Disk, ...]]:
    """The block devices that the host has of each function, by its number."""
    names = {number: doors.controllers.controller(place) for number, place in places(doors, address).items()}
    return {number: doors.controllers.disks(name) for number, name in names.items() if name}


def users(doors: Doors, address: str) -> Iterator[tuple[int, int | None, str]]:
    """Functions that somebody has: the number, the namespace if it is only that, and who it is, in words."""
    for number, there in disks(doors, address).items():
        for disk in there:
            if user := doors.controllers.user(disk):
                yield number, disk.nsid, f"disk {disk.name}: {user}"
    holders = doors.vfio_holders()
    for number, place in places(doors, address).items():
        function = doors.bus.function(place)
        if function.iommu_group in holders:
            yield number, None, f"process {holders[function.iommu_group]} has it by VFIO"


def primary(doors: Doors, address: str) -> str:
    """The controller of a PF. Raises UnsupportedError if its driver has made none."""
    name = doors.controllers.controller(address)
    if not name:
        message = f"PCI function {address} has no NVMe controller that the kernel drives"
        raise UnsupportedError(message, code="no-nvme-driver", remedy=f"bind it to {DRIVER}")
    return name


def places(doors: Doors, address: str) -> dict[int, str]:
    """The PCI addresses of an adapter's functions, by number."""
    sriov = doors.bus.function(address).sriov
    return dict(sriov.functions) if sriov else {}


def ask(doors: Doors, name: str, command: AdminCommand) -> bytes:
    """The octets that a controller answers a command with."""
    return doors.controllers.submit(name, command).data


def _secondaries(doors: Doors, name: str) -> Iterator[wire.Secondary]:
    first = 0
    while True:
        page = wire.decode_secondaries(ask(doors, name, identify(Cns.SECONDARIES, controller=first)))
        yield from (one for one in page if one.controller >= first)
        if not page or page[-1].controller < first or page[-1].controller == 0xFFFF:
            return
        first = page[-1].controller + 1


def _function(doors: Doors, found: wire.Secondary, place: str, namespaces: tuple[Namespace, ...]) -> StorageFunction:
    return StorageFunction(
        found.vf - 1,
        found.controller,
        found.online,
        found.queues,
        found.interrupts,
        tuple(one.nsid for one in namespaces if found.controller in one.controllers),
        place,
        doors.bus.function(place).driver if place else "",
    )


def _namespaces(doors: Doors, name: str) -> Iterator[Namespace]:
    last = 0
    while page := wire.decode_namespaces(ask(doors, name, identify(Cns.ALLOCATED_NAMESPACES, last))):
        for nsid in page:
            known = wire.NamespaceIdentity.decode(ask(doors, name, identify(Cns.ALLOCATED_NAMESPACE, nsid)))
            yield Namespace(nsid, known.shared, known.octets, tuple(_holders(doors, name, nsid)))
        if page[-1] <= last or page[-1] >= 0xFFFFFFFE:
            return
        last = page[-1]


def _holders(doors: Doors, name: str, nsid: int) -> Iterator[int]:
    first = 0
    while True:
        page = wire.decode_controllers(ask(doors, name, identify(Cns.ATTACHED_CONTROLLERS, nsid, first)))
        yield from (one for one in page if one >= first)
        if not page or page[-1] < first or page[-1] == 0xFFFF:
            return
        first = page[-1] + 1
