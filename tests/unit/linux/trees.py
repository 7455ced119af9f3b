# SPDX-License-Identifier: Apache-2.0
"""A sysfs of PCI functions in a folder: files and links as the kernel has them."""

from __future__ import annotations

from pathlib import Path

IGB, IGBVF = "0x10c9", "0x10ca"


def add_function(root: Path, address: str, **files: str) -> Path:
    """A PCI function with the files that every one has; more or other ones by name."""
    place = root / "bus/pci/devices" / address
    place.mkdir(parents=True)
    plain = {"vendor": "0x8086", "device": IGB, "class": "0x020000", "numa_node": "-1", "driver_override": "(null)"}
    for name, text in {**plain, **files}.items():
        (place / name).write_text(f"{text}\n")
    (root / "bus/pci/drivers_probe").touch()
    return place


def set_driver(root: Path, address: str, driver: str) -> None:
    folder = root / "bus/pci/drivers" / driver
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "unbind").touch()
    link = root / "bus/pci/devices" / address / "driver"
    link.unlink(missing_ok=True)
    link.symlink_to(folder)


def set_group(root: Path, address: str, group: str) -> None:
    devices = root / "kernel/iommu_groups" / group / "devices"
    devices.mkdir(parents=True, exist_ok=True)
    (devices / address).symlink_to(root / "bus/pci/devices" / address)
    (root / "bus/pci/devices" / address / "iommu_group").symlink_to(root / "kernel/iommu_groups" / group)


def function_address(pf: str, index: int, offset: int = 0x180, stride: int = 2) -> str:
    """Routing id of the PF + offset + stride * n, as PCIe counts (SR-IOV specification, 2.1.2)."""
    domain, bus, rest = pf.split(":")
    device, number = rest.split(".")
    routing = int(bus, 16) << 8 | int(device, 16) << 3 | int(number)
    routing += offset + stride * index
    return f"{domain}:{routing >> 8:02x}:{routing >> 3 & 31:02x}.{routing & 7}"


def add_adapter(
    root: Path, address: str = "0000:01:00.0", *, name: str = "eno1", total: int = 7, count: int = 0, group: int = 0
) -> None:
    """An igb with functions that igbvf has; with `group` each of them in an IOMMU group of its own, from this on."""
    sriov = {
        "sriov_totalvfs": str(total),
        "sriov_numvfs": str(count),
        "sriov_offset": "384",
        "sriov_stride": "2",
        "sriov_vf_device": "10ca",
        "sriov_drivers_autoprobe": "1",
    }
    place = add_function(root, address, **sriov)
    set_driver(root, address, "igb")
    (place / "net" / name).mkdir(parents=True)
    net = root / "class/net" / name
    net.mkdir(parents=True)
    (net / "speed").write_text("1000\n")
    for index in range(count):
        vf = function_address(address, index)
        add_function(root, vf, device=IGBVF)
        set_driver(root, vf, "igbvf")
        (root / "bus/pci/devices" / vf / "physfn").symlink_to(place)
        (place / f"virtfn{index}").symlink_to(root / "bus/pci/devices" / vf)
        if group:
            set_group(root, vf, str(group + index))
