# SPDX-License-Identifier: Apache-2.0
"""Capturing at one or more points of a lab that is up."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from types import TracebackType

from openfex.datapath.capture import Capture
from openfex.datapath.node import Node
from openfex.datapath.record import CapturedFrame
from openfex.lab.names import netns_of
from openfex.lab.points import Point


@dataclass(frozen=True, slots=True)
class Sighting:
    """A frame, where it was captured, and when by the clock on the wall."""

    point: Point
    frame: CapturedFrame
    time_ns: int


class Session:
    """A capture at each of the points, until it is closed."""

    def __init__(self, lab: str, points: Sequence[Point], snap: int) -> None:
        """Begin; `snap`: how many octets of a frame are taken at most."""
        self._ahead_ns = time.time_ns() - time.monotonic_ns()
        self._poll = select.poll()
        self._captures: list[tuple[Point, Capture]] = []
        with ExitStack() as stack:
            for point in points:
                node = stack.enter_context(closing(Node(netns_of(lab, point.kind, point.node), point.role)))
                capture = stack.enter_context(Capture(node, point.number, point.seen, snap))
                self._poll.register(capture.fd, select.POLLIN)
                self._captures.append((point, capture))
            self._stack = stack.pop_all()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def wait(self, patience_s: float) -> list[Sighting]:
        """What has come, in the order of time: at once if a ring is filling, else after `patience_s`."""
        self._poll.poll(patience_s * 1000)
        found = [
            Sighting(point, frame, frame.time_ns + self._ahead_ns)
            for point, capture in self._captures
            for frame in capture.frames()
        ]
        return sorted(found, key=lambda one: one.time_ns)

    @property
    def lost(self) -> int:
        """How many frames were lost because they came faster than they were taken."""
        return sum(capture.lost for _, capture in self._captures)

    @property
    def is_on(self) -> bool:
        """False once there is nothing more to come: a datapath is gone."""
        return all(capture.is_on for _, capture in self._captures)
