# SPDX-License-Identifier: Apache-2.0
"""The tables at their full size: what is in the last row is found, and what is behind it is refused and counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openfex.model.drops import DropReason
from openfex.model.limits import FIRST_UPLINK, MAX_LINKS, MAX_LISTS, MAX_STATIONS, MAX_VLAN_SETS
from openfex.model.values import BROADCAST, LAST_CHANNEL, LAST_VLAN, ChannelKind, Mac, port_number
from openfex.rules.compiler import list_number
from openfex.rules.decision import Verdict
from openfex.rules.tables import BridgeTables, ExtenderTables, Flood, Function, Members, Port, Station, Terms
from openfex.testing.frames import Arrival
from openfex.testing.kernel import KernelEngine, kernel_now_ns
from openfex.testing.layouts import veth_mac
from openfex.testing.tables import STATIONS
from openfex.wire import ETag, VlanTag, VnTag
from tests.bpf.trials import BridgeTrial, ExtenderTrial

pytestmark = [pytest.mark.root, pytest.mark.slow]

UPLINKS = range(FIRST_UPLINK, MAX_LINKS)
CHANNELS = range(1, LAST_CHANNEL + 1)
HOST_LINKS = range(1, 16)
LAST_UPLINK = UPLINKS[-1]
NET = port_number(1)


@pytest.fixture(scope="module", params=["tc", "xdp"])
def attachment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def bridge(attachment: str) -> Iterator[KernelEngine]:
    with KernelEngine("bridge", attachment, links=MAX_LINKS) as engine:
        yield engine


@pytest.fixture(scope="module")
def extender(attachment: str) -> Iterator[KernelEngine]:
    with KernelEngine("extender", attachment, links=HOST_LINKS[-1] + 1) as engine:
        yield engine


def kind_of(link: int) -> ChannelKind:
    return ChannelKind.VNTAG if link % 2 else ChannelKind.ETAG


def frame(dst: Mac, src: Mac, tag: VnTag | ETag | VlanTag | None = None) -> bytes:
    return dst.octets + src.octets + (tag.encode() if tag else b"") + b"\x12\x34" + bytes(46)


def up_tag(link: int, channel: int) -> VnTag | ETag:
    return VnTag(svif=channel) if kind_of(link) is ChannelKind.VNTAG else ETag(ecid=channel)


def test_every_channel_of_every_uplink_of_a_host(extender: KernelEngine) -> None:
    functions = {port_number(link, channel): Function(up=True) for link in HOST_LINKS for channel in CHANNELS}
    trial = ExtenderTrial(extender, ExtenderTables({link: kind_of(link) for link in HOST_LINKS}, functions))
    for link in (1, HOST_LINKS[-1]):
        for channel in (1, LAST_CHANNEL):
            port = port_number(link, channel)
            etag = kind_of(link) is ChannelKind.ETAG
            down = ETag(ecid=channel) if etag else VnTag(direction=1, dvif=channel)
            assert trial.feed(Arrival(port, frame(STATIONS[0], STATIONS[1]))).source == channel
            assert trial.feed(Arrival(port_number(link), frame(STATIONS[0], STATIONS[1], down))).out == port
    behind = Arrival(port_number(15), frame(STATIONS[0], STATIONS[1], VnTag(direction=1, dvif=LAST_CHANNEL + 1)))
    assert trial.feed(behind).reason is DropReason.UNKNOWN_CHANNEL
    trial.check()


def test_every_channel_of_every_uplink_of_a_bridge(bridge: KernelEngine) -> None:
    tables = BridgeTables({1: None, **{link: kind_of(link) for link in UPLINKS}}, {1: Terms(10)})
    tables.ports[NET] = Port(up=True, network=True, profile=1)
    for link in UPLINKS:
        for channel in CHANNELS:
            number, mac = port_number(link, channel), veth_mac(link, channel)
            tables.ports[number] = Port(up=True, profile=1, mac=mac, pin=NET)
            tables.veths[mac] = number
    tables.floods[0, 10] = tables.floods[1, 10] = Flood(frozenset(UPLINKS), frozenset(UPLINKS), list_number(0))
    trial = BridgeTrial(bridge, tables)
    last, first = (LAST_UPLINK, LAST_CHANNEL), (FIRST_UPLINK, 1)
    for (link, channel), other in ((last, first), (first, last), (last, (LAST_UPLINK, 1))):
        octets = frame(veth_mac(*other), veth_mac(link, channel), up_tag(link, channel))
        assert trial.feed(Arrival(port_number(link), octets)).out == port_number(*other)
    octets = frame(BROADCAST, veth_mac(*last), up_tag(*last))
    assert trial.feed(Arrival(port_number(LAST_UPLINK), octets)).uplinks == frozenset(UPLINKS)
    assert trial.feed(Arrival(NET, frame(veth_mac(*last), STATIONS[0]))).out == port_number(*last)
    behind = frame(BROADCAST, veth_mac(*last), up_tag(LAST_UPLINK, LAST_CHANNEL + 1))
    assert trial.feed(Arrival(port_number(LAST_UPLINK), behind)).reason is DropReason.UNKNOWN_CHANNEL
    trial.check()


def network_only() -> BridgeTables:
    tables = BridgeTables({1: None, 2: None, FIRST_UPLINK: ChannelKind.ETAG}, {1: Terms(10)})
    for number in (NET, port_number(2)):
        tables.ports[number] = Port(up=True, network=True, profile=1)
    tables.floods[1, 10] = Flood(frozenset({FIRST_UPLINK}), frozenset(), list_number(0))
    return tables


def numbered_mac(number: int) -> Mac:
    return Mac(b"\x02\x01" + number.to_bytes(4, "big"))


def test_as_many_stations_as_there_is_room_for(bridge: KernelEngine) -> None:
    tables, stranger = network_only(), numbered_mac(MAX_STATIONS)
    tables.stations = {(numbered_mac(number), 10): Station(NET, 0) for number in range(MAX_STATIONS)}
    trial = BridgeTrial(bridge, tables)
    last = numbered_mac(MAX_STATIONS - 1)
    assert trial.feed(Arrival(NET, frame(last, numbered_mac(0)))).reason is DropReason.SAME_PORT
    assert trial.feed(Arrival(NET, frame(stranger, stranger))).verdict is Verdict.FLOOD
    assert trial.kernel.totals().not_learnt == 1
    trial.feed(Arrival(port_number(2), frame(stranger, last)))
    assert trial.kernel.totals().moved == 1
    assert trial.tables.stations[last, 10].seen_ns <= kernel_now_ns()
    trial.check()


def test_as_many_floods_and_vlan_sets_as_there_is_room_for(bridge: KernelEngine) -> None:
    tables = network_only()
    trunk = frozenset(range(1, LAST_VLAN + 1))
    tables.profiles = {1: Terms(vlans=trunk)}
    tables.ports[NET] = Port(up=True, network=True, profile=1)
    for ordinal in range(MAX_VLAN_SETS - 2):
        number = port_number(FIRST_UPLINK, 1 + ordinal)
        tables.profiles[2 + ordinal] = Terms(vlans=trunk - {1 + ordinal})
        tables.ports[number] = Port(up=True, profile=2 + ordinal, mac=veth_mac(FIRST_UPLINK, 1 + ordinal), pin=NET)
    scopes = [(scope, vlan) for scope in (0, 1, 2, 3) for vlan in range(1, LAST_VLAN + 1)][:MAX_LISTS]
    for ordinal, scope in enumerate(scopes):
        tables.floods[scope] = Flood(frozenset({FIRST_UPLINK}), frozenset(), list_number(ordinal))
    trial = BridgeTrial(bridge, tables)
    for vlan in (1, LAST_VLAN):
        decision = trial.feed(Arrival(NET, frame(BROADCAST, STATIONS[0], VlanTag(vlan))))
        assert decision.list_id == tables.floods[1, vlan].list_id
    veth = MAX_VLAN_SETS - 2
    octets = frame(BROADCAST, veth_mac(FIRST_UPLINK, veth), VlanTag(veth))
    tagged = octets[:12] + ETag(ecid=veth).encode() + octets[12:]
    assert trial.feed(Arrival(port_number(FIRST_UPLINK), tagged)).reason is DropReason.VLAN_NOT_ALLOWED
    trial.check()


def lists_on(links: range) -> ExtenderTables:
    tables = ExtenderTables(dict.fromkeys(links, ChannelKind.ETAG))
    members = Members(frozenset({LAST_CHANNEL}))
    tables.lists = {(link, list_number(ordinal)): members for link in links for ordinal in range(MAX_LISTS)}
    return tables


def check_last_list(engine: KernelEngine, links: range) -> None:
    trial = ExtenderTrial(engine, lists_on(links))
    number = list_number(MAX_LISTS - 1)
    tag = ETag(ecid=number & 0xFFF, grp=number >> 12)
    assert trial.feed(Arrival(port_number(links[-1]), frame(BROADCAST, STATIONS[0], tag))).list_id == number
    trial.check()


def test_as_many_lists_as_an_uplink_can_name(extender: KernelEngine) -> None:
    check_last_list(extender, range(1, 2))


def test_as_many_lists_on_each_of_two_fabrics(attachment: str) -> None:
    with KernelEngine("extender", attachment) as engine:
        check_last_list(engine, range(1, 3))


def test_every_port_number_of_a_host_fits_a_filter_s_classid() -> None:
    assert port_number(HOST_LINKS[-1], LAST_CHANNEL) < 1 << 16
