# SPDX-License-Identifier: Apache-2.0
"""Any octets on any port: no crash, nothing uncounted, nothing at a port of another VLAN."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.bridge.agent import BridgeAgent
from openfex.model.layout import Layout
from openfex.model.values import BROADCAST, ChannelKind, Mac, port_number
from openfex.testing.fabric import Fabric, Spot
from openfex.testing.layouts import VLANS, LayoutBuilder, access, trunk
from openfex.testing.strategies import layouts
from openfex.wire import ETag, VlanTag, VnTag
from tests.fuzz.agents import listen
from tests.fuzz.corpus import read_corpus
from tests.fuzz.neighbourhoods import BRIDGES, PLACES
from tests.fuzz.run import MOST_OCTETS
from tests.fuzz.targets import TARGETS, check_conserved
from tests.property.ports import FunctionWay, Way, check_delivered, ways_in


@pytest.mark.parametrize("target", TARGETS)
def test_what_a_fuzzer_found_worth_keeping_keeps_every_promise(target: str) -> None:
    inputs = read_corpus(target)
    assert len(inputs) >= 20, "the corpus is gone"
    for octets in inputs:
        TARGETS[target](octets)


def test_what_is_kept_for_agents_comes_as_far_as_ports_that_are_up() -> None:
    """Of bridges and hosts, in every neighbourhood; else it would say nothing about what comes behind that."""
    heard = [listen(octets) for octets in read_corpus("agents")]
    found = {(one.place, isinstance(one.agent, BridgeAgent)) for one in heard if one.most_up}
    assert found == {*((place, True) for place in BRIDGES), *((place, False) for place in PLACES)}


@pytest.mark.parametrize("target", TARGETS)
@given(octets=st.binary(max_size=MOST_OCTETS))
def test_any_octets_keep_every_promise(target: str, octets: bytes) -> None:
    TARGETS[target](octets)


@st.composite
def _octets(draw: st.DrawFn, layout: Layout, way: Way) -> bytes:
    """What is often almost a frame of that port: addresses and channels of the layout, tags of any number, the rest."""
    macs = [BROADCAST, Mac(b"\x02\0\0\0\0\x09"), *(one.mac for one in layout.bindings)]
    own = way.binding.mac if isinstance(way, FunctionWay) and way.binding else None
    channels = [1, *(one.function.channel for one in layout.bindings)]
    tags = st.one_of(
        st.builds(VlanTag, st.sampled_from((0, *VLANS)), tpid=st.sampled_from((VlanTag.C_TPID, VlanTag.S_TPID))),
        st.builds(VnTag, svif=st.sampled_from(channels)),
        st.builds(ETag, ecid=st.sampled_from(channels)),
    )
    source = own if own and draw(st.booleans()) else draw(st.sampled_from(macs))
    pieces = [draw(st.sampled_from(macs)).octets, source.octets]
    pieces += [tag.encode() for tag in draw(st.lists(tags, max_size=3))]
    return b"".join([*pieces, draw(st.binary(max_size=8))])


@pytest.mark.slow
@given(st.data())
def test_p3_any_octets_at_any_port_reach_no_port_of_another_vlan(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    fabric, ways = Fabric(layout), ways_in(layout)
    for _ in range(data.draw(st.integers(1, 8))):
        way = data.draw(st.sampled_from(ways))
        octets = data.draw(_octets(layout, way))
        way.send(fabric, octets)
        check_delivered(layout, way, octets, fabric.delivered)
        fabric.delivered.clear()
    check_conserved(fabric)


def test_the_law_sees_a_frame_in_the_wrong_vlan() -> None:
    """It would not be one that cannot be broken."""
    builder = LayoutBuilder()
    network = builder.port(builder.bridge("sw-a"), trunk([10, 20], native=10))
    host = builder.host("h1", ChannelKind.VNTAG, ["sw-a"], [1, 2])
    sender = builder.bind(host, 1, access(10), network)
    builder.bind(host, 2, access(20), network)
    layout = builder.layout()
    way = next(one for one in ways_in(layout) if isinstance(one, FunctionWay) and one.binding == sender)
    frame = BROADCAST.octets + sender.mac.octets + b"\x88\xb5" + bytes(46)
    check_delivered(layout, way, frame, [(Spot("sw-a", network.number), frame)])
    with pytest.raises(AssertionError, match="VLAN 10 came out"):
        check_delivered(layout, way, frame, [(Spot("h1", port_number(1, 2)), frame)])
    tagged = frame[:12] + VlanTag(20).encode() + frame[12:]
    with pytest.raises(AssertionError, match="VLAN None came out"):
        check_delivered(layout, way, tagged, [(Spot("sw-a", network.number), tagged)])
