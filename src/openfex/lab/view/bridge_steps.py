# SPDX-License-Identifier: Apache-2.0
"""A bridge's decision in words, step by step: what the tables have, and what the frame has. Pure.

Which step a drop belongs to is told by its reason; four reasons can be of two steps, and `_ending` tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address

from openfex.lab.trace import Hop
from openfex.lab.view.sight import bridge_port_name
from openfex.lab.view.tags import CONTROL_STEP, tag_text, vlan_text, vlans_text
from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.model.policy import Priority, Rate, Rule
from openfex.model.quantities import format_rate
from openfex.model.rule_words import rule_words
from openfex.model.values import ChannelKind, Mac, port_channel, port_link, port_number
from openfex.model.wording import many
from openfex.rules.decision import Decision, Direction, Hit, Verdict
from openfex.rules.head import NOBODY, Head
from openfex.rules.packet import ARP
from openfex.rules.policy import Frame, costs, judge_guard, read_frame
from openfex.rules.priority import dscp_of, priority_of
from openfex.rules.service import unwrap
from openfex.rules.tables import BridgeTables, Port, Station, Terms

_MS = 1_000_000
_S = 1_000_000_000


@dataclass(frozen=True)
class BridgeScene:
    """A hop at a bridge, and who is who there."""

    layout: Layout
    hop: Hop
    tables: BridgeTables

    @property
    def decision(self) -> Decision:
        """What the kernel has decided."""
        return self.hop.decision

    @cached_property
    def frame(self) -> Frame:
        """What came, as it is behind the service tag of its port."""
        return unwrap(read_frame(self.hop.octets, self.tables.links.get(self.link)), self.terms.service)

    @property
    def head(self) -> Head:
        """Its head."""
        return self.frame.head

    @property
    def link(self) -> int:
        """By which link."""
        return port_link(self.hop.point.number)

    @property
    def port(self) -> Port:
        """The port that it is counted on."""
        return self.tables.ports.get(self.decision.port, Port())

    @property
    def terms(self) -> Terms:
        """What that port's profile asks."""
        return self.tables.terms_of(self.port)

    def name(self, number: int) -> str:
        """A port, and the NIC whose it is: `sw-a/veth1.2 (client/eth0)`."""
        bridge = self.layout.bridge(self.hop.point.node)
        nic = self.nic(number)
        return bridge_port_name(self.layout, bridge, number) + (f" ({nic})" if nic else "")

    def nic(self, number: int) -> str:
        """The NIC of a vEth."""
        here = (one for one in self.layout.bindings if one.uplink.bridge == self.hop.point.node)
        return next((one.name for one in here if one.bridge_port == number), "")

    def profile(self, number: int) -> str:
        """The name of a port's profile."""
        row = self.tables.ports.get(number, Port()).profile
        return next((one.name for one in self.layout.profiles if one.number == row), f"number {row}")


def steps_of(scene: BridgeScene) -> list[tuple[str, str]]:
    """Each step up to the one that dropped the frame: its name, and what was found."""
    if scene.decision.verdict is Verdict.CONTROL:
        return [CONTROL_STEP]
    ending, steps = _ending(scene), []
    for name, tell in STEPS.items():
        said = tell(scene)
        if said or name == ending:
            steps.append((name, said or scene.decision.reason.meaning))
        if name == ending:
            break
    return steps


def _ending(scene: BridgeScene) -> str:
    """The step that dropped the frame; none for one that goes its way."""
    decision, reason = scene.decision, scene.decision.reason
    if decision.verdict is not Verdict.DROP:
        return ""
    if reason is DropReason.FORGED_TAG and decision.at != decision.port:
        return "lookup"
    if reason is DropReason.FORGED_TAG:
        return "head" if scene.head.kind is None or scene.tables.links.get(scene.link) else "channel"
    if reason is DropReason.PORT_DOWN:
        return "lookup" if decision.vlan else "port"
    if reason is DropReason.UNREADABLE_HEADER:
        if decision.at != decision.port:
            return "acl out"
        guarded = scene.terms.policy.source.guard and judge_guard(scene.frame, scene.port) is reason
        return "guard" if guarded else "acl in"
    return next(step for step, reasons in _REASONS.items() if reason in reasons)


_REASONS = {
    "channel": {
        *(DropReason.TRUNCATED, DropReason.NOT_IN_CHANNEL, DropReason.BAD_TAG),
        *(DropReason.WRONG_DIRECTION, DropReason.UNKNOWN_CHANNEL),
    },
    "head": {DropReason.TOO_MANY_TAGS, DropReason.BPDU, DropReason.LINK_LOCAL},
    "source": {DropReason.SPOOFED_SOURCE, DropReason.BAD_SOURCE, DropReason.TOO_MANY_MACS},
    "VLAN": {DropReason.VLAN_NOT_ALLOWED},
    "guard": {DropReason.SPOOFED_ADDRESS},
    "acl in": {DropReason.ACL_IN},
    "learning": {DropReason.OWN_SOURCE},
    "lookup": {
        *(DropReason.SAME_PORT, DropReason.NOT_PINNED, DropReason.NETWORK_TO_NETWORK),
        *(DropReason.NO_RECEIVER, DropReason.VLAN_MISMATCH),
    },
    "acl out": {DropReason.ACL_OUT},
    "rate in": {DropReason.RATE_IN},
    "rate out": {DropReason.RATE_OUT},
}


# What came


def _channel(scene: BridgeScene) -> str:
    kind, link = scene.tables.links.get(scene.link), scene.name(port_number(scene.link))
    if not scene.head.whole:
        return f"{many(len(scene.hop.octets), 'octet')}: the frame ends inside its head"
    if kind is ChannelKind.VEPA and scene.head.kind is None:
        owner = scene.name(scene.decision.port) if port_channel(scene.decision.port) else "no vEth there"
        return f"{vlan_text(scene.head)}, from {scene.head.src}: on {link}, which carries vepa, that is {owner}"
    if port_channel(scene.decision.port):
        return f"{tag_text(scene.head)} on {link} is {scene.name(scene.decision.port)}"
    if scene.link not in scene.tables.links:
        return f"{link} is not in the tables"
    if kind is None:
        return f"{link} is a network port; {tag_text(scene.head)}"
    return f"{tag_text(scene.head)}; {link} carries {kind.value}"


def _port(scene: BridgeScene) -> str:
    number = scene.decision.port
    return f"{scene.name(number)} is {'up' if scene.port.up else 'down'}, profile {scene.profile(number)}"


def _service(scene: BridgeScene) -> str:
    """Of network ports that have one."""
    wanted = scene.terms.service
    if not wanted:
        return ""
    return f"tag {wanted} comes off" if scene.frame.unwrapped else f"the port takes only what comes inside tag {wanted}"


def _head(scene: BridgeScene) -> str:
    if _ending(scene) == "head":
        return f"to {scene.head.dst}, {many(scene.head.vlan_tags, 'VLAN tag')}, then 0x{scene.head.type:04x}"
    return "no forged tag, no spanning tree, no address that no bridge forwards"


def _source(scene: BridgeScene) -> str:
    src, number, tables = scene.head.src, scene.decision.port, scene.tables
    learn, learnt = scene.terms.policy.source.learn, tables.memory.learnt(number)
    if scene.port.network:
        return f"{src} is {'no station' if src.is_multicast or src == NOBODY else 'a station of the network'}"
    if src == scene.port.mac and src != NOBODY:
        return f"{src} is the vEth's own"
    owner = tables.owner_of(src)
    if owner == number:
        return f"{src} {'was learnt as' if src in tables.memory.macs else 'is written for'} the vEth"
    if owner is not None:
        return f"{src} is that of {scene.name(owner)}"
    if scene.decision.learns:
        return f"{src} would be learnt, {learnt + 1} of {learn}"
    if learn:
        return f"{src} is new, and {learnt} of {learn} are learnt"
    return f"{src} is not the vEth's, which is {scene.port.mac}"


def _vlan(scene: BridgeScene) -> str:
    tag = vlan_text(scene.head)
    found = f", so VLAN {scene.decision.vlan}" if scene.decision.vlan else ""
    return f"{tag}; the port is {vlans_text(scene.terms)}{found}"


def _priority(scene: BridgeScene) -> str:
    """Where there is any, or the port has a say in it."""
    asked = scene.terms.policy.priority
    bits, dscp = priority_of(scene.frame, asked), dscp_of(scene.frame, asked)
    if not bits and asked == Priority():
        return ""
    said = f"PCP {bits >> 13}{', drop eligible' if bits >> 12 & 1 else ''}; the port trusts {asked.trust.value}"
    return said if dscp is None else f"{said}, and writes DSCP {dscp}"


def _guard(scene: BridgeScene) -> str:
    if not scene.terms.policy.source.guard:
        return ""
    own = ", ".join(sorted(str(ip_address(one)) for one in scene.port.addresses)) or "none"
    at, packet = scene.head.inner + 2, scene.frame.packet
    sender = scene.frame.octets[at + 14 : at + 18] if scene.head.type == ARP else packet.source
    if len(sender) not in (4, 16):
        return "neither IP nor ARP" if not packet.unreadable else ""
    return f"the sender is {ip_address(sender)}, the NIC's own are {own}"


# Its way


def _learning(scene: BridgeScene) -> str:
    """Of network ports."""
    src, vlan, here = scene.head.src, scene.decision.vlan, scene.decision.port
    if not scene.port.network:
        return ""
    if scene.decision.reason is DropReason.OWN_SOURCE:
        owner = scene.tables.owner_of(src)
        return f"{src} is that of {scene.name(owner)}" if owner is not None else ""
    known = scene.tables.stations.get((src, vlan))
    if scene.hop.traced.decided.not_learnt:
        return f"{src} in VLAN {vlan} would not be learnt: there is no room for it"
    if known is None:
        return f"{src} in VLAN {vlan} would be learnt at {scene.name(here)}"
    if known.port != here:
        return f"{src} in VLAN {vlan} was heard at {scene.name(known.port)}, and would move to {scene.name(here)}"
    return f"{src} in VLAN {vlan} is known at {scene.name(here)}, {_age(scene, known)}"


def _age(scene: BridgeScene, station: Station) -> str:
    return f"heard {max(0, scene.hop.traced.now_ns - station.seen_ns) / _S:.1f} s ago"


def _lookup(scene: BridgeScene) -> str:
    found = f"{_found(scene, scene.head.dst)}{_obstacle(scene)}"
    decided = scene.hop.traced.decided.decision
    if decided.verdict is Verdict.DELIVER or (decided.verdict is Verdict.DROP and decided.at != decided.port):
        return f"{found}; it leaves by {scene.name(decided.out)}, {_shape(decided)}"
    return found


def _shape(d: Decision) -> str:
    plain = f"tagged {d.vlan}" if d.tagged else "untagged"
    return f"{plain} inside service tag {d.service}" if d.service else plain


def _found(scene: BridgeScene, dst: Mac) -> str:
    vlan = scene.decision.vlan
    if dst.is_multicast:
        return f"{dst} is a group: to all of VLAN {vlan}"
    owner = scene.tables.owner_of(dst)
    if owner is not None:
        return f"{dst} is {scene.name(owner)}"
    station = scene.tables.stations.get((dst, vlan))
    if station and scene.hop.traced.now_ns - station.seen_ns < scene.tables.ageing_ns:
        return f"{dst} in VLAN {vlan} is behind {scene.name(station.port)}, {_age(scene, station)}"
    if dst == scene.head.src:
        return f"{dst} is the sender's own address"
    return f"{dst} is nobody known: to all of VLAN {vlan}"


def _obstacle(scene: BridgeScene) -> str:
    """What stands in the way there."""
    owner, reason = scene.tables.owner_of(scene.head.dst), scene.decision.reason
    port = scene.tables.ports.get(owner, Port()) if owner is not None else Port()
    pin = scene.name(scene.port.pin) if scene.port.pin else "no network port"
    told = {
        DropReason.SAME_PORT: ", where the frame comes from",
        DropReason.PORT_DOWN: ", which is down",
        DropReason.NOT_PINNED: f", pinned to {scene.name(port.pin) if port.pin else 'no network port'}",
        DropReason.VLAN_MISMATCH: f", {vlans_text(scene.tables.terms_of(port))}",
        DropReason.NO_RECEIVER: f"; nobody else is there, and the vEth is pinned to {pin}",
        DropReason.NETWORK_TO_NETWORK: ", and the frame comes from the network, too",
    }
    if scene.port.network and reason is DropReason.NO_RECEIVER:
        return "; no vEth in it is pinned here"
    return told.get(reason, "") if _ending(scene) == "lookup" else ""


# Rules and rates


def rule_text(scene: BridgeScene, hit: Hit) -> str:
    """A rule that decided, by number and in words: `rule 2 of 5 of profile web: permit: {…}`."""
    name = next((one.name for one in scene.layout.profiles if one.number == hit.profile), f"number {hit.profile}")
    terms = scene.tables.profiles.get(hit.profile, Terms())
    rules: tuple[Rule, ...] | None = terms.policy.acl_out if hit.direction else terms.policy.acl_in
    if rules is None:
        return f"rule {hit.rule + 1} of profile {name}, whose words the documents do not have"
    if hit.rule >= len(rules):
        return f"none of the {many(len(rules), 'rule')} of profile {name}: the rest is denied"
    rule = rules[hit.rule]
    called = f" ({rule.name})" if rule.name else ""
    return f"rule {hit.rule + 1} of {len(rules)} of profile {name}{called}: {rule_words(rule)}"


def _acl(direction: Direction) -> Callable[[BridgeScene], str]:
    def tell(scene: BridgeScene) -> str:
        hit = next((one for one in scene.hop.hits if one.direction is direction), None)
        return rule_text(scene, hit) if hit else ""

    return tell


def _rate(direction: Direction) -> Callable[[BridgeScene], str]:
    def tell(scene: BridgeScene) -> str:
        d = scene.hop.traced.decided.decision
        number = d.out if direction else d.port
        policy = scene.tables.terms_of(scene.tables.ports.get(number, Port())).policy
        rate = policy.rate_out if direction else policy.rate_in
        if rate == Rate() or (direction and d.verdict is Verdict.FLOOD) or number not in scene.hop.debts:
            return ""
        return rate_text(rate, scene.hop.debts[number][direction::2])

    return tell


def rate_text(rate: Rate, owed: tuple[int, ...]) -> str:
    """What a port may, what it owes, and what it may owe; `owed`: for octets and for frames, in nanoseconds."""
    prices = costs(rate, 0)
    names = {"octets": format_rate(rate.bits) if rate.bits else "", "frames": f"{rate.frames} frames/s"}
    debts = dict(zip(("octets", "frames"), owed, strict=True))
    said = [
        f"{names[kind]}: owes {debts[kind] / _MS:.1f} ms, may owe {burst / _MS:.1f} ms"
        for kind, (_, burst) in prices.items()
    ]
    return "; ".join(said)


STEPS: dict[str, Callable[[BridgeScene], str]] = {
    "channel": _channel,
    "port": _port,
    "service": _service,
    "head": _head,
    "source": _source,
    "VLAN": _vlan,
    "priority": _priority,
    "guard": _guard,
    "acl in": _acl(Direction.IN),
    "learning": _learning,
    "lookup": _lookup,
    "acl out": _acl(Direction.OUT),
    "rate in": _rate(Direction.IN),
    "rate out": _rate(Direction.OUT),
}
"""In the order of the programs."""
