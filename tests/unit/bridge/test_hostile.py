# SPDX-License-Identifier: Apache-2.0
"""A bridge's agent and stations that want more than is theirs, or more than there is (P2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from openfex.model.layout import Layout
from openfex.model.reader import read_documents
from openfex.model.values import port_number
from openfex.plan.layout import lay_out
from openfex.protocol.mirror import MOST_ENTRIES
from openfex.protocol.vdp import Vsi
from openfex.protocol.vdp_bridge import MOST_VSIS
from openfex.wire.control import Key, Kind, function_key
from openfex.wire.vdp import Command
from openfex.wire.vsi import Vsiid
from tests.unit.bridge.rig import Entries, Rig, function, host, mac, uuid, vsi
from tests.unit.bridge.test_bridge_agent import TEXT

OWNED = {**host(), **function(1, bound=1, generation=5)}


@pytest.fixture(scope="module")
def layout() -> Layout:
    return lay_out(read_documents(TEXT))


@pytest.fixture
def rig(layout: Layout) -> Rig:
    """Two stations; the first has VSI 1 with MAC 1 on function 1."""
    made = Rig(layout)
    made.begin(*made.links)
    made.tell(made.links[0], OWNED)
    made.ask(made.links[0], vsi(1, 1))
    made.run(1)
    return made


def owned(rig: Rig) -> bool:
    """Whether the first station has what was its own."""
    one = rig.links[0]
    return rig.up().get(port_number(one, 1)) == mac(1) and Vsiid.uuid(uuid(1)) in rig.agent.ends[one].vdp.associations


CLAIMS: dict[str, tuple[Entries, Vsi, str]] = {
    "its VSI": ({**host("g"), **function(1, bound=1, generation=5)}, vsi(1, 1), "vsi-elsewhere"),
    "its VSI, with another MAC": ({**host("g"), **function(1, bound=1, generation=4)}, vsi(1, 9), "vsi-elsewhere"),
    "its MAC": ({**host("g"), **function(1, bound=2, generation=9)}, vsi(2, 1), "mac-taken"),
    "its MAC by a profile": ({**host("g"), **function(1, bound=2, generation=9)}, vsi(2, 2, "router"), "mac-taken"),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_p2_a_station_cannot_claim_what_is_another_s(rig: Rig, claim: str) -> None:
    entries, wish, code = CLAIMS[claim]
    thief = rig.links[1]
    rig.tell(thief, entries)
    rig.ask(thief, wish)
    rig.run(5)
    assert owned(rig)
    assert rig.codes() == {code}
    assert rig.up() == {port_number(rig.links[0], 1): mac(1)}


def test_p2_a_station_has_no_channel_but_those_of_its_own_uplink(rig: Rig) -> None:
    """Numbers are those of its uplink; those that name no channel there are no port, and no VSI comes to them."""
    one, thief = rig.links
    numbers = (0, 4095, 0xFFFF)
    entries = {**host("g")}
    for number in numbers:
        entries |= function(number, bound=2)
    rig.tell(thief, {**entries, **function(1)})
    rig.ask(thief, vsi(2, 2))
    rig.run(1)
    assert {number for number in rig.tables.ports if number >> 12 == thief} == {
        *(number for number in rig.tables.ports if number & 0xFFF == 0 and number >> 12 == thief),
        port_number(thief, 1),
    }
    assert rig.up() == {port_number(one, 1): mac(1)}
    assert owned(rig)


def test_p2_a_station_cannot_end_another_s_vsi(rig: Rig) -> None:
    rig.tell(rig.links[1], {**host("g"), **function(1)})
    rig.ask(rig.links[1], vsi(1, 1), Command.DE_ASSOCIATE)
    rig.run(1)
    assert owned(rig)


def flood_with_vsis(rig: Rig, link: int) -> None:
    """Many more VSIs than there can be, of functions that it never tells."""
    rig.flood(link, [vsi(1000 + number, 7) for number in range(MOST_VSIS + 600)])


def flood_with_functions(rig: Rig, link: int) -> None:
    """All numbers of functions, each with a name and addresses that say nothing, and more of them than there can be."""
    entries: Entries = {**host("g")}
    for number in range(MOST_ENTRIES // 2):
        entries |= function(number)
        entries[function_key(number, Kind.ADDRESSES)] = b""
    rig.tell(link, entries)


def flood_with_nonsense(rig: Rig, link: int) -> None:
    """Entries of kinds that are not a host's, and values that are none."""
    entries: Entries = {**host("g")}
    for number in range(3000):
        entries[function_key(number, Kind.VETH)] = b"\0" * 9
        entries[function_key(number, Kind.FUNCTION)] = b"\xff"
    rig.tell(link, entries)


FLOODS: dict[str, Callable[[Rig, int], None]] = {
    "VSIs": flood_with_vsis,
    "functions": flood_with_functions,
    "nonsense": flood_with_nonsense,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_what_a_station_can_make_a_bridge_remember_is_bounded(rig: Rig, flood: str) -> None:
    link = rig.links[1]
    FLOODS[flood](rig, link)
    rig.run(0.1)
    agent, station, end = rig.agent, rig.agent.stations[link], rig.agent.ends[link]
    assert len(end.mirror.copy) <= MOST_ENTRIES
    assert len(station.told) <= MOST_ENTRIES
    assert len(agent._asked) + len(agent._early) <= MOST_VSIS
    assert len(rig.tables.ports) <= 4 + 2 + 4094
    rig.ask(rig.links[0], vsi(1, 1))
    rig.run(12)
    assert len(agent._asked) + len(agent._early) == 0, "what was never said to be on a function is refused in time"
    assert len(rig.logs) < 50
    assert owned(rig)


def test_vsis_beyond_what_an_uplink_has_are_refused_with_a_code(rig: Rig) -> None:
    link = rig.links[1]
    flood_with_vsis(rig, link)
    rig.run(0.5)
    assert len(rig.agent._early) == MOST_VSIS


def test_an_address_that_is_let_go_may_be_another_s(rig: Rig) -> None:
    one, other = rig.links
    rig.ask(one, replace(vsi(1, 3)))
    rig.tell(other, {**host("g"), **function(1, bound=2)})
    rig.ask(other, vsi(2, 1))
    rig.run(1)
    assert rig.up() == {port_number(one, 1): mac(3), port_number(other, 1): mac(1)}


def test_keys_of_a_bridge_s_own_kinds_are_not_taken_from_a_station(rig: Rig) -> None:
    rig.tell(rig.links[1], {**host("g"), Key(Kind.LIST, b"\0\1\0\0"): bytes(16)})
    rig.run(1)
    assert all(key.kind is not Kind.LIST for key in rig.agent.stations[rig.links[1]].told)
