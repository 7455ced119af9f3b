# SPDX-License-Identifier: Apache-2.0
"""Numbered frames from NIC to NIC for as long as something else goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.model.layout import Binding, Layout
from openfex.proof.bed import Seen, frame, numbers
from openfex.proof.kernel_bed import DEADLINE_S, nic_place

BURST = 50
PAUSE_S = 0.004


def _never(seen: Seen) -> bool:
    return False


def stream_during(
    layout: Layout, sender: Binding, receiver: Binding, action: Callable[[], object]
) -> tuple[int, list[int]]:
    """Send before, during and after an action; how many were sent, and the numbers that arrived, in order."""
    here, there = nic_place(layout, sender), nic_place(layout, receiver)
    with (
        PacketSocket(here.device, netns=here.netns) as out,
        PacketSocket(there.device, netns=there.netns) as into,
        ThreadPoolExecutor(1) as pool,
    ):
        capture = PacketCapture({"into": into})
        done, sent = None, 0
        while done is None or not done.done():
            out.send_many([frame(receiver.mac, sender.mac, number) for number in range(sent, sent + BURST)])
            sent += BURST
            capture.collect(_never, PAUSE_S)
            done = done or pool.submit(action)
        done.result()
        out.send_many([frame(receiver.mac, sender.mac, sent)])
        capture.collect(lambda seen: sent in numbers(seen["into"][-BURST:]), DEADLINE_S)
    return sent + 1, numbers(capture.frames["into"])
