# SPDX-License-Identifier: Apache-2.0
"""P10 from frame to frame: what the bridge learns, forgets, and has no room for, is the same in every engine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from openfex.model.drops import DropReason
from openfex.model.values import ChannelKind, Mac, port_number
from openfex.rules.compiler import compile_bridge
from openfex.rules.decision import Decision, Verdict
from openfex.rules.tables import BridgeTables, Station
from openfex.testing.frames import Arrival
from openfex.testing.kernel import KernelEngine, kernel_now_ns
from openfex.testing.layouts import LayoutBuilder, access, veth_mac
from openfex.testing.tables import AGEING_NS, STATIONS
from tests.bpf.trials import BridgeTrial, OctetsTrial

pytestmark = pytest.mark.root

NET1, NET2, VETH = port_number(1), port_number(2), port_number(16, 1)
VETH_MAC = veth_mac(16, 1)
SECOND_NS = 10**9
ROOM = 3
DEADLINE_S = 20


@pytest.fixture(scope="module", params=["tc", "xdp"])
def attachment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def bridge(attachment: str) -> Iterator[KernelEngine]:
    with KernelEngine("bridge", attachment) as engine:
        yield engine


@pytest.fixture
def small_bridge(attachment: str) -> Iterator[KernelEngine]:
    with KernelEngine("bridge", attachment, max_entries={"stations": ROOM}) as engine:
        yield engine


def tables() -> BridgeTables:
    """One vEth, pinned to the first of two network ports; all in VLAN 10."""
    builder = LayoutBuilder()
    name = builder.bridge("sw-a")
    pin = builder.port(name, access(10))
    builder.port(name, access(10))
    builder.bind(builder.host("h1", ChannelKind.ETAG, [name], [1]), 1, access(10), pin)
    made = compile_bridge(builder.layout(), name)
    made.ageing_ns = AGEING_NS
    return made


def from_network(port: int, src: Mac, dst: Mac = VETH_MAC) -> Arrival:
    return Arrival(port, dst.octets + src.octets + b"\x12\x34" + bytes(46))


def to_station(dst: Mac) -> Arrival:
    return Arrival(
        port_number(16), dst.octets + VETH_MAC.octets + bytes.fromhex("893f000000010000") + b"\x12\x34" + bytes(46)
    )


def way(decision: Decision) -> tuple[Verdict, DropReason, int]:
    return decision.verdict, decision.reason, decision.out


def test_p10_a_station_is_learnt_found_moved_and_found_again(bridge: KernelEngine) -> None:
    trial = BridgeTrial(bridge, tables())
    assert trial.feed(to_station(STATIONS[0])).verdict is Verdict.FLOOD
    trial.feed(from_network(NET1, STATIONS[0]))
    assert way(trial.feed(to_station(STATIONS[0]))) == (Verdict.DELIVER, DropReason.NONE, NET1)
    trial.feed(from_network(NET2, STATIONS[0]))
    assert trial.tables.stations[STATIONS[0], 10].port == NET2
    totals = trial.kernel.totals()
    assert (totals.learnt, totals.moved) == (1, 1)
    trial.check()


def test_p10_an_address_is_written_again_when_it_is_a_second_old(bridge: KernelEngine) -> None:
    trial = BridgeTrial(bridge, tables())
    trial.feed(from_network(NET1, STATIONS[0]))
    trial.age(AGEING_NS - 2 * SECOND_NS)
    old = trial.tables.stations[STATIONS[0], 10].seen_ns
    trial.feed(from_network(NET1, STATIONS[0]))
    assert trial.tables.stations[STATIONS[0], 10].seen_ns > old
    trial.check()


def test_p10_a_station_not_heard_for_the_ageing_time_is_flooded_to(bridge: KernelEngine) -> None:
    trial = BridgeTrial(bridge, tables())
    trial.feed(from_network(NET1, STATIONS[0]))
    assert trial.feed(to_station(STATIONS[0])).verdict is Verdict.DELIVER
    trial.age(AGEING_NS)
    assert trial.feed(to_station(STATIONS[0])).verdict is Verdict.FLOOD
    trial.check()


def test_p10_a_station_heard_by_a_cpu_that_is_ahead_is_not_too_old(bridge: KernelEngine) -> None:
    """The clock is read at the frame's start; meanwhile another CPU may hear the station at the next tick."""
    trial = BridgeTrial(bridge, tables())
    trial.feed(from_network(NET1, STATIONS[0]))
    trial.age(-SECOND_NS)
    assert way(trial.feed(to_station(STATIONS[0]))) == (Verdict.DELIVER, DropReason.NONE, NET1)
    trial.feed(from_network(NET1, STATIONS[0]))
    trial.check()


def test_p10_a_learnt_address_that_becomes_a_veth_s_is_forgotten(bridge: KernelEngine) -> None:
    trial = BridgeTrial(bridge, tables())
    trial.feed(from_network(NET1, STATIONS[0]))
    trial.bind(STATIONS[0], VETH)
    assert trial.feed(from_network(NET1, STATIONS[0])).reason is DropReason.OWN_SOURCE
    assert (STATIONS[0], 10) not in trial.kernel.stations()
    trial.check()


def test_p10_after_a_new_binding_other_stations_are_checked_once_and_stay(bridge: KernelEngine) -> None:
    trial = BridgeTrial(bridge, tables())
    trial.feed(from_network(NET1, STATIONS[0]))
    trial.bind(STATIONS[1], VETH)
    trial.feed(from_network(NET1, STATIONS[0]))
    assert trial.kernel.stations()[STATIONS[0], 10].epoch == trial.tables.epoch
    assert trial.kernel.totals().learnt == 1
    trial.check()


def test_p10_without_room_frames_pass_and_known_stations_still_move(small_bridge: KernelEngine) -> None:
    trial = BridgeTrial(small_bridge, tables())
    for mac in STATIONS:
        assert trial.feed(from_network(NET1, mac)).verdict is Verdict.DELIVER
    assert trial.kernel.totals().not_learnt == len(STATIONS) - ROOM
    trial.feed(from_network(NET2, STATIONS[0]))
    assert trial.kernel.totals().moved == 1
    assert trial.feed(to_station(STATIONS[-1])).verdict is Verdict.FLOOD
    trial.check()


def test_p10_a_frame_that_xdp_passes_to_tc_is_learnt_from_and_counted_once() -> None:
    with (
        KernelEngine("bridge", max_entries={"stations": 1}) as tc,
        KernelEngine("bridge", "xdp", beside=tc) as xdp,
    ):
        made = tables()
        made.most_stations = 1
        trial = OctetsTrial(xdp, made, partner=tc)
        for mac in STATIONS[:2]:
            trial.feed(from_network(NET1, mac, dst=Mac(b"\xff" * 6)))
        trial.check()


def test_p10_the_kernel_s_timer_forgets_what_a_sweep_forgets() -> None:
    with KernelEngine("bridge") as engine:
        trial = BridgeTrial(engine, tables())
        now_ns = kernel_now_ns()
        for index, mac in enumerate(STATIONS):
            age_ns = 2 * AGEING_NS if index % 2 else 0
            trial.tables.stations[mac, 10] = Station(NET1, now_ns - age_ns)
        engine.learn(trial.tables.stations)
        trial.reference.sweep(now_ns)
        assert trial.reference.totals.aged == len(STATIONS) // 2
        engine.start_ageing()
        deadline = time.monotonic() + DEADLINE_S
        while engine.totals().aged < trial.reference.totals.aged and time.monotonic() < deadline:
            os.sched_yield()
        trial.check()
