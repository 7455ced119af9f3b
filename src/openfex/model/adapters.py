# SPDX-License-Identifier: Apache-2.0
"""Real adapters and their functions as they are found: values, whoever has read them.

A function is known by its PCI address. Its number (the N of virtfnN) is how its PF calls it; the name of its network
device, and where that is, is only what was found today.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from openfex.model.functions import FunctionDriver, HwMode, Settings
from openfex.model.values import Mac

VFIO_DRIVERS = frozenset({"vfio-pci", "mlx5_vfio_pci", "pci-stub"})
"""Drivers by which a function is given away whole: it has no network device then."""
NETWORK_CLASS = "02"
CLASSES = {"01": "storage", "02": "network", "03": "display", "0b": "processor", "12": "accelerator"}
"""What the first two digits of a PCI class say."""


class Owner(Enum):
    """Who has a function; the value is the word in tables."""

    HOST = "host"
    NAMESPACE = "namespace"
    VM = "vm"
    NOBODY = "nobody"
    LOST = "lost"
    """It has a network driver, but its device is in no name space that can be seen."""


@dataclass(frozen=True, slots=True)
class FunctionCounters:
    """What a PF's driver has counted for a function (IFLA_VF_STATS); None: it does not count."""

    rx_packets: int | None = None
    tx_packets: int | None = None
    rx_bytes: int | None = None
    tx_bytes: int | None = None
    broadcast: int | None = None
    multicast: int | None = None
    rx_dropped: int | None = None
    tx_dropped: int | None = None


@dataclass(frozen=True, slots=True)
class NetDevice:
    """A network device of a PCI function. `space` is the name space it is in: empty for this one, else its name.

    One that has no name is that of a process, `pid:1234`.
    """

    space: str
    name: str
    index: int
    mac: Mac
    up: bool
    carrier: bool


def _ill(errors: tuple[int, int, int] | None) -> tuple[str, ...]:
    """Errors that nothing has corrected."""
    _, nonfatal, fatal = errors or (0, 0, 0)
    counted = ((nonfatal, "errors"), (fatal, "fatal-errors"))
    return tuple(word for count, word in counted if count)


@dataclass(frozen=True, slots=True)
class RealFunction:
    """A virtual function. In `settings` None is what the PF's driver does not say."""

    address: str
    index: int
    vendor: str
    device: str
    kind: str
    driver: str
    override: str
    iommu_group: str
    company: tuple[str, ...] = ()
    """Others of its IOMMU group that have a driver which keeps the group from being given away."""
    net: NetDevice | None = None
    open: bool = False
    """Some process holds it by VFIO."""
    settings: Settings = field(default_factory=Settings)
    counters: FunctionCounters = field(default_factory=FunctionCounters)
    msix: int | None = None
    errors: tuple[int, int, int] | None = None
    """Of PCIe: corrected, not fatal, fatal; None: it does not say."""

    @property
    def is_network(self) -> bool:
        """Whether its driver makes a network device."""
        return self.kind.startswith(NETWORK_CLASS)

    @property
    def bound(self) -> FunctionDriver:
        """Who has it, in the words of documents."""
        if not self.driver:
            return FunctionDriver.NONE
        return FunctionDriver.VFIO if self.driver in VFIO_DRIVERS else FunctionDriver.DEVICE

    @property
    def owner(self) -> Owner:
        """Who has it."""
        if self.bound is FunctionDriver.NONE:
            return Owner.NOBODY
        if self.bound is FunctionDriver.VFIO:
            return Owner.VM
        if self.net is None:
            return Owner.LOST if self.is_network else Owner.HOST
        return Owner.NAMESPACE if self.net.space else Owner.HOST

    @property
    def health(self) -> tuple[str, ...]:
        """What is wrong with it, in stable words; nothing if it is well. `no-driver` may be as it was asked for."""
        found = {Owner.LOST: ["lost"], Owner.NOBODY: ["no-driver"]}.get(self.owner, [])
        if self.net and self.net.up and not self.net.carrier:
            found = [*found, "no-carrier"]
        return (*found, *_ill(self.errors))

    @property
    def in_use(self) -> str:
        """Why it must not be disturbed, in words; empty if it may."""
        if self.net is not None and self.net.space:
            return f"its device {self.net.name} is in name space {self.net.space}"
        if self.owner is Owner.LOST:
            return "its device is in a name space that cannot be seen"
        return "a process holds it by VFIO" if self.open else ""


@dataclass(frozen=True, slots=True)
class RealAdapter:
    """A physical function that can be carved. `speed` in Mbit/s; None where there is no link, or no driver to say."""

    address: str
    vendor: str
    device: str
    kind: str
    driver: str
    numa_node: int | None
    iommu_group: str
    total: int
    count: int
    offset: int
    stride: int
    vf_device: str
    autoprobe: bool
    net: NetDevice | None = None
    speed: int | None = None
    hwmode: HwMode | None = None
    functions: tuple[RealFunction, ...] = ()
    msix_pool: int | None = None
    errors: tuple[int, int, int] | None = None

    @property
    def health(self) -> tuple[str, ...]:
        """What is wrong with it, in stable words; nothing if it is well."""
        found = [] if self.driver else ["no-driver"]
        if self.is_network and self.driver and self.net is None:
            found.append("lost")
        if self.net and self.net.up and not self.net.carrier:
            found.append("no-carrier")
        if self.count != len(self.functions):
            found.append("functions-missing")
        return (*found, *_ill(self.errors))

    @property
    def what(self) -> str:
        """What kind of device it is, in a word."""
        return CLASSES.get(self.kind[:2], "other")

    @property
    def has_link(self) -> bool:
        """Whether frames can pass: carrier, and at a speed that is known."""
        return self.net is not None and self.net.carrier and self.speed is not None

    @property
    def is_network(self) -> bool:
        """Whether it is a NIC."""
        return self.kind.startswith(NETWORK_CLASS)

    @property
    def name(self) -> str:
        """How people call it: its network device, else its address."""
        return self.net.name if self.net else self.address

    def function(self, index: int) -> RealFunction | None:
        """The function of a number."""
        return next((one for one in self.functions if one.index == index), None)
