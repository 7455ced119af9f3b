# SPDX-License-Identifier: Apache-2.0
"""What wakes the keeper of adapters: signals for real, and which events are about adapters."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Callable
from typing import cast

import pytest

from openfex.adapter.waking import MOST_S, KernelDoor, is_about_adapters, opened, recoveries
from openfex.linux.links import event_is_of_pci
from openfex.linux.rtnetlink import text
from openfex.linux.uevent import Events
from openfex.plan.watch import Told

FUNCTION = {"SUBSYSTEM": "pci", "DEVPATH": "/devices/pci0000:00/0000:00:02.0", "PCI_SLOT_NAME": "0000:00:02.0"}


@pytest.mark.parametrize(
    ("event", "is_one"),
    [
        (FUNCTION, True),
        ({"SUBSYSTEM": "net", "DEVPATH": "/devices/pci0000:00/0000:00:02.0/net/eno1"}, True),
        ({"SUBSYSTEM": "net", "DEVPATH": "/devices/virtual/net/veth0"}, False),
        ({"SUBSYSTEM": "block", "DEVPATH": "/devices/pci0000:00/0000:00:02.0/block/sda"}, False),
        ({}, False),
    ],
)
def test_which_device_events_are_about_adapters(event: dict[str, str], is_one: bool) -> None:
    assert is_about_adapters(event) is is_one


@pytest.mark.parametrize(("bus", "is_one"), [("pci", True), ("usb", False), (None, False)])
def test_which_link_events_are_about_adapters(bus: str | None, is_one: bool) -> None:
    body = bytes(16) + text(3, "eno1") + (text(57, bus) if bus else b"")
    assert event_is_of_pci(struct.pack("=IHHII", 16 + len(body), 16, 0, 0, 0) + body) is is_one


def test_recovery_from_pcie_errors_is_told() -> None:
    told = recoveries([FUNCTION, {**FUNCTION, "ERROR_EVENT": "FAILED_RECOVERY"}])
    assert told == (Told("recovery", "0000:00:02.0", "recovery from a PCIe error: FAILED_RECOVERY"),)


@pytest.mark.parametrize(("number", "end", "reload"), [(signal.SIGTERM, True, False), (signal.SIGHUP, False, True)])
def test_signals_end_a_wait_and_nothing_else(number: signal.Signals, end: bool, reload: bool) -> None:
    with opened(lambda told: None) as door:
        os.kill(os.getpid(), number)
        woken = door.wait(door.now() + 60)
        assert (woken.end, woken.reload) == (end, reload)
    assert signal.getsignal(signal.SIGTERM) is not None


def test_a_service_manager_that_does_not_listen_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Told] = []
    monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent/notify")
    with opened(told.append) as door:
        door.notify("READY=1")
    assert [one.event for one in told] == ["failed"]


class Crowd:
    """Events of the kernel that come one after another, without an end."""

    lost = 0

    def __init__(self, door: socket.socket, clock: Callable[[], None]) -> None:
        self.doors, self.clock = (door,), clock

    def take_all(self) -> tuple[list[dict[str, str]], list[bytes], bool]:
        self.clock()
        return [FUNCTION], [], False


def test_a_crowd_of_events_is_waited_for_but_not_forever() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.send(b"something to read, always")
        now = [0.0]

        class Clocked(KernelDoor):
            def now(self) -> float:
                return now[0]

        def later() -> None:
            now[0] += 0.1
            assert now[0] < 2 * MOST_S

        crowd = cast("Events", Crowd(ours, later))
        idle, other = socket.socketpair()
        with idle, other:
            idle.setblocking(False)
            Clocked(crowd, [], idle, lambda told: None).wait(None)
    assert now[0] == pytest.approx(MOST_S + 0.1, abs=0.11)
