# SPDX-License-Identifier: Apache-2.0
"""Machines' own network stacks through the whole path: ARP, neighbour discovery, TCP, segmented UDP, IPv4 and IPv6."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from itertools import product

import pytest

from openfex.lab.names import netns_of
from openfex.linux import netns
from openfex.model.layout import Layout
from openfex.model.values import ChannelKind
from tests.netns.labs import paths, running

pytestmark = pytest.mark.root
DEADLINE_S = 20.0
STREAM = bytes(index * 31 & 0xFF for index in range(1 << 16)) * 256
"""16 MiB."""
UDP_SEGMENT = 103
DATAGRAM = 1400
PORT = 4242
FAMILIES = {"ipv4": (socket.AF_INET, "10.0.10.{}"), "ipv6": (socket.AF_INET6, "fd00::{}")}


WIRES = [
    (ChannelKind.VNTAG, ("auto", "auto"), 1500),
    (ChannelKind.ETAG, ("auto", "auto"), 1500),
    (ChannelKind.VEPA, ("auto", "auto"), 1500),
    *product(ChannelKind, (("xdp", "xdp"), ("xdp", "tc"), ("tc", "xdp")), (1500, 9000)),
]


@pytest.fixture(
    scope="module",
    params=WIRES,
    ids=lambda wires: "-".join((wires[0].value, *wires[1], str(wires[2]))),
)
def layout(request: pytest.FixtureRequest) -> Iterator[Layout]:
    kind, attachments, mtu = request.param
    text = paths(kind, kind, attachments).replace("{profile: web,", f"{{profile: web, mtu: {mtu},")
    with running(text) as found:
        yield found


def _socket(layout: Layout, machine: str, family: int, kind: int) -> socket.socket:
    with netns.entered(netns_of(layout.lab, "machine", machine)):
        door = socket.socket(family, kind)
    door.settimeout(DEADLINE_S)
    return door


@pytest.mark.parametrize(("client", "server"), [("a1", "a2"), ("a1", "a3")], ids=["same host", "across hosts"])
@pytest.mark.parametrize("family", FAMILIES)
def test_tcp_carries_a_stream_whole(layout: Layout, client: str, server: str, family: str) -> None:
    number, pattern = FAMILIES[family]
    digest = hashlib.sha256()
    with (
        _socket(layout, server, number, socket.SOCK_STREAM) as listener,
        _socket(layout, client, number, socket.SOCK_STREAM) as sender,
    ):
        listener.bind((pattern.format(server[1]), PORT))
        listener.listen()
        sender.connect((pattern.format(server[1]), PORT))
        receiver, _ = listener.accept()
        receiver.settimeout(DEADLINE_S)

        def send() -> None:
            sender.sendall(STREAM)
            sender.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=send)
        thread.start()
        with receiver:
            while chunk := receiver.recv(1 << 20):
                digest.update(chunk)
        thread.join(DEADLINE_S)
    assert digest.digest() == hashlib.sha256(STREAM).digest()


@pytest.mark.parametrize("family", FAMILIES)
def test_segmented_udp_arrives_datagram_by_datagram(layout: Layout, family: str) -> None:
    number, pattern = FAMILIES[family]
    payload = STREAM[: DATAGRAM * 40]
    with (
        _socket(layout, "a3", number, socket.SOCK_DGRAM) as receiver,
        _socket(layout, "a1", number, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind((pattern.format(3), PORT))
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, DATAGRAM)
        sender.sendto(payload, (pattern.format(3), PORT))
        datagrams = [receiver.recv(1 << 16) for _ in range(40)]
    assert all(len(datagram) == DATAGRAM for datagram in datagrams)
    assert b"".join(datagrams) == payload
