# SPDX-License-Identifier: Apache-2.0
"""A frame that never was, through a lab that is up: what each program on its way would do with it. Changes nothing.

Each node is asked what its kernel's programs decide over its live tables (`datapath/trace.py`); what then leaves, and
in which octets, the reference engine says. It also decides for itself: that both say the same is checked at each hop,
because the words that a decision is explained in are those of the reference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace

from openfex.datapath.decision import Traced
from openfex.datapath.node import Node
from openfex.datapath.profiles import rule_of
from openfex.datapath.tables import read_live
from openfex.datapath.terms import known
from openfex.datapath.trace import Tracer, debts, open_tracer
from openfex.errors import InternalError
from openfex.lab.names import netns_of
from openfex.lab.points import Point, point_at
from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.model.values import ChannelKind, port_channel, port_link, port_number
from openfex.rules.bridge import decide_bridge
from openfex.rules.compiler import compile_bridge
from openfex.rules.decision import GOES_NOWHERE, Decision, Direction, Hit, outcome
from openfex.rules.engine import Bridge, Copy, Drop, Extender, Sent, up_tag
from openfex.rules.extender import decide_down, decide_up
from openfex.rules.head import C_TAG, Head, read_head
from openfex.rules.policy import read_frame
from openfex.rules.priority import PRIORITY
from openfex.rules.tables import BridgeTables, ExtenderTables
from openfex.wire import VlanTag

MOST_HOPS = 1_000
ATTEMPTS = 5
"""Tables may change between the moment they are read and that in which the kernel decides."""
Tables = BridgeTables | ExtenderTables
Debts = Mapping[int, tuple[int, ...]]
"""By port, as `datapath.trace.debts` has them."""


@dataclass(frozen=True, slots=True)
class Way:
    """What becomes of a frame, or of one copy of it: it comes to another hop (by its number), or it is at its end.

    `hit`: the rule that judged this copy alone.
    """

    copy: Copy
    hop: int = 0
    hit: Hit | None = None


@dataclass(frozen=True)
class Hop:
    """A frame at a node: what came and from which hop (0: none), what was decided, by which tables."""

    point: Point
    octets: bytes
    tables: Tables
    traced: Traced
    hits: tuple[Hit, ...] = ()
    ways: tuple[Way, ...] = ()
    debts: Debts = field(default_factory=dict)
    number: int = 1
    came_from: int = 0

    @property
    def decision(self) -> Decision:
        """What is done with the frame."""
        return self.traced.settled.decision

    @property
    def is_known(self) -> bool:
        """Whether all terms that it was judged by are those of the documents."""
        tables, decision = self.tables, self.decision
        if isinstance(tables, ExtenderTables):
            return True
        ports = (tables.ports[one] for one in (decision.port, decision.out) if one in tables.ports)
        return not any(tables.terms_of(port).digest for port in ports)


def at_wire(layout: Layout, point: Point, octets: bytes) -> tuple[Point, bytes]:
    """The same where a program meets it: what a vEth is sent comes by its uplink, in its channel."""
    if point.kind == "host" or not port_channel(point.number):
        return point, octets
    link = port_link(point.number)
    uplink = next(one for one in layout.uplinks_of(point.node) if one.bridge_link == link)
    tag = up_tag(uplink.kind, port_channel(point.number), _tci(layout, point, read_head(octets)))
    if uplink.kind is ChannelKind.VEPA and read_head(octets).tpid == C_TAG:
        octets = octets[:12] + octets[12 + VlanTag.LENGTH :]
    return point_at(layout, "bridge", point.node, port_number(link)), octets[:12] + tag + octets[12:]


def _tci(layout: Layout, point: Point, head: Head) -> int:
    """What the tag is made of that a host puts on a frame: by VEPA it is that of the VLAN."""
    here = (one for one in layout.bindings if (one.uplink.bridge, one.bridge_port) == (point.node, point.number))
    vlan = next((one.profile.vlan for one in here if one.uplink.kind is ChannelKind.VEPA), 0)
    return head.tci if head.tag_vid else head.tci & PRIORITY | vlan


def trace(layout: Layout, point: Point, octets: bytes) -> list[Hop]:
    """Every hop of a frame and of all its copies. Raises InternalError where kernel and reference differ."""
    cables = _cables(layout)
    hops: list[Hop] = []
    with _Look(layout) as look:
        waiting, hop = deque([(0, *at_wire(layout, point, octets))]), 1
        while waiting:
            came_from, at, frame = waiting.popleft()
            found = look.ask(at, frame)
            ways = []
            for way in found.ways:
                copy = way.copy
                if isinstance(copy, Sent) and (end := _far_end(cables, at, copy.port)):
                    hop += 1
                    way = replace(way, hop=hop)
                    waiting.append((len(hops) + 1, point_at(layout, *end), copy.octets))
                ways.append(way)
            hops.append(replace(found, ways=tuple(ways), number=len(hops) + 1, came_from=came_from))
            if len(hops) > MOST_HOPS:
                raise InternalError(f"a traced frame has made {MOST_HOPS} hops")
    return hops


End = tuple[str, str, int]
"""The kind of a node, its name, and the number of a link's port there."""


def _cables(layout: Layout) -> dict[End, End]:
    """What is at the other end of each cable."""
    ends: list[tuple[End, End]] = [
        (
            ("host", host.name, port_number(uplink.host_link)),
            ("bridge", uplink.bridge, port_number(uplink.bridge_link)),
        )
        for host in layout.own_hosts
        for uplink in host.uplinks
        if not layout.is_foreign(uplink.bridge)
    ]
    ends += [
        (("bridge", one.bridge, one.number), ("bridge", other.bridge, other.number)) for one, other in layout.wires
    ]
    return {**dict(ends), **{other: one for one, other in ends}}


def _far_end(cables: Mapping[End, End], at: Point, port: int) -> End | None:
    """Where what leaves by a port comes to next; None where it leaves the lab's wires."""
    if at.kind == "host" and port_channel(port):
        return None
    return cables.get((at.kind, at.node, port_number(port_link(port))))


class _Look:
    """The nodes of a lab, and their traces, opened once."""

    def __init__(self, layout: Layout) -> None:
        self._lab = layout.lab
        compiled = (compile_bridge(layout, bridge.name).profiles.values() for bridge in layout.bridges)
        self._tell = known(terms for profiles in compiled for terms in profiles)
        self._nodes: dict[tuple[str, str], tuple[Node, Tracer]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> _Look:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _node(self, point: Point) -> tuple[Node, Tracer]:
        key = (point.kind, point.node)
        if key not in self._nodes:
            node = self._stack.enter_context(closing(Node(netns_of(self._lab, *key), point.role)))
            self._nodes[key] = (node, self._stack.enter_context(open_tracer(node)))
        return self._nodes[key]

    def ask(self, point: Point, octets: bytes, attempts: int = ATTEMPTS) -> Hop:
        """What is decided at one node. Raises InternalError if the reference goes on deciding otherwise."""
        node, tracer = self._node(point)
        hop = Hop(point, octets, read_live(node, self._tell), tracer.decide(point.number, octets))
        hop = replace(hop, hits=_hits(node, hop))
        wanted = _reference(hop)
        if not hop.is_known or _says_same(hop, wanted):
            return _follow(node, tracer, hop)
        if attempts > 1:
            return self.ask(point, octets, attempts - 1)
        told = f"the kernel decides {hop.traced.decided.decision} by {hop.hits}, the reference {wanted}"
        raise InternalError(f"{point.name}: {told}", code="engines-differ", remedy="report it with the documents")


def _reference(hop: Hop) -> Decision:
    link = port_link(hop.point.number)
    frame = read_frame(hop.octets, hop.tables.links.get(link))
    if isinstance(hop.tables, BridgeTables):
        return decide_bridge(frame, link, hop.traced.now_ns, hop.tables)
    if port_channel(hop.point.number):
        return decide_up(read_head(hop.octets), hop.point.number, hop.tables)
    return decide_down(frame.head, link, hop.tables)


def _says_same(hop: Hop, wanted: Decision) -> bool:
    return outcome(hop.traced.decided.decision) == outcome(wanted) and hop.hits == wanted.hits


def _hits(node: Node, hop: Hop) -> tuple[Hit, ...]:
    """The rules that decided; one that is not there any more has been changed meanwhile, and has no number."""
    decision, tables = hop.decision, hop.tables
    if isinstance(tables, ExtenderTables):
        return ()
    found = []
    for direction, row in zip(Direction, hop.traced.decided.hits, strict=True):
        port = tables.ports.get(decision.out if direction else decision.port)
        if row is not None and port is not None:
            found.append(rule_of(node, port.profile, direction, row))
    return tuple(hit for hit in found if hit)


def _follow(node: Node, tracer: Tracer, hop: Hop) -> Hop:
    """The same with what then leaves, and what the ports that are asked for rates owe."""
    tables, hits = hop.tables, dict[int, Hit | None]()
    if isinstance(tables, ExtenderTables):
        return replace(hop, ways=_ways(hop, lambda: Extender(tables=tables).copies(hop.decision, hop.octets), hits))

    def judge(copy: Decision) -> DropReason:
        traced = tracer.judge_copy(hop.octets, copy.out, copy.vlan)
        row = traced.decided.hits[Direction.OUT]
        hits[copy.out] = None if row is None else rule_of(node, tables.ports[copy.out].profile, Direction.OUT, row)
        return traced.decided.decision.reason

    ways = _ways(hop, lambda: Bridge(tables=tables).copies(hop.decision, hop.octets, judge), hits)
    ports = {hop.decision.port, hop.decision.out, *hits} & tables.ports.keys()
    return replace(hop, ways=ways, debts={port: debts(node, port, hop.traced.now_ns) for port in ports})


def _ways(hop: Hop, copies: Callable[[], list[Copy]], hits: Mapping[int, Hit | None]) -> tuple[Way, ...]:
    """What is dropped, or for the node itself, has none; of what no copy is made, that is a drop, too."""
    if hop.decision.verdict in GOES_NOWHERE:
        return ()
    found = copies()
    if not found:
        return (Way(Drop(hop.decision.port, DropReason.NO_RECEIVER)),)
    return tuple(Way(copy, hit=hits.get(copy.port)) for copy in found)
