# SPDX-License-Identifier: Apache-2.0
"""GSO super-frames stay whole from end to end, with their checksums left to be done, also those of a TAP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from openfex.datapath.rows import Device
from openfex.lab import staffing, workshop
from openfex.lab.names import netns_of
from openfex.lab.workshop import Workshop
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketSocket
from openfex.linux.tap import Tap, open_tap
from openfex.linux.vnet import NEEDS_CHECKSUM, GsoType, VnetHeader
from openfex.model.layout import Binding, Layout
from openfex.model.values import ChannelKind, Mac
from openfex.plan.objects import TablesKey, TablesSpec
from openfex.proof.kernel_bed import KernelBed, nic_place, port_place
from openfex.rules.head import read_head
from openfex.rules.priority import read_dscp, write_dscp
from openfex.wire import VlanTag, ipv4_tcp, ipv6_tcp
from openfex.wire.ip import checksum
from tests.netns.labs import running

pytestmark = pytest.mark.root
DEADLINE_S = 5.0
EF = 46
STRANGER = Mac.parse("02:00:00:00:00:77")
SEGMENT = 1400
PAYLOAD = bytes(index * 7 & 0xFF for index in range(30_000))
SEGMENTS = -(-len(PAYLOAD) // SEGMENT)
LAB = """
kind: network
name: test-gso
spec: {{bridges: {{sw: {{ports: {{up0: {{profile: provider}}}}}}}}}}
---
kind: profile
name: provider
spec: {{vlan: {{trunk: {{allowed: all}}, service: 100}}}}
---
kind: profile
name: marked
spec: {{vlan: {{access: 10}}, priority: {{trust: none, pcp: 5, dscp: ef}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: profile
name: all
spec: {{vlan: {{trunk: {{allowed: "10,20", native: 10}}}}}}
---
kind: host
name: h1
spec: {{channel: {kind}, uplinks: {{a: {{device: up-a, bridge: sw}}}}}}
---
kind: adapter
name: veths
spec: {{host: h1, model: bcm-8, functions: 4}}
---
kind: adapter
name: taps
spec: {{host: h1, model: bcm-8, functions: 2, backing: tap}}
---
kind: machine
name: m1
spec: {{host: h1, nics: {{eth0: {{profile: all}}}}}}
---
kind: machine
name: m2
spec: {{host: h1, nics: {{eth0: {{profile: all}}}}}}
---
kind: machine
name: m3
spec: {{host: h1, nics: {{eth0: {{profile: web}}}}}}
---
kind: machine
name: m4
spec: {{host: h1, nics: {{eth0: {{profile: marked}}}}}}
---
kind: machine
name: q1
spec: {{host: h1, type: host, nics: {{tap0: {{profile: web, function: taps/0}}}}}}
---
kind: machine
name: q2
spec: {{host: h1, type: host, nics: {{tap1: {{profile: web, function: taps/1}}}}}}
"""


@dataclass
class Bench:
    """The lab, and at each machine a way in and out that keeps super-frames whole."""

    layout: Layout
    doors: dict[str, PacketSocket | Tap]

    def binding(self, machine: str) -> Binding:
        return next(one for one in self.layout.bindings if one.machine == machine)

    def send(self, machine: str, octets: bytes, header: VnetHeader) -> None:
        door = self.doors[machine]
        if isinstance(door, Tap):
            door.send(octets, header)
        else:
            door.send_vnet(octets, header)

    def receive(self, machine: str, wanted: bytes) -> tuple[bytes, VnetHeader]:
        """The next frame that carries `wanted`; what a machine's own stack says is passed over."""
        door = self.doors[machine]
        while True:
            found = door.receive(DEADLINE_S) if isinstance(door, Tap) else door.receive_vnet(DEADLINE_S)
            assert found is not None, f"nothing reached {machine}"
            if wanted in found[0]:
                return found


def _send_by_devices(lab: str) -> None:
    """Have tables say that all frames are sent by devices. Agents, who know better, are ended before."""
    staffing.stop(lab)
    with pytest.MonkeyPatch.context() as patch, Workshop(lab) as shop:
        held = {key: spec for key, spec in shop.observe({}).items() if isinstance(key, TablesKey)}
        patch.setattr(workshop, "device_of", lambda link: Device(link.index))
        for key, spec in held.items():
            assert isinstance(spec, TablesSpec)
            shop.write(key, spec)


@pytest.fixture(
    scope="module",
    params=[(kind, direct) for kind in ChannelKind for direct in (True, False)],
    ids=lambda param: f"{param[0].value}-{'handed over' if param[1] else 'sent'}",
)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Frames are handed straight to the far end, as in a lab, or sent by the device, as on wires of others."""
    kind, direct = request.param
    with ExitStack() as stack:
        layout = stack.enter_context(running(LAB.format(kind=kind.value)))
        if not direct:
            _send_by_devices(layout.lab)
        doors: dict[str, PacketSocket | Tap] = {}
        host = netns_of(layout.lab, "host", "h1")
        for binding in layout.bindings:
            if binding.function.adapter == "taps":
                tap = open_tap(binding.function.pf_device, netns=host)
                doors[binding.machine] = stack.enter_context(tap)
            else:
                place = nic_place(layout, binding)
                door = PacketSocket(place.device, netns=place.netns, vnet_hdr=True)
                doors[binding.machine] = stack.enter_context(door)
        taps = [one.function.pf_device for one in layout.bindings if one.function.adapter == "taps"]
        with Netlink(host) as there:  # a TAP has a carrier once it is open, and drops until the kernel has seen that
            assert there.wait_ready(taps, DEADLINE_S) == []
        yield Bench(layout, doors)


def _segment(bench: Bench, sender: str, receiver: str, version: int, tags: bytes) -> tuple[bytes, VnetHeader]:
    source, target = bench.binding(sender).mac, bench.binding(receiver).mac
    macs = target.octets + source.octets
    if version == 4:
        ends4 = IPv4Address("10.0.10.1"), IPv4Address("10.0.10.2")
        packet = ipv4_tcp(*ends4, 1000, 2000, 1, 0, 0x10, PAYLOAD, partial_checksum=True)
        head, kind, ethertype = 20, GsoType.TCPV4, b"\x08\x00"
    else:
        ends6 = IPv6Address("fd00::1"), IPv6Address("fd00::2")
        packet = ipv6_tcp(*ends6, 1000, 2000, 1, 0, 0x10, PAYLOAD, partial_checksum=True)
        head, kind, ethertype = 40, GsoType.TCPV6, b"\x86\xdd"
    start = 14 + len(tags) + head
    return macs + tags + ethertype + packet, VnetHeader(NEEDS_CHECKSUM, kind, start + 20, SEGMENT, start, 16)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("sender", "receiver"), [("m1", "m2"), ("m1", "m3"), ("q1", "q2"), ("q1", "m3"), ("m3", "q2")])
def test_p10_a_super_frame_arrives_whole(bench: Bench, sender: str, receiver: str, version: int) -> None:
    octets, header = _segment(bench, sender, receiver, version, b"")
    bench.send(sender, octets, header)
    arrived, left_to_do = bench.receive(receiver, PAYLOAD[:64])
    assert arrived == octets
    assert (left_to_do.gso_type, left_to_do.gso_size) == (header.gso_type, SEGMENT)


@pytest.mark.parametrize("tags", [VlanTag(20, pcp=4), VlanTag(10)], ids=["c-tag", "native tag"])
def test_p10_a_tagged_super_frame_arrives_whole(bench: Bench, tags: VlanTag) -> None:
    octets, header = _segment(bench, "m1", "m2", 4, tags.encode())
    bench.send("m1", octets, header)
    arrived, left_to_do = bench.receive("m2", PAYLOAD[:64])
    expected = octets if tags.vid == 20 else octets[:12] + octets[16:]
    assert arrived == expected
    assert (left_to_do.gso_type, left_to_do.gso_size) == (header.gso_type, SEGMENT)


@pytest.mark.parametrize("version", [4, 6])
def test_p10_a_super_frame_is_marked_once_for_all_its_segments(bench: Bench, version: int) -> None:
    """Its checksum of IPv4 is then that of what it is; and no other octet is another one."""
    octets, header = _segment(bench, "m4", "m3", version, b"")
    bench.send("m4", octets, header)
    arrived, left_to_do = bench.receive("m3", PAYLOAD[:64])
    assert (left_to_do.gso_type, left_to_do.gso_size) == (header.gso_type, SEGMENT)
    before, after = (read_head(one) for one in (octets, arrived))
    assert read_dscp(arrived, after) == EF
    assert arrived == write_dscp(octets, before, EF)
    assert version == 6 or checksum(arrived[14:34]) == 0


def test_p4_a_super_frame_counts_as_its_segments_on_every_node(bench: Bench) -> None:
    with KernelBed(replace(bench.layout, bindings=())) as bed:
        before = {name: node.balance for name, node in bed.counts().items()}
        for sender in ("m1", "q1"):
            octets, header = _segment(bench, sender, "m3", 4, b"")
            bench.send(sender, octets, header)
            bench.receive("m3", PAYLOAD[:64])
        counts = bed.counts()
    for name, node in counts.items():
        came, went = node.balance
        assert came == went
        assert came - before[name][0] >= 2 * SEGMENTS
    host, bridge = counts["h1"], counts["sw"]
    assert host.counters[1 << 12].out_frames == sum(
        row.in_frames for port, row in bridge.counters.items() if port >> 12 == 16
    )


def test_a_super_frame_to_everybody_is_copied_whole(bench: Bench) -> None:
    octets, header = _segment(bench, "q1", "m3", 4, b"")
    octets = b"\xff" * 6 + octets[6:]
    bench.send("q1", octets, header)
    for receiver in ("m1", "m2", "m3", "m4", "q2"):
        arrived, left_to_do = bench.receive(receiver, PAYLOAD[:64])
        assert arrived == octets
        assert left_to_do.gso_size == SEGMENT


def test_a_super_frame_leaves_for_a_provider_inside_its_service_tag(bench: Bench) -> None:
    """Two VLAN tags are more than a veth passes on unsegmented; none of it is lost. The last: it is flooded."""
    octets, header = _segment(bench, "m4", "m3", 4, b"")
    octets = STRANGER.octets + octets[6:]
    outside = port_place(bench.layout, bench.layout.bridges[0].ports[0])
    tags = VlanTag(100, 5, 0, VlanTag.S_TPID).encode() + VlanTag(10, 5).encode()
    with PacketSocket(outside.device, netns=outside.netns, vnet_hdr=True) as door:
        bench.send("m4", octets, header)
        carried = b""
        while len(carried) < len(PAYLOAD):
            found = door.receive_vnet(DEADLINE_S)
            assert found is not None, f"{len(carried)} octets came"
            if found[0][:6] == STRANGER.octets:
                assert found[0][12:20] == tags
                assert read_dscp(found[0], read_head(found[0])) == EF
                carried += found[0][20 + 2 + 20 + 20 :]
    assert carried == PAYLOAD
