# SPDX-License-Identifier: Apache-2.0
"""S-channels by CDCP: asked for, given, withdrawn one by one; and those that its list has no room for."""

from __future__ import annotations

import pytest

from openfex.model.layout import Binding
from openfex.model.reader import read_documents
from openfex.model.values import ChannelKind, port_number
from openfex.plan.layout import lay_out
from openfex.protocol.cdcp import CdcpBridge, CdcpStation
from openfex.rules.tables import Function
from openfex.testing.signalling import Town
from tests.unit.bridge.test_agents import FAST, check, layout_of, text_of

MOST = 166
"""S-channels beside the default one that a CDCP TLV can name."""
LONG_S = 40.0
"""Longer than a host waits before it asks again after a no that is meant to stay."""


def started(kind: ChannelKind = ChannelKind.SCHANNEL) -> Town:
    town = Town(layout_of(kind), FAST)
    town.start()
    town.run(5)
    check(town)
    return town


def binding(town: Town, machine: str) -> Binding:
    return next(one for one in town.layout.bindings if one.machine == machine)


def is_up(town: Town, one: Binding) -> bool:
    """Whether its function may speak."""
    return town.fabric.hosts[one.uplink.host].tables.functions.get(one.host_port, Function()).up


@pytest.mark.parametrize("kind", [kind for kind in ChannelKind if kind.is_schannel], ids=lambda kind: kind.value)
def test_they_are_asked_for_and_given(kind: ChannelKind) -> None:
    town = started(kind)
    for host in town.layout.hosts:
        for end in town.host(host.name).ends.values():
            assert isinstance(end.cdcp, CdcpStation)
            assert end.cdcp.given == {one.channel: one.channel for one in host.functions}


@pytest.mark.parametrize("kind", [ChannelKind.ETAG, ChannelKind.VNTAG], ids=lambda kind: kind.value)
def test_where_frames_have_other_tags_nobody_speaks_of_them(kind: ChannelKind) -> None:
    town = started(kind)
    assert {end.cdcp for end in town.host("h1").ends.values()} == {None}


def test_a_withdrawn_one_is_unknown_to_the_bridge_and_the_others_are_not_touched() -> None:
    town = started()
    one, other = binding(town, "m1"), binding(town, "m2")
    end = town.host("h1").ends[one.uplink.host_link]
    before = town.fabric.bridges["sw-a"].tables.ports[other.bridge_port]
    events = town.events("h1").count("lost")
    town.say("h1", one.uplink.host_link, end.ask([other.function.channel], town.now))
    town.run(3)
    ports = town.fabric.bridges["sw-a"].tables.ports
    assert one.bridge_port not in ports
    assert ports[other.bridge_port] == before
    assert (is_up(town, one), is_up(town, other)) == (False, True)
    assert town.events("h1").count("lost") == events + 1
    numbers = [function.channel for function in town.layout.host("h1").functions]
    town.say("h1", one.uplink.host_link, end.ask(numbers, town.now))
    town.run(LONG_S)
    check(town)


def test_a_vid_that_a_port_extender_cannot_have_keeps_that_function_down_alone() -> None:
    town = started()
    one, other = binding(town, "m1"), binding(town, "m2")
    giver = town.bridge("sw-a").ends[one.uplink.bridge_link].cdcp
    assert isinstance(giver, CdcpBridge)
    giver.adopt({**giver.given, one.function.channel: 4000})
    town.restart("h1")
    town.run(5)
    assert (is_up(town, one), is_up(town, other)) == (False, True)


REAL = text_of(ChannelKind.SCHANNEL_Q).replace(
    "uplinks: {a: {device: up-a, bridge: sw-a}}}\n---\nkind: adapter\nname: n2",
    "remote: true, uplinks: {a: {device: eno1, bridge: sw-a, port: eth1}}}\n---\nkind: adapter\nname: n2",
)


def test_a_real_adapter_takes_whatever_vid_its_function_is_given_and_keeps_it() -> None:
    town = Town(lay_out(read_documents(REAL)), FAST)
    one, other = binding(town, "m4"), binding(town, "m3")
    assert town.layout.host("h2").remote
    town.start()
    giver = town.bridge("sw-a").ends[one.uplink.bridge_link].cdcp
    assert isinstance(giver, CdcpBridge)
    giver.adopt({one.function.channel: 300})
    town.run(5)
    ports = town.fabric.bridges["sw-a"].tables.ports
    assert ports[port_number(one.uplink.bridge_link, 300)].up
    assert one.bridge_port not in ports
    channels = town.channels["h2"]
    assert (channels[one.function.channel], channels[other.function.channel]) == (300, other.function.channel)
    assert is_up(town, one)
    before = dict(channels), dict(ports)
    for name in ("h2", "sw-a"):
        town.restart(name)
        town.run(5)
        assert (town.channels["h2"], town.fabric.bridges["sw-a"].tables.ports) == before
    assert not {"lost", "expired"} & {*town.events("h2"), *town.events("sw-a")}


def test_what_the_list_has_no_room_for_goes_by_channel_control() -> None:
    text = text_of(ChannelKind.SCHANNEL).replace("functions: 70", "functions: 200").replace("n2/69", "n2/199")
    town = Town(lay_out(read_documents(text)), FAST)
    town.start()
    town.run(5)
    check(town)
    end, last = town.host("h2").ends[1].cdcp, binding(town, "m4")
    assert isinstance(end, CdcpStation)
    assert len(end.given) == MOST
    assert last.function.channel not in end.given
    assert is_up(town, last)
    for name in ("sw-a", "h2"):
        town.restart(name)
        town.run(5)
        check(town)
    assert not {"lost", "expired"} & {*town.events("h2"), *town.events("sw-a")}
