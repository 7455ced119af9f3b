# SPDX-License-Identifier: Apache-2.0
"""Door to what a frame costs: the kernel's own clock, read where a frame is given to somebody and where it leaves.

For our programs the kernel does that itself as long as it is asked to (BPF_ENABLE_STATS). For a Linux bridge two
programs do, at tc ingress of its ports and at tc egress. In either case what makes, hands over and takes frames is not
in it, and one reading of the clock is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from openfex.datapath.abi import U32, U64
from openfex.datapath.node import pin_folder
from openfex.datapath.objects import object_path
from openfex.errors import VerificationError
from openfex.linux.libbpf import Map, Object, Program, counting_time
from openfex.model.place import Place
from openfex.proof import peers

SPENT_NS, FRAMES = 1, 2
"""Rows of the clock's map."""


def program_cost(nodes: Sequence[str], send: Callable[[], int]) -> float:
    """Nanoseconds of each frame that arrives, in all programs of some nodes together."""
    with ExitStack() as stack:
        pins = [pin for node in nodes for pin in (pin_folder() / node).glob("*/*/*")]
        programs = [stack.enter_context(Program.pinned(pin)) for pin in pins]
        with counting_time():
            before = sum(one.info().run_time_ns for one in programs)
            arrived = send()
            spent = sum(one.info().run_time_ns for one in programs) - before
    return _each(spent, arrived)


@contextmanager
def bridge_clock(lab: str, ports: Sequence[Place]) -> Iterator[Map]:
    """Put the clock's programs on the ports of a bridge."""
    with Object.load(object_path("bench", "clock")) as loaded:
        for place in ports:
            peers.batch("tc", place.netns, [f"qdisc add dev {place.device} clsact"])
            for way, name in (("ingress", "bench_start"), ("egress", "bench_end")):
                with peers.pinned(lab, loaded.program(name)) as pin:
                    line = f"filter add dev {place.device} {way} bpf direct-action object-pinned {pin}"
                    peers.batch("tc", place.netns, [line])
        yield loaded.map("clock")


def bridge_cost(clock: Map, send: Callable[[], object]) -> float:
    """Nanoseconds of each frame from a port of the bridge to the other."""
    before = _read(clock)
    send()
    spent, frames = (now - then for now, then in zip(_read(clock), before, strict=True))
    return _each(spent, frames)


def _read(clock: Map) -> tuple[int, int]:
    rows = (clock.get_percpu(U32.pack(row)) or [] for row in (SPENT_NS, FRAMES))
    spent, frames = (sum(U64.unpack(one)[0] for one in row) for row in rows)
    return spent, frames


def _each(spent: int, frames: int) -> float:
    if not frames:
        raise VerificationError("no frame passed", code="nothing-measured")
    return spent / frames
