# SPDX-License-Identifier: Apache-2.0
"""Door to the capture of one port of a node: the row that asks for it, and the rings that its frames come by.

Nothing is loaded: the programs themselves write the frames, while the row says so. The kernel takes the rings out of
their map when this process ends, however it ends; the next frame then makes the row as it was.
"""

from __future__ import annotations

import fcntl
import os
from types import TracebackType

from openfex.datapath.abi import CAPTURE, U32, Seen
from openfex.datapath.node import Node
from openfex.datapath.record import CapturedFrame, read_record, room_for
from openfex.datapath.tables import read_kinds
from openfex.errors import NotFoundError, RefusedError
from openfex.linux.border import crossing
from openfex.linux.perf import PerfRings

RING_PAGES = 256
_ROW = U32.pack(0)


class Capture:
    """The capture of a port, from now until it is closed."""

    def __init__(self, node: Node, port: int, kinds: Seen, snap: int) -> None:
        """Begin. Raises NotFoundError if the node has no datapath, RefusedError if somebody else is capturing there."""
        if not node.rows:
            remedy = "`fex lab up FILE` makes it"
            raise NotFoundError(f"{node.name} has no datapath of this build", code="no-datapath", remedy=remedy)
        self._node = node
        self._snap = snap
        self._kinds = read_kinds(node)
        self._id = os.getpid()
        self._lock = _lock(node)
        try:
            self._rings = PerfRings(node.map("rings"), RING_PAGES)
            node.map("capture").put(_ROW, CAPTURE.pack(self._id, port, kinds, room_for(snap), 0, 0))
        except BaseException:
            os.close(self._lock)
            raise
        self._pin = _inode(node)
        self.fd = self._rings.fd

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End, and leave all as it was."""
        self._node.map("capture").put(_ROW, bytes(CAPTURE.size))
        self._rings.close()
        os.close(self._lock)

    def frames(self) -> list[CapturedFrame]:
        """What has come since the last time; oldest first on each CPU."""
        frames = (read_record(record, self._node.role, self._snap, self._kinds) for record in self._rings.drain())
        return [frame for frame in frames if frame]

    @property
    def lost(self) -> int:
        """How many frames found no room in the rings."""
        return self._row()[4]

    @property
    def is_on(self) -> bool:
        """False once the datapath is gone or made anew, or its programs no longer see this process."""
        return self._row()[0] == self._id and _inode(self._node) == self._pin

    def _row(self) -> tuple[int, ...]:
        return CAPTURE.unpack(self._node.map("capture").get(_ROW) or bytes(CAPTURE.size))


def _inode(node: Node) -> int:
    """Which pin it is; 0 if there is none."""
    try:
        return (node.pins / "capture").stat().st_ino
    except FileNotFoundError:
        return 0


def _lock(node: Node) -> int:
    """Be the only one who captures at this node, until this process ends. The lock is on the folder of its pins."""
    with crossing(f"open {node.pins}"):
        handle = os.open(node.pins, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as cause:
        os.close(handle)
        remedy = "wait until that capture has ended"
        raise RefusedError(f"somebody is capturing at {node.name}", code="capture-busy", remedy=remedy) from cause
    return handle
