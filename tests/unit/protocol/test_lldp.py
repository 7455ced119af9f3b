# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.protocol.lldp import (
    GoneReason,
    LldpAgent,
    LldpCounters,
    LldpOutput,
    LldpSettings,
    Neighbour,
    NeighbourChanged,
    NeighbourGone,
    NeighbourSeen,
)
from openfex.protocol.output import Transmit
from openfex.wire import Frame, VlanTag
from openfex.wire.lldp import ChassisId, Lldpdu, PortId, system_name
from openfex.wire.tlv import NEAREST_BRIDGE, NEAREST_CUSTOMER_BRIDGE, Tlv

OURS, THEIRS = Mac.parse("52:54:00:aa:00:01"), Mac.parse("52:54:00:bb:00:01")
SETTINGS = LldpSettings(OURS, ChassisId.of_mac(OURS), PortId.of_mac(OURS))
NAME = system_name("h1")


def started(settings: LldpSettings = SETTINGS, now: float = 0) -> LldpAgent:
    agent = LldpAgent(settings, [NAME])
    assert len(agent.start(now)) == 1
    return agent


def said(number: int = 1, *tlvs: Tlv, ttl: int = 120) -> Lldpdu:
    return Lldpdu(ChassisId.of_mac(THEIRS), PortId.of_interface(f"port{number}"), ttl, tlvs)


def frame(lldpdu: Lldpdu, source: Mac = THEIRS) -> bytes:
    return lldpdu.frame(NEAREST_CUSTOMER_BRIDGE, source)


def sent(outputs: list[LldpOutput]) -> list[Lldpdu]:
    return [Lldpdu.decode(Frame.decode(one.octets).payload) for one in outputs if isinstance(one, Transmit)]


def run(agent: LldpAgent, until: float) -> list[tuple[float, LldpOutput]]:
    """Call the agent whenever it wants to be called."""
    found = []
    while (deadline := agent.deadline) is not None and deadline <= until:
        outputs = agent.expire(deadline)
        assert outputs, "it wanted to be called for nothing"
        found += [(deadline, one) for one in outputs]
    return found


def times(found: list[tuple[float, LldpOutput]]) -> list[float]:
    return [now for now, one in found if isinstance(one, Transmit)]


def test_an_agent_that_is_not_started_is_silent_and_deaf() -> None:
    agent = LldpAgent(SETTINGS, [NAME])
    assert agent.deadline is None
    assert agent.announce([], 1) == agent.receive(frame(said()), 2) == agent.expire(3) == []
    assert (agent.neighbours, agent.counters) == ((), LldpCounters())


def test_what_is_said_is_who_we_are_for_how_long_and_the_tlvs() -> None:
    agent = LldpAgent(SETTINGS, [NAME, Tlv(9, b"x")])
    (one,) = agent.start(0)
    assert one == Transmit(
        Lldpdu(ChassisId.of_mac(OURS), PortId.of_mac(OURS), 120, (NAME, Tlv(9, b"x"))).frame(
            NEAREST_CUSTOMER_BRIDGE, OURS
        )
    )


def test_after_the_start_some_frames_come_a_second_apart_then_one_every_thirty() -> None:
    agent = started(now=100)
    assert times(run(agent, 200)) == [101, 102, 103, 133, 163, 193]


def test_the_times_are_settable() -> None:
    settings = LldpSettings(
        OURS, SETTINGS.chassis, SETTINGS.port, NEAREST_BRIDGE, interval=10, ttl=33, fast_frames=2, fast_interval=0.5
    )
    agent = LldpAgent(settings)
    (first,) = agent.start(0)
    assert isinstance(first, Transmit)
    assert first.octets[:6] == NEAREST_BRIDGE.octets
    assert sent([first])[0].ttl == 33
    assert times(run(agent, 21)) == [0.5, 10.5, 20.5]


def test_a_new_neighbour_hastens_us_but_we_say_nothing_before_its_owner_could_answer() -> None:
    agent = started()
    run(agent, 40)
    assert agent.receive(frame(said()), 40) == [NeighbourSeen(Neighbour(THEIRS, said(), 160))]
    assert agent.deadline == 40
    assert [one.tlvs for one in sent(agent.announce([Tlv(9, b"answer")], 40))] == [(Tlv(9, b"answer"),)]
    assert times(run(agent, 80)) == [41, 42, 43, 73]


def test_a_new_neighbour_is_told_who_we_are_even_if_nothing_changes() -> None:
    agent = started()
    run(agent, 40)
    agent.receive(frame(said()), 41)
    assert times(run(agent, 50)) == [41, 42, 43, 44]


def test_what_is_announced_is_sent_at_once_and_repeated_and_what_is_no_news_is_not() -> None:
    agent = started()
    run(agent, 40)
    assert agent.announce([NAME], 40) == []
    assert [one.tlvs for one in sent(agent.announce([], 40))] == [()]
    assert agent.announce([], 40) == []
    assert times(run(agent, 80)) == [41, 42, 43, 73]


def test_changes_leave_as_long_as_there_is_credit_and_then_once_a_second() -> None:
    agent = started()
    run(agent, 100)
    outputs = [one for number in range(20) for one in agent.announce([Tlv(9, bytes([number]))], 100)]
    assert len(outputs) == SETTINGS.burst
    later = run(agent, 110)
    assert times(later) == [101, 102, 103, 104]
    assert [one.tlvs for one in sent([one for _, one in later])] == [(Tlv(9, b"\x13"),)] * 4


def test_in_the_long_run_no_more_than_a_frame_a_second_leaves() -> None:
    agent = started()
    count = 0
    for tenth in range(1000):
        now = tenth / 10
        count += len(agent.announce([Tlv(9, str(tenth).encode())], now)) + len(agent.expire(now))
    assert count <= 100 + SETTINGS.burst
    assert count >= 100


def test_what_is_too_much_for_a_frame_is_refused_and_the_old_is_said_on() -> None:
    agent = started()
    with pytest.raises(WireError) as caught:
        agent.announce([Tlv(9, bytes(500))] * 3, 1)
    assert caught.value.code == "too-long"
    assert [one.tlvs for one in sent([one for _, one in run(agent, 1)])] == [(NAME,)]


def test_a_neighbour_that_says_the_same_again_is_no_news_and_lives_on() -> None:
    agent = started()
    agent.receive(frame(said()), 10)
    assert agent.receive(frame(said()), 20) == []
    assert agent.neighbours == (Neighbour(THEIRS, said(), 140),)


@pytest.mark.parametrize("changed", [said(1, NAME), said(ttl=60)])
def test_a_neighbour_that_says_something_else_is_told(changed: Lldpdu) -> None:
    agent = started()
    agent.receive(frame(said()), 10)
    heard = Neighbour(THEIRS, changed, 20 + changed.ttl)
    assert agent.receive(frame(changed), 20) == [NeighbourChanged(heard)]
    assert agent.neighbours == (heard,)


def test_a_neighbour_that_speaks_from_another_address_is_told() -> None:
    agent = started()
    agent.receive(frame(said()), 10)
    other = Mac.parse("52:54:00:bb:00:02")
    assert agent.receive(frame(said(), other), 20) == [NeighbourChanged(Neighbour(other, said(), 140))]


def test_a_silent_neighbour_is_forgotten_after_its_ttl() -> None:
    agent = started()
    agent.receive(frame(said(1, ttl=50)), 10)
    agent.receive(frame(said(2, ttl=7)), 10)
    gone = [(now, one) for now, one in run(agent, 100) if not isinstance(one, Transmit)]
    assert gone == [
        (17, NeighbourGone(Neighbour(THEIRS, said(2, ttl=7), 17), GoneReason.AGED)),
        (60, NeighbourGone(Neighbour(THEIRS, said(1, ttl=50), 60), GoneReason.AGED)),
    ]
    assert agent.neighbours == ()
    assert agent.counters.ageouts == 2


def test_a_neighbour_that_says_it_goes_is_gone_at_once() -> None:
    agent = started()
    agent.receive(frame(said()), 10)
    known = agent.neighbours[0]
    assert agent.receive(frame(said(ttl=0)), 11) == [NeighbourGone(known, GoneReason.SHUTDOWN)]
    assert agent.neighbours == ()
    assert agent.receive(frame(said(ttl=0)), 12) == []
    assert agent.counters.ageouts == 0


def test_more_neighbours_than_there_is_room_for_are_counted_and_not_kept() -> None:
    agent = started()
    for number in range(20):
        agent.receive(frame(said(number)), 10)
    assert [str(one.lldpdu.port) for one in agent.neighbours] == [f"port{number}" for number in range(8)]
    assert agent.counters.too_many_neighbours == 12
    assert agent.receive(frame(said(3)), 11) == []
    agent.receive(frame(said(3, ttl=0)), 12)
    assert agent.receive(frame(said(9)), 13) == [NeighbourSeen(Neighbour(THEIRS, said(9), 133))]


def test_our_own_frames_are_no_neighbour() -> None:
    agent = LldpAgent(SETTINGS, [NAME])
    (own,) = agent.start(0)
    assert isinstance(own, Transmit)
    assert agent.receive(own.octets, 0) == []
    assert agent.neighbours == ()
    assert agent.counters.own == 1


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        frame(said())[:13],
        frame(said())[:20],
        said().frame(NEAREST_BRIDGE, THEIRS),
        frame(said(), Mac(b"\x01" * 6)),
        Frame(NEAREST_CUSTOMER_BRIDGE, THEIRS, 0x8940, said().encode()).encode(),
        Frame.decode(frame(said())).push(VlanTag(0)).encode(),
        Frame.decode(frame(said())).push(VlanTag(2, tpid=0x88A8)).encode(),
        Frame(NEAREST_CUSTOMER_BRIDGE, THEIRS, 0x88CC, bytes(46)).encode(),
    ],
    ids=["nothing", "head", "cut", "other scope", "group source", "other ethertype", "priority", "S-tag", "empty"],
)
def test_what_is_no_lldpdu_to_this_scope_is_counted_and_does_nothing(octets: bytes) -> None:
    agent = started()
    deadline = agent.deadline
    assert agent.receive(octets, 0.5) == []
    assert (agent.neighbours, agent.deadline) == ((), deadline)
    assert agent.counters == LldpCounters(frames_out=1, frames_in=1, discarded=1)


def test_frames_are_counted_both_ways() -> None:
    agent = started()
    run(agent, 2)
    agent.receive(frame(said()), 3)
    agent.receive(frame(said(ttl=0)), 4)
    assert agent.counters == LldpCounters(frames_out=3, frames_in=2)
