# SPDX-License-Identifier: Apache-2.0
"""Our guest's image: a kernel and its first file system, made of Debian's packages once, then kept.

Nothing is installed on this machine: the packages are downloaded and taken apart. They are kept as well, so that a
newer recipe needs no network. What is made is moved into its place in one step, so there is never half an image.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openfex.errors import UnsupportedError
from openfex.linux.border import crossing
from openfex.machine import cpio, modules, packages

CACHE = Path("/var/cache/openfex")
KERNEL_PACKAGE = "linux-image-cloud-amd64"
"""Of Debian's kernels the one for virtual machines: the smallest."""
BUSYBOX_PACKAGE = "busybox-static"
DRIVERS = ("virtio_pci", "virtio_net", "virtio_console", "qemu_fw_cfg")
FOLDERS = ("bin", "dev", "etc", "lib", "lib/modules", "proc", "sbin", "sys", "tmp")
_SCRIPTS = Path(__file__).with_name("guest")
_PARTS = (__file__, cpio.__file__, modules.__file__, packages.__file__)
_RECIPE = (*map(Path, _PARTS), *sorted(_SCRIPTS.iterdir()))


@dataclass(frozen=True, slots=True)
class Image:
    """What QEMU boots."""

    kernel: Path
    initrd: Path


def _silent(text: str) -> None:
    """Words for nobody."""


def _place() -> Path:
    return CACHE / f"guest-{_recipe_digest()}"


def has_image() -> bool:
    """Whether the image is there already."""
    return _place().is_dir()


def make_image(say: Callable[[str], None] = _silent) -> Image:
    """The image; made if it is not there. Raises UnsupportedError where it cannot be made."""
    place = _place()
    image = Image(place / "kernel", place / "initrd")
    if place.is_dir():
        return image
    with crossing("make the guest image"), locked():
        if not place.is_dir():
            say("making the image that virtual machines boot, once")
            try:
                _make(place)
            except UnsupportedError as cause:
                raise _cannot(cause.message) from cause
    return image


def _make(place: Path) -> None:
    fetched = CACHE / "packages"
    if not fetched.is_dir():
        into_place(fetched, _download)
    into_place(place, lambda folder: _build(fetched, folder))
    for older in CACHE.glob("guest-*"):
        if older != place:
            shutil.rmtree(older, ignore_errors=True)


def _recipe_digest() -> str:
    digest = hashlib.sha256()
    for path in _RECIPE:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def locked() -> Iterator[None]:
    """One maker at a time; whoever waited finds the image made."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def into_place(place: Path, fill: Callable[[Path], None]) -> None:
    """A folder, filled before it gets its name."""
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="new-") as folder:
        inner = Path(folder) / "it"
        inner.mkdir(mode=0o755)
        fill(inner)
        inner.rename(place)


def _cannot(why: str) -> UnsupportedError:
    remedy = f"it is made of Debian's packages {KERNEL_PACKAGE} and {BUSYBOX_PACKAGE}: see whether apt-get reaches them"
    return UnsupportedError(
        f"the image of virtual machines cannot be made: {why}", code="no-guest-image", remedy=remedy
    )


def _download(folder: Path) -> None:
    packages.download([packages.newest_kernel(KERNEL_PACKAGE), BUSYBOX_PACKAGE], folder)


def _build(fetched: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="new-") as unpacked:
        root = Path(unpacked)
        packages.unpack(fetched, root)
        shutil.copyfile(next(root.glob("boot/vmlinuz-*")), folder / "kernel")
        drivers = modules.read_modules(root, DRIVERS)
        busybox = (root / "bin/busybox").read_bytes()
        (folder / "initrd").write_bytes(cpio.archive(_entries(busybox, drivers)))


def _entries(busybox: bytes, drivers: Mapping[str, bytes]) -> Iterator[cpio.Entry]:
    yield from map(cpio.folder, FOLDERS)
    yield cpio.file("bin/busybox", busybox, executable=True)
    yield cpio.link("init", "bin/busybox")
    yield cpio.link("bin/sh", "busybox")
    yield cpio.file("etc/inittab", (_SCRIPTS / "inittab").read_bytes())
    for name in ("setup", "agent"):
        yield cpio.file(f"sbin/{name}", (_SCRIPTS / name).read_bytes(), executable=True)
    for name, content in drivers.items():
        yield cpio.file(f"lib/modules/{name}.ko", content)
    yield cpio.file("lib/modules/order", "".join(f"{name}.ko\n" for name in drivers).encode())
