# SPDX-License-Identifier: Apache-2.0
"""Another's station at a bridge's agent: it has no channel control, and what it asks for by VDP is all that it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from openfex.bridge.agent import BridgeAgent
from openfex.bridge.register import Held
from openfex.bridge.register import Station as Silent
from openfex.bridge.register import lay_out as laid_out
from openfex.bridge.vsi_manager import DocumentManager
from openfex.model.layout import Layout
from openfex.model.reader import read_documents
from openfex.model.values import LAST_CHANNEL, ChannelKind, Mac, port_number
from openfex.plan.layout import lay_out
from openfex.plan.vepa import find_split
from openfex.protocol.uplink import Uplink, bridge_end, station_end
from openfex.protocol.vdp import Vsi
from openfex.protocol.vdp_bridge import MOST_VSIS
from openfex.protocol.vdp_station import Station
from openfex.wire.control import HostEntry
from openfex.wire.evb import Evb, EvbMode
from openfex.wire.tlv import Tlv
from openfex.wire.vdp import Command
from openfex.wire.vsi import Filter, Vsiid
from tests.unit.bridge.rig import Rig, function, mac, vsi

LINK, OTHER = 16, 17
TEXT = """
kind: network
name: lab
spec: {bridges: {sw: {ports: [up0, up1]}}, signalling: {}}
---
kind: profile
name: web
spec: {vlan: {access: 10}}
---
kind: profile
name: trunk
spec: {vlan: {trunk: {native: 10, allowed: [10, 20]}}}
---
kind: profile
name: judging
spec: {vlan: {access: 10}, rate: {out: 1Gbit}}
---
kind: profile
name: guarded
spec: {vlan: {access: 10}, source: {guard: true}}
---
kind: host
name: st
spec: {channel: vepa, remote: true, uplinks: {a: {device: eth0, bridge: sw, port: enp1s0}}}
---
kind: host
name: st2
spec: {channel: vepa, remote: true, uplinks: {a: {device: eth0, bridge: sw, port: enp2s0}}}
---
kind: host
name: own
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
---
kind: adapter
name: n1
spec: {host: own, model: bcm-8, functions: 1}
---
kind: machine
name: absent
spec: {host: own, nics: {eth0: {profile: web, mac: "02:00:00:00:00:09"}}}
"""


class PlainEnd(Uplink[Station]):
    """An end that does not say that it has channel control."""

    def _tlvs(self, says: Evb) -> list[Tlv]:
        return super()._tlvs(says)[:-1]


class PlainRig(Rig):
    """Stations without channel control."""

    def __init__(self, layout: Layout, before: Rig | None = None) -> None:
        memory, tables = (before.memory, before.tables) if before else (None, None)
        super().__init__(layout, memory=memory, tables=tables)
        ends = {link: bridge_end(self._settings("sw", link, EvbMode.BRIDGE, self.session)) for link in self.links}
        plain = {one.bridge_link: one.host for one in layout.uplinks_of("sw") if one.kind is ChannelKind.VEPA}
        manager = DocumentManager(layout.profiles, layout.bindings)
        self.agent = BridgeAgent(self.bridge, manager, ends, tables, memory, plain)

    def begin(self, *links: int) -> None:
        self._perform(self.agent.start(self.now))
        for link in links:
            settings = self._settings(f"h{link}", link, EvbMode.STATION, link)
            whole = station_end(settings)
            end = self.stations[link] = PlainEnd(settings, whole.vdp, whole.mirror)
            self._put(link, end.start(self.now))
        self.run(0.5)


@pytest.fixture
def layout() -> Layout:
    return lay_out(read_documents(TEXT))


@pytest.fixture
def rig(layout: Layout) -> Rig:
    made = PlainRig(layout)
    made.begin(LINK, OTHER)
    return made


def mac_of(number: int) -> Mac:
    """One of many."""
    return Mac(b"\x06\0" + number.to_bytes(4, "big"))


def veth(number: int, link: int = LINK) -> int:
    return port_number(link, number)


def test_an_uplink_is_vepa_before_anybody_is_there(layout: Layout) -> None:
    rig = PlainRig(layout)
    rig.begin()
    assert {rig.tables.links[link] for link in (LINK, OTHER)} == {ChannelKind.VEPA}
    assert all(port.network for port in rig.tables.ports.values())


def test_a_granted_vsi_is_a_veth_that_goes_with_it(rig: Rig) -> None:
    rig.ask(LINK, vsi(1, 1))
    rig.ask(LINK, vsi(2, 2, "trunk"))
    assert rig.up() == {veth(1): mac(1), veth(2): mac(2)}
    assert all(rig.tables.ports[one].vepa for one in rig.up())
    rig.ask(LINK, vsi(1, 1), Command.DE_ASSOCIATE)
    assert rig.up() == {veth(2): mac(2)}
    assert veth(1) not in rig.tables.ports
    rig.ask(LINK, vsi(3, 3))
    assert rig.up() == {veth(1): mac(3), veth(2): mac(2)}


def test_it_is_granted_at_once_and_nobody_is_waited_for(rig: Rig) -> None:
    """Nobody there could say that it has new lists."""
    rig.ask(LINK, vsi(1, 1))
    rig.ask(LINK, vsi(2, 2))
    assert rig.now == 0.5
    assert len(rig.up()) == 2
    assert not [log for log in rig.logs if log.event == "host-late"]


def test_what_is_pre_associated_is_a_port_that_is_down(rig: Rig) -> None:
    rig.ask(LINK, vsi(1, 1), Command.PRE_ASSOCIATE)
    assert rig.up() == {}
    assert veth(1) in rig.tables.ports
    rig.ask(LINK, vsi(1, 1))
    assert rig.up() == {veth(1): mac(1)}


def test_p3_the_veths_of_a_silent_station_go(rig: Rig) -> None:
    rig.ask(LINK, vsi(1, 1))
    rig.run(60)
    assert rig.up() == {}
    assert all(port.network for port in rig.tables.ports.values())


def test_p5_another_agent_adopts_them_by_the_same_numbers(rig: Rig, layout: Layout) -> None:
    rig.ask(LINK, vsi(1, 1))
    rig.ask(LINK, vsi(2, 2))
    rig.ask(LINK, vsi(1, 1), Command.DE_ASSOCIATE)
    again = PlainRig(layout, before=rig)
    again.begin(LINK, OTHER)
    assert again.up() == {veth(2): mac(2)}
    assert again.writes == 0
    again.ask(LINK, vsi(2, 2))
    assert again.up() == {veth(2): mac(2)}


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (vsi(2, 1), "mac-taken"),
        (vsi(2, 2, "judging"), "vepa-judges-out"),
        (vsi(2, 2, "guarded"), "guard-needs-address"),
        (vsi(2, 2, "unknown"), "unknown-vsi-type"),
        (replace(vsi(2, 2), filters=(Filter(30, mac(2)),)), "bad-filter"),
        (replace(vsi(2, 2), filters=(Filter(10),)), "bad-filter"),
        (replace(vsi(2, 2), vsiid=Vsiid.mac(mac(2))), "vsiid-not-uuid"),
        (replace(vsi(2, 2), vsiid=Vsiid.uuid(UUID(int=0))), "vsiid-not-uuid"),
        (vsi(2, 9), "mac-taken"),
    ],
)
def test_what_cannot_be_held_is_refused_and_leaves_nothing(rig: Rig, wish: Vsi, code: str) -> None:
    rig.ask(LINK, vsi(1, 1))
    rig.ask(LINK, wish)
    assert rig.codes() == {code}
    assert rig.up() == {veth(1): mac(1)}
    assert veth(2) not in rig.tables.ports
    assert wish.vsiid not in rig.agent.stations[LINK].bound
    assert len(rig.agent.stations[LINK].functions) == 1


def test_what_documents_give_to_a_vsi_is_that_one_s(rig: Rig, layout: Layout) -> None:
    (theirs,) = layout.bindings
    rig.ask(LINK, replace(vsi(2, 9), vsiid=Vsiid.uuid(UUID(theirs.uuid))))
    assert rig.up() == {veth(1): mac(9)}


def test_p2_a_station_cannot_have_what_another_holds(rig: Rig) -> None:
    rig.ask(LINK, vsi(1, 1))
    rig.ask(OTHER, vsi(2, 1))
    assert rig.up() == {veth(1): mac(1)}
    rig.ask(OTHER, vsi(1, 5))
    assert rig.up() == {veth(1): mac(1)}
    assert rig.codes() == {"mac-taken", "vsi-elsewhere"}


FLOODS: dict[str, Callable[[int], Vsi]] = {
    "of a MAC that is another's": lambda number: vsi(number, 1),
    "of no profile": lambda number: vsi(number, 2, "unknown"),
    "of a profile that is none for it": lambda number: vsi(number, 2, "judging"),
    "of VLANs that the profile does not have": lambda number: replace(vsi(number, 2), filters=(Filter(30, mac(2)),)),
    "of VSIs that are no UUIDs": lambda number: replace(vsi(number, 2), vsiid=Vsiid.mac(mac_of(number))),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_p2_a_flood_of_what_cannot_be_held_leaves_no_number_and_touches_nobody(rig: Rig, flood: str) -> None:
    rig.ask(OTHER, vsi(1, 1))
    station = rig.agent.stations[LINK]
    rig.flood(LINK, [FLOODS[flood](1000 + number) for number in range(LAST_CHANNEL + 100)])
    rig.run(1)
    assert rig.codes(), "it was refused"
    assert (station.functions, station.bound, station.held) == ({}, {}, {})
    assert rig.agent.ends[LINK].vdp.associations == {}
    assert rig.up() == {veth(1, OTHER): mac(1)}
    rig.ask(LINK, vsi(2, 2))
    rig.ask(OTHER, vsi(3, 3))
    assert rig.up() == {veth(1, OTHER): mac(1), veth(1): mac(2), veth(2, OTHER): mac(3)}


def test_p2_who_asks_for_more_than_its_uplink_can_have_has_no_more_and_takes_none_of_others(rig: Rig) -> None:
    """There is a number for each VSI that VDP takes; here it takes few, to be quick."""
    assert MOST_VSIS <= LAST_CHANNEL
    station, vdp = rig.agent.stations[LINK], rig.agent.ends[LINK].vdp
    vdp.most = 100
    rig.flood(LINK, [replace(vsi(1000 + one, 2), filters=(Filter(0, mac_of(one)),)) for one in range(2 * vdp.most)])
    rig.run(1)
    assert len(station.functions) == len(station.held) == vdp.most
    assert station.bound.keys() == station.held.keys() == vdp.associations.keys()
    rig.ask(OTHER, vsi(1, 1))
    assert rig.up()[veth(1, OTHER)] == mac(1)
    rig.run(60)
    assert (station.functions, station.held, rig.up()) == ({}, {}, {}), "it was silent, and nothing of it is left"


def test_all_of_a_station_have_one_network_port_in_a_vlan(rig: Rig) -> None:
    for number in range(1, 9):
        rig.ask(LINK, vsi(number, number, "web" if number % 2 else "trunk"))
    assert len({rig.tables.ports[number].pin for number in rig.up()}) == 1


def test_one_that_would_have_a_vlan_by_another_network_port_is_refused() -> None:
    """One port carries VLAN 10, the other 20: who has both by one of them has one of them otherwise than its like."""
    ports = "{up0: {profile: web}, up1: {profile: data}}"
    text = TEXT.replace("[up0, up1]", ports) + "---\nkind: profile\nname: data\nspec: {vlan: {access: 20}}\n"
    rig = PlainRig(lay_out(read_documents(text)))
    rig.begin(LINK)
    rig.ask(LINK, vsi(1, 1))
    rig.ask(LINK, vsi(2, 2, "data"))
    rig.ask(LINK, vsi(3, 3, "trunk"))
    assert rig.up() == {veth(1): mac(1), veth(2): mac(2)}
    assert rig.codes() == {"vepa-pins-differ"}


def test_p7_what_another_s_station_says_of_generations_means_nothing(rig: Rig) -> None:
    """It has our channel control all of a sudden, and a function that would be of a later generation."""
    rig.ask(OTHER, vsi(1, 1))
    station = rig.agent.stations[LINK]
    for key, value in function(7, bound=1, generation=99).items():
        station.hear(key, value)
    rig.ask(LINK, vsi(1, 1))
    assert rig.up() == {veth(1, OTHER): mac(1)}
    assert rig.codes() == {"vsi-elsewhere"}


def test_what_is_remembered_is_judged_beside_hosts_that_nobody_signals_at(layout: Layout) -> None:
    rig = PlainRig(layout)
    rig.begin(LINK)
    rig.ask(LINK, vsi(1, 1))
    again, fixed = PlainRig(layout, rig), Silent(20)
    web = next(one for one in layout.profiles if one.name == "web")
    fixed.held[vsi(5, 1).vsiid] = Held(web, mac(1), generation=1)
    again.agent.stand_in([fixed])
    again.begin(LINK)
    assert again.up() == {}
    again.ask(LINK, vsi(5, 7))
    assert again.codes() == {"vsi-elsewhere"}
    assert again.agent.stations[20].held == fixed.held


@pytest.mark.parametrize("narrow", ["up0", "up1"])
def test_p11_what_an_edit_gives_a_vlan_by_another_network_port_is_let_go(layout: Layout, narrow: str) -> None:
    rig = PlainRig(layout)
    rig.begin(LINK)
    rig.ask(LINK, vsi(1, 1))
    rig.ask(LINK, vsi(2, 2, "trunk"))
    assert len(rig.up()) == 2
    ports = {"up0": "{}", "up1": "{}", narrow: "{profile: data}"}
    text = TEXT.replace("[up0, up1]", f"{{up0: {ports['up0']}, up1: {ports['up1']}}}")
    again = PlainRig(
        lay_out(read_documents(text + "---\nkind: profile\nname: data\nspec: {vlan: {access: 20}}\n")), rig
    )
    again.begin(LINK)
    laid = laid_out(again.bridge, again.agent.stations.values())
    assert [*find_split(laid)] == []
    pins = {one.profile.name: one.pin.name if one.pin else "" for one in laid.bindings}
    assert pins in (
        {"web": "up1", "trunk": "up1"},
        {"web": "up0", "trunk": "up0"},
        {"web": {"up0": "up1", "up1": "up0"}[narrow]},
    )
    assert len(again.up()) == len(pins)


def test_an_agent_of_ours_there_announces_its_functions_itself(layout: Layout) -> None:
    rig = PlainRig(layout)
    Rig.begin(rig, LINK)
    rig.tell(LINK, {HostEntry.KEY: HostEntry(ChannelKind.VEPA, "st").encode()})
    rig.ask(LINK, vsi(1, 1))
    assert rig.up() == {}, "it has not said on which function that is"
    assert rig.agent.stations[LINK].bound == {}
