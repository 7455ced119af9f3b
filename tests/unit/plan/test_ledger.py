# SPDX-License-Identifier: Apache-2.0
"""Numbers follow NICs, and none is lost or made."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openfex.plan.ledger import NOTHING, Ledger, Tally, follow

PORTS = "abcdef"
COUNTS = st.fixed_dictionaries({port: st.builds(Tally, *[st.integers(0, 9)] * 9) for port in PORTS})


def shown(ledger: Ledger, counted: Ledger, port: str) -> Tally:
    return ledger.get(port, NOTHING).plus(counted.get(port, NOTHING))


def test_a_nic_s_numbers_go_with_it_and_those_that_were_there_come_back() -> None:
    counted = {"old": Tally(in_frames=5), "new": Tally(in_frames=2)}
    ledger = follow({}, {"old": "new"}, counted, counted)
    assert shown(ledger, counted, "new").in_frames == 5
    assert shown(ledger, counted, "old").in_frames == 2


def test_what_is_counted_on_the_way_is_the_nic_s() -> None:
    before = {"old": Tally(in_frames=5), "new": Tally(in_frames=2)}
    after = {"old": Tally(in_frames=6), "new": Tally(in_frames=3)}
    ledger = follow({}, {"old": "new"}, before, after)
    assert shown(ledger, after, "new").in_frames == 7


def test_there_and_back_again_nothing_is_left_to_adjust() -> None:
    counted = {"old": Tally(in_frames=5), "new": Tally(in_frames=2)}
    there = follow({}, {"old": "new"}, counted, counted)
    assert follow(there, {"new": "old"}, counted, counted) == {}


def test_a_nic_s_numbers_outlive_the_bridge_that_counted_them() -> None:
    assert follow({}, {"b:1": "a:1"}, {"b:1": Tally(in_frames=100)}, {})["a:1"].in_frames == 100


@st.composite
def moved(draw: st.DrawFn) -> dict[str, str]:
    sources = draw(st.lists(st.sampled_from(PORTS), unique=True, max_size=5))
    targets = draw(st.permutations(PORTS))
    return {source: target for source, target in zip(sources, targets, strict=False) if source != target}


@given(moved(), COUNTS, COUNTS)
def test_each_nic_finds_its_numbers_and_the_sum_stays(ways: dict[str, str], counted: Ledger, older: Ledger) -> None:
    ledger = follow(older, ways, counted, counted)
    for source, target in ways.items():
        assert shown(ledger, counted, target) == shown(older, counted, source)
    for port in set(PORTS) - ways.keys() - set(ways.values()):
        assert shown(ledger, counted, port) == shown(older, counted, port)
    sums = [
        [sum(column) for column in zip(*(shown(one, counted, port) for port in PORTS), strict=True)]
        for one in (older, ledger)
    ]
    assert sums[0] == sums[1]
