# SPDX-License-Identifier: Apache-2.0
"""On which CPU a measurement runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def available() -> list[int]:
    """The CPUs that this process may use."""
    return sorted(os.sched_getaffinity(0))


@contextmanager
def on_cpu(number: int | None) -> Iterator[None]:
    """Run the block, and what is started in it, on one CPU (None: on any): `taskset`."""
    if number is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
