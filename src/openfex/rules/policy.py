# SPDX-License-Identifier: Apache-2.0
"""What a port's terms say of a frame: its guard, its ACLs, its rates; the specification of bpf/lib/policy.h.

The order, and what of a frame can be read: docs/design/policy.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from openfex.model.drops import DropReason
from openfex.model.policy import Rate
from openfex.model.values import ChannelKind, Mac
from openfex.rules.classes import match
from openfex.rules.decision import GOES_NOWHERE, Decision, Direction, Hit, Verdict, deny
from openfex.rules.head import Head, read_head
from openfex.rules.packet import ARP, ICMPV6, IPV4, IPV6, UDP, Packet, Subject, read_packet
from openfex.rules.schannel import enter_schannel
from openfex.rules.tables import BridgeTables, Memory, Port

SOLICITATION, ADVERTISEMENT = 135, 136
MOST_OPTIONS = 4
SPENT_NS = 1 << 16
"""Costs are in parts of a nanosecond of this size."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as policy sees it: its octets, its head, and what is read behind that when somebody asks.

    `unwrapped`: its head is what stands behind a service tag.
    """

    octets: bytes
    head: Head
    unwrapped: bool = False

    @property
    def packet(self) -> Packet:
        """What stands behind its tags."""
        return read_packet(self.octets, self.head.inner)


def read_frame(octets: bytes, kind: ChannelKind | None = None) -> Frame:
    """A frame by its octets, from a link of that kind. Never raises."""
    return Frame(octets, enter_schannel(read_head(octets), octets, kind))


# ACL


def judge_acl(frame: Frame, d: Decision, at: int, direction: Direction, tables: BridgeTables) -> Decision:
    """The ACL of the port `at`: the decision with its hit, or a drop there."""
    port = tables.ports[at]
    policy = tables.terms_of(port).policy
    rules = policy.acl_out if direction else policy.acl_in
    if rules is None:
        return d
    packet = frame.packet
    if packet.unreadable:
        return deny(d, DropReason.UNREADABLE_HEADER, at)
    rule = match(rules, Subject(frame.head.src, frame.head.dst, d.vlan, packet))
    rule = len(rules) if rule is None else rule
    d = replace(d, hits=(*d.hits, Hit(port.profile, direction, rule)))
    if rule < len(rules) and rules[rule].permit:
        return d
    return deny(d, DropReason.ACL_OUT if direction else DropReason.ACL_IN, at)


# Guard


def judge_guard(frame: Frame, port: Port) -> DropReason:
    """Whether a frame from a guarded port names only the port's own addresses as its sender's."""
    if frame.head.type == ARP:
        return _judge_arp(frame, port)
    packet = frame.packet
    if packet.ethertype not in (IPV4, IPV6):
        return DropReason.NONE
    if packet.unreadable:
        return DropReason.UNREADABLE_HEADER
    if not any(packet.source):
        return DropReason.NONE if _may_be_nobody(frame, packet, port) else DropReason.SPOOFED_ADDRESS
    if packet.source not in port.addresses:
        return DropReason.SPOOFED_ADDRESS
    return _judge_neighbour(frame, packet, port)


def _judge_arp(frame: Frame, port: Port) -> DropReason:
    """RFC 826: Ethernet and IPv4; the sender's MAC is the frame's, its IP the port's own or, in a probe, nobody's."""
    at = frame.head.inner + 2
    body = frame.octets[at : at + 28]
    if len(body) < 28 or body[:6] != bytes.fromhex("000108000604"):
        return DropReason.UNREADABLE_HEADER
    sender = body[14:18]
    if body[8:14] != frame.head.src.octets or (any(sender) and sender not in port.addresses):
        return DropReason.SPOOFED_ADDRESS
    return DropReason.NONE


def _may_be_nobody(frame: Frame, packet: Packet, port: Port) -> bool:
    """From the unspecified address: DHCP of a client; in IPv6 what asks whether an own address is free, or is MLD."""
    if packet.ethertype == IPV4:
        return packet.protocol == UDP and packet.ports == (68, 67)
    if packet.protocol != ICMPV6 or packet.ports is None:
        return False
    kind = packet.ports[0] >> 8
    if kind == SOLICITATION:
        return _judge_neighbour(frame, packet, port) is DropReason.NONE
    return kind in (131, 132, 133, 143)  # MLD (RFC 2710, 3810), and asking for routers (RFC 4861)


def _judge_neighbour(frame: Frame, packet: Packet, port: Port) -> DropReason:
    """RFC 4861: an advertised address is the port's own, so is one asked about by nobody; and link addresses."""
    kind = packet.ports[0] >> 8 if packet.protocol == ICMPV6 and packet.ports else 0
    if kind not in (SOLICITATION, ADVERTISEMENT):
        return DropReason.NONE
    body = frame.octets[packet.at : packet.at + 24]
    if len(body) < 24:
        return DropReason.UNREADABLE_HEADER
    if (kind == ADVERTISEMENT or not any(packet.source)) and body[8:24] not in port.addresses:
        return DropReason.SPOOFED_ADDRESS
    return _judge_options(frame, packet.at + 24)


def _judge_options(frame: Frame, at: int) -> DropReason:
    """Source and target link-layer addresses (1, 2) are the frame's own; more options than we look at are refused."""
    for _ in range(MOST_OPTIONS):
        option = frame.octets[at : at + 8]
        if len(option) < 8:
            return DropReason.NONE
        if not option[1]:
            return DropReason.UNREADABLE_HEADER
        if option[0] in (1, 2) and option[2:8] != frame.head.src.octets:
            return DropReason.SPOOFED_ADDRESS
        at += option[1] * 8
    return DropReason.UNREADABLE_HEADER if len(frame.octets) >= at + 8 else DropReason.NONE


# Source


def judge_source(src: Mac, number: int, tables: BridgeTables) -> tuple[DropReason, bool]:
    """Whether a vEth may send from an address, and whether it is a new one that is learnt."""
    port = tables.ports[number]
    source, owner = tables.terms_of(port).policy.source, tables.owner_of(src)
    if not any(src.octets):
        return DropReason.SPOOFED_SOURCE, False
    if src == port.mac or (owner == number and (source.macs or source.learn)):
        return DropReason.NONE, False
    if not source.learn or owner is not None or src.is_multicast:
        return DropReason.SPOOFED_SOURCE, False
    full = tables.memory.learnt(number) >= source.learn
    return DropReason.TOO_MANY_MACS if full else DropReason.NONE, not full


# Rates


def costs(rate: Rate, octets: int) -> dict[str, tuple[int, int]]:
    """What a frame costs of each kind of rate that there is, and how much may be owed, both in nanoseconds."""
    found = {}
    if rate.bits:
        found["octets"] = (octets * octet_cost(rate) // SPENT_NS, rate.burst_octets * octet_cost(rate) // SPENT_NS)
    if rate.frames:
        found["frames"] = (frame_cost(rate) // SPENT_NS, rate.burst_frames * frame_cost(rate) // SPENT_NS)
    return found


def octet_cost(rate: Rate) -> int:
    """Of one octet, in 2^-16 ns; 0 where there is no such rate."""
    return 8 * 10**9 * SPENT_NS // rate.bits if rate.bits else 0


def frame_cost(rate: Rate) -> int:
    """Of one frame, in 2^-16 ns; 0 where there is no such rate."""
    return 10**9 * SPENT_NS // rate.frames if rate.frames else 0


def spend(memory: Memory, place: tuple[int, Direction], prices: dict[str, tuple[int, int]], now_ns: int) -> bool:
    """Pay for a frame; False if the port owes too much already, and then nothing is paid."""
    due = {kind: max(memory.due.get((*place, kind), 0), now_ns) for kind in prices}
    if any(due[kind] - now_ns > burst for kind, (_, burst) in prices.items()):
        return False
    for kind, (cost, _) in prices.items():
        memory.due[*place, kind] = due[kind] + cost
    return True


def settle(d: Decision, frame: Frame, now_ns: int, tables: BridgeTables) -> Decision:
    """Give a decision its effects on what is remembered; what cannot be paid for is dropped after all."""
    if d.verdict in GOES_NOWHERE:
        return d
    if d.learns:
        tables.memory.macs[frame.head.src] = d.port
        tables.epoch += 1
    if not pay(d.port, Direction.IN, frame, now_ns, tables):
        return deny(d, DropReason.RATE_IN)
    if d.verdict is Verdict.DELIVER and not pay(d.out, Direction.OUT, frame, now_ns, tables):
        return deny(d, DropReason.RATE_OUT, d.out)
    return d


def pay(port: int, direction: Direction, frame: Frame, now_ns: int, tables: BridgeTables) -> bool:
    """Pay for a frame at a port, if it may still owe that."""
    policy = tables.terms_of(tables.ports[port]).policy
    rate = policy.rate_out if direction else policy.rate_in
    return spend(tables.memory, (port, direction), costs(rate, frame.head.octets), now_ns)


def judge_copy(frame: Frame, d: Decision, port: int, now_ns: int, tables: BridgeTables) -> Decision:
    """A copy of a flood that leaves by a port with rules of its own: its hits, and whether it is dropped there."""
    judged = judge_acl(frame, replace(d, hits=(), out=port), port, Direction.OUT, tables)
    if judged.verdict is not Verdict.DROP and not pay(port, Direction.OUT, frame, now_ns, tables):
        return deny(judged, DropReason.RATE_OUT, port)
    return judged
