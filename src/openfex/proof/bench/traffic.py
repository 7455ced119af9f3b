# SPDX-License-Identifier: Apache-2.0
"""Door to the bench's own traffic: frames of 64 octets out of NICs by the million, counted exactly where they arrive.

BPF_PROG_TEST_RUN with live frames makes them, one CPU carries them from end to end. A NIC is a veth, which takes
frames of that kind only where its far end polls for them; GRO makes it do so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from itertools import groupby

from openfex.datapath.abi import FLOW, U32, U64
from openfex.datapath.objects import object_path
from openfex.errors import VerificationError
from openfex.linux import netns
from openfex.linux.ethtool import set_feature
from openfex.linux.libbpf import Object
from openfex.linux.netlink import Netlink
from openfex.model.place import Place
from openfex.model.values import Mac
from openfex.proof.cpus import available, on_cpu
from openfex.wire import ETHERTYPE_IPV4, ipv4_udp

FRAME_OCTETS = 60
"""64 on a wire: the kernel does not see the four octets of the frame check."""
BURST = 64
"""Frames of one flow in a row: as many as a device is polled for at once."""
SETTLE_S = 0.02
FIRST_ADDRESS = IPv4Address("10.0.1.1")
"""Of the first NIC; the others have those that follow."""
_HEADERS = 14 + 20 + 8
Flow = tuple[int, int]
"""From one NIC to another, each by its place in the list of NICs."""


def poll(far_ends: Sequence[Place]) -> None:
    """Make the devices at the far ends of NICs poll: `ethtool -K DEVICE gro on`."""
    for place in far_ends:
        set_feature(place.netns, place.device, "gro", True)


def _frame(flow: Flow, macs: Mapping[int, Mac]) -> bytes:
    """A flow's frame, with the addresses of both its NICs and right check sums."""
    source, to = flow
    payload = bytes(FRAME_OCTETS - _HEADERS)
    datagram = ipv4_udp(FIRST_ADDRESS + source, FIRST_ADDRESS + to, 9, 9, payload)
    return macs[to].octets + macs[source].octets + ETHERTYPE_IPV4.to_bytes(2, "big") + datagram


class Traffic:
    """A generator on the flows between some NICs, and a sink at each of them."""

    def __init__(self, nics: Sequence[Place], flows: Sequence[Flow], burst: int = BURST) -> None:
        self._cpu = available()[0]
        self._nics = nics
        self._by_xdp = False
        constants = {"flow_count": len(flows), "burst": burst, "frame_octets": FRAME_OCTETS}
        sizes = {"nics": len(nics), "flows": len(flows)}
        self._object = Object.load(object_path("bench", "traffic"), max_entries=sizes, constants=constants)
        macs = self._enter(nics)
        rows = [FLOW.pack(_frame(flow, macs)[:_HEADERS], flow[0]) for flow in flows]
        self._object.map("flows").put_many([(U32.pack(number), row) for number, row in enumerate(rows)])

    def close(self) -> None:
        """Let go of the programs; the sinks stay where they are, and go with their NICs."""
        self._object.close()

    def _enter(self, nics: Sequence[Place]) -> dict[int, Mac]:
        """Put a sink on each NIC, and each NIC into the generator's map; their MACs."""
        macs: dict[int, Mac] = {}
        sink, rows = self._object.program("bench_sink"), self._object.map("nics")
        by_space = sorted(enumerate(nics), key=lambda one: one[1].netns)
        for space, group in groupby(by_space, key=lambda one: one[1].netns):
            with Netlink(space) as netlink, netns.entered(space):
                links = {link.name: link for link in netlink.links()}
                with netlink.batch():
                    for number, place in group:
                        link = links[place.device]
                        macs[number] = link.mac
                        netlink.add_clsact(place.device)
                        netlink.attach(place.device, sink.fd, label="fex bench", classid=1)
                        rows.put(U32.pack(number), U32.pack(link.index))
        return macs

    def take_by_xdp(self, on: bool) -> None:
        """Have the sinks take frames in native XDP, before an skb is made of them, or at tc."""
        if on == self._by_xdp:
            return
        sink = self._object.program("bench_xdp_sink").fd
        for space, group in groupby(sorted(self._nics, key=lambda one: one.netns), key=lambda one: one.netns):
            with Netlink(space) as netlink, netlink.batch():
                for place in group:
                    netlink.replace_xdp(place.device, sink if on else -1, -1 if on else sink)
        self._by_xdp = on

    def arrived(self) -> int:
        """How many frames have come to the sinks."""
        found = self._object.map("arrived").get_percpu(U32.pack(0)) or []
        return sum(U64.unpack(one)[0] for one in found)

    def send(self, frames: int) -> int:
        """Send so many frames; how many of them arrive. Raises VerificationError if none does."""
        return self._send(frames)[0]

    def rate(self, frames: int) -> float:
        """Millions of frames that arrive in a second, when so many are sent. Raises VerificationError if none does."""
        count, seconds = self._send(frames)
        return count / seconds / 1e6

    def _send(self, frames: int) -> tuple[int, float]:
        """How many arrive, and the seconds from the first to the last of them."""
        before = self.arrived()
        with on_cpu(self._cpu):
            start = time.perf_counter()
            self._object.program("bench_send").send_live(bytes(FRAME_OCTETS), ifindex=0, repeat=frames)
            end = time.perf_counter()
        count = self.arrived() - before
        while count < frames and time.perf_counter() - end < SETTLE_S:  # what is still under way
            now = self.arrived() - before
            if now != count:
                count, end = now, time.perf_counter()
        if not count:
            raise VerificationError(f"of {frames} frames none arrived", code="nothing-measured")
        return count, end - start
