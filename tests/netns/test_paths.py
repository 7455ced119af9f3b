# SPDX-License-Identifier: Apache-2.0
"""Whole paths over real veths: machine -> extender -> uplink -> bridge -> uplink -> extender -> machine.

What is seen at every NIC, on every wire and at every network port is what the reference engine sees, octet by octet.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from openfex.model.layout import Layout
from openfex.model.values import BROADCAST, ChannelKind, Mac
from openfex.proof.bed import ETHERTYPE, MARK, Seen, Send, Stage, numbers
from openfex.proof.kernel_bed import KernelBed
from openfex.proof.reference_bed import ReferenceBed
from openfex.wire import VlanTag
from tests.netns.labs import paths, running

pytestmark = pytest.mark.root
VNTAG, ETAG = ChannelKind.VNTAG, ChannelKind.ETAG
WIRES = [
    (VNTAG, VNTAG, ("auto", "auto")),
    (ETAG, ETAG, ("auto", "auto")),
    (VNTAG, ETAG, ("auto", "auto")),
    (VNTAG, VNTAG, ("xdp", "xdp")),
    (VNTAG, ETAG, ("xdp", "xdp")),
    (ETAG, ETAG, ("xdp", "tc")),
    (VNTAG, ETAG, ("tc", "xdp")),
]
S_TAG = 0x88A8
TAGS = {
    "untagged": b"",
    "priority tag": VlanTag(0, pcp=5).encode(),
    "native tag": VlanTag(10, pcp=3).encode(),
    "c-tag": VlanTag(20, pcp=6, dei=1).encode(),
    "c-tag not allowed": VlanTag(99).encode(),
    "s-tag": VlanTag(20, tpid=S_TAG).encode(),
    "s-tag and c-tag": VlanTag(7, tpid=S_TAG).encode() + VlanTag(20).encode(),
    "two c-tags": VlanTag(20).encode() + VlanTag(77).encode(),
    "c-tag and priority tag": VlanTag(25).encode() + VlanTag(0, pcp=2).encode(),
    "three tags": VlanTag(20).encode() * 3,
    "vn-tag": bytes.fromhex("892600000002"),
    "e-tag in c-tag": VlanTag(20).encode() + bytes.fromhex("893f000000020000"),
}
LENGTHS = (60, 61, 127, 1500)
FENCES = {"": ("a3/eth0", b""), "a3/eth0": ("a1/eth0", b""), "s1/eth0": ("t1/eth0", VlanTag(20).encode())}
"""By sender, who gets its last frame, and in which tags: s1 has no native VLAN."""
GROUP = Mac(b"\x01\x00\x5e\x00\x00\x05")
NOBODY = Mac(b"\x52\x54\x77\x77\x77\x77")


@pytest.fixture(scope="module", params=WIRES, ids=lambda wires: "-".join((wires[0].value, wires[1].value, *wires[2])))
def bed(request: pytest.FixtureRequest) -> Iterator[KernelBed]:
    with running(paths(*request.param)) as layout, KernelBed(layout) as found:
        yield found


def _octets(dst: Mac, src: Mac, number: int, tags: bytes, length: int) -> bytes:
    head = dst.octets + src.octets + tags + ETHERTYPE.to_bytes(2, "big") + MARK + number.to_bytes(8, "big")
    return head + bytes(index & 0xFF for index in range(length + len(tags) - len(head)))


def _both(bed: KernelBed, sends: list[Send]) -> tuple[Seen, Seen]:
    """What the kernel and the reference engine made of the same frames. A last frame of each sender closes the run:
    the path keeps its order, so what has not come by then will not.
    """
    stage = Stage(bed, 1 << 32)
    by_name = {one.name: one for one in bed.layout.bindings}
    ends: dict[int, str] = {}
    closing: list[Send] = []
    for sender in dict.fromkeys(nic for nic, _ in sends):
        receiver, tags = FENCES.get(sender, FENCES[""])
        number, octets = stage.frame(by_name[receiver].mac, by_name[sender].mac, tags)
        ends[number] = receiver
        closing.append((sender, octets))
    everything = [(f"nic:{nic}", octets) for nic, octets in (*sends, *closing)]
    arrived = bed.exchange(everything, lambda seen: all(end in numbers(seen[f"nic:{to}"]) for end, to in ends.items()))
    return arrived, ReferenceBed(bed.layout).exchange(everything, lambda _: True)


def _assert_same(arrived: Seen, expected: Seen) -> None:
    """Per place the same frames; the order within a place is each sender's own."""
    assert arrived.keys() == expected.keys()
    for place in expected:
        assert sorted(arrived[place]) == sorted(expected[place]), place


@pytest.mark.parametrize("tags", TAGS.values(), ids=TAGS.keys())
def test_p10_every_shape_is_octet_identical_on_the_whole_path(bed: KernelBed, tags: bytes) -> None:
    by_name = {one.name: one for one in bed.layout.bindings}
    targets = [*(one.mac for one in by_name.values()), BROADCAST, GROUP, NOBODY]
    sends = []
    for number, (nic, dst, length) in enumerate(product(by_name, targets, LENGTHS)):
        if length + len(tags) <= 1500 + 14:
            sends.append((nic, _octets(dst, by_name[nic].mac, number, tags, length)))
    _assert_same(*_both(bed, sends))


def test_p4_every_frame_is_accounted_for_on_every_node_and_wire(bed: KernelBed) -> None:
    counts = bed.counts()
    for name, node in counts.items():
        came, went = node.balance
        assert came == went > 0, name
    bridge = counts["sw"]
    for host, link in (("h1", 16), ("h2", 17)):
        up = counts[host].counters[1 << 12].out_frames
        into = sum(row.in_frames for port, row in bridge.counters.items() if port >> 12 == link)
        down = sum(row.out_frames for port, row in bridge.counters.items() if port >> 12 == link)
        assert up == into
        assert down == counts[host].counters[1 << 12].in_frames


def test_p1_a_hosts_functions_never_meet_on_the_host(bed: KernelBed) -> None:
    layout: Layout = bed.layout
    one, other = (binding for binding in layout.bindings if binding.machine in ("a1", "a2"))
    octets = _octets(other.mac, one.mac, 1, b"", 60)
    arrived, _ = _both(bed, [(one.name, octets)])
    assert [numbers(arrived[way]).count(1) for way in ("up:h1.a", "down:h1.a")] == [1, 1]
