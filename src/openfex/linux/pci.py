# SPDX-License-Identifier: Apache-2.0
"""Door to PCI functions in sysfs: what they are, who drives them, and the files that carve, bind and let go.

`root` is where sysfs is mounted; tests build a tree of their own. The files are those of
Documentation/ABI/testing/sysfs-bus-pci and Documentation/PCI/pci-iov-howto.rst.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from openfex.errors import KernelError, NotFoundError
from openfex.linux.border import crossing

SYSFS = Path("/sys")
ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_VIRTFN = re.compile(r"virtfn([0-9]{1,5})")
_NO_FUNCTIONS = 0


@dataclass(frozen=True, slots=True)
class Sriov:
    """The SR-IOV capability of a physical function. `vf_device` is the functions' device id, four hex digits."""

    total: int
    count: int
    offset: int
    stride: int
    vf_device: str
    autoprobe: bool
    msix_pool: int | None
    """MSI-X vectors that may be shared out among the functions (sriov_vf_total_msix); None: the driver does not say."""
    functions: tuple[tuple[int, str], ...]
    """Number and address of each function there is, from the links virtfnN."""


@dataclass(frozen=True, slots=True)
class PciFunction:
    """A PCI function. Ids are four hex digits, `kind` the six of its class; what there is not is empty or None."""

    address: str
    vendor: str
    device: str
    kind: str
    driver: str
    override: str
    numa_node: int | None
    iommu_group: str
    physfn: str
    net: tuple[str, ...]
    """Its network devices that this mount of sysfs shows: those in the mount's own name space."""
    msix: int | None
    """Vectors it has been given (msi_irqs); None: none are set up."""
    sriov: Sriov | None
    errors: tuple[int, int, int] | None = None
    """Errors that PCIe has reported since the start: corrected, not fatal, fatal; None: it does not report any."""


class Pci:
    """The PCI functions under `root`."""

    def __init__(self, root: Path = SYSFS) -> None:
        self.root = root
        self._devices = root / "bus/pci/devices"

    # What there is

    def carvable(self) -> list[str]:
        """The addresses of all functions that have SR-IOV, sorted: `ls /sys/bus/pci/devices/*/sriov_totalvfs`."""
        if not self._devices.is_dir():
            return []
        with crossing("list PCI functions"):
            return sorted(one.name for one in self._devices.iterdir() if (one / "sriov_totalvfs").exists())

    def function(self, address: str) -> PciFunction:
        """One function: `lspci -vmmks ADDRESS`. Raises NotFoundError."""
        place = self._place(address)
        with crossing(f"read PCI function {address}"):
            return PciFunction(
                address=address,
                vendor=_identity(place / "vendor"),
                device=_identity(place / "device"),
                kind=_text(place / "class").removeprefix("0x"),
                driver=_link(place / "driver"),
                override=_plain(place / "driver_override"),
                numa_node=_node(place / "numa_node"),
                iommu_group=_link(place / "iommu_group"),
                physfn=_link(place / "physfn"),
                net=_names(place / "net"),
                msix=len(_names(place / "msi_irqs")) or None,
                sriov=_sriov(place) if (place / "sriov_totalvfs").exists() else None,
                errors=_errors(place),
            )

    def group(self, name: str) -> list[tuple[str, str]]:
        """Address and driver of each device in an IOMMU group: `ls /sys/kernel/iommu_groups/N/devices`."""
        return [
            (one, _link(self._devices / one / "driver"))
            for one in _names(self.root / "kernel/iommu_groups" / name / "devices")
        ]

    def has_driver(self, name: str) -> bool:
        """Whether a driver is loaded: `ls /sys/bus/pci/drivers/NAME`."""
        return (self.root / "bus/pci/drivers" / name).is_dir()

    def net_value(self, device: str, name: str) -> str:
        """A file of a network device in this mount's name space (`speed`, `carrier`); empty where there is none.

        A device that is down answers EINVAL to some of them.
        """
        return _text(self.root / "class/net" / device / name)

    # What is written

    def set_count(self, address: str, count: int) -> None:
        """Carve: `echo N > sriov_numvfs`. The kernel takes another count only when there are no functions (EBUSY)."""
        self._write(address, "sriov_numvfs", str(count), f"carve {count} functions of {address}")

    def set_autoprobe(self, address: str, on: bool) -> None:
        """Whether new functions get a driver by themselves: `echo 0|1 > sriov_drivers_autoprobe`."""
        self._write(address, "sriov_drivers_autoprobe", str(int(on)), f"set autoprobe of {address}")

    def set_override(self, address: str, driver: str) -> None:
        """The only driver a function may get, or none any more: `echo DRIVER > driver_override`."""
        self._write(address, "driver_override", driver or "\n", f"set the driver of {address}")

    def unbind(self, address: str) -> None:
        """Take a function from its driver, or do nothing if it has none: `echo ADDRESS > driver/unbind`."""
        with crossing(f"unbind {address}"):
            try:
                (self._place(address) / "driver/unbind").write_text(address)
            except FileNotFoundError:
                return

    def probe(self, address: str) -> None:
        """Let the kernel look for a function's driver: `echo ADDRESS > /sys/bus/pci/drivers_probe`.

        It finds none for a VF whose PF has autoprobe off, unless there is a driver_override (pci_device_can_probe).
        """
        self._place(address)
        with crossing(f"look for a driver of {address}"):
            (self.root / "bus/pci/drivers_probe").write_text(address)

    def _place(self, address: str) -> Path:
        place = self._devices / address
        if not ADDRESS.fullmatch(address) or not place.exists():
            raise NotFoundError(f"there is no PCI function {address}", code="no-such-function")
        return place

    def _write(self, address: str, name: str, value: str, action: str) -> None:
        place = self._place(address) / name
        if not place.exists():
            raise NotFoundError(f"cannot {action}: it has no {name}", code="no-such-function")
        with crossing(action):
            place.write_text(value)


def _sriov(place: Path) -> Sriov:
    found = [(int(match[1]), _link(place / name)) for name in _names(place) if (match := _VIRTFN.fullmatch(name))]
    pool = _text(place / "sriov_vf_total_msix")
    return Sriov(
        total=_number(place / "sriov_totalvfs"),
        count=_number(place / "sriov_numvfs"),
        offset=_number(place / "sriov_offset"),
        stride=_number(place / "sriov_stride"),
        vf_device=_text(place / "sriov_vf_device").removeprefix("0x").zfill(4),
        autoprobe=_text(place / "sriov_drivers_autoprobe") != "0",
        msix_pool=int(pool) if pool.isdecimal() else None,
        functions=tuple(sorted(found)),
    )


def _errors(place: Path) -> tuple[int, int, int] | None:
    """The last line of each of the files is their sum: `TOTAL_ERR_FATAL 0`."""
    totals = [_text(place / f"aer_dev_{kind}").rpartition(" ")[2] for kind in ("correctable", "nonfatal", "fatal")]
    if not all(text.isdecimal() and len(text) < 19 for text in totals):
        return None
    corrected, nonfatal, fatal = map(int, totals)
    return corrected, nonfatal, fatal


def _text(path: Path) -> str:
    """What a file holds; empty where it is not there, or the driver will not say."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _plain(path: Path) -> str:
    """The kernel writes `(null)` for a text that is not set."""
    return _text(path).removeprefix("(null)")


def _number(path: Path) -> int:
    text = _text(path)
    if text.isdecimal() and len(text) < 10:
        return int(text)
    if not text:
        return _NO_FUNCTIONS
    raise KernelError(f"{path} holds {text[:40]!r}, no number", code="odd-sysfs")


def _identity(path: Path) -> str:
    return _text(path).removeprefix("0x").lower()


def _node(path: Path) -> int | None:
    """-1 where the machine does not know."""
    text = _text(path)
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _link(path: Path) -> str:
    """The name at the end of a link."""
    try:
        return path.readlink().name
    except OSError:
        return ""


def _names(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(one.name for one in folder.iterdir()))
    except OSError:
        return ()
