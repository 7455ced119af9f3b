# SPDX-License-Identifier: Apache-2.0
"""Proofs that only the kernel engine can give: what goes on without processes, how fast it is, what is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack

from openfex.lab.names import netns_of
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.model.layout import Binding, Layout
from openfex.proof.bed import Proof, Seen, frame, numbers
from openfex.proof.bench.ratios import compare
from openfex.proof.bench.rounds import OURS, Contest, play
from openfex.proof.kernel_bed import nic_place
from openfex.proof.peers import BRIDGE, linux_bridge, remove_peers
from openfex.proof.residue import links_here, residue
from openfex.proof.streams import Ends, tcp_stream

STREAM = 20_000
BURST = 50
PAUSE_S = 0.004
"""12,500 frames a second: far below what the path carries, so that a loss is the killing's and not the load's."""


def _never(seen: Seen) -> bool:
    return False


def stream(layout: Layout, sender: Binding, receiver: Binding, halfway: Callable[[], None]) -> list[int]:
    """Send a counted stream; do something in the middle of it; return the numbers that arrived, in order."""
    here, there = nic_place(layout, sender), nic_place(layout, receiver)
    with PacketSocket(here.device, netns=here.netns) as out, PacketSocket(there.device, netns=there.netns) as into:
        capture = PacketCapture({"into": into})
        for first in range(0, STREAM, BURST):
            if first == STREAM // 2:
                halfway()
            out.send_many([frame(receiver.mac, sender.mac, number) for number in range(first, first + BURST)])
            capture.collect(_never, PAUSE_S)
        capture.collect(lambda seen: STREAM - 1 in numbers(seen["into"][-BURST:]), 5.0)
    return numbers(capture.frames["into"])


def processes_killed(layout: Layout, ours: list[subprocess.Popen[bytes]]) -> Proof:
    """Kill -9 every process of ours under a counted stream: no frame is lost, none is out of order (P5)."""
    bindings = {binding.machine: binding for binding in layout.bindings}
    killed: list[int] = []

    def kill_all() -> None:
        for process in ours:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed.append(process.pid)

    arrived = stream(layout, bindings["vm1"], bindings["vm4"], kill_all)
    lost = STREAM - len(set(arrived))
    ok = lost == 0 and arrived == sorted(arrived) and len(killed) == len(ours) > 0
    measured = (
        f"{len(killed)} killed in the middle of {STREAM} frames: {lost} lost, {len(arrived) - len(set(arrived))} twice"
    )
    return Proof("processes-killed-frames-go-on", ok, measured)


def tcp_throughput(layout: Layout, rounds: int = 11) -> Proof:
    """TCP from function to function of one host, over the uplink and back, beside a Linux bridge in the same run."""
    bindings = {binding.machine: binding for binding in layout.bindings}
    client, server = (netns_of(layout.lab, "machine", name) for name in ("vm2", "vm1"))
    own = Ends(client, server, bindings["vm1"].addresses[0].split("/")[0])
    contest = Contest()
    with ExitStack() as stack:
        stack.callback(remove_peers, layout.lab)
        for name, ends in ((OURS, own), (BRIDGE, linux_bridge(layout.lab))):
            contest.enter(name, stack.enter_context(tcp_stream(ends)))
        columns = play(contest, rounds, lambda number, who: None)
    found = compare(columns[OURS, ""], columns[BRIDGE, ""])
    speeds = f"{found.ours:.1f} Gbit/s, a Linux bridge {found.theirs:.1f}"
    measured = f"{speeds}: {found.ratio:.2f} times (median of {rounds} rounds of each)"
    return Proof("tcp-throughput", found.ratio >= 0.9, measured)


def clean_teardown(lab: str, before: set[str]) -> Proof:
    """After it is down nothing of ours is left, and nothing else is gone."""
    left = residue(lab)
    gone, new = before - links_here(), links_here() - before
    left += [f"link {name}" for name in new]
    measured = "0 name spaces, 0 pins, 0 processes, 0 files left; other links untouched"
    if left or gone:
        measured = f"left: {', '.join(left) or 'nothing'}; gone: {', '.join(gone) or 'nothing'}"
    return Proof("clean-teardown", not left and not gone, measured)
