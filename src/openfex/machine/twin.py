# SPDX-License-Identifier: Apache-2.0
"""A twin: a guest with this machine's own file system on a stock kernel of Debian's, with adapters that QEMU emulates.

The project, its environment and its tests run in it unchanged. The file system is shared read only (9p), what the guest
writes stays in its memory (overlay), and one folder is shared both ways. It boots once and then runs many commands, by
the agent that our other guest has (agent.py). It ends with the block it is made for, and with its process (PDEATHSIG:
with the thread that made it).
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from openfex.errors import NotFoundError, UnsupportedError, VerificationError
from openfex.linux import netns, tap
from openfex.linux.border import crossing
from openfex.machine import agent, image, qemu
from openfex.machine.command_line import SERIAL_LOG, SESSIONS, quote, session_socket
from openfex.machine.emulated import Device, Igb, Nvme, kernel_words, media, root_port, write_devices
from openfex.machine.emulator import Emulator, make_emulator
from openfex.machine.image import Image
from openfex.machine.kvm import kvm_runs
from openfex.machine.stock import NEWEST, Stock, make_stock

READY_S = 180.0
"""A kernel takes about ten seconds by TCG on a machine that does nothing else."""
SHARED = Path("/mnt")
"""Where a twin has the folder that it shares both ways."""
_PREFIX = "fex-twin-"


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a twin is, beside its adapters."""

    stock: Stock = NEWEST
    memory_mib: int = 2048
    """From 2816 on functions of an igb do not work: docs/reference/adapters.md, In a virtual machine."""
    cpus: int = 2
    append: str = ""
    """More words for its kernel."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ran in a twin: its status as a shell has it, and what it printed on stdout and on stderr."""

    status: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Twin:
    """A twin that runs. What it has at `SHARED` is `shared` here."""

    shared: Path
    boot_s: float
    devices: tuple[Device, ...]
    _folder: Path = field(repr=False)

    def run(self, argv: Sequence[str], deadline_s: float | None = 60.0, *, check: bool = False) -> Done:
        """Run a command in this process's folder; with `check`, VerificationError if it fails."""
        output = bytearray()
        done = self.stream(argv, output.extend, deadline_s)
        done = replace(done, output=output.decode(errors="replace"))
        if check and done.status:
            said = done.errors.strip() or done.output.strip() or f"status {done.status}"
            raise VerificationError(f"in the twin, {shlex.join(argv)}: {said}", code="twin-command-failed")
        return done

    def stream(self, argv: Sequence[str], write: Callable[[bytes], object], deadline_s: float | None = 60.0) -> Done:
        """The same, giving what it prints on stdout to `write` as it comes."""
        environment = {"PATH": os.environ["PATH"], "HOME": "/tmp", "LC_ALL": "C.UTF-8", "CI": "true"}
        words = [f"{name}={value}" for name, value in environment.items()]
        status, errors = agent.run(self._folder, ["env", "-C", str(Path.cwd()), *words, *argv], write, deadline_s)
        return Done(status, "", errors.decode(errors="replace"))

    def address(self, name: str) -> str:
        """The PCI address of an adapter, by its name: `0000:01:00.0`."""
        port = f"/sys/bus/pci/devices/{root_port(self.devices, name)}"
        return self._only(f"{port}/0000:*:00.0", f"adapter {name}")

    def medium(self, name: str, nsid: int) -> Path:
        """The file, here, that is the medium of an NVMe adapter's namespace."""
        device = next(one for one in self.devices if isinstance(one, Nvme) and one.name == name)
        return media(self._folder, device)[nsid]

    def netdev(self, name: str) -> str:
        """The network device of an igb adapter, by the adapter's name."""
        return self._only(f"/sys/bus/pci/devices/{self.address(name)}/net/*", f"network device of {name}")

    def _only(self, pattern: str, what: str) -> str:
        found = self.run(["sh", "-c", f"ls -d {pattern}"]).output.split()
        if len(found) != 1:
            raise NotFoundError(f"the twin has {len(found)} of: {what}", code="no-such-adapter")
        return Path(found[0]).name


@contextmanager
def twin(devices: Sequence[Device] = (), hardware: Hardware = Hardware()) -> Iterator[Twin]:
    """Boot a twin for a block. Raises UnsupportedError where none can be had, VerificationError if it does not boot."""
    emulator, booted = make_emulator(), make_stock(hardware.stock)
    with ExitStack() as held:
        folder = held.enter_context(_folder())
        shared = folder / "shared"
        wires = {one.name: held.enter_context(_wire(one)) for one in devices if isinstance(one, Igb)}
        ends = [wire.fileno() for wire in wires.values()]
        argv = [*emulator.argv, *_machine(emulator, hardware, booted, devices), *_shares(shared), *_doors(folder)]
        argv += write_devices(devices, dict(zip(wires, ends, strict=True)), folder)
        with crossing(f"fill {folder}"):
            shared.mkdir()
            for one in devices:
                if isinstance(one, Nvme):
                    for path in media(folder, one).values():
                        path.touch()
                        os.truncate(path, one.size_mib << 20)
        begun = time.monotonic()
        process = held.enter_context(_running(argv, ends, folder))
        for wire in wires.values():
            wire.close()
        qemu.wait_ready(process.pid, "twin", folder, READY_S)
        yield Twin(shared, time.monotonic() - begun, tuple(devices), folder)


def _machine(emulator: Emulator, hardware: Hardware, booted: Image, devices: Sequence[Device]) -> list[str]:
    argv = ["-name", "openfex-twin", "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot", "-nic", "none"]
    argv += ["-machine", "q35", "-accel", "kvm" if kvm_runs(emulator.argv) else "tcg", "-cpu", "max"]
    argv += ["-m", str(hardware.memory_mib), "-smp", str(hardware.cpus)]
    # The kernel counts ticks while it spins, and panics if a busy machine gives an interpreted guest too few of them.
    words = ["console=ttyS0", "quiet", "panic=-1", "edd=off", "no_timer_check", *kernel_words(devices)]
    words += ["transparent_hugepage=never"]  # khugepaged has been seen to spin for ever in an interpreted guest
    words += [hardware.append] if hardware.append else []
    argv += ["-kernel", str(booted.kernel), "-initrd", str(booted.initrd), "-append", " ".join(words)]
    return argv


def _shares(shared: Path) -> list[str]:
    root = "local,path=/,mount_tag=machine,security_model=none,readonly=on,multidevs=remap"
    return ["-virtfs", root, "-virtfs", f"local,path={quote(shared)},mount_tag=results,security_model=none"]


def _doors(folder: Path) -> list[str]:
    """Its console, and the ports that commands come by."""
    argv = ["-serial", f"file:{folder / SERIAL_LOG}", "-device", f"virtio-serial-pci,max_ports={SESSIONS + 1}"]
    for number in range(1, SESSIONS + 1):
        name = session_socket(number)
        argv += ["-chardev", f"socket,id={name},path={quote(folder / name)},server=on,wait=off"]
        argv += ["-device", f"virtserialport,nr={number},chardev={name},name=org.openfex.{name}"]
    return argv


@contextmanager
def _wire(one: Igb) -> Iterator[tap.Tap]:
    with tap.open_tap(one.tap, vnet_hdr=False, netns=one.netns) as wire:
        yield wire


@contextmanager
def _running(argv: Sequence[str], wires: Sequence[int], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The QEMU, which ends with the block, and with this thread however that ends."""
    errors = folder / "errors"
    with errors.open("wb") as said:
        process = netns.spawn(
            None,
            ["setpriv", "--pdeathsig", "KILL", *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            pass_fds=wires,
            start_new_session=True,
        )
    try:
        yield process
    except (VerificationError, UnsupportedError) as cause:
        if process.poll() is not None and (told := errors.read_text(errors="replace").strip()):
            raise UnsupportedError(f"QEMU ended: {told}", code="qemu-failed") from cause
        raise
    finally:
        process.kill()
        process.wait()


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for a twin's files. A killed process leaves one behind, without its lock; the next takes it away."""
    with crossing("make a folder for a twin"), image.locked():
        for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            _sweep(old)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _sweep(old: Path) -> None:
    try:
        lock = os.open(old, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # it is none, or not ours
        return
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old, ignore_errors=True)
    except BlockingIOError:  # its twin runs
        pass
    finally:
        os.close(lock)
