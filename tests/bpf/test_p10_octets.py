# SPDX-License-Identifier: Apache-2.0
"""P10: what the real programs make of a frame with one way to go, octet for octet, and what they count for it.

Frames with several ways to go XDP passes on to tc, as it got them and not counted; both run here on the same maps.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from openfex.model.values import DEFAULT_CHANNEL, ChannelKind, port_number
from openfex.rules.compiler import compile_bridge
from openfex.rules.decision import Verdict
from openfex.rules.engine import down_tag
from openfex.rules.head import read_head
from openfex.rules.schannel import begins_with_channel
from openfex.rules.tables import ExtenderTables, Function, Members
from openfex.testing.frames import Arrival, BridgeScene, ExtenderScene
from openfex.testing.kernel import KernelEngine
from openfex.testing.layouts import LayoutBuilder, access, trunk, veth_mac
from openfex.testing.tables import (
    STATIONS,
    make_bridge_tables,
    make_extender_tables,
    spoil_bridge_tables,
    spoil_extender_tables,
)
from openfex.wire import ETag, VlanTag, VnTag
from tests.bpf.trials import OctetsTrial

pytestmark = pytest.mark.root

FRAMES = 5_000
A_TABLE = 100
OFTEN = 100
Pair = tuple[KernelEngine, KernelEngine | None]

TAGS = {
    "untagged": b"",
    "priority": VlanTag(0, pcp=5).encode(),
    "c": VlanTag(20, pcp=3, dei=1).encode(),
    "s": VlanTag(20, tpid=VlanTag.S_TPID).encode(),
    "s-c": VlanTag(20, tpid=VlanTag.S_TPID).encode() + VlanTag(7).encode(),
    "c-c": VlanTag(20, pcp=7).encode() + VlanTag(7).encode(),
    "c-s": VlanTag(20).encode() + VlanTag(7, tpid=VlanTag.S_TPID).encode(),
}
REST = {
    "60": bytes.fromhex("1234") + bytes(range(46)),
    "shortest": bytes.fromhex("1234"),
    "ipv4": bytes.fromhex("0800") + bytes([0x45]) + bytes(45),
    "ipv6": bytes.fromhex("86dd") + bytes([0x60]) + bytes(45),
    "arp": bytes.fromhex("0806") + bytes(46),
    "llc": bytes.fromhex("0026424203") + bytes(43),
    "1514": bytes.fromhex("1234") + bytes(i & 0xFF for i in range(1500)),
}


@pytest.fixture(scope="module", params=["tc", "xdp"])
def attachment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pair(role: str, attachment: str) -> Iterator[Pair]:
    with KernelEngine(role) as tc:
        if attachment == "tc":
            yield tc, None
            return
        with KernelEngine(role, "xdp", beside=tc) as xdp:
            yield xdp, tc


@pytest.fixture(scope="module")
def bridge(attachment: str) -> Iterator[Pair]:
    yield from pair("bridge", attachment)


@pytest.fixture(scope="module")
def extender(attachment: str) -> Iterator[Pair]:
    yield from pair("extender", attachment)


@pytest.mark.slow
def test_p10_extenders_send_the_same_octets(extender: Pair) -> None:
    seen: Counter[Verdict] = Counter()
    for seed in range(FRAMES // A_TABLE):
        chance = random.Random(seed)
        tables = make_extender_tables(chance)
        if seed % 3 == 0:
            tables = spoil_extender_tables(chance, tables)
        trial, scene = OctetsTrial(extender[0], tables, extender[1]), ExtenderScene(tables)
        seen.update(trial.feed(scene.arrival(chance)) for _ in range(A_TABLE))
        trial.check()
    assert min(seen[one] for one in (Verdict.UP, Verdict.DELIVER, Verdict.REPLICATE)) > OFTEN


@pytest.mark.slow
def test_p10_bridges_send_the_same_octets(bridge: Pair) -> None:
    seen: Counter[Verdict] = Counter()
    for seed in range(FRAMES // A_TABLE):
        chance = random.Random(seed)
        tables = make_bridge_tables(chance)
        if seed % 3 == 0:
            tables = spoil_bridge_tables(chance, tables)
        trial, scene = OctetsTrial(bridge[0], tables, bridge[1]), BridgeScene(tables)
        seen.update(trial.feed(scene.arrival(chance)) for _ in range(A_TABLE))
        trial.check()
    assert min(seen[one] for one in (Verdict.DELIVER, Verdict.FLOOD)) > OFTEN


@pytest.mark.parametrize("kind", [kind for kind in ChannelKind if kind is not ChannelKind.VEPA])
def test_p10_every_shape_goes_up_and_down_an_extender(extender: Pair, kind: ChannelKind) -> None:
    functions = {port_number(1, channel): Function(up=True) for channel in (1, 4094)}
    trial = OctetsTrial(extender[0], ExtenderTables({1: kind}, functions), extender[1])
    for tags in TAGS.values():
        for rest in REST.values():
            macs = STATIONS[0].octets + STATIONS[1].octets
            for channel in (1, 4094):
                down = down_tag(kind, channel, is_list=False, source=0, tci=0x6000)
                names_another = begins_with_channel(read_head(macs + tags + rest), kind) and channel == DEFAULT_CHANNEL
                up = trial.feed(Arrival(port_number(1, channel), macs + tags + rest))
                assert up is (Verdict.DROP if names_another else Verdict.UP)
                if names_another:
                    continue
                assert trial.feed(Arrival(port_number(1), macs + down + tags + rest)) is Verdict.DELIVER
    trial.check()


def test_p10_every_shape_goes_up_and_down_a_vepa_uplink(extender: Pair) -> None:
    """From and to an access port and a trunk, by MAC; what has a tag of its own only if that is of the trunk's."""
    access_, trunk_ = port_number(1, 1), port_number(1, 2)
    tables = ExtenderTables(
        {1: ChannelKind.VEPA},
        {access_: Function(True, vepa=True, vlan=20), trunk_: Function(True, vepa=True, vlan=20, trunk=True)},
        {(1, 20): Members(untagged=frozenset({1, 2})), (1, 7): Members(tagged=frozenset({2}))},
        {(1, STATIONS[1]): access_, (1, STATIONS[2]): trunk_},
    )
    trial = OctetsTrial(extender[0], tables, extender[1])
    seen: Counter[tuple[int, Verdict]] = Counter()
    for at, mac in ((access_, STATIONS[1]), (trunk_, STATIONS[2])):
        for tags in TAGS.values():
            for rest in REST.values():
                up = STATIONS[0].octets + mac.octets + tags + rest
                seen[at, trial.feed(Arrival(at, up))] += 1
                for vlan in (7, 20):
                    down = mac.octets + STATIONS[0].octets + VlanTag(vlan, pcp=3).encode() + tags + rest
                    seen[at, trial.feed(Arrival(port_number(1), down))] += 1
    trial.check()
    shapes, rests = len(TAGS), len(REST)
    assert seen[access_, Verdict.UP] == 2 * rests, "untagged, and with a priority tag"
    assert seen[trunk_, Verdict.UP] == shapes * rests
    assert seen[access_, Verdict.DELIVER] == shapes * rests
    assert seen[trunk_, Verdict.DELIVER] == 2 * shapes * rests


def all_to_all() -> LayoutBuilder:
    """Three vEths on uplinks of both kinds, two of them on one; all in VLAN 20, one of them by an access port."""
    builder = LayoutBuilder()
    name = builder.bridge("sw-a")
    pin = builder.port(name, trunk({7, 20}, native=1))
    builder.bind(builder.host("h1", ChannelKind.VNTAG, [name], [1]), 1, trunk({1, 20}, native=20), pin)
    other = builder.host("h2", ChannelKind.ETAG, [name], [1, 2])
    builder.bind(other, 1, trunk({1, 20}), pin)
    builder.bind(other, 2, access(20), pin)
    return builder


@pytest.mark.parametrize("source", [(16, 1), (17, 1), (17, 2)])
@pytest.mark.parametrize("target", [(16, 1), (17, 1), (17, 2), (1, 0)])
def test_p10_every_shape_crosses_a_bridge(bridge: Pair, source: tuple[int, int], target: tuple[int, int]) -> None:
    """From and to both kinds of channel, in a U-turn on one uplink, and to the network, tagged and untagged."""
    tables = compile_bridge(all_to_all().layout(), "sw-a")
    trial = OctetsTrial(bridge[0], tables, bridge[1])
    station = Arrival(port_number(1), STATIONS[1].octets + STATIONS[0].octets + VlanTag(20).encode() + REST["60"])
    assert trial.feed(station) is Verdict.FLOOD
    dst = veth_mac(*target) if target[1] else STATIONS[0]
    tag = VnTag(svif=source[1]) if source[0] == 16 else ETag(ecid=source[1], dei=1)
    seen = Counter(
        trial.feed(Arrival(port_number(source[0]), dst.octets + veth_mac(*source).octets + tag.encode() + tags + rest))
        for tags in TAGS.values()
        for rest in REST.values()
    )
    assert seen[Verdict.DELIVER] > 0 or source == target
    trial.check()


def test_p10_the_network_reaches_every_veth(bridge: Pair) -> None:
    tables = compile_bridge(all_to_all().layout(), "sw-a")
    trial = OctetsTrial(bridge[0], tables, bridge[1])
    for target in ((16, 1), (17, 1), (17, 2)):
        for name in ("c", "c-c", "c-s"):
            for rest in REST.values():
                octets = veth_mac(*target).octets + STATIONS[0].octets + TAGS[name] + rest
                assert trial.feed(Arrival(port_number(1), octets)) is Verdict.DELIVER
    trial.check()
