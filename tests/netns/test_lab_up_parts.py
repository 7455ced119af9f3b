# SPDX-License-Identifier: Apache-2.0
"""Where the time of `lab up` goes: run with `pytest -s` to see the table of docs/guide/measuring.md."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from openfex.datapath.node import Node
from openfex.lab import lab, workshop
from openfex.lab.lab import down, up
from openfex.lab.loading import Loads
from openfex.lab.workshop import Workshop
from openfex.proof.bench.labs import full_adapter

pytestmark = [pytest.mark.root, pytest.mark.long]
LAB = "test-parts"
ROUNDS = 8
SIZES = (256, 2)
PARTS: list[tuple[str, object, str]] = [
    ("read the documents (YAML, validation)", lab, "read_documents"),
    ("lay out, twice: before the lab is locked and after", lab, "_lay_out"),
    ("what is wanted", lab, "_want"),
    ("compare", lab, "difference"),
    ("look at what there is, before and after", Workshop, "observe"),
    ("wait for the programs, which another CPU loads meanwhile", Loads, "finish"),
    ("attach programs", Node, "attach"),
    ("read tables", workshop, "read_tables_and_ways"),
    ("write tables", workshop, "write_tables"),
    ("make functions: veth, both aliases", Workshop, "_function"),
    ("NICs: MAC, up", Workshop, "_nic"),
    ("name spaces", Workshop, "_space"),
    ("wait for carriers", Workshop, "wait_ready"),
]
"""What it is called, and the function that does it."""


@dataclass
class StopWatch:
    """Seconds spent in each part, without those in a part inside it."""

    spent: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _inside: list[float] = field(default_factory=list)

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            self._inside.append(0.0)
            start = time.perf_counter()
            try:
                return function(*args, **named)
            finally:
                taken = time.perf_counter() - start
                self.spent[part] += taken - self._inside.pop()
                if self._inside:
                    self._inside[-1] += taken

        return timed


def measure(functions: int) -> dict[str, float]:
    """The parts of one `lab up`, in seconds; `whole` is all of it."""
    watch = StopWatch()
    with pytest.MonkeyPatch.context() as patch:
        for part, owner, name in PARTS:
            timed = watch.around(part, getattr(owner, name))
            patch.setattr(owner, name, timed)
        start = time.perf_counter()
        up(full_adapter(LAB, functions))
        whole = time.perf_counter() - start
    down(LAB)
    return dict(watch.spent) | {"all else": whole - sum(watch.spent.values()), "whole": whole}


def test_every_part_of_lab_up_is_told() -> None:
    best: dict[int, dict[str, float]] = {}
    for size in SIZES:
        rounds = [measure(size) for _ in range(ROUNDS)]
        best[size] = min(rounds, key=lambda one: one["whole"])
    print(f"\n| part | {' | '.join(f'{size} functions, ms' for size in SIZES)} |")
    for part in sorted(best[SIZES[0]], key=lambda one: (one in ("whole", "all else"), -best[SIZES[0]][one])):
        print(f"| {part} | {' | '.join(f'{1000 * best[size][part]:.1f}' for size in SIZES)} |")
    for parts in best.values():
        assert {part for part, _, _ in PARTS} <= parts.keys()
        assert parts["all else"] < parts["whole"] / 2
