# SPDX-License-Identifier: Apache-2.0
"""The engine `reference`: nodes that decide by rules/, act on octets, learn and count, as the kernel's shells do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from openfex.model.counters import PortCounters, Totals
from openfex.model.drops import DropReason
from openfex.model.values import ChannelKind, port_link, port_number
from openfex.rules.bridge import decide_bridge, is_mistaken
from openfex.rules.decision import GOES_NOWHERE, Decision, Hit, Learnt, Verdict
from openfex.rules.extender import decide_down, decide_up
from openfex.rules.head import C_TAG, Head, read_head
from openfex.rules.policy import Frame, judge_copy, read_frame, settle
from openfex.rules.priority import write_dscp
from openfex.rules.schannel import schannel_tag
from openfex.rules.service import unwrap, wrap
from openfex.rules.tables import BridgeTables, ExtenderTables, Port, Terms
from openfex.wire import ETag, VlanTag, VnTag


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame that leaves a node: by which port, and its octets on the wire."""

    port: int
    octets: bytes


def vlan_tag(tci: int) -> bytes:
    """A C-tag by its second word."""
    return C_TAG.to_bytes(2, "big") + tci.to_bytes(2, "big")


def up_tag(kind: ChannelKind, channel: int, tci: int) -> bytes:
    """The channel's tag as a port extender writes it; with the priority of `tci`, where it has one.

    With VEPA it is the VLAN's, and all of `tci`.
    """
    if kind is ChannelKind.VEPA:
        return vlan_tag(tci)
    if kind.is_schannel:
        return schannel_tag(kind, channel, tci)
    if kind is ChannelKind.VNTAG:
        return VnTag(svif=channel).encode()
    return ETag(ecid=channel, pcp=tci >> 13, dei=tci >> 12 & 1).encode()


def down_tag(kind: ChannelKind, target: int, *, is_list: bool, source: int, tci: int) -> bytes:
    """The channel's tag as a bridge writes it; `target`, `source` and `tci` as in a decision."""
    if kind is ChannelKind.VEPA:
        return b""
    if kind.is_schannel:
        return schannel_tag(kind, target, tci)
    if kind is ChannelKind.ETAG:
        ingress = source if is_list else 0
        return ETag(target & 0xFFF, target >> 12, ingress, pcp=tci >> 13, dei=tci >> 12 & 1).encode()
    return VnTag(direction=1, pointer=int(is_list), dvif=target, looped=int(source > 0), svif=source).encode()


@dataclass(frozen=True, slots=True)
class Drop:
    """A copy that was dropped, by which port, and why."""

    port: int
    reason: DropReason


Copy = Sent | Drop
Judge = Callable[[Decision], DropReason]
"""Why a copy of a flood that leaves by the port `out` is dropped there, if it is."""


def _behind_macs(octets: bytes, remove: int, insert: bytes = b"") -> bytes:
    return octets[:12] + insert + octets[12 + remove :]


@dataclass(slots=True)
class Node:
    """What both kinds of node count."""

    counters: dict[int, PortCounters] = field(default_factory=dict)
    drops: Counter[tuple[int, DropReason]] = field(default_factory=Counter)
    totals: Totals = field(default_factory=Totals)

    def _count_in(self, decision: Decision, head: Head) -> None:
        if decision.verdict is Verdict.CONTROL:
            self.totals.control += 1
            return
        row = self.counters.setdefault(decision.port, PortCounters())
        row.count_in(head.dst, head.octets)
        if decision.verdict is Verdict.DROP:
            self.drops[decision.at, decision.reason] += 1

    def _count_out(self, copies: list[Copy], decision: Decision, head: Head) -> list[Sent]:
        """Each copy is counted out, or is a drop of its own; and a frame that nobody gets is one, too."""
        for one in copies:
            if isinstance(one, Drop):
                self.drops[one.port, one.reason] += 1
                continue
            row = self.counters.setdefault(one.port, PortCounters())
            row.count_out(head.dst, head.octets)
        if not copies:
            self.drops[decision.port, DropReason.NO_RECEIVER] += 1
        self.totals.replicated += max(0, len(copies) - 1)
        return [one for one in copies if isinstance(one, Sent)]


@dataclass(slots=True)
class Extender(Node):
    """A port extender over in-process wires."""

    tables: ExtenderTables = field(default_factory=ExtenderTables)

    def from_function(self, port: int, octets: bytes) -> list[Sent]:
        """A function sends; what leaves, leaves by the uplink."""
        head = read_head(octets)
        return self._carry(decide_up(head, port, self.tables), octets, head)

    def from_uplink(self, link: int, octets: bytes) -> list[Sent]:
        """The bridge sends; what leaves, leaves by functions."""
        head = self.head_from(link, octets)
        return self._carry(decide_down(head, link, self.tables), octets, head)

    def head_from(self, link: int, octets: bytes) -> Head:
        """What is seen of a frame that the bridge sends."""
        return read_frame(octets, self.tables.links.get(link)).head

    def _carry(self, decision: Decision, octets: bytes, head: Head) -> list[Sent]:
        self._count_in(decision, head)
        if decision.verdict in GOES_NOWHERE:
            return []
        return self._count_out(self.copies(decision, octets), decision, head)

    def copies(self, decision: Decision, octets: bytes) -> list[Copy]:
        """What becomes of a frame that is not dropped."""
        if decision.verdict is Verdict.UP:
            return [self._up(decision, octets)]
        link = port_link(decision.port)
        head = self.head_from(link, octets)
        bare = _behind_macs(octets, head.kind.overhead if head.kind else 0)
        if decision.verdict is Verdict.DELIVER:
            off = VlanTag.LENGTH if decision.vlan and not decision.tagged else 0  # with VEPA
            return [Sent(decision.out, _behind_macs(bare, off))]
        members = self.tables.lists[link, decision.list_id]
        untagged = _behind_macs(bare, VlanTag.LENGTH) if head.vlan_tags else bare
        copies = [(channel, bare) for channel in sorted(members.tagged)]
        copies += [(channel, untagged) for channel in sorted(members.untagged)]
        return [
            Sent(port_number(link, channel), copy)
            for channel, copy in copies
            if channel != decision.source and self._is_up(port_number(link, channel))
        ]

    def _up(self, decision: Decision, octets: bytes) -> Copy:
        kind = self.tables.links.get(port_link(decision.port))
        if not kind:
            return Drop(decision.port, DropReason.NOT_SENT)
        head = read_head(octets)
        own = VlanTag.LENGTH if kind is ChannelKind.VEPA and head.tpid == C_TAG else 0  # gives way to the uplink's
        tag = up_tag(kind, decision.source, decision.tci if decision.vlan else head.tci)
        return Sent(decision.out, _behind_macs(octets, own, tag))

    def _is_up(self, port: int) -> bool:
        function = self.tables.functions.get(port)
        return function is not None and function.up


@dataclass(slots=True)
class Bridge(Node):
    """A controlling bridge over in-process wires."""

    tables: BridgeTables = field(default_factory=BridgeTables)
    hits: Counter[Hit] = field(default_factory=Counter)

    def judge(self, link: int, frame: Frame, now_ns: int) -> Decision:
        """Decide about a frame, and give the decision its effects: what is learnt, paid for and counted."""
        decision = decide_bridge(frame, link, now_ns, self.tables)
        self.hits.update(decision.hits)
        if decision.learnt:
            self._remember(decision.learnt)
        decision = settle(decision, frame, now_ns, self.tables)
        self._count_in(decision, frame.head)
        return decision

    def receive(self, link: int, octets: bytes, now_ns: int) -> list[Sent]:
        """A frame arrives by an uplink or a network port."""
        frame = self.frame_from(link, octets)
        decision = self.judge(link, frame, now_ns)
        if decision.verdict in GOES_NOWHERE:
            return []
        bare = unwrap(frame, frame.head.tci & 0xFFF) if decision.unwrapped else frame
        copies = self.copies(decision, octets, lambda d: self._judge_copy(d, bare, now_ns))
        return self._count_out(copies, decision, frame.head)

    def frame_from(self, link: int, octets: bytes) -> Frame:
        """What is seen of a frame that arrives by a link."""
        return read_frame(octets, self.tables.links.get(link))

    def copies(self, decision: Decision, octets: bytes, judge: Judge) -> list[Copy]:
        """What becomes of a frame that is not dropped; `judge` is asked of each copy that one port gets."""
        frame = self.frame_from(port_link(decision.port), octets)
        head = frame.head
        overhead = head.kind.overhead if head.kind else 0
        octets = write_dscp(octets, head, decision.dscp)
        if decision.unwrapped:
            head, overhead = unwrap(frame, head.tci & 0xFFF).head, overhead + VlanTag.LENGTH
        bare = _behind_macs(octets, overhead + (VlanTag.LENGTH if head.tpid == C_TAG else 0))
        tagged = _behind_macs(bare, 0, vlan_tag(decision.tci))
        if decision.verdict is Verdict.DELIVER:
            return [self._one(decision, tagged if decision.tagged else bare)]
        return self._flood(decision, judge, (bare, tagged))

    def _flood(self, d: Decision, judge: Judge, shapes: tuple[bytes, bytes]) -> list[Copy]:
        """The one of `out`, one a peer, one a vEth that gets its own, and one an uplink with a list.

        Of the vEths the untagged come first. Uplinks that are not in the tables take none.
        """
        alone = [d] if d.out else []
        peers = (port_number(link) for link in sorted(d.peers))
        alone += [replace(d, out=port, tagged=True, service=self._terms_at(port).service) for port in peers]
        copies = [self._network_copy(one, judge, shapes[one.tagged]) for one in alone]
        for tagged, port in sorted((self._leaves_tagged(port, d.vlan), port) for port in self._judged(d)):
            row = self.tables.ports.get(port)
            if row and row.up and port != d.port and self._names_one(port_link(port)):
                source = d.source if port_link(port) == port_link(d.port) else 0
                one = replace(d, out=port, source=source, service=0, tagged=tagged)
                copies.append(self._judged_copy(one, judge, shapes[tagged]))
        for link in sorted(d.uplinks):
            kind = self.tables.links.get(link)
            source = d.source if link == port_link(d.port) else 0
            if kind and not kind.is_schannel:  # which have no lists
                tag = down_tag(kind, d.list_id, is_list=True, source=source, tci=d.tci)
                copies.append(Sent(port_number(link), _behind_macs(shapes[1], 0, tag)))
        return copies

    def _judged(self, d: Decision) -> tuple[int, ...]:
        port = self.tables.ports[d.port]
        flood = self.tables.floods.get((port_link(d.port) if port.network and not port.peer else 0, d.vlan))
        return flood.judged if flood else ()

    def _terms_at(self, port: int) -> Terms:
        return self.tables.terms_of(self.tables.ports.get(port, Port()))

    def _leaves_tagged(self, port: int, vlan: int) -> bool:
        return self.tables.leaves_tagged(self.tables.ports.get(port, Port()), vlan)

    def _names_one(self, link: int) -> bool:
        """Whether a copy of a flood can be for one vEth of an uplink: by VEPA all of the VLAN would get it."""
        return self.tables.links.get(link) not in {None, ChannelKind.VEPA}

    def _network_copy(self, d: Decision, judge: Judge, octets: bytes) -> Copy:
        link = port_link(d.out)
        if link not in self.tables.links or self.tables.links[link] is not None:
            return Drop(d.port, DropReason.NOT_SENT)
        return self._judged_copy(d, judge, octets)

    def _judged_copy(self, d: Decision, judge: Judge, octets: bytes) -> Copy:
        reason = judge(d)
        return Drop(d.out, reason) if reason else self._one(d, octets)

    def _judge_copy(self, d: Decision, frame: Frame, now_ns: int) -> DropReason:
        port = self.tables.ports.get(d.out)
        if is_mistaken(frame.head, d, self.tables):
            return DropReason.FORGED_TAG
        if port is None or not self.tables.terms_of(port).policy.judges_out:
            return DropReason.NONE
        judged = judge_copy(frame, d, d.out, now_ns, self.tables)
        self.hits.update(judged.hits)
        return judged.reason

    def _one(self, d: Decision, octets: bytes) -> Copy:
        link = port_link(d.out)
        if link not in self.tables.links:
            return Drop(d.port, DropReason.NOT_SENT)
        kind, octets = self.tables.links[link], wrap(octets, d.service, d.tci)
        if kind is None:
            return Sent(d.out, octets)
        tag = down_tag(kind, d.out & 0xFFF, is_list=False, source=d.source, tci=d.tci)
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
