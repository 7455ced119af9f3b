# SPDX-License-Identifier: Apache-2.0
"""Both engines side by side: the same tables, the same frames, and what they must then agree on."""

from __future__ import annotations

from dataclasses import replace

from openfex.model.counters import PortCounters
from openfex.model.values import DEFAULT_CHANNEL, ChannelKind, Mac, port_channel, port_link
from openfex.rules.bridge import REFRESH_NS, decide_bridge
from openfex.rules.decision import Decision, Verdict, outcome
from openfex.rules.engine import Bridge, Extender, Sent
from openfex.rules.extender import decide_down, decide_up
from openfex.rules.head import read_head
from openfex.rules.tables import BridgeTables, ExtenderTables, Station
from openfex.testing.frames import Arrival
from openfex.testing.kernel import KernelEngine, KernelTables, kernel_now_ns, made_up_devices
from openfex.testing.reference import ReferenceBridge, ReferenceExtender
from openfex.testing.tables import from_now

VLAN_TYPES = (b"\x81\x00", b"\x88\xa8")
SEVERAL_WAYS = (Verdict.FLOOD, Verdict.REPLICATE)


def counted(rows: dict[int, PortCounters]) -> dict[int, PortCounters]:
    """The rows that are not all zero: in the kernel there are no others."""
    return {port: row for port, row in rows.items() if row != PortCounters()}


def check_counts(kernel: KernelTables, reference: Bridge | Extender) -> None:
    assert kernel.counters() == counted(reference.counters)
    assert kernel.drops() == reference.drops
    assert kernel.totals() == reference.totals
    if isinstance(reference, Bridge):
        assert kernel.hits() == reference.hits
        assert kernel.macs() == reference.tables.memory.macs


def explain(arrival: Arrival, tables: object, wanted: object, got: object) -> str:
    return f"{arrival}\n reference: {wanted}\n kernel:    {got}\n {tables}"


class ExtenderTrial:
    """A port extender's decisions."""

    def __init__(self, kernel: KernelEngine, tables: ExtenderTables) -> None:
        self.kernel = kernel
        self.reference = ReferenceExtender(tables=tables)
        kernel.write(tables)

    def feed(self, arrival: Arrival) -> Decision:
        wanted = outcome(self.reference.decide(arrival.at, arrival.octets))
        got = self.kernel.decide(arrival.at, arrival.octets)
        assert got == wanted, explain(arrival, self.reference.tables, wanted, got)
        return wanted

    def check(self) -> None:
        check_counts(self.kernel, self.reference)


class BridgeTrial:
    """A bridge's decisions, and what it learns from frame to frame."""

    def __init__(self, kernel: KernelEngine, tables: BridgeTables) -> None:
        room = kernel.map("stations").max_entries
        stations = dict(list(tables.stations.items())[:room])
        tables = replace(tables, stations=stations, most_stations=room)
        self.kernel = kernel
        self.reference = ReferenceBridge(tables=from_now(tables, kernel_now_ns()))
        self._longest_ns = 0
        self._begun_ns = kernel_now_ns()
        kernel.write(self.reference.tables)

    @property
    def tables(self) -> BridgeTables:
        return self.reference.tables

    def feed(self, arrival: Arrival, now_ns: int = 0) -> Decision:
        """Decide about a frame at a time, by the clock of rates; 0 is now."""
        now_ns = now_ns or kernel_now_ns()
        self.kernel.set_clock(now_ns)
        wanted = outcome(self.reference.decide(arrival.at, arrival.octets, now_ns))
        got = self.kernel.decide(arrival.at, arrival.octets)
        self._longest_ns = max(self._longest_ns, kernel_now_ns() - now_ns)
        assert got == wanted, explain(arrival, self.tables, wanted, got)
        return wanted

    def bind(self, mac: Mac, port: int) -> None:
        """A new vEth: addresses that were learnt before may now be ours, so the epoch grows."""
        if mac in self.tables.memory.macs:
            return
        self.tables.veths[mac] = port
        self.tables.epoch += 1
        self.kernel.rewrite(self.tables)

    def age(self, by_ns: int) -> None:
        """Make all stations older, as if the time had passed."""
        older = {key: replace(one, seen_ns=one.seen_ns - by_ns) for key, one in self.tables.stations.items()}
        self.tables.stations.update(older)
        self.kernel.learn(older)

    def check(self) -> None:
        check_counts(self.kernel, self.reference)
        self.check_stations()

    def check_stations(self) -> None:
        """The same keys, ports and epochs; and no time is further apart than one frame took both engines.

        A time is written anew once a second. On a slow machine that second may be over for the one engine alone.
        """
        got, wanted = self.kernel.stations(), self.tables.stations
        assert {key: _place(one) for key, one in got.items()} == {key: _place(one) for key, one in wanted.items()}
        renewed = REFRESH_NS if kernel_now_ns() - self._begun_ns > REFRESH_NS else 0
        for key, one in got.items():
            assert -renewed <= one.seen_ns - wanted[key].seen_ns <= self._longest_ns + renewed, key


def _place(station: Station) -> tuple[int, int]:
    return station.port, station.epoch


class OctetsTrial:
    """The real programs' octets, where a frame has one way to go; where it has several, both engines only decide.

    A second kernel engine is XDP's partner at tc, on the same maps: what XDP passes on is its own to decide.
    """

    def __init__(
        self, kernel: KernelEngine, tables: BridgeTables | ExtenderTables, partner: KernelEngine | None = None
    ) -> None:
        self.kernel = kernel
        self.partner = partner
        self.reference: ReferenceBridge | ReferenceExtender
        if isinstance(tables, BridgeTables):
            self.reference = ReferenceBridge(tables=from_now(tables, kernel_now_ns()))
        else:
            self.reference = ReferenceExtender(tables=tables)
        kernel.write(self.reference.tables, made_up_devices(self.reference.tables, self._is_xdp))

    def _is_xdp(self, port: int) -> bool:
        """With a partner some wires are left to it alone."""
        return not self.partner or (port_link(port) + port_channel(port)) % 3 > 0

    def feed(self, arrival: Arrival) -> Verdict:
        now_ns = kernel_now_ns()
        if isinstance(self.reference, ReferenceBridge):
            self.kernel.set_clock(now_ns)
        verdict = self._verdict(arrival, now_ns)
        if verdict in SEVERAL_WAYS:
            self._several_ways(arrival, now_ns)
        else:
            self._one_way(arrival, now_ns)
        return verdict

    def _verdict(self, arrival: Arrival, now_ns: int) -> Verdict:
        link, octets, node = arrival.at >> 12, arrival.octets, self.reference
        if isinstance(node, ReferenceBridge):
            return decide_bridge(node.frame_from(link, octets), link, now_ns, node.tables).verdict
        if arrival.at & 0xFFF:
            return decide_up(read_head(octets), arrival.at, node.tables).verdict
        return decide_down(node.head_from(link, octets), link, node.tables).verdict

    def _several_ways(self, arrival: Arrival, now_ns: int) -> None:
        if self.partner:
            acted = self.kernel.act(arrival.at, arrival.octets)
            assert acted.passed, arrival
            assert acted.octets == arrival.octets, arrival
        if isinstance(self.reference, ReferenceBridge):
            self.reference.decide(arrival.at, arrival.octets, now_ns)
        else:
            self.reference.decide(arrival.at, arrival.octets)
        (self.partner or self.kernel).decide(arrival.at, arrival.octets)

    def _one_way(self, arrival: Arrival, now_ns: int) -> None:
        sent = self._reference_sends(arrival, now_ns)
        kernel, acted = self.kernel, self.kernel.act(arrival.at, arrival.octets)
        if acted.passed and self.partner:
            assert acted.octets == arrival.octets, arrival
            kernel, acted = self.partner, self.partner.act(arrival.at, arrival.octets)
        wanted = [one.octets for one in sent]
        got = [acted.octets] if acted.sent else []
        if kernel.attachment == "tc":
            wanted = [one.octets if self._is_left_alone(one, arrival) else _as_skb(one.octets) for one in sent]
        assert got == wanted, explain(arrival, self.reference.tables, wanted, got)

    def _is_left_alone(self, sent: Sent, arrival: Arrival) -> bool:
        """Whether its tags are where they were.

        Always put there anew is the tag of an S-channel, and of a VLAN one in the octets of what goes up a VEPA uplink.
        """
        kind, channel = self.reference.tables.links.get(port_link(sent.port)), port_channel(sent.port)
        tagged = kind is not None and kind.is_schannel and channel not in {0, DEFAULT_CHANNEL}
        tagged = tagged or (kind is ChannelKind.VEPA and not channel)
        return sent.octets == arrival.octets and not tagged

    def _reference_sends(self, arrival: Arrival, now_ns: int) -> list[Sent]:
        link = arrival.at >> 12
        if isinstance(self.reference, ReferenceBridge):
            return self.reference.receive(link, arrival.octets, now_ns)
        if arrival.at & 0xFFF:
            return self.reference.from_function(arrival.at, arrival.octets)
        return self.reference.from_uplink(link, arrival.octets)

    def check(self) -> None:
        check_counts(self.kernel, self.reference)


def _as_skb(octets: bytes) -> bytes:
    """The octets of an skb that was changed: its outermost VLAN tag is then beside them, and no test run shows it.

    tests/bpf/test_p10_wires.py sees it, on real wires.
    """
    return octets[:12] + octets[16:] if octets[12:14] in VLAN_TYPES else octets
