# SPDX-License-Identifier: Apache-2.0
"""What priority a frame has inside, and what is written of it: into the C-tag, into the channel's tag, into IP."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from openfex.model.policy import Policy, Priority, Trust
from openfex.model.values import BROADCAST, ChannelKind, port_number
from openfex.rules.compiler import compile_bridge
from openfex.rules.engine import Bridge, Extender
from openfex.rules.head import read_head
from openfex.rules.policy import read_frame
from openfex.rules.priority import dscp_of, priority_of, read_dscp, write_dscp
from openfex.rules.tables import ExtenderTables, Function
from openfex.testing.layouts import LayoutBuilder, access, trunk, veth_mac
from openfex.wire import ETag, VlanTag
from openfex.wire.ip import checksum, ipv4_udp, ipv6_udp

MACS = bytes.fromhex("020000000002 020000000001")
IPV4 = ipv4_udp(IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), 1, 2, b"data")
IPV6 = ipv6_udp(IPv6Address("fd00::1"), IPv6Address("fd00::2"), 1, 2, b"data")
ARP = bytes.fromhex("0806") + bytes(46)
EF = 46


def ipv4(dscp: int, ecn: int = 0) -> bytes:
    """UDP in IPv4 with another DSCP, its checksum made anew."""
    head = IPV4[:1] + bytes((dscp << 2 | ecn,)) + IPV4[2:10] + bytes(2) + IPV4[12:20]
    return b"\x08\x00" + head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + IPV4[20:]


def ipv6(dscp: int, ecn: int = 0) -> bytes:
    word = 0x6000 | dscp << 6 | ecn << 4
    return b"\x86\xdd" + word.to_bytes(2, "big") + IPV6[2:]


def priority(policy: Priority, tags: bytes, body: bytes) -> tuple[int, int]:
    bits = priority_of(read_frame(MACS + tags + body), policy)
    assert not bits & 0xFFF
    return bits >> 13, bits >> 12 & 1


TAGGED = VlanTag(10, pcp=5, dei=1).encode()
ZERO = VlanTag(0, pcp=3).encode()
SERVICE = VlanTag(10, pcp=5, tpid=VlanTag.S_TPID).encode()


@pytest.mark.parametrize(
    ("policy", "tags", "body", "wanted"),
    [
        (Priority(), TAGGED, ARP, (5, 1)),
        (Priority(), ZERO, ARP, (3, 0)),
        (Priority(), b"", ipv4(EF), (0, 0)),
        (Priority(), SERVICE, ARP, (0, 0)),
        (Priority(pcp=2), b"", ARP, (2, 0)),
        (Priority(pcp=2), TAGGED, ARP, (5, 1)),
        (Priority(Trust.NONE, 4), TAGGED, ipv4(EF), (4, 0)),
        (Priority(Trust.DSCP, 4), TAGGED, ipv4(EF), (5, 0)),
        (Priority(Trust.DSCP, 4), TAGGED, ipv6(63), (7, 0)),
        (Priority(Trust.DSCP, 4), b"", ipv6(0), (0, 0)),
        (Priority(Trust.DSCP, 4), TAGGED, ARP, (4, 0)),
        (Priority(Trust.DSCP, 4), b"", ipv4(EF)[:21], (4, 0)),
        (Priority(Trust.DSCP, 4), b"", b"\x08\x00" + ipv6(EF)[2:], (4, 0)),
    ],
)
def test_whose_priority_is_believed(policy: Priority, tags: bytes, body: bytes, wanted: tuple[int, int]) -> None:
    assert priority(policy, tags, body) == wanted


@pytest.mark.parametrize("made", [ipv4, ipv6])
@pytest.mark.parametrize("tags", [b"", TAGGED, SERVICE + TAGGED])
@pytest.mark.parametrize("before", range(0, 64, 9))
@pytest.mark.parametrize("after", [0, 1, EF, 63])
def test_a_dscp_is_written_and_nothing_else(made: object, tags: bytes, before: int, after: int) -> None:
    """The checksum is what it would be if it were made anew."""
    assert callable(made)
    came = MACS + tags + made(before, 3)
    head = read_head(came)
    assert read_dscp(came, head) == before
    assert write_dscp(came, head, after) == MACS + tags + made(after, 3)


def test_what_is_no_ip_has_no_place_for_a_dscp() -> None:
    policy = Priority(dscp=EF)
    assert dscp_of(read_frame(MACS + ARP), policy) is None
    assert dscp_of(read_frame(MACS + ipv6(0)[:41]), policy) is None
    assert dscp_of(read_frame(MACS + ipv6(0)), policy) == EF


def test_a_channel_s_tag_has_the_priority_that_a_frame_has_inside() -> None:
    """Of an access port's frames, too: the U-turn bears no C-tag, and the network's copy does."""
    builder = LayoutBuilder()
    name = builder.bridge("sw-a")
    pin = builder.port(name, trunk({10}))
    host = builder.host("h1", ChannelKind.ETAG, [name], [1, 2])
    builder.bind(host, 1, access(10, Policy(priority=Priority(Trust.DSCP, dscp=8))), pin)
    builder.bind(host, 2, access(10), pin)
    bridge = Bridge(tables=compile_bridge(builder.layout(), name))
    sender, other = veth_mac(16, 1).octets, veth_mac(16, 2).octets
    (sent,) = bridge.receive(16, other + sender + ETag(ecid=1).encode() + ipv4(EF), 0)
    assert sent.octets == other + sender + ETag(ecid=2, pcp=5).encode() + ipv4(8)
    flood = bridge.receive(16, BROADCAST.octets + sender + ETag(ecid=1).encode() + ipv4(EF), 0)
    tag = VlanTag(10, pcp=5).encode()
    listed = ETag(ecid=1, grp=1, ingress=1, pcp=5).encode()
    assert [one.octets[12:] for one in flood] == [tag + ipv4(8), listed + tag + ipv4(8)]


@pytest.mark.parametrize("tag", [VlanTag(10, pcp=6, dei=1), VlanTag(0, pcp=3), VlanTag(9, 7, 0, VlanTag.S_TPID)])
def test_an_extender_says_upwards_what_the_outermost_tag_says(tag: VlanTag) -> None:
    port = port_number(1, 1)
    extender = Extender(tables=ExtenderTables({1: ChannelKind.ETAG}, {port: Function(up=True)}))
    (sent,) = extender.from_function(port, MACS + tag.encode() + ARP)
    assert sent.octets == MACS + ETag(ecid=1, pcp=tag.pcp, dei=tag.dei).encode() + tag.encode() + ARP
