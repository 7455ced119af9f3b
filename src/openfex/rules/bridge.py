# SPDX-License-Identifier: Apache-2.0
"""The controlling bridge's decision; the specification of bpf/lib/bridge.h.

(link, channel) names the port, on VEPA uplinks (link, source); the port's rules say what it may send; the VLAN and the
destination say where it goes.

To the network the bridge is an end host (promise P11): every vEth is pinned to one network port. What the network
sends reaches only the vEths that are pinned to the port it came by, and never another network port. So there is no
path from network to network, hence no loop, hence no spanning tree. All addresses of vEths are known from their
bindings; only what is on the network is learnt.

A network port that is a peer leads to another bridge of ours. What vEths send may leave by it, whatever they are pinned
to, always with a VLAN tag; what comes by it may reach any vEth, but no network port either.
"""

from __future__ import annotations

from dataclasses import replace

from openfex.model.drops import DropReason
from openfex.model.limits import FIRST_UPLINK
from openfex.model.values import DEFAULT_CHANNEL, LAST_CHANNEL, ChannelKind, Mac, port_channel, port_link, port_number
from openfex.rules.decision import Decision, Direction, Learnt, Verdict, deny, drop
from openfex.rules.head import NOBODY, S_TAG, Head, is_control, judge_head
from openfex.rules.policy import Frame, judge_acl, judge_guard, judge_source
from openfex.rules.priority import dscp_of, priority_of
from openfex.rules.schannel import is_in_default, may_go_untagged
from openfex.rules.service import unwrap
from openfex.rules.tables import BridgeTables, Flood, Port, Station, Terms
from openfex.rules.vepa import find_sender, is_in_vlan

REFRESH_NS = 10**9
"""An entry's age is written at most once a second."""


def _channel(head: Head) -> tuple[int, DropReason]:
    """The channel of a tagged frame from an uplink, or why it has none."""
    if head.bad or head.list:
        return 0, DropReason.BAD_TAG
    if head.down:
        return 0, DropReason.WRONG_DIRECTION
    channel = head.source if head.kind is ChannelKind.VNTAG else head.target
    if not 1 <= channel <= LAST_CHANNEL:
        return 0, DropReason.UNKNOWN_CHANNEL
    return channel, DropReason.NONE


def _sender(head: Head, link: int, tables: BridgeTables) -> tuple[int | None, DropReason]:
    """The port that a frame from a link is of, or why it is nobody's."""
    kind = tables.links[link]
    if kind is None:
        return port_number(link), DropReason.UNKNOWN_CHANNEL
    if kind is ChannelKind.VEPA:
        number = find_sender(head.src, link, tables) if is_in_vlan(head) else None
        return number, DropReason.UNKNOWN_CHANNEL if is_in_vlan(head) else DropReason.NOT_IN_CHANNEL
    if is_in_default(head, kind):
        return port_number(link, DEFAULT_CHANNEL), DropReason.UNKNOWN_CHANNEL
    if kind is not head.kind:
        return None, DropReason.NOT_IN_CHANNEL
    channel, reason = _channel(head)
    return None if reason else port_number(link, channel), reason or DropReason.UNKNOWN_CHANNEL


def enter(head: Head, link: int, tables: BridgeTables) -> tuple[int, DropReason]:
    """The port that a frame from `link` is counted on, and why it may not enter."""
    number = port_number(link)
    if not head.whole:
        return number, DropReason.TRUNCATED
    if link not in tables.links:
        return number, DropReason.NOT_IN_CHANNEL
    if tables.links[link] is None and head.kind is not None:
        return number, DropReason.FORGED_TAG
    sender, reason = _sender(head, link, tables)
    port = None if sender is None else tables.ports.get(sender)
    if sender is None or port is None:
        return number, reason
    return sender, DropReason.NONE if port.up else DropReason.PORT_DOWN


def classify(head: Head, port: Terms, *, vepa: bool = False) -> int:
    """The VLAN a frame belongs to once it is past the port; 0: it may not pass.

    A priority tag counts as none. To a trunk a service tag is data in its native VLAN; an access port takes no tag,
    nor one behind a priority tag: where the frame leaves untagged it would be the first. From a VEPA uplink an access
    VLAN has its tag, too.
    """
    if not port.trunk and (head.tpid == S_TAG or head.vlan_tags > 1):
        return 0
    if not head.tag_vid:
        return 0 if vepa else port.vlan
    return head.tag_vid if (vepa or port.trunk) and port.is_member(head.tag_vid) else 0


def learn(src: Mac, vlan: int, port: int, now_ns: int, tables: BridgeTables) -> tuple[DropReason, Learnt | None]:
    """What a frame from the network teaches. Its source must not be one of our vEths (P11)."""
    known = tables.stations.get((src, vlan))
    if known and known.port == port and known.epoch == tables.epoch:
        if now_ns - known.seen_ns > REFRESH_NS:
            return DropReason.NONE, Learnt(src, vlan, replace(known, seen_ns=now_ns))
        return DropReason.NONE, None
    if tables.owner_of(src) is not None:
        return DropReason.OWN_SOURCE, Learnt(src, vlan, None) if known else None
    fresh = Station(port, now_ns, tables.epoch)
    if known is None and len(tables.stations) >= tables.most_stations:
        return DropReason.NONE, Learnt(src, vlan, None, "not-learnt")
    event = "learnt" if known is None else "moved" if known.port != port else ""
    return DropReason.NONE, Learnt(src, vlan, fresh, event)


def _to_veth(to: int, port: Port, d: Decision, frame: Frame, tables: BridgeTables) -> Decision:
    target = tables.ports.get(to)
    if to == d.port:
        return deny(d, DropReason.SAME_PORT)
    if target is None or not target.up:
        return deny(d, DropReason.PORT_DOWN)
    if port.network and not port.peer and target.pin != d.port:
        return deny(d, DropReason.NOT_PINNED)
    terms = tables.terms_of(target)
    if not terms.is_member(d.vlan):
        return deny(d, DropReason.VLAN_MISMATCH)
    source = port_channel(d.port) if port_link(to) == port_link(d.port) else 0
    d = replace(d, out=to, source=source, tagged=tables.leaves_tagged(target, d.vlan), service=terms.service)
    if is_mistaken(frame.head, d, tables):
        return deny(d, DropReason.FORGED_TAG, to)
    return judge_acl(frame, d, to, Direction.OUT, tables)


def is_mistaken(head: Head, d: Decision, tables: BridgeTables) -> bool:
    """Whether what leaves by the vEth `out` would be taken for a frame in another S-channel."""
    kind = tables.links.get(port_link(d.out))
    if port_channel(d.out) != DEFAULT_CHANNEL or kind is None or not kind.is_schannel:
        return False
    return not may_go_untagged(head, kind, tagged=d.tagged, service=d.service)


def _network_port(number: int, vlan: int, tables: BridgeTables) -> Terms | None:
    """What a network port asks, if it may carry the VLAN."""
    port = tables.ports.get(number)
    if port is None or not (port.up and port.network):
        return None
    terms = tables.terms_of(port)
    return terms if terms.is_member(vlan) else None


def _to_network(station: Station, port: Port, d: Decision, frame: Frame, tables: BridgeTables) -> Decision:
    """To the pinned port, wherever the station was heard, unless that was at a peer."""
    if port.network:
        return deny(d, DropReason.SAME_PORT if station.port == d.port else DropReason.NETWORK_TO_NETWORK)
    heard = tables.ports.get(station.port)
    out = station.port if heard and heard.peer else port.pin
    way = _network_port(out, d.vlan, tables)
    if way is None:
        return deny(d, DropReason.NO_RECEIVER)
    d = replace(d, out=out, tagged=way.leaves_tagged(d.vlan), service=way.service)
    return judge_acl(frame, d, out, Direction.OUT, tables)


def _needed(port: Port, flood: Flood, tables: BridgeTables) -> frozenset[int]:
    """The uplinks where somebody else is on the list: who is judged alone is not on it himself."""
    return flood.any if tables.terms_of(port).policy.judges_out else flood.many


def _to_all(port: Port, d: Decision, tables: BridgeTables) -> Decision:
    """One copy an uplink with a list id, which the extender replicates, one to the pinned port, one a peer.

    And one for each vEth that is judged alone. Who is judged for what leaves by it is judged when its copy is made.
    The sender's own uplink needs a copy if anybody but the sender is on the list; who is judged alone is not on it.
    """
    link = port_link(d.port)
    flood = tables.floods.get((link if port.network and not port.peer else 0, d.vlan))
    uplinks = flood.any if flood else frozenset()
    peers = flood.peers if flood and not port.network else frozenset()
    judged = bool(flood and flood.judged)
    pin = None if port.network else _network_port(port.pin, d.vlan, tables)
    if flood and not port.network and link not in _needed(port, flood, tables):
        uplinks -= {link}
    if not uplinks and not peers and not judged and pin is None:
        return deny(d, DropReason.NO_RECEIVER)
    return replace(
        d,
        verdict=Verdict.FLOOD,
        uplinks=uplinks,
        list_id=flood.list_id if flood else 0,
        source=port_channel(d.port),
        out=port.pin if pin else 0,
        tagged=pin is not None and pin.leaves_tagged(d.vlan),
        service=pin.service if pin else 0,
        peers=peers,
        judged=judged,
    )


def _find_way(frame: Frame, port: Port, d: Decision, now_ns: int, tables: BridgeTables) -> Decision:
    dst = frame.head.dst
    if dst.is_multicast:
        return _to_all(port, d, tables)
    owner = tables.owner_of(dst)
    if owner is not None:
        return _to_veth(owner, port, d, frame, tables)
    station = tables.stations.get((dst, d.vlan))
    if d.learnt and dst == d.learnt.mac:
        station = d.learnt.station
    if station and now_ns - station.seen_ns < tables.ageing_ns:
        return _to_network(station, port, d, frame, tables)
    return _to_all(port, d, tables)


def _judge_sender(head: Head, number: int, tables: BridgeTables) -> tuple[DropReason, bool]:
    """A vEth may use its own addresses only; the network any that is one."""
    port = tables.ports[number]
    if not port.network:
        return judge_source(head.src, number, tables)
    bad = head.src.is_multicast or head.src == NOBODY
    return DropReason.BAD_SOURCE if bad else DropReason.NONE, False


def _pass_port(frame: Frame, number: int, tables: BridgeTables) -> Decision:
    """What the port that a frame came in by says of it."""
    head, port = frame.head, tables.ports[number]
    terms = tables.terms_of(port)
    reason = judge_head(head)
    if reason:
        return drop(number, reason)
    reason, learns = _judge_sender(head, number, tables)
    if reason:
        return drop(number, reason)
    vlan = 0 if terms.service and not frame.unwrapped else classify(head, terms, vepa=port.vepa)
    if not vlan:
        return drop(number, DropReason.VLAN_NOT_ALLOWED)
    reason = judge_guard(frame, port) if terms.policy.source.guard else DropReason.NONE
    if reason:
        return drop(number, reason)
    priority = terms.policy.priority
    tci, dscp = priority_of(frame, priority) | vlan, dscp_of(frame, priority)
    d = Decision(Verdict.DELIVER, number, vlan=vlan, tci=tci, learns=learns, dscp=dscp, unwrapped=frame.unwrapped)
    return judge_acl(frame, d, number, Direction.IN, tables)


def decide_bridge(frame: Frame, link: int, now_ns: int, tables: BridgeTables) -> Decision:
    """A frame from `link`, an uplink or a network port. Changes nothing: what was learnt is in the decision."""
    if link >= FIRST_UPLINK and frame.head.whole and is_control(frame.head):
        return Decision(Verdict.CONTROL, port_number(link))
    number, reason = enter(frame.head, link, tables)
    if reason:
        return drop(number, reason)
    port = tables.ports[number]
    frame = unwrap(frame, tables.terms_of(port).service)
    d = _pass_port(frame, number, tables)
    if d.verdict is Verdict.DROP:
        return d
    if port.network:
        reason, learnt = learn(frame.head.src, d.vlan, number, now_ns, tables)
        d = replace(d, learnt=learnt)
        if reason:
            return deny(d, reason)
    return _find_way(frame, port, d, now_ns, tables)
