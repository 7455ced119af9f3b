# SPDX-License-Identifier: Apache-2.0
"""Our guest's image: a kernel and its first file system, made of Debian's packages once, then kept.

Nothing is installed on this machine: the packages are downloaded and taken apart. They are kept as well, so that a
newer recipe needs no network. What is made is moved into its place in one step, so there is never half an image.
"""

from __future__ import annotations

import fcntl
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openfex.errors import UnsupportedError
from openfex.linux.border import crossing
from openfex.machine import cpio

CACHE = Path("/var/cache/openfex")
KERNEL_PACKAGE = "linux-image-cloud-amd64"
"""Of Debian's kernels the one for virtual machines: the smallest."""
BUSYBOX_PACKAGE = "busybox-static"
DRIVERS = ("virtio_pci", "virtio_net", "virtio_console", "qemu_fw_cfg")
FOLDERS = ("bin", "dev", "etc", "lib", "lib/modules", "proc", "sbin", "sys", "tmp")
_SCRIPTS = Path(__file__).with_name("guest")
_RECIPE = (Path(__file__), Path(cpio.__file__), *sorted(_SCRIPTS.iterdir()))
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


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
    with crossing("make the guest image"), _locked():
        if not place.is_dir():
            say("making the image that virtual machines boot, once")
            packages = CACHE / "packages"
            if not packages.is_dir():
                _into_place(packages, _download)
            _into_place(place, lambda folder: _build(packages, folder))
            for older in CACHE.glob("guest-*"):
                if older != place:
                    shutil.rmtree(older, ignore_errors=True)
    return image


def _recipe_digest() -> str:
    digest = hashlib.sha256()
    for path in _RECIPE:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _locked() -> Iterator[None]:
    """One maker at a time; whoever waited finds the image made."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _into_place(place: Path, fill: Callable[[Path], None]) -> None:
    """A folder, filled before it gets its name."""
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="new-") as folder:
        inner = Path(folder) / "it"
        inner.mkdir(mode=0o755)
        fill(inner)
        inner.rename(place)


def _run(argv: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        env = {**os.environ, "LC_ALL": "C"}
        return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError as cause:
        raise _cannot(f"there is no {argv[0]} here") from cause


def _cannot(why: str) -> UnsupportedError:
    remedy = f"it is made of Debian's packages {KERNEL_PACKAGE} and {BUSYBOX_PACKAGE}: see whether apt-get reaches them"
    return UnsupportedError(
        f"the image of virtual machines cannot be made: {why}", code="no-guest-image", remedy=remedy
    )


def _download(folder: Path) -> None:
    """The packages, with the lists that apt has, or else with new ones."""
    done = _try_download(folder)
    if done.returncode:
        _run(["apt-get", "--quiet", "update"], folder)
        done = _try_download(folder)
    if done.returncode:
        raise _cannot(next(iter(done.stderr.strip().splitlines()[-1:]), "apt-get failed"))


def _try_download(folder: Path) -> subprocess.CompletedProcess[str]:
    """The kernel's package is an empty one that depends on the newest kernel's own."""
    described = _run(["apt-cache", "show", "--no-all-versions", KERNEL_PACKAGE], folder)
    found = re.search(r"^Depends:.*?(linux-image-\d\S*)", described.stdout, re.MULTILINE)
    if not found:
        return subprocess.CompletedProcess([], 1, "", f"apt-cache knows no {KERNEL_PACKAGE}")
    return _run(["apt-get", "--quiet", "download", found[1], BUSYBOX_PACKAGE], folder)


def _build(packages: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="new-") as unpacked:
        for package in packages.glob("*.deb"):
            done = _run(["dpkg-deb", "--extract", str(package), unpacked], folder)
            if done.returncode:
                raise _cannot(done.stderr.strip())
        root = Path(unpacked)
        shutil.copyfile(next(root.glob("boot/vmlinuz-*")), folder / "kernel")
        files = {_module_name(path): path for path in root.glob("lib/modules/*/kernel/**/*.ko*")}
        modules = {name: _read_module(files[name]) for name in load_order(DRIVERS, files)}
        busybox = (root / "bin/busybox").read_bytes()
        (folder / "initrd").write_bytes(cpio.archive(_entries(busybox, modules)))


def _module_name(path: Path) -> str:
    """As modules call each other, whatever the file is called."""
    return path.name.partition(".")[0].replace("-", "_")


def _read_module(path: Path) -> bytes:
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def needs(module: bytes) -> list[str]:
    """The modules that a module says it depends on."""
    found = _DEPENDS.search(module)
    return [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []


def load_order(wanted: Iterable[str], files: Mapping[str, Path]) -> list[str]:
    """Modules in the order they can be loaded in; what is not a module is in the kernel itself."""
    order: list[str] = []
    for name in wanted:
        if name in files and name not in order:
            before = load_order(needs(_read_module(files[name])), files)
            order += [one for one in [*before, name] if one not in order]
    return order


def _entries(busybox: bytes, modules: Mapping[str, bytes]) -> Iterator[cpio.Entry]:
    yield from map(cpio.folder, FOLDERS)
    yield cpio.file("bin/busybox", busybox, executable=True)
    yield cpio.link("init", "bin/busybox")
    yield cpio.link("bin/sh", "busybox")
    yield cpio.file("etc/inittab", (_SCRIPTS / "inittab").read_bytes())
    for name in ("setup", "agent"):
        yield cpio.file(f"sbin/{name}", (_SCRIPTS / name).read_bytes(), executable=True)
    for name, content in modules.items():
        yield cpio.file(f"lib/modules/{name}.ko", content)
    yield cpio.file("lib/modules/order", "".join(f"{name}.ko\n" for name in modules).encode())
