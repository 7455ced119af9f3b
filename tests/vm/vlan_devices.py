# SPDX-License-Identifier: Apache-2.0
"""Run in a twin (test_vlan_devices.py): a station as others have it, macvlans in VEPA mode on a VLAN device; TCP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from openfex.linux import netns
from openfex.linux.packet import PacketSocket
from openfex.model.values import Mac
from tests.interop.lldpad import PEER, THEIRS
from tests.interop.test_vepa_station import ONE, TWO, YES, Town, town, until

__all__ = ["town"]

MACHINES = {"fex-test-m1": (ONE, "10.0.10.1"), "fex-test-m2": (TWO, "10.0.10.2")}
PORT, SAID = 7777, b"by the cable and back" * 1000
PATIENCE_S = 10.0


@pytest.fixture
def machines(town: Town) -> Iterator[None]:
    """Two macvlans on the uplink's VLAN device, each in a name space of its own."""
    for command in (f"ip link add link {PEER} name vlan10 type vlan id 10", "ip link set vlan10 up"):
        assert town.run(command.split()) == ""
    for name, (mac, address) in MACHINES.items():
        netns.delete(name)
        netns.create(name)
        _add(town, name, mac, address)
    yield
    for name in MACHINES:
        netns.delete(name)


def _add(town: Town, name: str, mac: Mac, address: str) -> None:
    words = f"ip link add link vlan10 name mv0 address {mac} type macvlan mode vepa"
    assert town.run(words.split()) == ""
    assert town.run(["ip", "link", "set", "mv0", "netns", name]) == ""
    inside = ("ip", "netns", "exec", name, "ip")
    for words in (f"addr add {address}/24 dev mv0", "link set mv0 up", "link set lo up"):
        assert town.run([*inside, *words.split()]) == ""


def _door(name: str) -> socket.socket:
    with netns.entered(name):
        door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    door.settimeout(PATIENCE_S)
    return door


def _say() -> bytes:
    """What the second machine hears when the first one speaks."""
    client, server = MACHINES
    with _door(server) as listener, _door(client) as sender:
        listener.bind((MACHINES[server][1], PORT))
        listener.listen()

        def speak() -> None:
            with suppress(OSError):  # nobody answers: the other side waits in vain, too
                sender.connect((MACHINES[server][1], PORT))
                sender.sendall(SAID)
                sender.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        heard = b""
        receiver, _ = listener.accept()
        with receiver:
            receiver.settimeout(PATIENCE_S)
            while octets := receiver.recv(1 << 16):
                heard += octets
        thread.join(PATIENCE_S)
        return heard


def test_machines_on_a_vlan_device_speak_by_reflection_as_long_as_their_vsis_are(town: Town, machines: None) -> None:
    with pytest.raises(TimeoutError):
        _say()
    for number, mac in enumerate((ONE, TWO)):
        assert YES in town.ask("assoc", number, mac)
    with PacketSocket(PEER, netns=THEIRS, outgoing=True) as wire:
        assert _say() == SAID
        frames = [one for one in wire.drain() if one[12:14] == b"\x81\x00" and b"by the cable" in one]
    assert len(frames) >= 2, "out, and back in, with the VLAN's tag"
    assert YES in town.ask("deassoc", 1, TWO)
    until(lambda: town.up() == {str(ONE): "web"}, "the vEth goes when its VSI has gone")
    with pytest.raises(TimeoutError):
        _say()
