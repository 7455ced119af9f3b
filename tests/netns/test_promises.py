# SPDX-License-Identifier: Apache-2.0
"""Promises on real frames that no proof of the demo shows: what the network sends, no profile, what goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from openfex.datapath import node as node_room
from openfex.datapath import objects
from openfex.datapath import xdp as xdp_room
from openfex.datapath.tables import read_stations
from openfex.lab import lab
from openfex.lab.names import netns_of
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.model.counters import PortCounters
from openfex.model.drops import DropReason
from openfex.model.layout import Binding
from openfex.model.place import Place
from openfex.model.values import BROADCAST, ChannelKind, Mac
from openfex.proof.bed import NIC, Stage, frame, numbers
from openfex.proof.kernel_bed import DEADLINE_S, KernelBed, port_place
from openfex.rules.engine import up_tag
from openfex.wire import ETag, VlanTag, VnTag
from tests.netns.labs import PATHS, paths, running
from tests.netns.streams import stream_during

pytestmark = pytest.mark.root
STRANGER = Mac(b"\x52\x54\x33\x33\x33\x01")
OTHER = Mac(b"\x52\x54\x33\x33\x33\x02")
VLAN_10 = VlanTag(10).encode()


@dataclass
class Town:
    """The lab of paths, seen from the network."""

    bed: KernelBed
    outside: dict[str, PacketSocket]
    stage: Stage

    def binding(self, machine: str) -> Binding:
        return self.stage.bindings[machine]

    def drops(self, reason: DropReason) -> int:
        return self.stage.drops(reason)

    def from_network(self, port: str, *frames: bytes) -> dict[str, list[int]]:
        """Send into a network port; the numbers of what reached each NIC, once a last frame has reached its vEth."""
        to = {"up0": "a1", "up1": "a2"}[port]
        last, fence = self.stage.frame(self.binding(to).mac, STRANGER, VLAN_10)
        sockets = {name: socket for name, socket in self.bed._sockets.items() if name.startswith(NIC)}
        for socket in sockets.values():
            socket.drain()
        self.outside[port].send_many([*frames, fence])
        capture = PacketCapture(sockets)
        assert capture.collect(lambda seen: last in numbers(seen[f"{NIC}{to}/eth0"]), DEADLINE_S)
        return {name.removeprefix(NIC).split("/")[0]: numbers(seen) for name, seen in capture.frames.items()}


@pytest.fixture(scope="module", params=ChannelKind, ids=lambda kind: kind.value)
def town(request: pytest.FixtureRequest) -> Iterator[Town]:
    with running(paths(request.param, request.param)) as layout, KernelBed(layout) as bed:
        outside = {}
        for port in layout.bridges[0].ports:
            place = port_place(layout, port)
            outside[port.name] = PacketSocket(place.device, netns=place.netns)
        yield Town(bed, outside, Stage(bed))
        for socket in outside.values():
            socket.close()


def test_p11_a_broadcast_from_the_network_reaches_only_what_is_pinned_there(town: Town) -> None:
    number, octets = town.stage.frame(BROADCAST, STRANGER, VLAN_10)
    reached = town.from_network("up0", octets)
    assert {name for name, seen in reached.items() if number in seen} == {"a1", "a3", "t1", "t2"}
    assert all(seen.count(number) <= 1 for seen in reached.values())
    number, octets = town.stage.frame(BROADCAST, OTHER, VLAN_10)
    reached = town.from_network("up1", octets)
    assert {name for name, seen in reached.items() if number in seen} == {"a2"}


def test_p11_a_frame_for_a_veth_pinned_elsewhere_is_dropped(town: Town) -> None:
    before = town.drops(DropReason.NOT_PINNED)
    number, octets = town.stage.frame(town.binding("a2").mac, STRANGER, VLAN_10)
    reached = town.from_network("up0", octets)
    assert not any(number in seen for seen in reached.values())
    assert town.drops(DropReason.NOT_PINNED) == before + 1


def test_p11_our_own_addresses_do_not_come_from_the_network(town: Town) -> None:
    before = town.drops(DropReason.OWN_SOURCE)
    number, octets = town.stage.frame(town.binding("a1").mac, town.binding("a3").mac, VLAN_10)
    assert not any(number in seen for seen in town.from_network("up0", octets).values())
    assert town.drops(DropReason.OWN_SOURCE) == before + 1


def test_p11_nothing_goes_from_network_to_network(town: Town) -> None:
    town.from_network("up1", town.stage.frame(BROADCAST, OTHER, VLAN_10)[1])
    before = town.drops(DropReason.NETWORK_TO_NETWORK)
    for socket in town.outside.values():
        socket.drain()
    town.from_network("up0", town.stage.frame(OTHER, STRANGER, VLAN_10)[1])
    assert town.drops(DropReason.NETWORK_TO_NETWORK) == before + 1
    assert numbers(town.outside["up1"].drain()) == []


def test_p11_spanning_tree_frames_are_dropped_and_counted_from_both_sides(town: Town) -> None:
    bpdu = Mac(b"\x01\x80\xc2\0\0\0")
    before = town.drops(DropReason.BPDU)
    town.from_network("up0", town.stage.frame(bpdu, STRANGER, VLAN_10)[1])
    town.stage.exchange("a1", [frame(bpdu, town.binding("a1").mac, 1)], "a3")
    assert town.drops(DropReason.BPDU) == before + 2


def test_p11_stations_are_learnt_move_and_do_not_hide_a_new_veth(town: Town) -> None:
    node = town.bed.workshop.node(netns_of(town.bed.layout.lab, "bridge", "sw"))
    mover = Mac(b"\x52\x54\x33\x33\x33\x09")
    town.from_network("up0", town.stage.frame(BROADCAST, mover, VLAN_10)[1])
    first = read_stations(node)[mover, 10]
    town.from_network("up1", town.stage.frame(BROADCAST, mover, VLAN_10)[1])
    second = read_stations(node)[mover, 10]
    assert (first.port >> 12, second.port >> 12) == (1, 2)
    assert town.bed.counts()["sw"].totals.moved >= 1


def test_p2_the_edge_takes_no_channel_tag_from_a_machine(town: Town) -> None:
    before = town.drops(DropReason.FORGED_TAG)
    one = town.binding("a1")
    frames = [
        frame(BROADCAST, one.mac, 900 + index, tags)
        for index, tags in enumerate((VnTag(svif=2).encode(), ETag(2).encode(), VLAN_10 + ETag(2).encode()))
    ]
    seen = town.stage.exchange("a1", frames, "a3")
    assert town.drops(DropReason.FORGED_TAG) == before + 3
    assert not {900, 901, 902} & set(numbers(seen["up:h1.a"]))


def test_p3_a_channel_without_a_function_or_a_profile_passes_nothing(town: Town) -> None:
    layout = town.bed.layout
    unknown, down = town.drops(DropReason.UNKNOWN_CHANNEL), town.drops(DropReason.PORT_DOWN)
    kind = layout.hosts[0].kind
    source = town.binding("a1")
    place = Place(netns_of(layout.lab, "host", "h1"), "up-a")
    by_vepa = kind is ChannelKind.VEPA  # which has no channels: who is nobody's sends in vain
    with PacketSocket(place.device, netns=place.netns) as uplink:
        if by_vepa:
            uplink.send(frame(BROADCAST, STRANGER, 1006, VLAN_10))
        carved = layout.hosts[0].functions[-1].channel
        for number, channel in () if by_vepa else ((1006, carved), (1077, 77)):  # carved and not bound; never carved
            uplink.send(frame(BROADCAST, source.mac, number, up_tag(kind, channel, 0)))
    seen = town.stage.exchange("a1", [], "a3")
    assert town.drops(DropReason.PORT_DOWN) == down + (not by_vepa)
    assert town.drops(DropReason.UNKNOWN_CHANNEL) == unknown + 1
    assert not {1006, 1077} & set(numbers(seen["nic:a3/eth0"]))


def test_p3_an_unbound_function_passes_nothing() -> None:
    carved = PATHS.split("---\nkind: machine")[0].format(one="vntag", other="etag")
    carved = carved.replace("test-paths", "test-carved")
    with running(carved) as layout, KernelBed(layout) as bed:
        place = Place(netns_of(layout.lab, "host", "h1"), "f0v0")
        netlink = bed.workshop.spaces.netlink(place.netns)
        netlink.set("f0v0", up=True)  # what nobody should do: raise it by hand
        netlink.set("f0p0", up=True)
        assert netlink.wait_ready(["f0v0", "f0p0"], DEADLINE_S) == []
        stage = Stage(bed)
        with PacketSocket(place.device, netns=place.netns) as function:
            function.send(frame(BROADCAST, STRANGER, 1))
        assert stage.drops(DropReason.PORT_DOWN) >= 1
        assert bed.counts()["h1"].counters.get(1 << 12) is None


def test_p5_a_new_build_of_the_programs_replaces_the_old_under_traffic(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade: maps and what they hold are adopted, programs replaced one by one, and no frame is lost."""
    text = paths(town.bed.layout.hosts[0].kind, town.bed.layout.hosts[1].kind)
    before = town.bed.counts()["h1"].counters.get(1 << 12, PortCounters()).out_frames

    def upgrade() -> None:
        with monkeypatch.context() as patch:
            for room in (objects, node_room, xdp_room, lab):
                patch.setattr(room, "build_of", lambda role: f"next-{role}")
            patch.setattr("openfex.lab.workshop.build_of", lambda role: f"next-{role}")
            done = lab.up(text).operations
            assert sum("datapath" in str(operation) for operation in done) == 1 + len(town.bed.layout.hosts)
            assert lab.plan(text).operations == ()

    sent, arrived = stream_during(town.bed.layout, town.binding("a1"), town.binding("a3"), upgrade)
    assert arrived == list(range(sent))
    assert town.bed.counts()["h1"].counters[1 << 12].out_frames >= before + sent
    lab.up(text)
