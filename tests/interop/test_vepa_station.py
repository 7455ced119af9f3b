# SPDX-License-Identifier: Apache-2.0
"""Another's station on a bridge of ours: a plain Linux host with macvlans in VEPA mode, and lldpad that speaks VDP.

Its cable is a device of this machine (`remote`). It has no channel control: what lldpad asks for is all that the bridge
knows. This kernel has no 802.1Q devices, so the frames of macvlans are written with their VLAN's tag, octet by octet.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from uuid import UUID

import pytest

from openfex.datapath.tables import read_drops
from openfex.lab import lab, staffing
from openfex.lab.names import netns_of
from openfex.lab.view.look import look
from openfex.lab.view.ports import port_rows
from openfex.lab.workshop import Workshop
from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.linux.sysctl import sysctl
from openfex.model.drops import DropReason
from openfex.model.values import BROADCAST, Mac, port_number
from openfex.plan.identity import vsi_type_of
from openfex.proof.bed import frame, numbers
from openfex.wire import VlanTag
from openfex.wire.evb import EvbMode
from tests.interop.debian import programs_of
from tests.interop.lldpad import PEER, SHORT, THEIRS, Lldpad, lldpad
from tests.netns.labs import running
from tests.netns.policed import wait_until

pytestmark = [pytest.mark.root, pytest.mark.interop, pytest.mark.slow]

LAB, CABLE, MTU, LINK = "test-station", "fex-t-vepa", 1600, 16
DEADLINE_S = 60.0
ONE, TWO, THREE, STRANGER = (Mac.parse(f"52:54:00:00:aa:0{number}") for number in (1, 2, 3, 9))
UUIDS = [UUID(f"11223344-5566-4788-99aa-{number:012x}") for number in range(5)]
VLAN_10, VLAN_20 = VlanTag(10).encode(), VlanTag(20).encode()
YES = "Response from VDP"
TEXT = f"""
kind: network
name: {LAB}
spec: {{bridges: {{sw: {{ports: [up0]}}}}, signalling: {{retransmission: 160ms, resource-wait: 1s, keep-alive: 500ms}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: profile
name: data
spec: {{vlan: {{access: 20}}}}
---
kind: profile
name: judging
spec: {{vlan: {{access: 10}}, rate: {{out: 1Gbit}}}}
---
kind: profile
name: guarded
spec: {{vlan: {{access: 10}}, source: {{guard: true}}}}
---
kind: host
name: st
spec: {{channel: vepa, remote: true, uplinks: {{a: {{device: {PEER}, bridge: sw, port: {CABLE}, mtu: {MTU}}}}}}}
"""


@dataclass
class Town:
    """The lab, and the station that is at its bridge."""

    peer: Lldpad
    folder: Path

    def run(self, command: list[str]) -> str:
        """What a command says in the station's name space."""
        with TemporaryFile() as said:
            done = netns.spawn(THEIRS, command, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            assert done.wait(DEADLINE_S) is not None
            said.seek(0)
            return said.read().decode()

    def ask(self, mode: str, number: int, mac: Mac, profile: str = "web", vlan: int = 10) -> str:
        """Have lldpad ask for a VSI; what it says then."""
        kind = vsi_type_of(profile)
        known = {"mgrid2": "openfex", "typeid": str(kind.number), "typeidver": str(kind.version)}
        filters = f"{vlan}-{mac}"
        return self.run(self.peer.vdptool(mode, **known, uuid=str(UUIDS[number]), hints="none", filter=filters))

    def up(self) -> dict[str, str]:
        """The vEths of the station that are up: their MACs and profiles."""
        rows = port_rows(look(lab.layout_of(LAB)))
        mine = [row for row in rows if row["host"] == "st" and row["state"] == "up"]
        assert not any(row["note"] for row in mine), "as what the agents remember says"
        return {str(row["mac"]): str(row["profile"]) for row in mine}

    def codes(self) -> list[object]:
        """The codes of what the bridge's agent has refused."""
        return [row["code"] for row in staffing.read_log(LAB) if row["event"] == "refused"]

    def drops(self, number: int, reason: DropReason) -> int:
        with Workshop(LAB) as workshop:
            return read_drops(workshop.node(netns_of(LAB, "bridge", "sw")))[number, reason]


until = partial(wait_until, patience_s=DEADLINE_S, pause_s=0.02)


def is_relay_on(town: Town) -> bool:
    """As both ends say: only then does lldpad listen to ECP."""
    rows = [row for row in staffing.neighbours(LAB) if row["device"] == "uplink16"]
    return bool(rows) and bool(rows[0]["relay"]) and "rrstat" in town.run(town.peer.lldptool("-t", "-V", "evb"))


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    netns.delete(THEIRS)
    netns.create(THEIRS)
    sysctl(THEIRS, "net.ipv6.conf.default.disable_ipv6", 1)
    with Netlink() as here, Netlink(THEIRS) as theirs:
        if CABLE in {link.name for link in here.links()}:
            here.delete(CABLE)
        here.add_veth(CABLE, PEER, mtu=MTU, peer_netns=THEIRS)
        theirs.set(PEER, up=True)
    with running(TEXT), lldpad(programs_of("lldpad"), tmp_path, EvbMode.STATION, SHORT) as peer:
        found = Town(peer, tmp_path)
        until(lambda: is_relay_on(found), "reflective relay is on")
        yield found
    netns.delete(THEIRS)


def add_macvlan(town: Town, name: str, mac: Mac) -> None:
    words = f"ip link add link {PEER} name {name} address {mac} type macvlan mode vepa"
    assert town.run(words.split()) == ""
    assert town.run(["ip", "link", "set", name, "up"]) == ""


def test_a_veth_is_there_as_long_as_its_vsi_is(town: Town) -> None:
    assert YES in town.ask("assoc", 0, ONE)
    assert YES in town.ask("assoc", 1, TWO, "data", 0), "the bridge chooses the VLAN"
    assert town.up() == {str(ONE): "web", str(TWO): "data"}
    assert lab.drift(LAB).operations == ()
    assert YES in town.ask("deassoc", 0, ONE)
    until(lambda: town.up() == {str(TWO): "data"}, "it goes when its VSI has gone")
    town.peer.kill()
    until(lambda: town.up() == {}, "the keep-alive time of a station that is gone runs out")
    assert lab.drift(LAB).operations == ()


def test_agents_that_are_killed_adopt_what_the_station_has(town: Town) -> None:
    assert YES in town.ask("assoc", 0, ONE)
    assert YES in town.ask("assoc", 1, TWO)
    assert YES in town.ask("deassoc", 0, ONE)
    until(lambda: town.up() == {str(TWO): "web"}, "it goes when its VSI has gone")
    found = staffing.find(LAB)
    assert found is not None
    staffing.stop(LAB)
    staffing.start(LAB)
    assert town.up() == {str(TWO): "web"}
    assert YES in town.ask("assoc", 2, THREE)
    assert town.up() == {str(TWO): "web", str(THREE): "web"}


def test_an_edit_of_the_documents_leaves_the_station_what_it_has(town: Town) -> None:
    assert YES in town.ask("assoc", 0, ONE)
    more = "---\nkind: profile\nname: more\nspec: {vlan: {access: 30}}\n"
    assert lab.up(TEXT + more).operations == ()
    assert town.up() == {str(ONE): "web"}
    assert YES in town.ask("assoc", 1, TWO, "more", 30)
    assert town.up() == {str(ONE): "web", str(TWO): "more"}
    assert lab.drift(LAB).operations == ()


def test_macvlans_reach_each_other_by_reflection_alone_and_as_their_ports_say(town: Town) -> None:
    for number, (name, mac) in enumerate({"mv1": ONE, "mv2": TWO, "mv3": THREE}.items()):
        add_macvlan(town, name, mac)
        assert YES in town.ask("assoc", number, mac, *(("data", 20) if mac == THREE else ()))
    names = ("mv1", "mv2", "mv3")
    sockets = {name: PacketSocket(name, netns=THEIRS, promiscuous=False) for name in names}
    with PacketSocket(PEER, netns=THEIRS) as wire:
        capture = PacketCapture({**sockets, "wire": wire})
        sockets["mv1"].send(frame(TWO, ONE, 1, VLAN_10))
        sockets["mv1"].send(frame(BROADCAST, ONE, 2, VLAN_10))
        sockets["mv1"].send(frame(TWO, STRANGER, 3, VLAN_10))  # a forged source
        sockets["mv1"].send(frame(TWO, THREE, 4, VLAN_10))  # another's, in a VLAN that is not its own
        sockets["mv1"].send(frame(TWO, ONE, 5, VLAN_20))  # a VLAN that is not its own
        sockets["mv1"].send(frame(TWO, ONE, 6))  # none
        sockets["mv3"].send(frame(TWO, THREE, 7, VLAN_20))  # out of its VLAN into another
        sockets["mv2"].send(frame(ONE, TWO, 8, VLAN_10))
        # macvlan hands on broadcasts later than the rest
        capture.collect(lambda seen: 8 in numbers(seen["mv1"]) and 2 in numbers(seen["mv2"]), DEADLINE_S)
    seen = {name: set(numbers(capture.frames[name])) for name in (*names, "wire")}
    for socket in sockets.values():
        socket.close()
    assert seen["mv2"] == {1, 2}
    assert seen["mv1"] == {8}
    assert {1, 2, 8} <= seen["wire"], "they came back by the cable"
    assert not seen["wire"] & {3, 4, 5, 6, 7}
    veths = {mac: port_number(LINK, 1 + index) for index, mac in enumerate((ONE, TWO, THREE))}
    assert town.drops(port_number(LINK), DropReason.UNKNOWN_CHANNEL) >= 1
    assert town.drops(veths[THREE], DropReason.VLAN_NOT_ALLOWED) == 1
    assert town.drops(veths[ONE], DropReason.VLAN_NOT_ALLOWED) == 1
    assert town.drops(veths[THREE], DropReason.VLAN_MISMATCH) == 1
    assert town.drops(port_number(LINK), DropReason.NOT_IN_CHANNEL) >= 1


def test_what_cannot_be_held_is_refused_with_its_reason(town: Town) -> None:
    assert YES in town.ask("assoc", 0, ONE)
    for number, words in enumerate(((ONE, "web", 10), (TWO, "judging", 10), (TWO, "guarded", 10), (TWO, "web", 30)), 1):
        mac, profile, vlan = words
        said = town.ask("assoc", number, mac, profile, vlan)
        assert "Error" in said or "mode = deassoc" in said, "which is what vdptool says of a no"
    assert town.up() == {str(ONE): "web"}
    assert [*dict.fromkeys(town.codes())] == ["mac-taken", "vepa-judges-out", "guard-needs-address", "bad-filter"]
