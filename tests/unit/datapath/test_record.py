# SPDX-License-Identifier: Apache-2.0
"""Records that programs write of captured frames, read: tests/bpf/test_capture.py has what they really write."""

from __future__ import annotations

import pytest

from openfex.datapath.abi import MARK, RECORD, Leaves, Seen
from openfex.datapath.record import CapturedFrame, Kinds, read_record
from openfex.model.drops import DropReason
from openfex.model.values import ChannelKind, port_link, port_number
from openfex.rules.decision import Verdict
from openfex.wire import ETag, VlanTag, VnTag

MACS, REST = bytes.fromhex("525400000002 525400000001"), bytes.fromhex("0806") + bytes(46)
VETH, OTHER, NETWORK, UPLINK = port_number(16, 1), port_number(16, 2), port_number(1), port_number(16)
FUNCTION, HOST_UPLINK = port_number(1, 1), port_number(1)
C_TAG, S_TAG, PRIORITY = VlanTag(20, pcp=3), VlanTag(30, tpid=VlanTag.S_TPID), VlanTag(0, pcp=5)
TCI = VlanTag(10, pcp=5).tci
SNAP = 1500
Tag = ETag | VnTag | VlanTag


def octets(*tags: Tag) -> bytes:
    return MACS + b"".join(tag.encode() for tag in tags) + REST


def read(
    came: bytes,
    *,
    role: str = "bridge",
    by: int = VETH,
    seen: Seen = Seen.IN,
    leaves: Leaves = Leaves.AS_IS,
    beside: VlanTag | None = None,
    late: bool = False,
    mark: int = 0,
    service: int = 0,
    unwrapped: bool = False,
    kind: ChannelKind = ChannelKind.ETAG,
) -> CapturedFrame:
    tpid, tci = (beside.tpid, beside.tci) if beside else (0, 0)
    head = (7, by, OTHER, len(came), len(came), tpid, tci, TCI, Verdict.DELIVER, 0, seen, leaves)
    kinds: Kinds = {port_link(UPLINK): kind, port_link(NETWORK): None} if role == "bridge" else {1: kind}
    frame = read_record(RECORD.pack(*head, late, mark, service, unwrapped) + came + bytes(4), role, SNAP, kinds)
    assert frame is not None
    return frame


@pytest.mark.parametrize("tag", [ETag(1), VnTag(svif=1)])
@pytest.mark.parametrize("inner", [(), (C_TAG,), (S_TAG, C_TAG)])
def test_at_a_veth_the_channel_s_tag_is_off(tag: Tag, inner: tuple[Tag, ...]) -> None:
    frame = read(octets(tag, *inner))
    assert frame.octets == octets(*inner)
    assert frame.length == len(frame.octets)


@pytest.mark.parametrize("inner", [(), (C_TAG,), (S_TAG, C_TAG)])
def test_at_a_veth_the_tag_of_an_s_channel_is_off(inner: tuple[Tag, ...]) -> None:
    """It mostly lies beside the octets; without one the frame was in the default channel, and stays as it is."""
    channel = VlanTag(2, tpid=VlanTag.S_TPID)
    assert read(octets(*inner), beside=channel, kind=ChannelKind.SCHANNEL).octets == octets(*inner)
    assert read(octets(channel, *inner), kind=ChannelKind.SCHANNEL).octets == octets(*inner)
    assert read(octets(VlanTag(2), *inner), kind=ChannelKind.SCHANNEL_Q).octets == octets(*inner)
    assert read(octets(C_TAG), kind=ChannelKind.SCHANNEL).octets == octets(C_TAG)


@pytest.mark.parametrize(("role", "by"), [("bridge", UPLINK), ("extender", HOST_UPLINK)])
def test_at_an_uplink_it_is_on(role: str, by: int) -> None:
    assert read(octets(ETag(1)), role=role, by=by).octets == octets(ETag(1))


@pytest.mark.parametrize(("role", "by"), [("bridge", NETWORK), ("extender", FUNCTION)])
def test_a_forged_tag_is_the_sender_s_and_stays(role: str, by: int) -> None:
    assert read(octets(ETag(1)), role=role, by=by).octets == octets(ETag(1))


def test_a_vlan_tag_beside_the_octets_is_put_back() -> None:
    frame = read(octets(), by=NETWORK, beside=C_TAG)
    assert frame.octets == octets(C_TAG)
    assert frame.length == len(octets(C_TAG))


@pytest.mark.parametrize(
    ("leaves", "tags", "left"),
    [
        (Leaves.UNTAGGED, (), ()),
        (Leaves.UNTAGGED, (C_TAG,), ()),
        (Leaves.UNTAGGED, (PRIORITY,), ()),
        (Leaves.UNTAGGED, (S_TAG,), (S_TAG,)),
        (Leaves.TAGGED, (), (VlanTag(10, pcp=5),)),
        (Leaves.TAGGED, (C_TAG,), (VlanTag(10, pcp=5),)),
        (Leaves.TAGGED, (S_TAG,), (VlanTag(10, pcp=5), S_TAG)),
    ],
)
def test_what_leaves_a_bridge_has_the_port_s_vlan_tag(
    leaves: Leaves, tags: tuple[Tag, ...], left: tuple[Tag, ...]
) -> None:
    assert read(octets(ETag(2), *tags), by=OTHER, seen=Seen.OUT, leaves=leaves).octets == octets(*left)


@pytest.mark.parametrize(
    ("leaves", "left"), [(Leaves.AS_IS, (C_TAG, S_TAG)), (Leaves.UNTAGGED, (S_TAG,))], ids=["tagged", "untagged"]
)
def test_what_leaves_by_a_function_has_its_list_s_vlan_tag(leaves: Leaves, left: tuple[Tag, ...]) -> None:
    frame = read(octets(ETag(1), C_TAG, S_TAG), role="extender", by=HOST_UPLINK, seen=Seen.OUT, leaves=leaves)
    assert frame.octets == octets(*left)


@pytest.mark.parametrize("beside", [None, C_TAG])
def test_what_leaves_has_the_dscp_that_was_written(beside: VlanTag | None) -> None:
    inner, wanted = b"\x86\xdd\x60\x00" + bytes(50), b"\x86\xdd\x6b\x80" + bytes(50)
    came = MACS + ETag(1).encode() + inner if beside is None else MACS + inner
    frame = read(came, by=OTHER, seen=Seen.OUT, leaves=Leaves.UNTAGGED, beside=beside, mark=MARK | 46)
    assert frame.octets == MACS + wanted
    assert read(came, by=OTHER, seen=Seen.IN, beside=beside, mark=MARK | 46).octets.endswith(inner)
    short = read(came[:40], by=OTHER, seen=Seen.OUT, leaves=Leaves.UNTAGGED, beside=beside, mark=MARK | 46)
    assert short.octets == MACS + inner[: len(short.octets) - 12]


@pytest.mark.parametrize("beside", [None, S_TAG])
@pytest.mark.parametrize(("service", "outer"), [(0, ()), (7, (VlanTag(7, 5, 0, VlanTag.S_TPID),))])
def test_a_service_tag_is_taken_off_and_another_put_on(
    beside: VlanTag | None, service: int, outer: tuple[Tag, ...]
) -> None:
    came = octets(C_TAG) if beside else octets(S_TAG, C_TAG)
    frame = read(came, by=NETWORK, seen=Seen.OUT, leaves=Leaves.TAGGED, beside=beside, service=service, unwrapped=True)
    assert frame.octets == octets(*outer, VlanTag(10, pcp=5))
    assert frame.length == len(frame.octets)
    assert read(came, by=NETWORK, beside=beside, unwrapped=True).octets == octets(S_TAG, C_TAG)


def test_behind_the_verdict_octets_are_as_they_were_then() -> None:
    assert read(octets(ETag(1)), late=True).octets == octets(ETag(1))


def test_a_cut_frame_keeps_its_length_and_padding_is_no_part_of_it() -> None:
    came = octets(ETag(1))
    head = (7, VETH, 0, 1500, 30, 0, 0, TCI, Verdict.DROP, DropReason.SPOOFED_SOURCE, Seen.IN | Seen.DROPPED, *bytes(5))
    frame = read_record(RECORD.pack(*head) + came[:30] + bytes(6), "bridge", 20, {})
    assert frame is not None
    assert frame.octets == octets()[:20]
    assert frame.length == 1492
    assert (frame.reason, frame.vlan, frame.goes_to) == (DropReason.SPOOFED_SOURCE, 10, 0)


def test_a_question_is_no_frame() -> None:
    assert read_record(bytes(RECORD.size), "bridge", SNAP, {}) is None
