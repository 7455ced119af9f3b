# SPDX-License-Identifier: Apache-2.0
"""Door to a change of profile at a bridge, while frames pass: how long it takes, and that none is lost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from openfex.datapath.node import Node
from openfex.datapath.rows import Devices
from openfex.datapath.tables import held_tables, write_tables
from openfex.errors import VerificationError
from openfex.lab.names import name_of
from openfex.model.layout import Layout
from openfex.proof.bench.traffic import Traffic
from openfex.rules.compiler import compile_bridge


class Change:
    """A bridge that is told of layouts in turn, which differ in a profile; the last of them is what it has now."""

    def __init__(self, node: Node, devices: Devices, layouts: Sequence[Layout]) -> None:
        self._node = node
        self._devices = devices
        self._layouts = list(layouts)
        self._held = held_tables(node)

    def measure(self, traffic: Traffic, frames: int) -> float:
        """Milliseconds until all vEths are judged by the next layout's profile. Raises VerificationError for a loss.

        Frames are sent from before the change until after it, so many at a time.
        """
        begun, over = Event(), Event()
        before = traffic.arrived()
        with ThreadPoolExecutor(1) as pool:
            losing = pool.submit(_lose, traffic, frames, begun, over)
            try:
                while traffic.arrived() == before and not begun.is_set() and not losing.done():
                    continue
                taken = self._next()
            finally:
                over.set()
        if lost := losing.result():
            raise VerificationError(f"{lost} frames were lost by a change of profile", code="frames-lost")
        return taken

    def _next(self) -> float:
        """From what a bridge is told to what it does: compile the tables, write what differs."""
        layout = self._layouts.pop(0)
        self._layouts.append(layout)
        start = time.perf_counter()
        tables = compile_bridge(layout, name_of(self._node.name), self._held)
        write_tables(self._node, tables, self._devices)
        return (time.perf_counter() - start) * 1e3


def _lose(traffic: Traffic, frames: int, begun: Event, over: Event) -> int:
    """Send until it is over, and once more behind it; how many frames did not arrive."""
    lost = frames - _arriving(traffic, frames)
    begun.set()
    while not over.is_set():
        lost += frames - _arriving(traffic, frames)
    return lost + frames - _arriving(traffic, frames)


def _arriving(traffic: Traffic, frames: int) -> int:
    try:
        return traffic.send(frames)
    except VerificationError:  # none at all
        return 0
