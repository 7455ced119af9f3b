# SPDX-License-Identifier: Apache-2.0
"""Debian's own kernels, booted with this machine's file system, so that the project and its tests run on them as here.

A kernel's package is downloaded once and kept. Its suite need not be one that this machine uses: the entry that the
machine has for its own suite is copied with the other's name, for apt to read this once.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from openfex.errors import UnsupportedError
from openfex.machine import cpio, modules, packages
from openfex.machine.command_line import PROGRAM
from openfex.machine.image import BUSYBOX_PACKAGE, CACHE, FOLDERS, Image
from openfex.machine.kvm import kvm_runs

ROOT = Path(__file__).resolve().parents[2]
KERNEL_PACKAGE = "linux-image-amd64"
BOOT = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
NETWORK = ("veth", "tun", "sch_ingress", "cls_bpf")
"""What the programs and the devices of a lab need."""
MEMORY_MIB = 2048
DEADLINE_S = 1800.0


@dataclass(frozen=True, slots=True)
class Stock:
    """A kernel of Debian's, and the suite that has it."""

    version: str
    suite: str


STOCK = (Stock("6.1", "bookworm"), Stock("6.12", "bookworm-backports"))


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ran in a guest: its status, and what it printed on stdout and on stderr."""

    status: int
    output: str
    errors: str


def run_on(stock: Stock, commands: Mapping[str, Sequence[str]], folder: Path) -> dict[str, Done]:
    """Boot a kernel, and run commands in the clone, one after another."""
    image = _make_image(fetch(stock), folder)
    results = folder / "results"
    results.mkdir()
    (results / "run").write_text(_script(commands))
    log = folder / "serial.log"
    with suppress(subprocess.TimeoutExpired):  # what is missing tells how far it came
        subprocess.run(_command(image, results, log), check=True, timeout=DEADLINE_S)
    missing = [name for name in commands if not (results / f"{name}.status").exists()]
    if missing:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise AssertionError(f"Linux {stock.version} did not come to the end of {missing[0]}:\n{tail}")
    return {name: _read(results, name) for name in commands}


def _script(commands: Mapping[str, Sequence[str]]) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp", "LC_ALL": "C.UTF-8", "CI": "true"}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines += ["mount -t bpf bpf /sys/fs/bpf", "ip link set lo up", f"cd {shlex.quote(str(ROOT))}"]
    for name, argv in commands.items():
        lines += [f"{shlex.join(argv)} >/mnt/{name}.out 2>/mnt/{name}.err", f"echo $? >/mnt/{name}.status"]
    lines += ["sync", "echo o >/proc/sysrq-trigger", "exec tail -f /dev/null", ""]
    return "\n".join(lines)


def _command(image: Image, results: Path, log: Path) -> list[str]:
    argv = [PROGRAM, "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot", "-nic", "none"]
    argv += ["-machine", "q35", "-accel", "kvm" if kvm_runs() else "tcg", "-cpu", "max"]
    argv += ["-m", str(MEMORY_MIB), "-smp", "2", "-serial", f"file:{log}"]
    argv += ["-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", "console=ttyS0 quiet panic=-1"]
    argv += ["-virtfs", "local,path=/,mount_tag=machine,security_model=none,readonly=on,multidevs=remap"]
    argv += ["-virtfs", f"local,path={results},mount_tag=results,security_model=none"]
    return argv


def _read(results: Path, name: str) -> Done:
    output, errors = ((results / f"{name}.{kind}").read_text(errors="replace") for kind in ("out", "err"))
    return Done(int((results / f"{name}.status").read_text()), output, errors)


def _make_image(fetched: Path, folder: Path) -> Image:
    with tempfile.TemporaryDirectory(dir=folder) as unpacked:
        root = Path(unpacked)
        packages.unpack(fetched, root)
        shutil.copyfile(next(root.glob("boot/vmlinuz-*")), folder / "kernel")
        drivers = modules.read_modules(root, (*BOOT, *NETWORK))
        (folder / "initrd").write_bytes(cpio.archive(_entries((root / "bin/busybox").read_bytes(), drivers)))
    return Image(folder / "kernel", folder / "initrd")


def _entries(busybox: bytes, drivers: Mapping[str, bytes]) -> Iterator[cpio.Entry]:
    yield from map(cpio.folder, FOLDERS)
    yield cpio.file("bin/busybox", busybox, executable=True)
    yield cpio.file("init", Path(__file__).with_name("init").read_bytes(), executable=True)
    for name, content in drivers.items():
        yield cpio.file(f"lib/modules/{name}.ko", content)
    yield cpio.file("lib/modules/order", "".join(f"{name}.ko\n" for name in drivers).encode())


def fetch(stock: Stock) -> Path:
    """The kernel's package and busybox's, kept where the image of virtual machines is. Raises UnsupportedError."""
    place = CACHE / f"kernel-{stock.suite}"
    if not place.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="new-") as folder:
            fetched, parts, lists = (Path(folder) / name for name in ("packages", "parts", "lists"))
            for one in (fetched, parts, lists / "partial"):
                one.mkdir(parents=True, mode=0o755)
            kind, entry = _entry_for(stock.suite)
            (parts / f"it{kind}").write_text(entry)
            places = {"sourcelist": "/dev/null", "sourceparts": parts}
            options = [word for name, path in places.items() for word in ("-o", f"Dir::Etc::{name}={path}")]
            options += ["-o", f"Dir::State::lists={lists}"]
            packages.download([packages.newest_kernel(KERNEL_PACKAGE, options)], fetched, options)
            packages.download([BUSYBOX_PACKAGE], fetched)
            fetched.rename(place)
    return place


def _entry_for(suite: str) -> tuple[str, str]:
    """This machine's entry of Debian's packages with another suite, and the suffix that its form asks for."""
    release = _release()
    folder = Path("/etc/apt")
    for path in (
        *sorted(folder.glob("sources.list.d/*.sources")),
        *folder.glob("sources.list"),
        *sorted(folder.glob("sources.list.d/*.list")),
    ):
        entry = with_suite(path.read_text(), release, suite)
        if entry:
            return ".sources" if path.suffix == ".sources" else ".list", entry
    raise UnsupportedError(f"no entry of {folder} is for {release}, so there is none to copy for {suite}")


def _release() -> str:
    found = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    return found[1] if found else ""


def with_suite(text: str, release: str, suite: str) -> str:
    """The first entry for a release's packages, of either form that apt reads, with another suite; empty if none is."""
    for part in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(\w+):[ \t]*(.*)$", part, re.MULTILINE))
        if "deb" in fields.get("Types", "").split() and release in fields.get("Suites", "").split():
            return re.sub(r"^Suites:.*$", f"Suites: {suite}", part.strip(), flags=re.MULTILINE) + "\n"
    found = re.search(rf"^deb\s+(\[[^]]*\]\s+)?(\S+)\s+{re.escape(release)}\s+main\b", text, re.MULTILINE)
    return f"deb {found[1] or ''}{found[2]} {suite} main\n" if found else ""
