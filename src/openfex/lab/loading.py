# SPDX-License-Identifier: Apache-2.0
"""Programs go through the verifier while other objects are made: neither needs the other, and there are many CPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from openfex.datapath.node import Node
from openfex.plan.difference import Operation
from openfex.plan.objects import NodeKey, NodeSpec


def is_loaded_anew(old: object, new: object) -> bool:
    """Whether a node's programs must be loaded: they are of another build, or have more ports."""
    if not isinstance(new, NodeSpec):
        return False
    return not isinstance(old, NodeSpec) or (old.build, old.rows) != (new.build, new.rows)


class Loads:
    """One loads at a time, beside whoever asks: libbpf says what it has to say to one listener."""

    def __init__(self, node_of: Callable[[str], Node]) -> None:
        self._node_of = node_of
        self._worker: ThreadPoolExecutor | None = None
        self._begun: dict[str, Future[None]] = {}

    def begin(self, operations: Iterable[Operation]) -> None:
        """Begin with the programs that these operations will need."""
        for one in operations:
            if isinstance(one.key, NodeKey) and isinstance(one.new, NodeSpec) and is_loaded_anew(one.old, one.new):
                self._worker = self._worker or ThreadPoolExecutor(1, "openfex-load")
                node = self._node_of(one.key.netns)
                self._begun[one.key.netns] = self._worker.submit(node.load, one.new.rows)

    def finish(self, name: str) -> None:
        """Wait for a node's programs. Raises what loading them raised."""
        self._begun.pop(name).result()

    def settle(self) -> None:
        """Wait until nothing is loaded any more, whatever came of it; what has not begun yet does not begin."""
        for one in self._begun.values():
            one.cancel()
        wait(self._begun.values())
        self._begun.clear()

    def close(self) -> None:
        """End the worker."""
        self.settle()
        if self._worker:
            self._worker.shutdown()
            self._worker = None
