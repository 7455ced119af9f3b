# SPDX-License-Identifier: Apache-2.0
"""Hosts and bridges on bad cables, whose agents die and come back: whatever happens, all of them come to agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openfex.lab.town import DELAY_S, End, Fate, ideal
from openfex.model.layout import Layout
from openfex.model.reader import read_documents
from openfex.model.values import ChannelKind
from openfex.plan.layout import lay_out
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.testing.signalling import Town

TIMES = (10, 14, 16)
"""RTE, RWD, RKA: an ack within 10 ms, a keep-alive every 0.66 s, expiry after 1.1 s."""
QUIET_S = 45.0
"""By then all agree: an LLDPDU every 30 s, and what comes of it. Virtual, and mostly of silence."""
LONGEST_S = 0.3
TEXT = """
kind: network
name: lab
spec: {{bridges: {{sw-a: {{fabric: a, ports: [up0]}}, sw-b: {{fabric: b, ports: [up0]}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: profile
name: judged
spec: {{vlan: {{access: 10}}, rate: {{{way}: 1Gbit}}}}
---
kind: host
name: h1
spec: {{channel: {kind}, uplinks: {{a: {{device: up-a, bridge: sw-a}}, b: {{device: up-b, bridge: sw-b}}}}}}
---
kind: adapter
name: n1
spec: {{host: h1, model: bcm-8, functions: 4}}
---
kind: host
name: h2
spec: {{channel: {kind}, uplinks: {{a: {{device: up-a, bridge: sw-a}}}}}}
---
kind: adapter
name: n2
spec: {{host: h2, model: bcm-8, functions: 3}}
---
kind: machine
name: m1
spec: {{host: h1, nics: {{eth0: {{profile: web}}, eth1: {{profile: web, fabric: b}}, eth2: {{profile: judged}}}}}}
---
kind: machine
name: m2
spec: {{host: h2, nics: {{eth0: {{profile: web}}, eth1: {{profile: judged}}}}}}
"""


@cache
def layout_of(kind: ChannelKind) -> Layout:
    way = "in" if kind is ChannelKind.VEPA else "out"  # by which no profile may judge what leaves
    return lay_out(read_documents(TEXT.format(kind=kind.value, way=way)))


@st.composite
def fates(draw: st.DrawFn) -> Fate:
    """What becomes of frames, in turns: of each end its own, some of which are cut off."""
    delays = st.floats(0, LONGEST_S, allow_nan=False)
    well = st.just((DELAY_S,))
    one = st.one_of(well, st.just(()), st.tuples(delays), st.tuples(delays, delays), st.just((DELAY_S,) * 2))
    turns: dict[End, Iterator[tuple[float, ...]]] = {}
    moods = st.one_of(st.lists(one, min_size=1, max_size=12), st.just([()]), st.just([(DELAY_S,)]))

    def fate(end: End, _octets: bytes) -> Iterable[float]:
        return next(turns[end])

    for end in (("h1", 1), ("h1", 2), ("h2", 1)):
        turns[end] = cycle(draw(moods))
    for bridge in ("sw-a", "sw-b"):
        mood = cycle(draw(moods))
        turns |= {(bridge, link): mood for link in range(64)}
    return fate


def disturb(data: st.DataObject, town: Town) -> None:
    """One thing that happens on a bad day."""
    names = ["h1", "h2", "sw-a", "sw-b"]
    match data.draw(st.sampled_from(("cable", "kill", "restart", "restart", "bind"))):
        case "cable":
            town.fate = data.draw(fates())
        case "kill":
            name = data.draw(st.sampled_from(names))
            if name in town.agents:
                town.kill(name)
        case "restart":
            town.restart(data.draw(st.sampled_from(names)))
        case _:
            name = data.draw(st.sampled_from(("h1", "h2")))
            if name in town.agents:
                nics = town.layout.bindings_on(name)
                town.bind(name, [one for one in nics if data.draw(st.booleans())])


def check_agreed(town: Town) -> None:
    """The tables of all nodes are those that the layout compiles to, but for the ids of lists."""
    bridges = {}
    for one in town.layout.bridges:
        wanted, found = compile_bridge(town.layout, one.name), town.fabric.bridges[one.name].tables
        bridges[one.name] = found
        assert (found.links, found.ports, found.veths) == (wanted.links, wanted.ports, wanted.veths)
        assert [*found.floods] == [*wanted.floods]
    for host in town.layout.hosts:
        assert town.host(host.name).is_settled
        assert town.fabric.hosts[host.name].tables == compile_extender(town.layout, host, bridges)


@settings(max_examples=25)
@given(st.data())
def test_p5_whatever_happens_all_agree_in_the_end(data: st.DataObject) -> None:
    live_through(data)


@pytest.mark.long
@settings(max_examples=300)
@given(st.data())
def test_p5_and_whatever_else_happens(data: st.DataObject) -> None:
    live_through(data)


def live_through(data: st.DataObject) -> None:
    """Some bad days, and then a good one."""
    town = Town(layout_of(data.draw(st.sampled_from(ChannelKind))), TIMES, data.draw(fates()))
    town.start()
    for _ in range(data.draw(st.integers(1, 6))):
        town.run(data.draw(st.sampled_from((0.0, 0.003, 0.05, 0.5, 3.0))))
        disturb(data, town)
    town.fate = ideal
    for name in [*(one.name for one in town.layout.hosts), *(one.name for one in town.layout.bridges)]:
        if name not in town.agents:
            town.restart(name)
    for host in town.layout.hosts:
        town.bind(host.name, town.layout.bindings_on(host.name))
    town.run(QUIET_S)
    check_agreed(town)
