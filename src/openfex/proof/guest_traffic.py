# SPDX-License-Identifier: Apache-2.0
"""Traffic of a virtual machine: TCP between it and a machine that is a name space, and what its TAP saw of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from openfex.errors import VerificationError
from openfex.lab import guests
from openfex.lab.names import netns_of
from openfex.linux import netns
from openfex.linux.border import crossing
from openfex.linux.packet import PacketSocket
from openfex.linux.vnet import VnetHeader
from openfex.model.layout import Binding, Layout
from openfex.model.values import Mac

ECHO_PORT, CALL_PORT = 7, 7007
DEADLINE_S = 30.0
_CHUNK = 1 << 16
_LISTEN = f"nc -ll -p {ECHO_PORT} -e cat & until netstat -ltn | grep -q ':{ECHO_PORT} '; do sleep 0.1; done"


@dataclass
class Passed:
    """The frames that passed a TAP, and what was left to be done to each."""

    frames: list[tuple[bytes, VnetHeader]] = field(default_factory=list)

    def sent_by(self, mac: Mac) -> list[VnetHeader]:
        """Of the frames that name this source."""
        return [header for octets, header in self.frames if octets[6:12] == mac.octets]

    def sent_to(self, mac: Mac) -> list[VnetHeader]:
        """Of the frames to this address."""
        return [header for octets, header in self.frames if octets[:6] == mac.octets]


def whole(headers: Iterable[VnetHeader]) -> int:
    """How many are of super-frames that nobody has cut up."""
    return sum(header.gso_type != 0 for header in headers)


@contextmanager
def watching(layout: Layout, binding: Binding) -> Iterator[Passed]:
    """Watch a guest's TAP during the block; what passed is told at its end."""
    passed = Passed()
    host = netns_of(layout.lab, "host", binding.uplink.host)
    with PacketSocket(binding.function.pf_device, netns=host, outgoing=True, vnet_hdr=True) as door:
        yield passed
        while found := door.receive_vnet(0):
            passed.frames.append(found)


def serve_echo(lab: str, guest: str) -> None:
    """Start a server in the guest that sends back what it gets, one connection after another."""
    _in_background(lab, guest, _LISTEN)


def call_guest(space: str, address: str, payload: bytes) -> float:
    """Call the guest's echo server from a name space; Gbit/s, each way. Raises VerificationError."""
    with crossing(f"call {address}"), netns.entered(space):
        door = socket.create_connection((address, ECHO_PORT), DEADLINE_S)
    with door:
        return _exchange(door, payload)


def call_from_guest(lab: str, guest: str, space: str, address: str, payload: bytes) -> float:
    """Have the guest call a server in a name space, and send back what it gets; Gbit/s, each way."""
    with crossing(f"listen at {address}"), netns.entered(space):
        server = socket.create_server((address, CALL_PORT))
    with crossing(f"wait for a call at {address}"), server:
        server.settimeout(DEADLINE_S)
        _in_background(lab, guest, f"nc {address} {CALL_PORT} -e cat &")
        door, _ = server.accept()
        with door:
            return _exchange(door, payload)


def _in_background(lab: str, guest: str, command: str) -> None:
    guests.ask(lab, guest, "sh", "-c", f"exec >/dev/null 2>&1; {command}")


def _exchange(door: socket.socket, payload: bytes) -> float:
    """Send everything and say so, and meanwhile take what comes back, up to its end."""

    def send() -> None:
        door.sendall(payload)
        door.shutdown(socket.SHUT_WR)

    door.settimeout(DEADLINE_S)
    start = time.monotonic()
    sender = threading.Thread(target=send)
    sender.start()
    returned = bytearray()
    while found := door.recv(_CHUNK):
        returned += found
    sender.join()
    if returned != payload:
        raise VerificationError(f"{len(payload)} octets were sent, {len(returned)} came back, or others")
    return len(payload) * 8 / 1e9 / (time.monotonic() - start)
