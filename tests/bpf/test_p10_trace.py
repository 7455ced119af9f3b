# SPDX-License-Identifier: Apache-2.0
"""A trace says what the programs then do, and changes nothing: for the same frames and tables, random ones.

Where the frames that the programs decide about are counted, paid for and learnt from as the reference does it, although
each was traced before, the traces have left nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from openfex.datapath.trace import Tracer
from openfex.linux.libbpf import Map
from openfex.model.drops import DropReason
from openfex.rules.decision import Verdict, outcome
from openfex.rules.policy import judge_copy, read_frame
from openfex.rules.tables import Memory
from openfex.testing.frames import Arrival, BridgeScene, ExtenderScene
from openfex.testing.kernel import KernelEngine, KernelTables, kernel_now_ns
from openfex.testing.tables import make_bridge_tables, make_extender_tables
from tests.bpf.test_p10_engines_agree import (
    AT_BRIDGES,
    AT_EXTENDERS,
    bridge_tables,
    disturb,
    extender_tables,
    name_of,
)
from tests.bpf.trials import BridgeTrial, ExtenderTrial, explain

pytestmark = pytest.mark.root
FRAMES = 8_000
A_TABLE = 200
SMALL = 5
BURST = 4
"""Stations that the small bridge has room for, and sources."""
TRACED = 300
COPIED = 6
NO_CONTENTS = {"packets", "works", "exported", "rings"}
"""What programs write on, of the frame that is judged now; and what nobody can read."""


class Tracers:
    """The traces of one engine: one for each answer to what a trace is told when it is loaded."""

    def __init__(self, kernel: KernelEngine) -> None:
        self.kernel = kernel
        self._loaded: dict[tuple[bool, ...], Tracer] = {}
        self._stack = ExitStack()

    def close(self) -> None:
        self._stack.close()

    def now(self) -> Tracer:
        full = tuple(self._is_full(name) for name in ("stations", "veths") if self.kernel.role == "bridge")
        if full not in self._loaded:
            told = dict(zip(("stations_full", "veths_full"), full, strict=bool(full)))
            with self.kernel.pinned() as pins:
                constants = self.kernel.constants | told
                self._loaded[full] = self._stack.enter_context(Tracer(self.kernel.role, pins, constants, test=True))
        return self._loaded[full]

    def _is_full(self, name: str) -> bool:
        one = self.kernel.map(name)
        return one.max_entries <= 2 * SMALL and len(list(one.keys())) >= one.max_entries


@pytest.fixture(scope="module", params=["roomy", "small"])
def bridge(request: pytest.FixtureRequest) -> Iterator[Tracers]:
    entries = {"stations": SMALL} if request.param == "small" else {}
    with KernelEngine("bridge", max_entries=entries) as kernel:
        tracers = Tracers(kernel)
        yield tracers
        tracers.close()


@pytest.fixture(scope="module")
def extender() -> Iterator[Tracers]:
    with KernelEngine("extender") as kernel:
        tracers = Tracers(kernel)
        yield tracers
        tracers.close()


def feed(tracers: Tracers, trial: BridgeTrial | ExtenderTrial, arrival: Arrival) -> str:
    """Traced, and then decided about."""
    now_ns = kernel_now_ns()
    if isinstance(trial, BridgeTrial):
        tracers.kernel.set_clock(now_ns)
    traced = outcome(tracers.now().decide(arrival.at, arrival.octets).settled.decision)
    decided = trial.feed(arrival, now_ns) if isinstance(trial, BridgeTrial) else trial.feed(arrival)
    assert traced == decided, explain(arrival, trial.reference.tables, traced, decided)
    return name_of(decided)


@pytest.mark.slow
def test_a_trace_of_a_bridge_says_what_then_happens(bridge: Tracers) -> None:
    seen: Counter[str] = Counter()
    for seed in range(FRAMES // A_TABLE):
        chance = random.Random(seed)
        trial = BridgeTrial(bridge.kernel, bridge_tables(chance, seed))
        scene = BridgeScene(trial.tables)
        for count in range(A_TABLE):
            if count == A_TABLE // 2:
                disturb(trial, chance)
            arrival = scene.arrival(chance)
            for _ in range(BURST if count % BURST == 0 else 1):  # so that rates are exceeded on a slow machine, too
                seen[feed(bridge, trial, arrival)] += 1
        trial.check()
    assert seen.keys() == AT_BRIDGES


@pytest.mark.slow
def test_a_trace_of_an_extender_says_what_then_happens(extender: Tracers) -> None:
    seen: Counter[str] = Counter()
    for seed in range(FRAMES // A_TABLE):
        chance = random.Random(seed)
        trial = ExtenderTrial(extender.kernel, extender_tables(chance, seed))
        scene = ExtenderScene(trial.reference.tables)
        for _ in range(A_TABLE):
            seen[feed(extender, trial, scene.arrival(chance))] += 1
        trial.check()
    assert seen.keys() == AT_EXTENDERS


def test_a_copy_is_judged_as_the_reference_judges_it(bridge: Tracers) -> None:
    """Each frame that is flooded, at every port that there is."""
    seen: Counter[str] = Counter()
    for seed in range(COPIED):
        chance = random.Random(seed)
        trial = BridgeTrial(bridge.kernel, make_bridge_tables(chance))
        scene, reference = BridgeScene(trial.tables), trial.tables
        for _ in range(A_TABLE):
            arrival, now_ns = scene.arrival(chance), kernel_now_ns()
            bridge.kernel.set_clock(now_ns)
            decision = bridge.now().decide(arrival.at, arrival.octets).settled.decision
            for port in reference.ports if decision.verdict is Verdict.FLOOD else ():
                got = bridge.now().judge_copy(arrival.octets, port, decision.vlan).decided.decision.reason
                wanted = DropReason.NONE
                if reference.terms_of(reference.ports[port]).policy.judges_out:
                    memory = Memory(dict(reference.memory.macs), dict(reference.memory.due))
                    tables = replace(reference, memory=memory)
                    wanted = judge_copy(read_frame(arrival.octets), decision, port, now_ns, tables).reason
                assert got == wanted, explain(arrival, reference, wanted, got)
                seen[got.name] += 1
            trial.feed(arrival)
    assert seen.keys() >= {"NONE", "ACL_OUT", "UNREADABLE_HEADER"}


def octets_of(one: Map) -> object:
    """All that a map holds."""
    return list(one.used()) if one.type in (2, 6) else sorted(one.items())


def contents(kernel: KernelTables) -> dict[str, object]:
    """All that the maps hold, but for what programs write on."""
    maps = {name: kernel.map(name) for name in kernel.names if name not in NO_CONTENTS and "." not in name}
    return {name: octets_of(one) for name, one in maps.items()}


@pytest.mark.slow
def test_a_trace_changes_no_octet_of_any_map_of_a_bridge(bridge: Tracers) -> None:
    verdicts: set[Verdict] = set()
    for seed in range(4):
        chance = random.Random(seed)
        trial = BridgeTrial(bridge.kernel, make_bridge_tables(chance))
        scene = BridgeScene(trial.tables)
        for _ in range(A_TABLE):  # so that there is something to change
            trial.feed(scene.arrival(chance))
        before = contents(bridge.kernel)
        for _ in range(TRACED):
            arrival = scene.arrival(chance)
            decision = bridge.now().decide(arrival.at, arrival.octets).settled.decision
            verdicts.add(decision.verdict)
            for port in trial.tables.ports if decision.verdict is Verdict.FLOOD else ():
                bridge.now().judge_copy(arrival.octets, port, decision.vlan)
        assert contents(bridge.kernel) == before
    assert verdicts == {Verdict.DROP, Verdict.DELIVER, Verdict.FLOOD, Verdict.CONTROL}


@pytest.mark.slow
def test_a_trace_changes_no_octet_of_any_map_of_an_extender(extender: Tracers) -> None:
    verdicts: set[Verdict] = set()
    for seed in range(8):  # in an S-channel nothing is replicated
        chance = random.Random(seed)
        trial = ExtenderTrial(extender.kernel, make_extender_tables(chance))
        scene = ExtenderScene(trial.reference.tables)
        for _ in range(A_TABLE):
            trial.feed(scene.arrival(chance))
        before = contents(extender.kernel)
        arrivals = [scene.arrival(chance) for _ in range(TRACED)]
        verdicts |= {extender.now().decide(one.at, one.octets).settled.decision.verdict for one in arrivals}
        assert contents(extender.kernel) == before
    assert verdicts == {Verdict.DROP, Verdict.UP, Verdict.DELIVER, Verdict.REPLICATE, Verdict.CONTROL}


def test_the_comparison_of_maps_sees_one_frame(bridge: Tracers) -> None:
    chance = random.Random(1)
    trial = BridgeTrial(bridge.kernel, make_bridge_tables(chance))
    before = contents(bridge.kernel)
    trial.feed(BridgeScene(trial.tables).arrival(chance))
    assert contents(bridge.kernel) != before
