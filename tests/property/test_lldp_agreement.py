# SPDX-License-Identifier: Apache-2.0
"""Two ends that speak LLDP, EVB and CDCP over a bad wire agree in the end, in bounded time; and hostile octets."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.protocol.cdcp import CdcpBridge, CdcpStation, ChannelGiven, ChannelsRefused, ChannelWithdrawn, SvidPool
from openfex.protocol.evb import EvbSettings, negotiate
from openfex.protocol.lldp import LldpAgent, LldpSettings, NeighbourChanged, NeighbourGone, NeighbourSeen
from openfex.protocol.output import Transmit
from openfex.wire import Frame
from openfex.wire.cdcp import Cdcp, CdcpRole, SChannel
from openfex.wire.evb import BridgeStatus, Evb, EvbMode, RelayStatus, StationStatus
from openfex.wire.lldp import ETHERTYPE, ChassisId, Lldpdu, PortId
from openfex.wire.tlv import NEAREST_CUSTOMER_BRIDGE, Tlv
from tests.property.fake_wire import IDEAL_DELAY, LEFT, RIGHT, FakeWire, foretold
from tests.property.lldp_end import LldpEnd

MOST_FATES = 16
LONGEST_DELAY = 20.0
LAST_CHANGE = 60.0
TROUBLE = LAST_CHANGE + MOST_FATES * 31 + LONGEST_DELAY
"""Seconds after which nothing is wrong any more: at least one frame every 30 s uses up a fate."""
AGREED = TROUBLE + 121 + 31
"""A TTL for what was heard last in trouble to age, and an interval to be heard."""

exponents = st.integers(0, 31)
retries = st.integers(0, 7)
delays = st.floats(IDEAL_DELAY, LONGEST_DELAY)
fates = st.lists(st.lists(delays, max_size=3).map(tuple), max_size=MOST_FATES)
scids = st.lists(st.integers(2, 12), max_size=8, unique=True)
times = st.floats(0, LAST_CHANGE)
pools = st.builds(lambda low, size: SvidPool(low, low + size - 1), st.integers(2, 200), st.integers(0, 10))


def settings_of(role: EvbMode) -> st.SearchStrategy[EvbSettings]:
    return st.builds(EvbSettings, st.just(role), st.booleans(), retries, exponents, exponents, exponents, st.booleans())


def end_of(wire: FakeWire, number: int) -> LldpEnd:
    end = wire.ends[number]
    assert isinstance(end, LldpEnd)
    return end


def check_agreed(wire: FakeWire, wanted: set[int], pool: SvidPool) -> None:
    station, bridge = end_of(wire, LEFT), end_of(wire, RIGHT)
    assert isinstance(station.cdcp, CdcpStation)
    assert isinstance(bridge.cdcp, CdcpBridge)
    ours, theirs = station.settings, bridge.settings
    assert station.agreement == bridge.agreement
    assert station.agreement is not None
    assert station.agreement.remote
    assert station.agreement.reflective_relay is (ours.reflective_relay and theirs.reflective_relay)
    assert station.agreement.rte == max(ours.rte, theirs.rte)
    assert (station.evb.says.bridge, bridge.evb.says.station) == (bridge.evb.says.bridge, station.evb.says.station)
    assert station.cdcp.given == bridge.cdcp.given
    assert set(station.cdcp.given) <= wanted
    assert len(station.cdcp.given) == min(len(wanted), pool.size)
    assert len(set(station.cdcp.given.values())) == len(station.cdcp.given)


def check_quiet(wire: FakeWire) -> None:
    """Nothing is told any more, and no more is sent than a frame every 30 s."""
    told, sent = [len(one) for one in wire.told], [len(one) for one in wire.sent]
    wire.run(wire.now + 300)
    assert [len(one) for one in wire.told] == told
    assert [len(one) - before for one, before in zip(wire.sent, sent, strict=True)] == [10, 10]


@given(settings_of(EvbMode.STATION), settings_of(EvbMode.BRIDGE), scids, pools)
def test_on_a_good_wire_two_ends_agree_within_a_second(
    ours: EvbSettings, theirs: EvbSettings, wanted: list[int], pool: SvidPool
) -> None:
    station, bridge = LldpEnd(ours), LldpEnd(theirs, pool=pool)
    wire = FakeWire(station, bridge)
    wire.put(LEFT, [*station.ask(wanted, 0), *station.start(0)])
    wire.put(RIGHT, bridge.start(0))
    wire.run(1)
    check_agreed(wire, set(wanted), pool)


@given(st.data())
def test_on_a_bad_wire_two_ends_agree_in_bounded_time_and_are_quiet_then(data: st.DataObject) -> None:
    ours, theirs = data.draw(settings_of(EvbMode.STATION)), data.draw(settings_of(EvbMode.BRIDGE))
    pool = data.draw(pools)
    wire = FakeWire(LldpEnd(ours), LldpEnd(theirs, pool=pool), foretold(data.draw(fates)))
    first = data.draw(st.sampled_from((LEFT, RIGHT)))
    wire.put(first, end_of(wire, first).start(0))
    wanted: list[int] = []
    for now in sorted(data.draw(st.lists(times, max_size=4))):
        wire.run(now)
        deed = data.draw(st.sampled_from(["ask", "set station", "set bridge", "restart station", "restart bridge"]))
        number = RIGHT if deed.endswith("bridge") else LEFT
        if deed == "ask":
            wanted = data.draw(scids)
            wire.put(LEFT, end_of(wire, LEFT).ask(wanted, now))
        elif deed.startswith("set"):
            new = data.draw(settings_of(EvbMode.BRIDGE if number == RIGHT else EvbMode.STATION))
            wire.put(number, end_of(wire, number).set(new, now))
        else:
            restart(wire, number, pool, wanted)
    wire.run(LAST_CHANGE)
    for number in (LEFT, RIGHT):
        if wire.ends[number].deadline is None:
            wire.put(number, end_of(wire, number).start(LAST_CHANGE))
    wire.run(AGREED)
    check_agreed(wire, set(wanted), pool)
    check_quiet(wire)


def restart(wire: FakeWire, number: int, pool: SvidPool, wanted: list[int]) -> None:
    """Killed, without a word, and there again with nothing but the memory of the kernel."""
    old = end_of(wire, number)
    new = LldpEnd(old.settings, old.cdcp.given, pool)
    wire.ends[number] = new
    if number == LEFT:
        wire.put(LEFT, new.ask(wanted, wire.now))
    wire.put(number, new.start(wire.now))


@given(st.sampled_from((LEFT, RIGHT)), st.lists(st.integers(2, 4094), min_size=1, max_size=166, unique=True))
def test_a_restart_of_either_end_withdraws_and_gives_nothing(number: int, wanted: list[int]) -> None:
    station, bridge = LldpEnd(EvbSettings(EvbMode.STATION)), LldpEnd(EvbSettings(EvbMode.BRIDGE), pool=SvidPool())
    wire = FakeWire(station, bridge)
    wire.put(LEFT, [*station.ask(wanted, 0), *station.start(0)])
    wire.put(RIGHT, bridge.start(0))
    wire.run(10)
    told = [len(one) for one in wire.told]
    restart(wire, number, SvidPool(), wanted)
    wire.run(100)
    check_agreed(wire, set(wanted), SvidPool())
    news = [one for all_told, before in zip(wire.told, told, strict=True) for _, one in all_told[before:]]
    assert [one for one in news if isinstance(one, ChannelGiven | ChannelWithdrawn | ChannelsRefused)] == []


def test_two_stations_do_not_agree_and_go_quiet() -> None:
    ends = LldpEnd(EvbSettings(EvbMode.STATION)), LldpEnd(EvbSettings(EvbMode.STATION))
    for mac, end in zip((Mac(b"\2\0\0\0\0\1"), Mac(b"\2\0\0\0\0\2")), ends, strict=True):
        end.agent = LldpAgent(LldpSettings(mac, ChassisId.of_mac(mac), PortId.of_mac(mac)), [end.evb.says.tlv()])
    wire = FakeWire(*ends)
    for number, end in enumerate(ends):
        wire.put(number, end.start(0))
    wire.run(60)
    assert [end.agreement for end in ends] == [None, None]
    check_quiet(wire)


# What arrives where anybody can send: octets at random, LLDPDUs at random, and known ones with something changed.
small = st.binary(max_size=40)
tlvs = st.one_of(
    st.builds(Tlv, st.integers(4, 127), small),
    st.builds(lambda tail: Tlv(127, b"\0\x80\xc2" + tail), small),
    st.builds(lambda subtype, tail: Tlv(127, b"\0\x80\xc2" + subtype + tail), st.sampled_from([b"\r", b"\x0e"]), small),
)
ids = st.binary(min_size=1, max_size=3)
lldpdus = st.builds(
    Lldpdu,
    st.builds(ChassisId, st.integers(0, 255), ids),
    st.builds(PortId, st.integers(0, 255), ids),
    st.sampled_from([0, 1, 120, 0xFFFF]),
    st.lists(tlvs, max_size=4).map(tuple),
)
groups = st.sampled_from([NEAREST_CUSTOMER_BRIDGE] * 3 + [Mac(b"\2" * 6)])
sources = st.sampled_from([Mac(b"\2\0\0\0\0\1"), Mac(b"\3" * 6)])
frames = st.one_of(
    st.binary(max_size=80),
    st.builds(lambda tail: NEAREST_CUSTOMER_BRIDGE.octets + b"\2" * 6 + b"\x88\xcc" + tail, st.binary(max_size=60)),
    st.builds(lambda lldpdu, group, source: lldpdu.frame(group, source), lldpdus, groups, sources),
    st.builds(
        lambda lldpdu, at, octet: lldpdu.frame(NEAREST_CUSTOMER_BRIDGE, Mac(b"\2" * 6))[:at] + octet,
        lldpdus,
        st.integers(14, 80),
        st.binary(max_size=4),
    ),
)


@given(st.lists(st.tuples(frames, st.floats(0, 50)), max_size=40))
def test_any_octets_make_an_agent_neither_fail_nor_grow_nor_chatter(arrivals: list[tuple[bytes, float]]) -> None:
    mac = Mac(b"\2\0\0\0\0\x09")
    agent = LldpAgent(LldpSettings(mac, ChassisId.of_mac(mac), PortId.of_mac(mac)))
    known: set[tuple[ChassisId, PortId]] = set()
    now, sent = 0.0, len(agent.start(0))
    for octets, pause in arrivals:
        now += pause
        for output in [*agent.receive(octets, now), *agent.expire(now)]:
            if isinstance(output, Transmit):
                sent += 1
                continue
            name = (output.neighbour.lldpdu.chassis, output.neighbour.lldpdu.port)
            assert (name in known) is not isinstance(output, NeighbourSeen)
            known ^= set() if isinstance(output, NeighbourChanged) else {name}
            if not isinstance(output, NeighbourGone):
                _listen(output.neighbour.lldpdu)
        assert {(one.lldpdu.chassis, one.lldpdu.port) for one in agent.neighbours} == known
        assert len(known) <= 8
    assert sent <= now + 5
    counters = agent.counters
    assert counters.frames_in == len(arrivals)
    assert counters.discarded + counters.own + counters.too_many_neighbours <= len(arrivals)


def _listen(lldpdu: Lldpdu) -> None:
    """Hand on what a hostile neighbour says; the machines' own answers must be sayable."""
    try:
        evb, cdcp = Evb.find(lldpdu), Cdcp.find(lldpdu)
    except WireError:
        return
    for role in (EvbMode.STATION, EvbMode.BRIDGE):
        assert len(negotiate(EvbSettings(role), evb).says.tlv().value) == 9
    station, bridge = CdcpStation({2: 2}), CdcpBridge(SvidPool(), {2: 2})
    station.receive(cdcp)
    bridge.receive(cdcp)
    assert 11 <= len(station.says.tlv().value) <= 509
    assert 11 <= len(bridge.says.tlv().value) <= 509


@given(st.binary(max_size=120))
def test_any_octets_are_an_lldpdu_that_reads_back_or_a_wire_error(octets: bytes) -> None:
    try:
        lldpdu = Lldpdu.decode(octets)
    except WireError:
        return
    assert Lldpdu.decode(lldpdu.encode()) == lldpdu
    assert (str(lldpdu.chassis) + str(lldpdu.port) + lldpdu.system_name).isprintable()


@given(lldpdus)
def test_an_lldpdu_reads_back(lldpdu: Lldpdu) -> None:
    frame = Frame.decode(lldpdu.frame(NEAREST_CUSTOMER_BRIDGE, Mac(b"\2" * 6)))
    assert (frame.ethertype, Lldpdu.decode(frame.payload)) == (ETHERTYPE, lldpdu)
    assert len(frame.encode()) >= 60
    assert (str(lldpdu.chassis) + str(lldpdu.port)).isprintable()


numbers = st.integers(0, 0xFFF)
channels = st.lists(st.builds(SChannel, numbers, numbers), max_size=167).map(tuple)
bridge_statuses = st.builds(BridgeStatus, st.booleans(), st.booleans(), st.booleans())
station_statuses = st.builds(StationStatus, st.booleans(), st.sampled_from(RelayStatus), st.booleans())
evbs = st.builds(
    Evb,
    st.sampled_from(EvbMode),
    bridge_statuses,
    station_statuses,
    retries,
    exponents,
    exponents,
    exponents,
    st.booleans(),
    st.booleans(),
)
cdcps = st.builds(Cdcp, st.sampled_from(CdcpRole), channels, numbers, st.booleans())


@given(evbs, cdcps)
def test_evb_and_cdcp_read_back(evb: Evb, cdcp: Cdcp) -> None:
    chassis, port = ChassisId(7, b"c"), PortId(7, b"p")
    lldpdu = Lldpdu.decode(Lldpdu(chassis, port, 1, (cdcp.tlv(), evb.tlv())).encode())
    assert (Evb.find(lldpdu), Cdcp.find(lldpdu)) == (evb, cdcp)


@given(st.binary(max_size=520))
def test_any_octets_are_evb_and_cdcp_that_read_back_or_a_wire_error(octets: bytes) -> None:
    kinds: tuple[type[Evb] | type[Cdcp], ...] = (Evb, Cdcp)
    for kind in kinds:
        try:
            value = kind.decode(octets)
        except WireError:
            continue
        assert kind.decode(value.tlv().value[4:]) == value


@given(evbs, settings_of(EvbMode.STATION), settings_of(EvbMode.BRIDGE))
def test_whatever_the_other_end_says_what_is_in_use_is_never_less_than_ours(
    remote: Evb, station: EvbSettings, bridge: EvbSettings
) -> None:
    for own, mode in ((station, EvbMode.BRIDGE), (bridge, EvbMode.STATION)):
        agreement = negotiate(own, replace(remote, mode=mode)).agreement
        assert agreement is not None
        assert (agreement.retries, agreement.rte) >= (own.retries, 0)
        assert min(agreement.rte - own.rte, agreement.rwd - own.rwd, agreement.rka - own.rka) >= 0
