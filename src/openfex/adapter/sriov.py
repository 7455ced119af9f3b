# SPDX-License-Identifier: Apache-2.0
"""This machine's real adapters: their inventory, and the door by which they are changed.

The inventory is put together from three places, tied by PCI addresses: sysfs (which functions there are, whose, in
which IOMMU group), the links of every name space that can be seen (where a function's network device is), and what
each PF's driver tells of its functions over rtnetlink.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from openfex.errors import NotFoundError, UnsupportedError
from openfex.linux import whereabouts
from openfex.linux.functions import VfInfo
from openfex.linux.kmod import load
from openfex.linux.netlink import Netlink
from openfex.linux.pci import SYSFS, Pci, PciFunction, Sriov
from openfex.linux.uevent import Events
from openfex.model.adapters import VFIO_DRIVERS, NetDevice, RealAdapter, RealFunction
from openfex.model.functions import HwMode, Settings

_KEEPS_NO_GROUP = VFIO_DRIVERS | {"", "pcieport"}
"""Drivers of devices that may stay in an IOMMU group that is given away (vfio_dev_viable in the kernel)."""


class Nets(Protocol):
    """What network devices tell of the functions that they are of."""

    def devices(self) -> Mapping[str, NetDevice]:
        """The network device of each PCI function that has one, by its address."""

    def functions(self, device: NetDevice) -> list[VfInfo]:
        """What a PF's driver tells of its functions."""

    def hwmode(self, device: NetDevice) -> HwMode | None:
        """How a PF's embedded switch works."""

    def holders(self) -> Mapping[str, int]:
        """Who has which IOMMU group open."""


class KernelNets:
    """Those of this kernel."""

    def devices(self) -> Mapping[str, NetDevice]:
        """The network device of each PCI function that has one, by its address."""
        return whereabouts.devices()

    def functions(self, device: NetDevice) -> list[VfInfo]:
        """What a PF's driver tells of its functions."""
        with whereabouts.entered(device.space), Netlink() as netlink:
            return netlink.functions(device.name)

    def hwmode(self, device: NetDevice) -> HwMode | None:
        """How a PF's embedded switch works."""
        with whereabouts.entered(device.space), Netlink() as netlink:
            return netlink.bridge_modes().get(device.index)

    def holders(self) -> Mapping[str, int]:
        """Who has which IOMMU group open."""
        return whereabouts.vfio_holders()


@dataclass(frozen=True)
class _Seen:
    """What was looked for once for all adapters."""

    devices: Mapping[str, NetDevice]
    holders: Mapping[str, int]


class KernelHost:
    """The adapters under `root`. See `Host`."""

    def __init__(self, root: Path = SYSFS, nets: Nets | None = None) -> None:
        self._pci = Pci(root)
        self._nets = nets or KernelNets()
        self._events: Events | None = None

    def close(self) -> None:
        """Listen no more."""
        if self._events is not None:
            self._events.__exit__(None, None, None)
            self._events = None

    # What there is

    def observe(self, address: str = "") -> tuple[RealAdapter, ...]:
        """All adapters that can be carved, or the one of an address, with their functions; sorted by address."""
        found = [self._pci.function(one) for one in ([address] if address else self._pci.carvable())]
        functions = {one.address: self._read(one) for one in found}
        given = any(vf.driver in VFIO_DRIVERS for group in functions.values() for vf in group)
        seen = _Seen(self._nets.devices(), self._nets.holders() if given else {})
        return tuple(self._adapter(one, one.sriov, functions[one.address], seen) for one in found if one.sriov)

    def _read(self, pf: PciFunction) -> list[PciFunction]:
        """Functions may go while they are looked at."""
        found = []
        for _, address in pf.sriov.functions if pf.sriov else ():
            try:
                found.append(self._pci.function(address))
            except NotFoundError:
                continue
        return found

    def _adapter(self, pf: PciFunction, sriov: Sriov, functions: list[PciFunction], seen: _Seen) -> RealAdapter:
        net = seen.devices.get(pf.address)
        told = {one.index: one for one in self._nets.functions(net)} if net and functions else {}
        numbers = {address: index for index, address in sriov.functions}
        return RealAdapter(
            address=pf.address,
            vendor=pf.vendor,
            device=pf.device,
            kind=pf.kind,
            driver=pf.driver,
            numa_node=pf.numa_node,
            iommu_group=pf.iommu_group,
            total=sriov.total,
            count=sriov.count,
            offset=sriov.offset,
            stride=sriov.stride,
            vf_device=sriov.vf_device,
            autoprobe=sriov.autoprobe,
            net=net,
            speed=self._speed(net),
            hwmode=self._nets.hwmode(net) if net else None,
            functions=tuple(self._function(one, numbers[one.address], told, seen) for one in functions),
            msix_pool=sriov.msix_pool,
            errors=pf.errors,
        )

    def _function(self, vf: PciFunction, index: int, told: Mapping[int, VfInfo], seen: _Seen) -> RealFunction:
        info = told.get(index, VfInfo(index, Settings()))
        return RealFunction(
            address=vf.address,
            index=index,
            vendor=vf.vendor,
            device=vf.device,
            kind=vf.kind,
            driver=vf.driver,
            override=vf.override,
            iommu_group=vf.iommu_group,
            company=self._company(vf),
            net=seen.devices.get(vf.address),
            open=bool(vf.iommu_group) and vf.iommu_group in seen.holders,
            settings=info.settings,
            counters=info.counters,
            msix=vf.msix,
            errors=vf.errors,
        )

    def _company(self, vf: PciFunction) -> tuple[str, ...]:
        group = self._pci.group(vf.iommu_group) if vf.iommu_group else []
        return tuple(one for one, driver in group if one != vf.address and driver not in _KEEPS_NO_GROUP)

    def _speed(self, net: NetDevice | None) -> int | None:
        text = self._pci.net_value(net.name, "speed") if net and not net.space else ""
        return int(text) if text.isdecimal() and len(text) < 9 else None

    # What is changed

    def set_count(self, adapter: str, count: int) -> None:
        """Carve: from none to so many, or from any to none."""
        self._listen()
        self._pci.set_count(adapter, count)

    def set_autoprobe(self, adapter: str, on: bool) -> None:
        """Whether new functions get a driver by themselves."""
        self._pci.set_autoprobe(adapter, on)

    def set_hwmode(self, adapter: str, mode: HwMode) -> None:
        """How the adapter's embedded switch works."""
        net = self._net_of(adapter)
        with whereabouts.entered(net.space), Netlink() as netlink:
            netlink.set_bridge_mode(net.name, mode)

    def set_attributes(self, adapter: str, index: int, change: Settings) -> None:
        """Set attributes of a function through its PF; None leaves one as it is."""
        net = self._net_of(adapter)
        with whereabouts.entered(net.space), Netlink() as netlink:
            netlink.set_function(net.name, index, change)

    def _net_of(self, adapter: str) -> NetDevice:
        net = self._nets.devices().get(adapter)
        if net is None:
            message = f"{adapter} has no network device, by which attributes of its functions are set"
            raise UnsupportedError(message, code="not-a-nic")
        return net

    def unbind(self, function: str) -> None:
        """Take a function from its driver."""
        self._listen()
        self._pci.unbind(function)

    def set_override(self, function: str, driver: str) -> None:
        """The only driver that it may get, which is loaded if it is not there; empty: any."""
        if driver and not self._pci.has_driver(driver):
            load(driver)
        self._pci.set_override(function, driver)

    def probe(self, function: str) -> None:
        """Let the kernel look for its driver."""
        self._listen()
        self._pci.probe(function)

    def move(self, device: NetDevice, space: str, name: str) -> None:
        """Put a network device into a name space (empty: this one), down and under another name."""
        whereabouts.move(device, space, name)

    def set_up(self, device: NetDevice) -> None:
        """Set a network device up."""
        with whereabouts.entered(device.space), Netlink() as netlink:
            netlink.set(device.name, up=True)

    def wait(self, holds: Callable[[], bool], deadline_s: float) -> bool:
        """Wait until something holds, asked again at each event of the kernel; whether it does."""
        return self._listen().wait(holds, deadline_s)

    def _listen(self) -> Events:
        """From before the change on, so that no event is missed."""
        if self._events is None:
            self._events = Events()
        return self._events
