# SPDX-License-Identifier: Apache-2.0
"""Name spaces that are found, devices that are moved between them, and events that end a wait, on the real kernel."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator

import pytest

from openfex.errors import NotFoundError, OpenfexError
from openfex.linux import netns, uevent, whereabouts
from openfex.linux.netlink import Netlink
from openfex.linux.uevent import Events
from openfex.model.adapters import NetDevice
from openfex.model.values import Mac

pytestmark = pytest.mark.root
NAME = "fex-test-where"
DEVICE, PEER = "fexwhere0", "fexwhere1"


@pytest.fixture
def pair() -> Iterator[NetDevice]:
    """A device here, and a name space to put it into."""
    netns.delete(NAME)
    netns.create(NAME)
    with Netlink() as netlink:
        netlink.delete(DEVICE)
        netlink.add_veth(DEVICE, PEER, mtu=1500)
        link = netlink.link(DEVICE)
        try:
            yield NetDevice("", DEVICE, link.index, link.mac, up=True, carrier=False)
        finally:
            netlink.delete(PEER)
            netns.delete(NAME)


def test_name_spaces_are_found_by_name_or_by_a_process_in_them(pair: NetDevice) -> None:
    with netns.unnamed():
        sleeper = subprocess.Popen(["sleep", "60"])
    try:
        found = whereabouts.spaces()
        assert NAME in found
        assert f"{whereabouts.PID}{sleeper.pid}" in found
        for space in (NAME, f"{whereabouts.PID}{sleeper.pid}"):
            with whereabouts.entered(space), Netlink() as netlink:
                assert [one.name for one in netlink.links()] == ["lo"]
    finally:
        sleeper.kill()
        sleeper.wait()
    with pytest.raises(NotFoundError), whereabouts.entered(f"{whereabouts.PID}{sleeper.pid}"):
        pass


def test_this_name_space_is_none_of_the_others() -> None:
    with netns.unnamed():
        sleeper = subprocess.Popen(["sleep", "60"])
        try:
            assert f"{whereabouts.PID}{sleeper.pid}" not in whereabouts.spaces()
        finally:
            sleeper.kill()
            sleeper.wait()


def test_a_device_goes_into_a_name_space_and_comes_back_under_its_names(pair: NetDevice) -> None:
    whereabouts.move(pair, NAME, "eth0")
    with Netlink(NAME) as there, Netlink() as here:
        moved = there.link("eth0")
        assert (moved.up, moved.mac) == (False, pair.mac)
        away = NetDevice(NAME, "eth0", moved.index, moved.mac, up=False, carrier=False)
        whereabouts.move(away, "", DEVICE)
        back = here.link(DEVICE)
        whereabouts.move(NetDevice("", DEVICE, back.index, back.mac, up=False, carrier=False), "", "fexwhere9")
        assert here.link("fexwhere9").index == back.index


def test_a_device_is_not_moved_onto_another_or_nowhere(pair: NetDevice) -> None:
    with pytest.raises(OpenfexError):
        whereabouts.move(pair, NAME, "lo")
    with pytest.raises(NotFoundError):
        whereabouts.move(pair, "fex-test-nowhere", "eth0")
    gone = NetDevice("", "none", 1 << 20, Mac(bytes(6)), up=False, carrier=False)
    with pytest.raises(NotFoundError):
        whereabouts.move(gone, NAME, "eth0")


@pytest.mark.parametrize("what", ["device", "link"])
def test_an_event_ends_the_wait_and_not_the_clock(what: str, pair: NetDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that comes is told by both kinds of events, a link that is set up by rtnetlink alone."""
    monkeypatch.setattr(uevent, "_LOST_EVENTS_S", 60.0)
    asked = threading.Event()

    def act() -> None:
        asked.wait(20)
        with Netlink() as netlink:
            if what == "link":
                netlink.set(PEER, up=True)
            else:
                netlink.set(PEER, new_name="fexwhere2")

    def holds() -> bool:
        with Netlink() as netlink:
            peer = next((one for one in netlink.links() if one.name in (PEER, "fexwhere2")), None)
        asked.set()
        return peer is not None and (peer.up if what == "link" else peer.name == "fexwhere2")

    worker = threading.Thread(target=act)
    with Events() as events:
        worker.start()
        assert events.wait(holds, 20)
    worker.join()
    with Netlink() as netlink:
        netlink.delete("fexwhere2")
