# SPDX-License-Identifier: Apache-2.0
"""A machine with SR-IOV adapters that is none: it keeps the kernel's rules, and what a driver does, without a kernel.

What it does as Linux does: the count goes through 0 only; functions are new when they are carved, and appear late;
drivers_probe finds no driver for a function whose adapter has autoprobe off, unless it has an override; a device goes
with its driver and comes back in the first name space; an MAC set by the PF reaches a driver only when it starts; what
a driver has no operation for is refused with EOPNOTSUPP, and a rate without a link with EINVAL. It can be killed at its
n-th change.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from openfex.errors import KernelError, NotFoundError, UnsupportedError
from openfex.model.adapters import VFIO_DRIVERS, NetDevice, RealAdapter, RealFunction
from openfex.model.functions import ATTRIBUTES, HwMode, LinkState, Settings, TagProtocol, said
from openfex.model.quirks import quirks_of
from openfex.model.values import Mac

NO_MAC = Mac(bytes(6))
CARVED = Settings(
    mac=NO_MAC, vlan=0, qos=0, protocol=TagProtocol.DOT1Q, min_rate=0, max_rate=0, spoof_check=True, trust=False,
    link=LinkState.AUTO,
)  # fmt: skip
"""What igb says of a function that was just made."""


class Killed(BaseException):
    """The process has ended here. Whatever it tries then, it does not do."""


@dataclass
class FakeFunction:
    """A function's state."""

    address: str
    index: int
    settings: Settings = CARVED
    driver: str = ""
    override: str = ""
    space: str | None = None
    """Where its device is; None: it has none."""
    name: str = ""
    mac_in_use: Mac = NO_MAC
    open: bool = False


@dataclass
class FakeAdapter:
    """A physical function's state."""

    address: str = "0000:01:00.0"
    name: str = "eno1"
    driver: str = "igb"
    total: int = 7
    autoprobe: bool = True
    hwmode: HwMode | None = None
    iommu: bool = True
    kind: str = "020000"
    numvfs: int = 0
    functions: list[FakeFunction] = field(default_factory=list)
    late: int = 0
    """Functions that the kernel has not shown yet."""
    dark: int = 0
    """How many waits it takes until its link is up again: igb resets when it is carved."""
    up: bool = True


class FakeHost:
    """Adapters, the changes of which are counted. `dies_at` n: the n-th change kills, before or after it was done."""

    def __init__(self, *adapters: FakeAdapter, dies_at: int = 0, dies_after: bool = False) -> None:
        self.adapters = {one.address: one for one in adapters}
        self.spaces = {"", "blue", "green"}
        self.hidden: set[str] = set()
        self.changes: list[str] = []
        self.dies_at, self.dies_after, self.dead = dies_at, dies_after, False
        self.refuses: Callable[[str], bool] = lambda change: False

    def die(self) -> None:
        """Be dead if killed: nothing is done any more."""
        if self.dead:
            raise Killed

    def count(self, change: str, act: Callable[[], None]) -> None:
        """Do a change, unless killed before or after it."""
        self.die()
        self.changes.append(change)
        if len(self.changes) == self.dies_at and not self.dies_after:
            self.dead = True
            raise Killed(change)
        if self.refuses(change):
            raise KernelError(f"cannot {change}: the test says so", errno.EIO)
        act()
        if len(self.changes) == self.dies_at:
            self.dead = True
            raise Killed(change)

    # What there is

    def observe(self, address: str = "") -> tuple[RealAdapter, ...]:
        """All adapters, or one."""
        self.die()
        if address and address not in self.adapters:
            raise NotFoundError(f"there is no PCI function {address}", code="no-such-function")
        return tuple(
            _adapter(self.adapters[one], self.hidden) for one in sorted([address] if address else self.adapters)
        )

    def function(self, address: str) -> FakeFunction:
        """One function's state."""
        found = [one for adapter in self.adapters.values() for one in adapter.functions if one.address == address]
        if not found:
            raise NotFoundError(f"there is no PCI function {address}", code="no-such-function")
        return found[0]

    # What is changed

    def set_count(self, adapter: str, count: int) -> None:
        """sriov_numvfs_store."""
        self.count(f"set_count {adapter} {count}", lambda: self._set_count(self.adapters[adapter], count))

    def _set_count(self, pf: FakeAdapter, count: int) -> None:
        if count > pf.total:
            raise KernelError("numerical result out of range", errno.ERANGE)
        if count == pf.numvfs:
            return
        if not pf.driver:
            raise KernelError("no driver", errno.ENOENT)
        if pf.numvfs and count:
            raise KernelError("device or resource busy", errno.EBUSY)
        pf.numvfs = count
        pf.functions = [FakeFunction(vf_address(pf.address, index), index) for index in range(count)]
        pf.late, pf.dark = count // 2, 2
        for one in pf.functions:
            if pf.autoprobe:
                self._start(pf, one)

    def set_autoprobe(self, adapter: str, on: bool) -> None:
        """sriov_drivers_autoprobe."""
        self.count(f"set_autoprobe {adapter} {on}", lambda: setattr(self.adapters[adapter], "autoprobe", on))

    def set_hwmode(self, adapter: str, mode: HwMode) -> None:
        """IFLA_BRIDGE_MODE."""
        pf = self.adapters[adapter]
        if pf.hwmode is None:
            raise UnsupportedError("cannot set hwmode: Operation not supported")
        self.count(f"set_hwmode {adapter} {mode.value}", lambda: setattr(pf, "hwmode", mode))

    def set_attributes(self, adapter: str, index: int, change: Settings) -> None:
        """IFLA_VF_*, one after another, until the driver refuses one."""
        pf = self.adapters[adapter]
        for name, value in said(change).items():
            self.count(f"set_{name} {adapter} {index}", lambda name=name, value=value: _set(pf, index, name, value))  # type: ignore[misc]

    def unbind(self, function: str) -> None:
        """driver/unbind."""
        self.count(f"unbind {function}", lambda: _stop(self.function(function)))

    def set_override(self, function: str, driver: str) -> None:
        """driver_override."""
        self.count(f"set_override {function}", lambda: setattr(self.function(function), "override", driver))

    def probe(self, function: str) -> None:
        """drivers_probe."""
        self.count(f"probe {function}", lambda: self._probe(function))

    def _probe(self, function: str) -> None:
        one = self.function(function)
        pf = next(pf for pf in self.adapters.values() if one in pf.functions)
        if not one.driver and (pf.autoprobe or one.override):
            self._start(pf, one)

    def _start(self, pf: FakeAdapter, one: FakeFunction) -> None:
        if one.override in VFIO_DRIVERS:
            one.driver = one.override
            return
        one.driver, one.space, one.name = "igbvf", "", f"{pf.name}v{one.index}"
        one.mac_in_use = one.settings.mac or NO_MAC

    def move(self, device: NetDevice, space: str, name: str) -> None:
        """IFLA_NET_NS_FD."""
        self.count(f"move {device.name} {space or 'home'}", lambda: self._move(device, space, name))

    def _move(self, device: NetDevice, space: str, name: str) -> None:
        if space not in self.spaces:
            raise NotFoundError(f"there is no network name space {space}", code="netns-not-found")
        for adapter in self.adapters.values():
            for one in adapter.functions:
                if (one.space, one.name) == (device.space, device.name):
                    one.space, one.name = space, name
                    return
        raise NotFoundError(f"there is no link {device.name}", code="link-not-found")

    def set_up(self, device: NetDevice) -> None:
        """IFF_UP of a PF."""
        pf = next(one for one in self.adapters.values() if one.name == device.name)
        self.count(f"set_up {device.name}", lambda: setattr(pf, "up", True))

    def wait(self, holds: Callable[[], bool], deadline_s: float) -> bool:
        """As if an event came each time, until all that was late is there."""
        self.die()
        for _ in range(20):
            if holds():
                return True
            for adapter in self.adapters.values():
                adapter.late, adapter.dark = max(0, adapter.late - 1), max(0, adapter.dark - 1)
        return holds()


def vf_address(pf: str, index: int) -> str:
    """As an igb counts: 384 behind the PF, every second one."""
    domain, bus, rest = pf.split(":")
    device, number = rest.split(".")
    routing = (int(bus, 16) << 8 | int(device, 16) << 3 | int(number)) + 384 + 2 * index
    return f"{domain}:{routing >> 8:02x}:{routing >> 3 & 31:02x}.{routing & 7}"


def _stop(one: FakeFunction) -> None:
    one.driver, one.space, one.name = "", None, ""


def _set(pf: FakeAdapter, index: int, name: str, value: object) -> None:
    quirks = quirks_of(pf.driver)
    if ATTRIBUTES[name] in quirks.lacks and value != getattr(CARVED, name):
        raise UnsupportedError(f"cannot set {name}: Operation not supported")
    if isinstance(value, TagProtocol) and value not in quirks.protocols:
        raise UnsupportedError("cannot set the VLAN: Protocol not supported")
    if quirks.rate_needs_link and ATTRIBUTES[name].startswith("rate") and value and pf.dark:
        raise KernelError("cannot set the rates: Invalid argument", errno.EINVAL)
    one = next(one for one in pf.functions if one.index == index)
    one.settings = replace(one.settings, **{name: value})  # type: ignore[arg-type]


def _adapter(pf: FakeAdapter, hidden: set[str]) -> RealAdapter:
    shown = pf.functions[: len(pf.functions) - pf.late]
    return RealAdapter(
        address=pf.address,
        vendor="8086",
        device="10c9",
        kind=pf.kind,
        driver=pf.driver,
        numa_node=0,
        iommu_group="1" if pf.iommu else "",
        total=pf.total,
        count=pf.numvfs,
        offset=384,
        stride=2,
        vf_device="10ca",
        autoprobe=pf.autoprobe,
        net=NetDevice("", pf.name, 2, Mac(b"\x52\x54\0\0\0\1"), pf.up, pf.up and not pf.dark) if pf.name else None,
        speed=None if pf.dark else 1000,
        hwmode=pf.hwmode,
        functions=tuple(_function(pf, one, hidden) for one in shown),
    )


def _function(pf: FakeAdapter, one: FakeFunction, hidden: set[str]) -> RealFunction:
    net = None
    if one.space is not None and one.space not in hidden:
        net = NetDevice(one.space, one.name, 10 + one.index, one.mac_in_use, False, False)
    return RealFunction(
        address=one.address,
        index=one.index,
        vendor="8086",
        device="10ca",
        kind=pf.kind,
        driver=one.driver,
        override=one.override,
        iommu_group=str(20 + one.index) if pf.iommu else "",
        net=net,
        open=one.open,
        settings=one.settings,
    )
