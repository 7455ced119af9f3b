# SPDX-License-Identifier: Apache-2.0
"""The contests of agents, real ones on real cables: how long until ports are up, and what it costs to keep them so."""

from __future__ import annotations

import asyncio
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from openfex.datapath.objects import PROGRAMS, build_of
from openfex.errors import VerificationError
from openfex.lab import lab as labs
from openfex.lab import staffing
from openfex.lab.agents import Staff
from openfex.lab.wanted import want
from openfex.lab.workshop import Workshop
from openfex.linux.agent_loop import AgentLoop
from openfex.model.layout import Layout
from openfex.plan.objects import State, TablesKey, TablesSpec
from openfex.proof.bench.arena import Terms, arena
from openfex.proof.bench.labs import full_adapter, laden
from openfex.proof.bench.rounds import OURS, Contest
from openfex.proof.bench.rows import NOBODY
from openfex.proof.signalling import ports_up
from openfex.protocol.output import Log
from openfex.protocol.vdp_tables import StationState
from openfex.protocol.vdp_timers import VdpTimers
from openfex.rules.tables import BridgeTables, ExtenderTables
from openfex.wire.vsi import Vsiid

FUNCTIONS = 256
ASSOCIATIONS = 4094
SAMPLES = 100
"""Of which the second longest is the 99th percentile."""
QUIET_S = 0.05
"""So long nothing is said before a sample: agents have rested from the one before."""
READY_S = 120.0
WINDOW = 1.1
"""A keep-alive's timer begins with the answer before: in this part of its time each has been once, at least."""
COLD_S, ONE_MS, IDLE_PERCENT = 2.0, 20.0, 2.0
"""What was promised."""


class Stage:
    """The agents of a lab in this process; its own have ended."""

    def __init__(self, layout: Layout, workshop: Workshop) -> None:
        self.layout = layout
        self.loop = AgentLoop()
        self._news = asyncio.Event()
        self.loop.on_change = self._news.set
        self.staff = Staff(layout, _wanted(layout), workshop, self.loop, _say_nothing)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until it holds. Raises VerificationError."""
        try:
            async with asyncio.timeout(READY_S):
                while not holds():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as cause:
            raise VerificationError(f"agents are not done after {READY_S:.0f} s", code="not-associated") from cause


def _say_nothing(node: str, log: Log) -> None:
    """A log that nobody reads."""


def _wanted(layout: Layout) -> State:
    return want(layout, {role: build_of(role) for role in PROGRAMS}, {})


def _up(text: str) -> Layout:
    """A lab that came up by signalling, without its agents."""
    layout = labs.up(text).layout
    staffing.stop(layout.lab)
    return layout


def _play(layout: Layout, act: Callable[[Stage], Coroutine[Any, Any, float]]) -> float:
    """Measure something of agents that take up a lab as it is, and end them."""

    async def run(workshop: Workshop) -> float:
        stage = Stage(layout, workshop)
        try:
            return await act(stage)
        finally:
            stage.staff.close()

    with Workshop(layout.lab) as workshop:
        return asyncio.run(run(workshop))


def _cool(layout: Layout, workshop: Workshop) -> None:
    """Nothing is agreed: nobody remembers anything, and the tables are empty."""
    staffing.forget(layout.lab)
    for key, spec in _wanted(layout).items():
        if isinstance(key, TablesKey) and isinstance(spec, TablesSpec):
            workshop.write(key, replace(spec, tables=BridgeTables() if key.of_bridge else ExtenderTables()))


async def _start(stage: Stage) -> float:
    """Seconds from the first frame that is sent until every NIC has its port, by tables that are written."""
    start = time.perf_counter()
    stage.staff.start()
    await stage.until(lambda: stage.staff.is_settled)
    return time.perf_counter() - start


def _from_cold(layout: Layout) -> float:
    with Workshop(layout.lab) as workshop:
        _cool(layout, workshop)
        before = ports_up(workshop, layout)
        taken = _play(layout, _start)
        after = ports_up(workshop, layout)
    if before or len(after) < len(layout.bindings):
        message = f"{len(before)} vEths were up before, and {len(after)} of {len(layout.bindings)} after"
        raise VerificationError(message, code="nothing-measured")
    return taken


@contextmanager
def cold_contest(terms: Terms) -> Iterator[Contest]:
    """All functions of an adapter, by agents that have agreed on nothing yet; beside the budget."""
    with arena(terms.lab):
        contest = Contest()
        contest.enter(OURS, partial(_from_cold, _up(full_adapter(terms.lab, FUNCTIONS))))
        contest.enter(NOBODY, lambda: COLD_S)
        yield contest


async def _bind_one(stage: Stage) -> float:
    """Milliseconds from the wish for a NIC until its vEth is up and its host knows that: the 99th percentile."""
    stage.staff.start()
    await stage.until(lambda: stage.staff.is_settled)
    ((name, host),) = stage.staff.hosts.items()
    (end,) = host.ends.values()
    *others, nic = stage.layout.bindings
    key, taken = Vsiid.uuid(UUID(nic.uuid)), []
    for _ in range(SAMPLES):
        stage.staff.bind(name, others)
        await stage.until(lambda: stage.staff.is_settled and end.vdp.state(key) is StationState.ABSENT)
        await asyncio.sleep(QUIET_S)
        start = time.perf_counter()
        stage.staff.bind(name, [*others, nic])
        await stage.until(lambda: stage.staff.is_settled)
        taken.append(time.perf_counter() - start)
    return sorted(taken)[SAMPLES * 99 // 100 - 1] * 1000


@contextmanager
def one_contest(terms: Terms) -> Iterator[Contest]:
    """One NIC more on an uplink that is idle, and has another one; beside the budget."""
    with arena(terms.lab):
        contest = Contest()
        contest.enter(OURS, partial(_play, _up(full_adapter(terms.lab, 2)), _bind_one))
        contest.enter(NOBODY, lambda: ONE_MS)
        yield contest


class Alone:
    """The process of one node's agent."""

    def __init__(self, lab: str, node: str) -> None:
        """Start it. `close` ends it."""
        self._node = node
        self._told, told = os.pipe()
        command = [sys.executable, "-P", "-m", "openfex", "lab", "agents", lab, "--node", node, "--ready", str(told)]
        try:
            self._process = subprocess.Popen(command, pass_fds=[told], stdout=subprocess.DEVNULL)
        finally:
            os.close(told)

    def close(self) -> None:
        """End it; what it wrote stays."""
        self._process.terminate()
        self._process.wait()
        os.close(self._told)

    def wait(self) -> None:
        """Wait until its NICs are up. Raises VerificationError."""
        end, octets = time.monotonic() + READY_S, b""
        while staffing.SETTLED not in octets:
            readable, _, _ = select.select([self._told], [], [], max(end - time.monotonic(), 0))
            found = os.read(self._told, 1 << 16) if readable else b""
            if not found:
                raise VerificationError(f"the agent of {self._node} is not done", code="not-associated")
            octets += found

    def spent(self) -> float:
        """Seconds of CPU that it has had: the clock of a process has its id in its own (clock_getcpuclockid(3))."""
        return time.clock_gettime(~self._process.pid << 3 | 2)


def _busiest(agents: Sequence[Alone], duration: float) -> float:
    """Percent of a core that the one takes that takes most."""
    start, before = time.monotonic(), [one.spent() for one in agents]
    time.sleep(duration)
    taken = time.monotonic() - start
    return max(one.spent() - spent for one, spent in zip(agents, before, strict=True)) / taken * 100


@contextmanager
def idle_contest(terms: Terms) -> Iterator[Contest]:
    """The agents of a host and a bridge, a process each, that only keep alive what there can be on an uplink."""
    with arena(terms.lab) as stack:
        contest = Contest()
        layout = _up(laden(terms.lab, ASSOCIATIONS))
        names = [*(one.name for one in layout.bridges), *(one.name for one in layout.hosts)]
        agents = [stack.enter_context(closing(Alone(terms.lab, name))) for name in names]
        for one in agents:
            one.wait()
        times = layout.signalling
        keep_alive = VdpTimers.of(0, times.rte, times.rwd, times.rka).keep_alive
        contest.enter(OURS, partial(_busiest, agents, keep_alive * WINDOW))
        contest.enter(NOBODY, lambda: IDLE_PERCENT)
        yield contest
