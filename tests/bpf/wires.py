# SPDX-License-Identifier: Apache-2.0
"""A node on real wires: veths with the real programs at their inner ends, and packet sockets at the outer ones."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from openfex.datapath.rows import Device
from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.linux.sysctl import sysctl
from openfex.model.values import port_channel, port_link
from openfex.rules.engine import Sent
from openfex.testing.kernel import KernelTables

MTU = 2000
DEADLINE_S = 20
SHORTEST_TAGGED = 20
"""The kernel takes a VLAN tag off before any program sees the frame, and drops itself what ends within."""
VLAN_TYPES = (b"\x81\x00", b"\x88\xa8")


def fits_a_wire(octets: bytes) -> bool:
    return octets[12:14] not in VLAN_TYPES or len(octets) >= SHORTEST_TAGGED


class Wires:
    """The wires of one node, by port number."""

    def __init__(self, sockets: dict[int, PacketSocket], devices: dict[int, Device], kernel: KernelTables) -> None:
        self.sockets = sockets
        self.devices = devices
        self.kernel = kernel
        self._expected: dict[int, list[bytes]] = {port: [] for port in sockets}

    def send(self, port: int, octets: bytes, wanted: Iterable[Sent]) -> None:
        """Send a frame; `wanted` is what must then arrive, port by port in this order."""
        self.sockets[port].send(octets)
        for one in wanted:
            self._expected[one.port].append(one.octets)

    def check(self) -> None:
        """Everything has arrived that was wanted, octet for octet and in order, and nothing else."""
        capture = PacketCapture({str(port): one for port, one in self.sockets.items()})
        wanted = sum(map(len, self._expected.values()))
        capture.collect(lambda frames: sum(map(len, frames.values())) >= wanted, DEADLINE_S)
        for port, frames in self._expected.items():
            got = capture.frames[str(port)]
            assert got == frames, f"port {port}: {len(got)} of {len(frames)}"
            frames.clear()

    def kernel_has_seen(self, frames: int) -> bool:
        """Wait until the node has counted so many frames, those that it drops among them."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if sum(row.in_frames for row in self.kernel.counters().values()) >= frames:
                return True
        return False


@contextmanager
def on_one_cpu() -> Iterator[None]:
    """Frames that one CPU sends are dealt with in that order, whichever wires they are sent on."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _program(role: str, port: int) -> str:
    if role == "bridge":
        return "bridge_in"
    return "extender_up" if port_channel(port) else "extender_down"


def _attach(netlink: Netlink, kernel: KernelTables, devices: Mapping[int, str]) -> None:
    for port, device in devices.items():
        program = _program(kernel.role, port)
        classid = port if program == "extender_up" else port_link(port)
        netlink.add_clsact(device)
        netlink.attach(device, kernel.program(program).fd, label="fex-test", classid=classid)


@contextmanager
def wired(role: str, ports: Iterable[int], *, direct: bool = False, mtu: int = MTU) -> Iterator[Wires]:
    """A node with a wire at each of the ports. `direct`: what is for an end of ours is handed over at once."""
    inner, outer = (f"fex-test-{os.getpid()}-{end}" for end in ("in", "out"))
    names = {port: f"p{port}" for port in ports}
    with ExitStack() as stack:
        stack.enter_context(on_one_cpu())
        kernel = KernelTables(role, test=False)
        stack.callback(kernel.close)
        for name in (inner, outer):
            netns.create(name)
            stack.callback(netns.delete, name)
            sysctl(name, "net.ipv6.conf.default.disable_ipv6", 1)
        with Netlink(outer) as far, Netlink(inner) as near:
            for device in names.values():
                far.add_veth(device, device, mtu=mtu, peer_netns=inner)
                near.set(device, up=True)
                far.set(device, up=True)
            _attach(near, kernel, names)
            devices = {port: Device(near.index(device), direct) for port, device in names.items()}
        sockets = {port: stack.enter_context(PacketSocket(device, netns=outer)) for port, device in names.items()}
        yield Wires(sockets, devices, kernel)
