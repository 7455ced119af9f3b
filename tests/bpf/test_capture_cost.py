# SPDX-License-Identifier: Apache-2.0
"""What a capture costs a frame: printed, and no verdict but that what was measured is what was meant.

`pytest -s tests/bpf/test_capture_cost.py`. FEX_OBJECTS_BEFORE names a folder of older objects to measure beside ours.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from openfex.datapath import objects
from openfex.datapath.abi import CAPTURE, U32, Seen
from openfex.linux.perf import PerfRings
from openfex.model.values import ChannelKind, Mac, port_number
from openfex.rules.compiler import compile_bridge
from openfex.rules.tables import BridgeTables
from openfex.testing.kernel import SKB_CONTEXT, KernelEngine, kernel_now_ns
from openfex.testing.layouts import LayoutBuilder, access, veth_mac
from openfex.wire import ETag

pytestmark = [pytest.mark.root, pytest.mark.slow]

LINK, ONE, OTHER = 16, port_number(16, 1), port_number(16, 2)
STRANGER = Mac(bytes.fromhex("525400000099"))
ROUNDS, FRAMES = 15, 200_000
A_RING = 1000
"""Frames that surely find room: a ring of 256 pages is not half full of them."""
SPOOFED = veth_mac(LINK, 2).octets + STRANGER.octets + ETag(1).encode() + b"\x08\x00" + bytes(46)
"""A frame that is dropped: it is as it was when the program is run on it again."""


def tables() -> BridgeTables:
    builder = LayoutBuilder()
    host = builder.host("h1", ChannelKind.ETAG, [builder.bridge("sw-a")], (1, 2))
    for channel in (1, 2):
        builder.bind(host, channel, access(10))
    return compile_bridge(builder.layout(), "sw-a")


@contextmanager
def engine(folder: Path | None = None) -> Iterator[KernelEngine]:
    with pytest.MonkeyPatch.context() as patch:
        if folder:
            patch.setattr(objects, "FOLDER", folder)
        loaded = KernelEngine("bridge")
    with loaded as kernel:
        kernel.write(tables())
        yield kernel


def run(kernel: KernelEngine, frames: int) -> int:
    """Nanoseconds a frame."""
    context = SKB_CONTEXT.pack(0, 0, LINK)
    return kernel.program("bridge_in").test_run(SPOOFED, context=context, repeat=frames).duration_ns


def capture(kernel: KernelEngine, port: int, seen: Seen = Seen.DROPPED) -> None:
    row = CAPTURE.pack(1 if port else 0, port, seen, 1500, 0, kernel_now_ns())
    kernel.map("capture").put(U32.pack(0), row)


def test_what_a_capture_costs(capsys: pytest.CaptureFixture[str]) -> None:
    with ExitStack() as stack:
        kernel = stack.enter_context(engine())
        rings = PerfRings(kernel.map("rings"), 256)
        stack.callback(rings.close)

        def with_capture_of(port: int, frames: int) -> int:
            capture(kernel, port)
            took = run(kernel, frames)
            assert len(rings.drain()) == (frames if port == ONE else 0)
            return took

        cases: dict[str, Callable[[], int]] = {
            "off": lambda: with_capture_of(0, FRAMES),
            "on, of another port": lambda: with_capture_of(OTHER, FRAMES),
            "on, of this port": lambda: with_capture_of(ONE, A_RING),
        }
        if before := os.environ.get("FEX_OBJECTS_BEFORE"):
            older = stack.enter_context(engine(Path(before)))
            cases = {"before": lambda: run(older, FRAMES), **cases}
        found: dict[str, list[int]] = {name: [] for name in cases}
        for _ in range(ROUNDS):
            for name, measure in cases.items():
                found[name].append(measure())
    with capsys.disabled():
        for name, times in found.items():
            print(f"\ncapture {name}: {statistics.median(times)} ns a frame ({min(times)} to {max(times)})", end="")
