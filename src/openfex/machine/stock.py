# SPDX-License-Identifier: Apache-2.0
"""Debian's own kernels, with a first file system that goes on with this machine's: what a twin boots (twin.py).

A kernel's package is downloaded once and kept, and so is what is made of it.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from openfex.errors import UnsupportedError
from openfex.linux.border import crossing
from openfex.machine import cpio, image, modules, packages, suites
from openfex.machine.image import BUSYBOX_PACKAGE, FOLDERS, Image

KERNEL_PACKAGE = "linux-image-amd64"
BOOT = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
NETWORK = ("veth", "tun", "sch_ingress", "cls_bpf", "8021q", "bridge", "macvlan")
"""What the programs and the devices of a lab need, and what they are compared with."""
ADAPTERS = ("igb", "igbvf", "nvme", "vfio_pci", "vfio_iommu_type1")
_SCRIPTS = Path(__file__).with_name("guest")
_RECIPE = (Path(__file__), Path(cpio.__file__), Path(modules.__file__), _SCRIPTS / "twin", _SCRIPTS / "agent")


@dataclass(frozen=True, slots=True)
class Stock:
    """A kernel of Debian's, and the suite that has it."""

    version: str
    suite: str


STOCK = (Stock("6.1", "bookworm"), Stock("6.12", "bookworm-backports"))
NEWEST = STOCK[-1]


def has_stock(stock: Stock) -> bool:
    """Whether what `make_stock` makes is there already."""
    return _place(stock).is_dir()


def make_stock(stock: Stock) -> Image:
    """The kernel and its first file system; made if they are not there. Raises UnsupportedError where that fails."""
    place = _place(stock)
    if not place.is_dir():
        with crossing(f"make the image of Linux {stock.version}"), image.locked():
            if not place.is_dir():
                _make(stock, place)
    return Image(place / "kernel", place / "initrd")


def _place(stock: Stock) -> Path:
    digest = hashlib.sha256()
    for path in _RECIPE:
        digest.update(path.read_bytes())
    return image.CACHE / f"stock-{stock.suite}-{digest.hexdigest()[:16]}"


def _make(stock: Stock, place: Path) -> None:
    fetched = image.CACHE / f"kernel-{stock.suite}"
    try:
        if not fetched.is_dir():
            image.into_place(fetched, lambda folder: _download(stock, folder))
        image.into_place(place, lambda folder: _build(fetched, folder))
    except UnsupportedError as cause:
        raise UnsupportedError(
            f"Linux {stock.version} of Debian's {stock.suite} cannot be had: {cause.message}",
            code="no-stock-kernel",
            remedy=f"it is made of {KERNEL_PACKAGE} and {BUSYBOX_PACKAGE}: see whether apt-get reaches {stock.suite}",
        ) from cause
    for older in image.CACHE.glob(f"stock-{stock.suite}-" + "[0-9a-f]" * 16):
        if older != place:
            shutil.rmtree(older, ignore_errors=True)


def _download(stock: Stock, folder: Path) -> None:
    with suites.options_for(stock.suite) as options:
        packages.download([packages.newest_kernel(KERNEL_PACKAGE, options)], folder, options)
    packages.download([BUSYBOX_PACKAGE], folder)


def _build(fetched: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=image.CACHE, prefix="new-") as unpacked:
        root = Path(unpacked)
        packages.unpack(fetched, root)
        shutil.copyfile(next(root.glob("boot/vmlinuz-*")), folder / "kernel")
        drivers = modules.read_modules(root, (*BOOT, *NETWORK, *ADAPTERS))
        busybox = (root / "bin/busybox").read_bytes()
        (folder / "initrd").write_bytes(cpio.archive(_entries(busybox, drivers)))


def _entries(busybox: bytes, drivers: Mapping[str, bytes]) -> Iterator[cpio.Entry]:
    yield from map(cpio.folder, FOLDERS)
    yield cpio.file("bin/busybox", busybox, executable=True)
    yield cpio.file("init", (_SCRIPTS / "twin").read_bytes(), executable=True)
    yield cpio.file("sbin/agent", (_SCRIPTS / "agent").read_bytes(), executable=True)
    for name, content in drivers.items():
        yield cpio.file(f"lib/modules/{name}.ko", content)
    yield cpio.file("lib/modules/order", "".join(f"{name}.ko\n" for name in drivers).encode())
