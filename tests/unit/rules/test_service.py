# SPDX-License-Identifier: Apache-2.0
"""Network ports that are a provider's: a service tag around all that leaves, and off all that comes."""

from __future__ import annotations

import pytest

from openfex.model.drops import DropReason
from openfex.model.layout import NetworkPort, Profile
from openfex.model.policy import Policy, Priority
from openfex.model.values import BROADCAST, ChannelKind, Mac
from openfex.rules.compiler import compile_bridge
from openfex.rules.engine import Bridge
from openfex.testing.layouts import LayoutBuilder, access, trunk, veth_mac, with_service
from openfex.wire import ETag, VlanTag

STATION = Mac.parse("02:00:00:00:00:01")
REST = b"\x12\x34" + bytes(46)
UP, DOWN = ETag(ecid=1).encode(), ETag(ecid=1).encode()
VETH = veth_mac(16, 1)


def c(vid: int, pcp: int = 0) -> bytes:
    return VlanTag(vid, pcp).encode()


def s(vid: int, pcp: int = 0) -> bytes:
    return VlanTag(vid, pcp, 0, VlanTag.S_TPID).encode()


def bridge_with(port: Profile, veth: Profile) -> Bridge:
    """A vEth pinned to network port 1."""
    builder = LayoutBuilder()
    name = builder.bridge("sw-a")
    pin: NetworkPort = builder.port(name, port)
    builder.bind(builder.host("h1", ChannelKind.ETAG, [name], [1]), 1, veth, pin)
    return Bridge(tables=compile_bridge(builder.layout(), name))


def sent_down(bridge: Bridge, tags: bytes) -> bytes | DropReason:
    """What of a frame from the network reaches the vEth, behind the addresses; or why nothing does."""
    drops = bridge.drops.copy()
    sent = bridge.receive(1, VETH.octets + STATION.octets + tags + REST, 0)
    reasons = [reason for _, reason in bridge.drops - drops]
    return sent[0].octets[12 : -len(REST)] if sent else reasons[0]


PROVIDER = with_service(trunk({10, 20}, native=20), 100)


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        (s(100) + c(10), DOWN + c(10)),
        (s(100, 7) + c(10, 3), ETag(ecid=1, pcp=3).encode() + c(10, 3)),
        (s(100), DOWN + c(20)),
        (s(100, 7), ETag(ecid=1, pcp=7).encode() + c(20, 7)),
        (s(100, 7) + c(0, 2), ETag(ecid=1, pcp=2).encode() + c(20, 2)),
        (s(100) + c(10) + c(7), DOWN + c(10) + c(7)),
        (s(100) + s(100), DOWN + c(20) + s(100)),
        (s(100) + c(10) + c(7) + c(8), DropReason.TOO_MANY_TAGS),
        (s(100) + c(11), DropReason.VLAN_NOT_ALLOWED),
        (s(101) + c(10), DropReason.VLAN_NOT_ALLOWED),
        (c(10), DropReason.VLAN_NOT_ALLOWED),
        (c(100) + c(10), DropReason.VLAN_NOT_ALLOWED),
        (b"", DropReason.VLAN_NOT_ALLOWED),
    ],
)
def test_what_comes_in_is_judged_as_it_is_behind_its_service_tag(tags: bytes, wanted: bytes | DropReason) -> None:
    assert sent_down(bridge_with(PROVIDER, trunk({10, 20})), tags) == wanted


def test_a_port_says_what_priority_frames_have_that_bear_no_tag_but_the_service_s() -> None:
    port = with_service(access(10, Policy(priority=Priority(pcp=4))), 100)
    bridge = bridge_with(port, access(10))
    assert sent_down(bridge, s(100, 2)) == ETag(ecid=1, pcp=2).encode()
    assert sent_down(bridge, s(100, 2) + c(0, 5)) == ETag(ecid=1, pcp=5).encode()


@pytest.mark.parametrize(
    ("port", "tags"),
    [(PROVIDER, s(100, 5) + c(10, 5)), (with_service(access(10), 4094), s(4094, 5)), (trunk({10}), c(10, 5))],
)
def test_what_leaves_is_in_the_service_tag_with_its_priority(port: Profile, tags: bytes) -> None:
    bridge = bridge_with(port, trunk({10}))
    for dst in (STATION, BROADCAST):
        (sent,) = bridge.receive(16, dst.octets + VETH.octets + UP + c(10, 5) + REST, 0)
        assert sent.octets == dst.octets + VETH.octets + tags + REST
    learnt = bridge.receive(1, VETH.octets + STATION.octets + tags + REST, 0)
    assert len(learnt) == 1
    (sent,) = bridge.receive(16, STATION.octets + VETH.octets + UP + c(10, 5) + REST, 0)
    assert sent.octets == STATION.octets + VETH.octets + tags + REST


def test_each_peer_has_a_service_tag_of_its_own() -> None:
    builder = LayoutBuilder()
    name = builder.bridge("sw-a")
    pin = builder.port(name, trunk({10}))
    builder.port(name, with_service(trunk({10}), 200), peer=True)
    builder.port(name, trunk({10}), peer=True)
    builder.bind(builder.host("h1", ChannelKind.ETAG, [name], [1]), 1, access(10), pin)
    bridge = Bridge(tables=compile_bridge(builder.layout(), name))
    sent = bridge.receive(16, BROADCAST.octets + VETH.octets + UP + REST, 0)
    assert [one.octets[12 : -len(REST)] for one in sent] == [c(10), s(200) + c(10), c(10)]
