# SPDX-License-Identifier: Apache-2.0
"""The engine `reference`: nodes that decide by rules/, act on octets, learn and count, as the kernel's shells do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from openfex.model.counters import PortCounters, Totals
from openfex.model.drops import DropReason
from openfex.model.values import ChannelKind, port_link, port_number
from openfex.rules.bridge import decide_bridge
from openfex.rules.decision import Decision, Learnt, Verdict
from openfex.rules.extender import decide_down, decide_up
from openfex.rules.head import C_TAG, Head, read_head
from openfex.rules.tables import BridgeTables, ExtenderTables
from openfex.wire import ETag, VlanTag, VnTag


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame that leaves a node: by which port, and its octets on the wire."""

    port: int
    octets: bytes


def up_tag(kind: ChannelKind, channel: int) -> bytes:
    """The channel's tag as a port extender writes it."""
    return VnTag(svif=channel).encode() if kind is ChannelKind.VNTAG else ETag(ecid=channel).encode()


def down_tag(kind: ChannelKind, target: int, *, is_list: bool, source: int) -> bytes:
    """The channel's tag as a bridge writes it; `target` and `source` as in a decision."""
    if kind is ChannelKind.ETAG:
        return ETag(ecid=target & 0xFFF, grp=target >> 12, ingress=source if is_list else 0).encode()
    return VnTag(direction=1, pointer=int(is_list), dvif=target, looped=int(source > 0), svif=source).encode()


Copy = Sent | None
"""A copy of a frame; None where it cannot be sent."""


def _behind_macs(octets: bytes, remove: int, insert: bytes = b"") -> bytes:
    return octets[:12] + insert + octets[12 + remove :]


@dataclass(slots=True)
class Node:
    """What both kinds of node count."""

    counters: dict[int, PortCounters] = field(default_factory=dict)
    drops: Counter[tuple[int, DropReason]] = field(default_factory=Counter)
    totals: Totals = field(default_factory=Totals)

    def _count_in(self, decision: Decision, head: Head) -> None:
        row = self.counters.setdefault(decision.port, PortCounters())
        row.in_frames += 1
        row.in_octets += head.octets
        if decision.verdict is Verdict.DROP:
            self.drops[decision.port, decision.reason] += 1

    def _count_out(self, copies: list[Copy], decision: Decision, head: Head) -> list[Sent]:
        """Each copy is counted out, or is a drop of its own; and a frame that nobody gets is one, too."""
        for one in copies:
            if one is None:
                self.drops[decision.port, DropReason.NOT_SENT] += 1
                continue
            row = self.counters.setdefault(one.port, PortCounters())
            row.out_frames += 1
            row.out_octets += head.octets
        if not copies:
            self.drops[decision.port, DropReason.NO_RECEIVER] += 1
        self.totals.replicated += max(0, len(copies) - 1)
        return [one for one in copies if one is not None]


@dataclass(slots=True)
class Extender(Node):
    """A port extender over in-process wires."""

    tables: ExtenderTables = field(default_factory=ExtenderTables)

    def from_function(self, port: int, octets: bytes) -> list[Sent]:
        """A function sends; what leaves, leaves by the uplink."""
        head = read_head(octets)
        decision = decide_up(head, port, self.tables)
        self._count_in(decision, head)
        if decision.verdict is Verdict.DROP:
            return []
        kind = self.tables.links.get(port_link(port))
        copy = Sent(decision.out, _behind_macs(octets, 0, up_tag(kind, decision.source))) if kind else None
        return self._count_out([copy], decision, head)

    def from_uplink(self, link: int, octets: bytes) -> list[Sent]:
        """The bridge sends; what leaves, leaves by functions."""
        head = read_head(octets)
        decision = decide_down(head, link, self.tables)
        self._count_in(decision, head)
        if decision.verdict is Verdict.DROP or head.kind is None:
            return []
        bare = _behind_macs(octets, head.kind.overhead)
        if decision.verdict is Verdict.DELIVER:
            return self._count_out([Sent(decision.out, bare)], decision, head)
        members = self.tables.lists[link, decision.list_id]
        untagged = _behind_macs(bare, VlanTag.LENGTH) if head.vlan_tags else bare
        copies = [(channel, bare) for channel in sorted(members.tagged)]
        copies += [(channel, untagged) for channel in sorted(members.untagged)]
        sent: list[Copy] = [
            Sent(port_number(link, channel), copy)
            for channel, copy in copies
            if channel != decision.source and self._is_up(port_number(link, channel))
        ]
        return self._count_out(sent, decision, head)

    def _is_up(self, port: int) -> bool:
        function = self.tables.functions.get(port)
        return function is not None and function.up


@dataclass(slots=True)
class Bridge(Node):
    """A controlling bridge over in-process wires."""

    tables: BridgeTables = field(default_factory=BridgeTables)

    def receive(self, link: int, octets: bytes, now_ns: int) -> list[Sent]:
        """A frame arrives by an uplink or a network port."""
        head = read_head(octets)
        decision = decide_bridge(head, link, now_ns, self.tables)
        self._count_in(decision, head)
        if decision.learnt:
            self._remember(decision.learnt)
        if decision.verdict is Verdict.DROP:
            return []
        overhead = head.kind.overhead if head.kind else 0
        bare = _behind_macs(octets, overhead + (VlanTag.LENGTH if head.tpid == C_TAG else 0))
        tagged = _behind_macs(bare, 0, C_TAG.to_bytes(2, "big") + decision.tci.to_bytes(2, "big"))
        return self._count_out(self._copies(decision, bare, tagged), decision, head)

    def _copies(self, d: Decision, bare: bytes, tagged: bytes) -> list[Copy]:
        """The one of `out`, one a peer, and one an uplink; uplinks that are not in the tables take none."""
        copies: list[Copy] = []
        if d.out:
            copies.append(self._one(d, tagged if d.tagged else bare))
        for link in sorted(d.peers):
            is_there = link in self.tables.links and self.tables.links[link] is None
            copies.append(Sent(port_number(link), tagged) if is_there else None)
        for link in sorted(d.uplinks):
            kind = self.tables.links.get(link)
            source = d.source if link == port_link(d.port) else 0
            if kind:
                tag = down_tag(kind, d.list_id, is_list=True, source=source)
                copies.append(Sent(port_number(link), _behind_macs(tagged, 0, tag)))
        return copies

    def _one(self, d: Decision, octets: bytes) -> Copy:
        link = port_link(d.out)
        kind = self.tables.links.get(link)
        if link not in self.tables.links or (kind and d.verdict is Verdict.FLOOD):
            return None
        if kind is None:
            return Sent(d.out, octets)
        tag = down_tag(kind, d.out & 0xFFF, is_list=False, source=d.source)
        return Sent(d.out, _behind_macs(octets, 0, tag))

    def _remember(self, learnt: Learnt) -> None:
        key = (learnt.mac, learnt.vlan)
        if learnt.station is not None:
            self.tables.stations[key] = learnt.station
        elif not learnt.event:
            self.tables.stations.pop(key, None)
        if learnt.event == "learnt":
            self.totals.learnt += 1
        elif learnt.event == "moved":
            self.totals.moved += 1
        elif learnt.event == "not-learnt":
            self.totals.not_learnt += 1

    def sweep(self, now_ns: int) -> None:
        """Forget the stations that have not been heard for the ageing time."""
        old = [key for key, one in self.tables.stations.items() if now_ns - one.seen_ns > self.tables.ageing_ns]
        for key in old:
            del self.tables.stations[key]
        self.totals.aged += len(old)
