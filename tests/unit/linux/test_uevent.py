# SPDX-License-Identifier: Apache-2.0
"""Device events: their octets, and waiting for them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openfex.linux.uevent import Events, read_event


def test_an_event_is_read() -> None:
    octets = b"add@/devices/pci0000:00/0000:02:10.0\0ACTION=add\0SUBSYSTEM=pci\0PCI_SLOT_NAME=0000:02:10.0\0"
    assert read_event(octets) == {"ACTION": "add", "SUBSYSTEM": "pci", "PCI_SLOT_NAME": "0000:02:10.0"}


def test_what_udev_sends_is_no_event() -> None:
    assert read_event(b"libudev\0\xfe\xed\xca\xfe ACTION=add") == {}


@given(st.binary(max_size=100))
def test_rubbish_is_read_without_a_crash(octets: bytes) -> None:
    read_event(octets)


def test_what_holds_already_needs_no_event() -> None:
    with Events() as events:
        assert events.wait(lambda: True, 0)


def test_what_does_not_hold_is_asked_for_until_the_deadline() -> None:
    asked: list[bool] = []

    def no() -> bool:
        asked.append(False)
        return False

    with Events() as events:
        assert not events.wait(no, 0.01)
    assert asked
