# SPDX-License-Identifier: Apache-2.0
"""The virtual machines of a lab: wanted, found, started, waited for, spoken to.

A guest is an object of the lab like its name spaces (docs/design/lab.md). It is made last, when its ports let it speak,
and taken away first, before the TAPs that it has open.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from openfex.errors import NotFoundError, VerificationError
from openfex.lab import kept
from openfex.lab.names import netns_of
from openfex.machine import agent, qemu
from openfex.machine.command_line import QMP
from openfex.machine.image import make_image
from openfex.model.layout import Layout, Machine
from openfex.plan.objects import GuestKey, GuestNic, GuestSpec, State

READY_S = 120.0
"""Interpreted, a guest boots in two seconds on an idle core; a busy machine may take far longer."""
Say = Callable[[int, int, object], None]


def guest_folder(lab: str, name: str) -> Path:
    """Where the sockets and the console's log of a guest are while it runs."""
    return kept.folder(lab) / "vm" / name


def want_guests(layout: Layout) -> State:
    """The guests of a layout."""
    state: State = {}
    for machine in layout.machines:
        if machine.guest:
            bound = sorted((one for one in layout.bindings if one.machine == machine.name), key=lambda one: one.nic)
            nics = tuple(GuestNic(one.nic, one.function.pf_device, one.mac, one.mtu, one.addresses) for one in bound)
            one = machine.guest
            key = GuestKey(netns_of(layout.lab, "host", machine.host), machine.name)
            state[key] = GuestSpec(one.memory_mib, one.cpus, nics, one.kernel, one.image)
    return state


def observe(lab: str) -> State:
    """The guests that run, as they were started."""
    prefix = netns_of(lab, "machine", "")
    return {GuestKey(one.netns, one.name.removeprefix(prefix)): one.spec for one in qemu.find_all(prefix)}


def prepare(wanted: State) -> None:
    """Before anything is changed: what guests need is here, or is made. Raises UnsupportedError."""
    if any(isinstance(key, GuestKey) for key in wanted):
        qemu.check_program()
        make_image()


def perform(lab: str, key: GuestKey, new: GuestSpec | None) -> None:
    """Start a guest, or end it; one of that name that still runs is ended first."""
    name = netns_of(lab, "machine", key.name)
    for process in qemu.find_all(name):
        if process.name == name:
            qemu.stop(process.pid)
    folder = guest_folder(lab, key.name)
    if new is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        qemu.start(name, new, key.netns, folder)


def wait_ready(lab: str, wanted: State, say: Say) -> None:
    """Wait until every guest says that it is ready. Raises VerificationError."""
    keys = sorted(key for key in wanted if isinstance(key, GuestKey))
    prefix = netns_of(lab, "machine", "")
    running = {one.name: one for one in qemu.find_all(prefix)} if keys else {}
    for done, key in enumerate(keys):
        say(done, len(keys), f"{key} boots")
        process = running.get(prefix + key.name)
        if process is None:
            raise VerificationError(f"{key} has just ended", code="guest-not-ready")
        qemu.wait_ready(process.pid, key.name, guest_folder(lab, key.name), READY_S)


def stop_all(lab: str) -> list[str]:
    """End every guest of a lab, whatever is left of the lab beside it; returns what was ended."""
    prefix = netns_of(lab, "machine", "")
    found = qemu.find_all(prefix)
    for process in found:
        qemu.stop(process.pid)
    return [f"guest {one.name.removeprefix(prefix)}" for one in found]


def statuses(lab: str) -> dict[str, str]:
    """By name, what QEMU says of each guest that runs."""
    return {key.name: _status(lab, key.name) for key in observe(lab) if isinstance(key, GuestKey)}


def _status(lab: str, name: str) -> str:
    from openfex.machine import qmp  # asyncio: 20 ms that other commands need not spend

    try:
        return qmp.read_status(guest_folder(lab, name) / QMP)
    except NotFoundError:
        return "silent"


def reset(lab: str, name: str) -> None:
    """Reboot a guest as its reset button does. Raises NotFoundError."""
    from openfex.machine import qmp

    qmp.reset(guest_folder(lab, name) / QMP)


def guest_of(layout: Layout, name: str) -> Machine | None:
    """The machine of that name if it is a virtual one."""
    return next((one for one in layout.machines if one.name == name and one.guest), None)


def run(lab: str, name: str, argv: Sequence[str], write: Callable[[bytes], object]) -> tuple[int, bytes]:
    """Run a command in a guest: what it prints goes to `write` as it comes; its status, and what it said on stderr."""
    return agent.run(guest_folder(lab, name), argv, write)


def ask(lab: str, name: str, *argv: str, deadline_s: float | None = None) -> agent.Answer:
    """Run a command in a guest to its end."""
    return agent.ask(guest_folder(lab, name), argv, deadline_s)
