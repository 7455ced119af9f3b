# SPDX-License-Identifier: Apache-2.0
"""A guest as the arguments of a QEMU, and back. Pure.

The arguments of a process are all that a later run knows a guest by: its name, and as a file of QEMU's firmware
configuration what it was started with. The guest itself reads the same file to set its NICs up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from openfex.errors import InputError
from openfex.model.values import Mac
from openfex.plan.objects import GuestNic, GuestSpec

PROGRAM = "qemu-system-x86_64"
SESSIONS = 4
"""So many commands can run in a guest side by side."""
SERIAL_LOG, QMP = "serial.log", "qmp"
_SETUP = "name=opt/org.openfex/setup,string="
_KERNEL_ARGUMENTS = "console=ttyS0 quiet panic=1 edd=off"
_SANDBOX = "on,obsolete=deny,resourcecontrol=deny"
"""What a QEMU that goes into the background can deny itself: for that it must fork once."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a guest is started on: an accelerator of QEMU's, a kernel, its first file system."""

    accelerator: str
    kernel: Path
    initrd: Path


def session_socket(number: int) -> str:
    """The socket of a session, counted from 1."""
    return f"exec{number}"


def write_setup(spec: GuestSpec) -> str:
    """A spec, one word and its values a line."""
    lines = [f"memory {spec.memory_mib}", f"cpus {spec.cpus}", f"kernel {spec.kernel}", f"image {spec.image}"]
    lines += [" ".join(["nic", n.name, n.device, str(n.mac), str(n.mtu), *n.addresses]) for n in spec.nics]
    return "".join(f"{line}\n" for line in lines)


def read_setup(text: str) -> GuestSpec:
    """The spec that was written. Raises InputError."""
    values: dict[str, str] = {}
    nics = []
    try:
        for line in text.splitlines():
            word, _, rest = line.partition(" ")
            if word == "nic":
                name, device, mac, mtu, *addresses = rest.split()
                nics.append(GuestNic(name, device, Mac.parse(mac), int(mtu), tuple(addresses)))
            else:
                values[word] = rest
        return GuestSpec(int(values["memory"]), int(values["cpus"]), tuple(nics), values["kernel"], values["image"])
    except (KeyError, ValueError) as cause:
        raise InputError(f"not what a guest was started with: {text!r}", code="bad-guest-setup") from cause


def write_command(name: str, spec: GuestSpec, hardware: Hardware, folder: Path) -> list[str]:
    """The QEMU of a guest; its sockets and its log are in `folder`."""
    argv = [PROGRAM, "-name", name, "-no-user-config", "-nodefaults", "-display", "none", "-daemonize"]
    argv += ["-machine", "q35", "-accel", hardware.accelerator, "-cpu", "max"]
    argv += ["-m", str(spec.memory_mib), "-smp", str(spec.cpus), "-sandbox", _SANDBOX]
    argv += ["-kernel", str(hardware.kernel), "-initrd", str(hardware.initrd), "-append", _KERNEL_ARGUMENTS]
    argv += ["-chardev", f"file,id=serial,path={quote(folder / SERIAL_LOG)}", "-serial", "chardev:serial"]
    argv += ["-qmp", f"unix:{quote(folder / QMP)},server=on,wait=off"]
    argv += ["-fw_cfg", _SETUP + quote(write_setup(spec))]
    argv += ["-device", f"virtio-serial-pci,max_ports={SESSIONS + 1}"]
    for number in range(1, SESSIONS + 1):
        socket = session_socket(number)
        argv += ["-chardev", f"socket,id={socket},path={quote(folder / socket)},server=on,wait=off"]
        argv += ["-device", f"virtserialport,nr={number},chardev={socket},name=org.openfex.{socket}"]
    for number, nic in enumerate(spec.nics):
        argv += ["-netdev", f"tap,id=nic{number},ifname={nic.device},script=no,downscript=no,vhost=off"]
        argv += ["-device", f"virtio-net-pci,netdev=nic{number},mac={nic.mac},host_mtu={nic.mtu},romfile="]
    return argv


def read_command(argv: Sequence[str]) -> tuple[str, GuestSpec] | None:
    """Name and spec of the guest, if these are the arguments of a QEMU of ours."""
    pairs = dict(pairwise(argv))
    setup = pairs.get("-fw_cfg", "")
    if not argv or Path(argv[0]).name != PROGRAM or "-name" not in pairs or not setup.startswith(_SETUP):
        return None
    try:
        return pairs["-name"], read_setup(setup.removeprefix(_SETUP).replace(",,", ","))
    except InputError:
        return None


def quote(value: object) -> str:
    """QEMU reads a double comma as one that does not end an option."""
    return str(value).replace(",", ",,")
