# SPDX-License-Identifier: Apache-2.0
"""Listening to the end of a wire in XDP, where a packet socket hears only what XDP passes on.

While somebody listens, a program stands before the one that is there, shows each frame and calls that one. When its
process is killed it goes on standing there, and passes every frame on to tc, which does the same with it; the next
`fex lab up` puts the lab's own program back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from openfex.datapath.abi import U32
from openfex.datapath.objects import TAP_PROGRAM, object_path
from openfex.linux.libbpf import Object, program_by_id
from openfex.linux.netlink import Netlink
from openfex.linux.perf import PerfRings
from openfex.model.place import Place

PAGES = 512
"""Of a ring: two MiB, more than the frames of one exchange."""


class WireTap:
    """A tap at one device that has an XDP program."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._object = Object.load(object_path("tap", "xdp"))
        self._rings = PerfRings(self._object.map("rings"), PAGES)

    def close(self) -> None:
        """Let go of it."""
        self._rings.close()
        self._object.close()

    def drain(self) -> list[bytes]:
        """The frames that have come since, those of one CPU after the other."""
        records = self._rings.drain()
        return [record[U32.size : U32.size + U32.unpack_from(record)[0]] for record in records]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen in the block, without a gap for the frames."""
        tap = self._object.program(TAP_PROGRAM)
        with Netlink(self.place.netns) as netlink, program_by_id(netlink.link(self.place.device).xdp) as program:
            self._object.map("next").put(U32.pack(0), U32.pack(program.fd))
            netlink.replace_xdp(self.place.device, tap.fd, program.fd)
            try:
                yield
            finally:
                netlink.replace_xdp(self.place.device, program.fd, tap.fd)


@contextmanager
def listening(taps: Sequence[WireTap]) -> Iterator[None]:
    """Listen at all of them in the block."""
    with ExitStack() as stack:
        for tap in taps:
            tap.drain()
            stack.enter_context(tap.listening())
        yield
