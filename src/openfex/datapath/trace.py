# SPDX-License-Identifier: Apache-2.0
"""Door to the trace of a node: what its programs would do with a frame, asked of the kernel, and nothing done.

A build of the same decision that changes nothing is loaded over the node's own maps, run on one frame by
BPF_PROG_TEST_RUN, and closed. It is attached nowhere, and has maps of its own for its answer and its scratch paper.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from openfex.datapath.abi import MEMORY, U32
from openfex.datapath.decision import Traced, read_trace
from openfex.datapath.node import MAPS, SIZED, Node, check_sizes, room_for
from openfex.datapath.objects import build_of, object_path
from openfex.errors import KernelError, NotFoundError, RefusedError
from openfex.linux.libbpf import Object
from openfex.model.values import port_channel, port_link

_NOT_SHARED = {"ageing", "capture", "rings"}
"""The maps of a node that a trace does not look at."""
_CONTEXT = struct.Struct("=3I36x5I")
"""`struct __sk_buff`: the mark stands for the filter's classid; and cb."""


class Tracer:
    """The trace build of a role's programs, until it is closed."""

    def __init__(
        self, role: str, reuse: Mapping[str, Path], constants: Mapping[str, int], *, test: bool = False
    ) -> None:
        """Load it over these pinned maps. `test`: the one whose clock of rates a test sets."""
        self.role = role
        self._object = Object.load(object_path(role, "trace", test=test), reuse=reuse, constants=constants)
        check_sizes(self._object.maps)

    def __enter__(self) -> Tracer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the kernel forget it."""
        self._object.close()

    def decide(self, at: int, octets: bytes) -> Traced:
        """What would be decided about a frame at a function's port, or (channel 0) at a link."""
        if self.role == "bridge":
            return self._run("trace_bridge_in", octets, port_link(at))
        if port_channel(at):
            return self._run("trace_extender_up", octets, at)
        return self._run("trace_extender_down", octets, port_link(at))

    def judge_copy(self, octets: bytes, port: int, vlan: int) -> Traced:
        """What a port's own rules would say of a copy of a frame, which came in as these octets."""
        return self._run("trace_bridge_copy", octets, 0, port, vlan)

    def _run(self, program: str, octets: bytes, mark: int, *words: int) -> Traced:
        context = _CONTEXT.pack(0, 0, mark, *words, *(0,) * (5 - len(words)))
        try:
            self._object.program(program).test_run(octets, context=context)
        except KernelError as cause:
            if cause.errno != errno.EINVAL:
                raise
            message = f"the kernel tries no frame of {len(octets)} octets like this one"
            remedy = "it takes whole heads (Ethernet, and of IP its own), and about 3,000 octets at most"
            raise RefusedError(message, code="frame-not-tried", remedy=remedy) from cause
        row = self._object.map("traced").get(U32.pack(0))
        return read_trace(row or b"")


def open_tracer(node: Node) -> Tracer:
    """The trace of a node. Raises NotFoundError without a datapath, RefusedError if that is not of this build."""
    if not node.rows:
        remedy = "`fex lab up FILE` makes it"
        raise NotFoundError(f"{node.name} has no datapath of this build", code="no-datapath", remedy=remedy)
    if build_of(node.role) not in node.builds:
        message = f"the programs of {node.name} are of another build, which this one cannot speak for"
        raise RefusedError(message, code="other-build", remedy="`fex lab up FILE` renews them")
    pins = {name: node.pin(name) for name in (*MAPS[node.role], *SIZED[node.role]) if name not in _NOT_SHARED}
    constants = room_for(node.role, node.rows)[1]
    if node.role == "bridge":
        constants |= {f"{name}_full": is_full(node, name) for name in ("stations", "veths")}
    return Tracer(node.role, pins, constants)


def is_full(node: Node, name: str) -> bool:
    """Whether a hash has no room for one more: only a write would find out."""
    table = node.map(name)
    return sum(1 for _ in table.keys()) >= table.max_entries  # noqa: SIM118 -- no dict


def debts(node: Node, port: int, now_ns: int) -> tuple[int, ...]:
    """What a port owes: octets into the bridge and out of it, then frames, in nanoseconds."""
    *due, _ = MEMORY.unpack(node.map("memories").get(U32.pack(port)) or bytes(MEMORY.size))
    return tuple(max(0, one - now_ns) for one in due)
