# SPDX-License-Identifier: Apache-2.0
"""P10: for the same frames and tables the reference and the programs give the same decisions, counts and stations.

tests/bpf/test_p10_octets.py compares what then leaves; test_p10_wires.py does so with copies, on real wires.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.model.drops import DropReason
from openfex.rules.decision import Decision, Verdict
from openfex.rules.tables import BridgeTables, ExtenderTables
from openfex.testing.frames import Arrival, BridgeScene, ExtenderScene
from openfex.testing.kernel import KernelEngine, kernel_now_ns
from openfex.testing.strategies import bridge_traffic, extender_traffic
from openfex.testing.tables import (
    STATIONS,
    make_bridge_tables,
    make_extender_tables,
    spoil_bridge_tables,
    spoil_extender_tables,
)
from tests.bpf.trials import BridgeTrial, ExtenderTrial

pytestmark = pytest.mark.root

FRAMES = 10_000
"""For each role and attachment: 40,000 in all."""
MANY_FRAMES = 250_000
A_TABLE = 100
A_BRIDGE = 400
"""Of rates, and of sources that are learnt, a few frames say nothing yet."""
A_LONG_TABLE = 500
A_MOMENT = 200
"""Frames that come at the same time: on a slow machine a rate would not be reached else."""
SMALL = 5
"""Stations that the small bridge has room for."""
OFTEN = 10
AT_BOTH = {"TRUNCATED", "TOO_MANY_TAGS", "FORGED_TAG", "BPDU", "LINK_LOCAL", "NOT_IN_CHANNEL", "WRONG_DIRECTION"}
AT_BOTH |= {"BAD_TAG", "UNKNOWN_CHANNEL", "PORT_DOWN", "CONTROL", "SPOOFED_SOURCE", "VLAN_NOT_ALLOWED", "VLAN_MISMATCH"}
AT_EXTENDERS = {"UP", "DELIVER", "REPLICATE", "UNKNOWN_LIST", "SOURCE_PRUNED"} | AT_BOTH
AT_BRIDGES = {"FLOOD", "DELIVER", "BAD_SOURCE", "OWN_SOURCE"}
AT_BRIDGES |= {"UNREADABLE_HEADER", "SPOOFED_ADDRESS", "TOO_MANY_MACS", "ACL_IN", "ACL_OUT", "RATE_IN", "RATE_OUT"}
AT_BRIDGES |= {"NOT_PINNED", "NETWORK_TO_NETWORK", "SAME_PORT", "NO_RECEIVER"} | AT_BOTH
"""The verdicts and reasons that a decision can come to; NOT_SENT comes after it."""


@pytest.fixture(scope="module", params=["tc", "xdp"])
def attachment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def bridge(attachment: str) -> Iterator[KernelEngine]:
    with KernelEngine("bridge", attachment) as engine:
        yield engine


@pytest.fixture(scope="module")
def small_bridge(attachment: str) -> Iterator[KernelEngine]:
    with KernelEngine("bridge", attachment, max_entries={"stations": SMALL}) as engine:
        yield engine


@pytest.fixture(scope="module")
def extender(attachment: str) -> Iterator[KernelEngine]:
    with KernelEngine("extender", attachment) as engine:
        yield engine


Seen = Counter[str]
"""How often each verdict was reached, of drops each reason."""


def name_of(decision: Decision) -> str:
    return decision.reason.name if decision.verdict is Verdict.DROP else decision.verdict.name


def extender_tables(chance: random.Random, seed: int) -> ExtenderTables:
    tables = make_extender_tables(chance)
    return spoil_extender_tables(chance, tables) if seed % 3 == 0 else tables


def bridge_tables(chance: random.Random, seed: int) -> BridgeTables:
    tables = make_bridge_tables(chance)
    return spoil_bridge_tables(chance, tables) if seed % 3 == 0 else tables


def run_extender(kernel: KernelEngine, frames: int, a_table: int) -> Seen:
    seen: Seen = Counter()
    for seed in range(frames // a_table):
        chance = random.Random(seed)
        trial = ExtenderTrial(kernel, extender_tables(chance, seed))
        scene = ExtenderScene(trial.reference.tables)
        for _ in range(a_table):
            seen[name_of(trial.feed(scene.arrival(chance)))] += 1
        trial.check()
    return seen


def disturb(trial: BridgeTrial, chance: random.Random) -> None:
    """What happens to a bridge between two frames: time passes, and a station's address becomes a vEth's."""
    if chance.randint(1, 2) == 1:
        trial.age(chance.choice((3, 30)) * 10**9)
    if trial.tables.ports:
        trial.bind(chance.choice(STATIONS), chance.choice(sorted(trial.tables.ports)))


def run_bridge(kernels: tuple[KernelEngine, KernelEngine], frames: int, a_table: int) -> Seen:
    seen: Seen = Counter()
    for seed in range(frames // a_table):
        chance = random.Random(seed)
        trial = BridgeTrial(kernels[seed % 4 == 1], bridge_tables(chance, seed))
        scene, now_ns = BridgeScene(trial.tables), 0
        for count in range(a_table):
            if count == a_table // 2:
                disturb(trial, chance)
            if count % A_MOMENT == 0:
                now_ns = kernel_now_ns()
            seen[name_of(trial.feed(scene.arrival(chance), now_ns))] += 1
        trial.check()
    return seen


def check_reached(seen: Seen, frames: int, names: set[str]) -> None:
    """Each verdict and each reason came often; else agreement would say little."""
    assert seen.total() == frames
    assert seen.keys() == names
    assert {name: count for name, count in seen.items() if count < OFTEN} == {}


def test_there_is_no_other_verdict_or_reason() -> None:
    names = {reason.name for reason in DropReason} | {verdict.name for verdict in Verdict}
    assert names - {"NONE", "NOT_SENT", "DROP"} == AT_EXTENDERS | AT_BRIDGES


@pytest.mark.slow
def test_p10_the_extenders_agree(extender: KernelEngine) -> None:
    check_reached(run_extender(extender, FRAMES, A_TABLE), FRAMES, AT_EXTENDERS)


@pytest.mark.slow
def test_p10_the_bridges_agree(bridge: KernelEngine, small_bridge: KernelEngine) -> None:
    check_reached(run_bridge((bridge, small_bridge), 2 * FRAMES, A_BRIDGE), 2 * FRAMES, AT_BRIDGES)


@pytest.mark.long
def test_p10_a_million_frames(extender: KernelEngine, bridge: KernelEngine, small_bridge: KernelEngine) -> None:
    """Half of them for each attachment."""
    check_reached(run_extender(extender, MANY_FRAMES, A_LONG_TABLE), MANY_FRAMES, AT_EXTENDERS)
    check_reached(run_bridge((bridge, small_bridge), MANY_FRAMES, A_LONG_TABLE), MANY_FRAMES, AT_BRIDGES)


@given(traffic=extender_traffic())
def test_p10_the_extenders_agree_on_what_hypothesis_finds(
    extender: KernelEngine, traffic: tuple[ExtenderTables, list[Arrival]]
) -> None:
    tables, arrivals = traffic
    trial = ExtenderTrial(extender, tables)
    for arrival in arrivals:
        trial.feed(arrival)
    trial.check()


@given(traffic=bridge_traffic(), disturbances=st.lists(st.integers(0, 29), max_size=2), seed=st.integers(0, 99))
def test_p10_the_bridges_agree_on_what_hypothesis_finds(
    bridge: KernelEngine, traffic: tuple[BridgeTables, list[Arrival]], disturbances: list[int], seed: int
) -> None:
    tables, arrivals = traffic
    trial = BridgeTrial(bridge, tables)
    for count, arrival in enumerate(arrivals):
        if count in disturbances:
            disturb(trial, random.Random(seed))
        trial.feed(arrival)
    trial.check()
