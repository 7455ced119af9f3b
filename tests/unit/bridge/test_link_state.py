# SPDX-License-Identifier: Apache-2.0
"""Link state both ways: a bridge hears whether a function's device has a link, a host why its vEth is down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.host.told import BridgeTold
from openfex.model.values import ChannelKind
from openfex.testing.signalling import Town
from openfex.wire.control import Kind, Reason, VethEntry, function_key
from tests.unit.bridge.test_agents import FAST, binding, check, layout_of, tables_of


@pytest.fixture(params=list(ChannelKind), ids=lambda kind: kind.value)
def town(request: pytest.FixtureRequest) -> Town:
    made = Town(layout_of(request.param), FAST)
    made.start()
    return made


def is_linked(town: Town, name: str) -> bool:
    """What the bridge knows of the function of a NIC."""
    one = binding(town, name)
    return town.bridge(one.uplink.bridge).stations[one.uplink.bridge_link].functions[one.function.channel].up


def veths(town: Town, name: str) -> list[str]:
    """What a host has logged of vEths."""
    return [log.words.rsplit("is ", 1)[1] for _, who, log in town.logs if who == name and log.event == "veth"]


def test_a_link_that_goes_is_told_and_remembered_and_no_table_is_another_for_it(town: Town) -> None:
    town.run(1)
    before = tables_of(town)
    assert is_linked(town, "m1/eth0")
    for up in (False, True, False):
        town.link(binding(town, "m1/eth0"), up=up)
        town.run(1)
        assert is_linked(town, "m1/eth0") is up
        assert is_linked(town, "m2/eth0")
        assert town.host("h1").is_settled
    for name in ("sw-a", "h1"):
        town.restart(name)
        town.run(1)
        assert is_linked(town, "m1/eth0") is (name == "h1"), "a bridge remembers; another agent of a host looks anew"
    assert {node: found is before[node] for node, found in tables_of(town).items()} == dict.fromkeys(before, True)
    check(town)


def test_a_link_that_is_as_it_was_is_not_told(town: Town) -> None:
    town.run(1)
    one = binding(town, "m1/eth0")
    assert town.host("h1").link(one.function.channel, True, town.now) == []
    spare = next(number for number in range(1, 5) if number not in {b.function.channel for b in town.layout.bindings})
    assert town.host("h1").link(spare, True, town.now) == [], "nobody is bound to it"


def test_a_nic_that_is_bound_to_a_function_without_a_link_is_told_so(town: Town) -> None:
    town.run(1)
    nics = [one for one in town.layout.bindings if one.uplink.host == "h2"]
    town.bind("h2", [one for one in nics if one.name != "m4/eth0"])
    town.run(1)
    town.link(binding(town, "m4/eth0"), up=False)
    town.bind("h2", nics)
    town.run(1)
    assert town.host("h2").is_settled
    assert not is_linked(town, "m4/eth0")


def test_ports_that_come_up_as_they_were_asked_to_are_no_news(town: Town) -> None:
    town.run(1)
    town.restart("sw-a")
    town.run(1)
    assert veths(town, "h1") == veths(town, "h2") == []


def test_a_host_hears_once_that_a_vsi_was_refused_and_when_it_is_up(town: Town) -> None:
    town.run(1)
    thief = replace(binding(town, "m4/eth0"), mac=binding(town, "m1/eth0").mac)
    others = [one for one in town.layout.bindings if one.uplink.host == "h2" and one.name != "m4/eth0"]
    town.bind("h2", others)
    town.run(1)
    del town.logs[:]
    town.bind("h2", [*others, thief])
    town.run(100)
    assert town.events("h2").count("refused") > 1, "it asks again and again"
    assert veths(town, "h2") == ["down: refused"]
    town.restart("sw-a")
    town.run(1)
    assert veths(town, "h2") == ["down: refused"], "and another agent of the bridge says the same"
    town.bind("h2", [*others, binding(town, "m4/eth0")])
    town.run(100)
    assert veths(town, "h2") == ["down: refused", "up"]


def test_a_host_that_was_silent_hears_that_its_vsis_have_expired(town: Town) -> None:
    town.run(1)
    town.kill("h2")
    town.run(5)
    station = town.bridge("sw-a").stations[binding(town, "m4/eth0").uplink.bridge_link]
    assert {station.why[number] for number in station.bound.values()} == {Reason.EXPIRED}
    town.restart("h2")
    town.run(5)
    assert sorted(veths(town, "h2")) == sorted(["down: expired", "up"] * 3)
    check(town)


def test_a_host_hears_that_a_vsi_was_taken_elsewhere(town: Town) -> None:
    town.run(1)
    moving = binding(town, "m1/eth0")
    there = town.layout.host("h2")
    moved = replace(moving, function=there.functions[5], uplink=there.uplinks[0], generation=2)
    town.bind("h2", [*(one for one in town.layout.bindings if one.uplink.host == "h2"), moved])
    town.run(1)
    assert veths(town, "h1")[:1] == ["down: withdrawn"]


def test_what_is_told_of_a_vsi_is_no_reason_for_the_next_one_of_its_function(town: Town) -> None:
    town.run(1)
    station = town.bridge("sw-a").stations[binding(town, "m4/eth0").uplink.bridge_link]
    [vsi] = [key for key, number in station.bound.items() if number == binding(town, "m4/eth0").function.channel]
    assert station.explain(vsi, Reason.REFUSED)
    assert not station.explain(vsi, Reason.REFUSED), "it is no news any more"
    town.bind("h2", [one for one in town.layout.bindings if one.uplink.host == "h2" and one.name != "m4/eth0"])
    town.run(1)
    assert station.why.get(binding(town, "m4/eth0").function.channel) is None


def test_words_for_what_a_bridge_tells() -> None:
    told, key = BridgeTold(), function_key(3, Kind.VETH)
    tries = [
        (VethEntry(3, reason=Reason.NO_ASSOCIATION), ""),
        (VethEntry(3, True), ""),
        (VethEntry(3, reason=Reason.NO_ASSOCIATION), "down: no association"),
        (VethEntry(3, reason=77), "down: reason 77"),
        (VethEntry(3, True), "up"),
    ]
    assert [told.hear(key, entry.encode()) for entry, _ in tries] == [words for _, words in tries]
    assert told.hear(key, None) == "down: no association"
    assert told.hear(key, b"\0") == ""
    assert told.malformed == 1
