# SPDX-License-Identifier: Apache-2.0
"""A host's agent on another's bridge, which has VDP alone: what it associates is up, as documents say."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from openfex.host.agent import HostAgent, WriteHost
from openfex.model.layout import Binding, Layout
from openfex.model.reader import read_documents
from openfex.model.values import Mac
from openfex.plan.layout import lay_out
from openfex.protocol.evb import EvbSettings
from openfex.protocol.output import Send, Transmit, earliest
from openfex.protocol.uplink import Uplink, UplinkSettings, bridge_end, station_end
from openfex.protocol.vdp_bridge import Accept, Asked, Bridge, Reject
from openfex.rules.compiler import compile_extender
from openfex.rules.tables import ExtenderTables, Members
from openfex.wire.evb import Evb, EvbMode
from openfex.wire.tlv import Tlv
from openfex.wire.vdp import ErrorCode
from openfex.wire.vsi import Filter

TEXT = """
kind: network
name: lab
spec: {bridges: {tor: {remote: true}}, signalling: {}}
---
kind: profile
name: web
spec: {vlan: {access: 10}}
---
kind: profile
name: both
spec: {vlan: {trunk: {native: 10, allowed: [10, 20]}}}
---
kind: host
name: h1
spec: {channel: vepa, uplinks: {a: {device: up-a, bridge: tor, port: enp1s0}}}
---
kind: adapter
name: n1
spec: {host: h1, model: bcm-8, functions: 3}
---
kind: machine
name: vm1
spec: {host: h1, nics: {eth0: {profile: web}, eth1: {profile: both}}}
"""
LINK = 1


class PlainBridge(Uplink[Bridge]):
    """An end that does not say that it has channel control."""

    def _tlvs(self, says: Evb) -> list[Tlv]:
        return super()._tlvs(says)[:-1]


def settings(name: str, role: EvbMode) -> UplinkSettings:
    source = Mac(b"\x02\0\0\0\0" + bytes((role,)))
    return UplinkSettings(source, source, name, name, EvbSettings(role), session=1)


Judge = Callable[[Asked], Accept | Reject]


class Cable:
    """The agent of the layout's host, and another's bridge at the other end, in virtual time."""

    def __init__(self, layout: Layout, tables: ExtenderTables | None = None) -> None:
        whole = bridge_end(settings("tor", EvbMode.BRIDGE))
        self.bridge = PlainBridge(whole.settings, whole.vdp, whole.mirror)
        host, ends = layout.hosts[0], {LINK: station_end(settings("h1", EvbMode.STATION))}
        self.tables = tables or ExtenderTables()
        self.agent = HostAgent(host, layout.bindings, ends, tables)
        self.judge: Judge = lambda asked: Accept(asked.vsi.filters)
        self.asked: list[Asked] = []
        self.writes = 0
        self.now = 0.0
        self.at_bridge(self.bridge.start(self.now))
        self._at_host(self.agent.start(self.now))
        self.run(1)

    def run(self, duration: float) -> None:
        until = self.now + duration
        while (at := earliest([self.agent.deadline, self.bridge.deadline])) is not None and at <= until:
            self.now = max(self.now, at)
            self._at_host(self.agent.expire(self.now))
            self.at_bridge(self.bridge.expire(self.now))
        self.now = until

    def bind(self, bindings: Iterable[Binding]) -> None:
        self._at_host(self.agent.bind(bindings, self.now))
        self.run(1)

    def _at_host(self, effects: Iterable[object]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.at_bridge(self.bridge.receive(effect.octets, self.now))
            elif isinstance(effect, WriteHost):
                self.tables, self.writes = effect.tables, self.writes + 1
                self._at_host(self.agent.written(self.now))

    def at_bridge(self, outputs: Iterable[object]) -> None:
        for output in outputs:
            if isinstance(output, Transmit):
                self._at_host(self.agent.receive(LINK, output.octets, self.now))
            elif isinstance(output, Asked):
                self.asked.append(output)
                self.at_bridge(self.bridge.vdp.answer(output, self.judge(output), self.now))


@pytest.fixture
def layout() -> Layout:
    return lay_out(read_documents(TEXT))


def test_it_asks_for_its_macs_and_vlans_and_what_is_granted_is_up(layout: Layout) -> None:
    cable = Cable(layout)
    one, two = layout.bindings
    assert [asked.vsi.filters for asked in cable.asked] == [
        (Filter(10, one.mac),),
        (Filter(10, two.mac), Filter(20, two.mac)),
    ]
    assert cable.tables == compile_extender(layout, layout.hosts[0], {})
    assert cable.agent.is_settled
    assert cable.bridge.agreement
    assert cable.bridge.agreement.reflective_relay


def test_what_is_taken_away_and_then_refused_is_down_and_on_no_list(layout: Layout) -> None:
    one, two = layout.bindings
    cable = Cable(layout)
    assert cable.tables.functions[two.host_port].up
    cable.judge = lambda _: Reject(ErrorCode.INSUFFICIENT_RESOURCES)
    cable.at_bridge(cable.bridge.vdp.de_associate(cable.asked[1].key, cable.now))
    cable.run(3)
    assert not cable.tables.functions[two.host_port].up
    assert cable.tables.functions[one.host_port].up
    assert cable.tables.lists == {(LINK, 10): Members(untagged=frozenset({one.function.channel}))}
    assert cable.tables.owners == {(LINK, one.mac): one.host_port}


def test_p5_another_agent_has_what_is_up_confirmed_and_writes_nothing(layout: Layout) -> None:
    before = Cable(layout)
    again = Cable(layout, before.tables)
    assert again.writes == 0
    assert again.tables == before.tables
    assert again.agent.is_settled


def test_p3_nothing_is_up_before_the_bridge_has_said_so(layout: Layout) -> None:
    ends = {LINK: station_end(settings("h1", EvbMode.STATION))}
    agent = HostAgent(layout.hosts[0], layout.bindings, ends)
    (written,) = [effect for effect in agent.start(0.0) if isinstance(effect, WriteHost)]
    assert not any(function.up for function in written.tables.functions.values())
    assert written.tables.lists == {}
    assert not agent.is_settled


def test_what_documents_say_is_up_on_a_bridge_that_speaks_no_vdp() -> None:
    layout = lay_out(read_documents(TEXT.replace("remote: true", "remote: true, agent: false")))
    agent = HostAgent(layout.hosts[0], layout.bindings, {})
    (written,) = [effect for effect in agent.start(0.0) if isinstance(effect, WriteHost)]
    assert agent.written(0.0) == []
    assert agent.is_settled
    assert written.tables == compile_extender(layout, layout.hosts[0], {})
    assert sum(function.up for function in written.tables.functions.values()) == len(layout.bindings) == 2


def test_nics_that_come_and_go_are_asked_for_and_let_go_on_another_s_bridge(layout: Layout) -> None:
    cable = Cable(layout)
    one, two = layout.bindings
    cable.bind([one])
    assert [cable.tables.functions[nic.host_port].up for nic in (one, two)] == [True, False]
    assert cable.tables.owners == {(LINK, one.mac): one.host_port}
    assert cable.agent.is_settled
    cable.bind([one, two])
    assert cable.asked[-1].vsi.filters == (Filter(10, two.mac), Filter(20, two.mac))
    assert cable.tables == compile_extender(layout, layout.hosts[0], {})
    assert cable.agent.is_settled


def test_nics_that_come_and_go_are_as_documents_say_on_a_bridge_that_speaks_no_vdp() -> None:
    layout = lay_out(read_documents(TEXT.replace("remote: true", "remote: true, agent: false")))
    one, two = layout.bindings
    agent = HostAgent(layout.hosts[0], [one], {})
    agent.start(0.0)
    agent.written(0.0)
    for bound in ([two], [one, two]):
        assert [type(effect) for effect in agent.bind(bound, 1.0)] == [WriteHost]
        agent.written(1.0)
        up = {port for port, function in agent.tables.functions.items() if function.up}
        assert up == {nic.host_port for nic in bound}
        assert agent.is_settled
    assert agent.tables == compile_extender(layout, layout.hosts[0], {})
