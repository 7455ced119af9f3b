# SPDX-License-Identifier: Apache-2.0
"""The contests whose frames the bench makes itself: how many a second pass, and what one of them costs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial

from openfex.datapath.node import Node
from openfex.datapath.tables import read_counters
from openfex.errors import UnsupportedError, VerificationError
from openfex.lab import lab as labs
from openfex.lab.names import netns_of
from openfex.lab.workshop import Workshop
from openfex.model.layout import Binding, Layout
from openfex.model.place import Place
from openfex.model.reader import read_documents
from openfex.plan.layout import lay_out
from openfex.proof import wires
from openfex.proof.bench.arena import Terms, arena
from openfex.proof.bench.change import Change
from openfex.proof.bench.clock import bridge_clock, bridge_cost, program_cost
from openfex.proof.bench.labs import FEW, MANY, PLAIN, XDP, beside_plain, pair, scale
from openfex.proof.bench.policy import MANY_RULES, RULES, acl_profile, whole_profile
from openfex.proof.bench.rounds import OURS, Contest
from openfex.proof.bench.rows import NOBODY
from openfex.proof.bench.traffic import Traffic, poll
from openfex.proof.kernel_bed import nic_place
from openfex.proof.openvswitch import OVS, switch_wires
from openfex.proof.peers import BRIDGE
from openfex.proof.wires import CHAIN, NFTABLES, Setting, Wires

FRAMES = 300_000
"""Of one round: half a second or so, a thousand times what may still be under way at its end."""
WARM_UP = 20
"""One frame in so many goes before and is not counted: what a setting has just changed is warm again."""
VETHS, HOSTS = 4094, 16
SEED = 4094
BOTH_WAYS = [(0, 1), (1, 0)]
CHANGE_MS = 200.0
"""What was promised for a change of profile."""
READ_MS = 50.0
"""And for reading the counters."""
NO_ACL = "no-acl"
TAKEN_BY_XDP = "taken by XDP"
ON_XDP: Mapping[str, Setting] = {XDP: nullcontext}
Builder = Callable[[str], Wires]
WIRES: dict[str, Builder] = {
    BRIDGE: wires.bridge_wires,
    CHAIN: wires.chain_wires,
    NFTABLES: wires.policed_wires,
    OVS: switch_wires,
}
BARE_RULES: dict[str, Builder] = {NFTABLES: partial(wires.policed_wires, rules=MANY_RULES, whole=False)}


def _far_end(lab: str, binding: Binding) -> Place:
    """The adapter's side of a machine's NIC."""
    return Place(netns_of(lab, "host", binding.uplink.host), binding.function.pf_device)


def _ours(stack: ExitStack, layout: Layout, bindings: Sequence[Binding], burst: int) -> Traffic:
    """Every NIC sends to one other, and hears of one other, in no order that a cache would know."""
    poll([_far_end(layout.lab, binding) for binding in bindings])
    order = list(range(len(bindings)))
    random.Random(SEED).shuffle(order)
    flows = list(zip(order, order[1:] + order[:1], strict=True))
    traffic = Traffic([nic_place(layout, binding) for binding in bindings], flows, burst)
    stack.callback(traffic.close)
    return traffic


def _theirs(stack: ExitStack, found: Wires, burst: int) -> Traffic:
    """The two NICs of a peer send to each other."""
    poll(found.polling)
    traffic = Traffic(found.nics, BOTH_WAYS, burst)
    stack.callback(traffic.close)
    return traffic


def _rate(traffic: Traffic, by_xdp: bool = False) -> float:
    traffic.take_by_xdp(by_xdp)
    with suppress(VerificationError):  # so few may all be lost where a switch first learns what to do with them
        traffic.send(FRAMES // WARM_UP)
    return traffic.rate(FRAMES)


def _enter(contest: Contest, name: str, traffic: Traffic, settings: Mapping[str, Setting]) -> None:
    """Somebody's frames in each setting, taken at tc, as a stack gets them, and by XDP, as AF_XDP does."""
    for words, setting in settings.items():
        contest.enter(name, partial(_in, setting, partial(_rate, traffic)), words)
        taken = ", ".join(filter(None, (words, TAKEN_BY_XDP)))
        contest.enter(name, partial(_in, setting, partial(_rate, traffic, True)), taken)


def _in(setting: Setting, measure: Callable[[], float]) -> float:
    """What is measured of a peer in one of its settings."""
    with setting():
        return measure()


def _enter_peers(stack: ExitStack, contest: Contest, terms: Terms, builders: Mapping[str, Builder]) -> None:
    """Every peer with the rate of its frames in each of its settings."""
    for peer in terms.peers:
        try:
            found = builders[peer](terms.lab)
        except UnsupportedError as error:
            contest.absent[peer] = error
            continue
        _enter(contest, peer, _theirs(stack, found, terms.burst), found.settings)


@contextmanager
def frames_contest(terms: Terms, spec: str = PLAIN) -> Iterator[Contest]:
    """Short frames between two NICs with a profile."""
    with arena(terms.lab) as stack:
        contest = Contest()
        layout = labs.up(pair(terms.lab, XDP, spec)).layout
        _enter(contest, OURS, _ours(stack, layout, layout.bindings, terms.burst), ON_XDP)
        _enter_peers(stack, contest, terms, WIRES)
        yield contest


def _at(layout: Layout, bridge: str) -> list[Binding]:
    return [binding for binding in layout.bindings if binding.uplink.bridge == bridge]


@contextmanager
def acl_contest(terms: Terms) -> Iterator[Contest]:
    """Short frames that a thousand rules are asked about, and the same that none is, at a bridge beside it."""
    with arena(terms.lab) as stack:
        contest = Contest()
        layout = labs.up(beside_plain(terms.lab, XDP, acl_profile(MANY_RULES))).layout
        for name, bridge in ((OURS, FEW), (NO_ACL, MANY)):
            _enter(contest, name, _ours(stack, layout, _at(layout, bridge), terms.burst), ON_XDP)
        _enter_peers(stack, contest, replace(terms, peers=[peer for peer in terms.peers if peer != NO_ACL]), BARE_RULES)
        yield contest


@contextmanager
def scale_contest(terms: Terms) -> Iterator[Contest]:
    """Short frames among all vEths of a large bridge, and between the two of a small one beside it."""
    with arena(terms.lab) as stack:
        contest = Contest()
        layout = labs.up(scale(terms.lab, (VETHS, HOSTS), XDP)).layout
        for name, bridge in ((OURS, MANY), *((peer, FEW) for peer in terms.peers)):
            contest.enter(name, partial(_rate, _ours(stack, layout, _at(layout, bridge), terms.burst)), XDP)
        yield contest


@contextmanager
def change_contest(terms: Terms) -> Iterator[Contest]:
    """All vEths of a large bridge get other rules, and back, while frames pass among them; beside the budget."""
    with arena(terms.lab) as stack:
        contest = Contest()
        text, other = (scale(terms.lab, (VETHS, HOSTS), XDP, acl_profile(RULES, first)) for first in (0, RULES))
        layout = labs.up(text).layout
        workshop = stack.enter_context(Workshop(terms.lab))
        node = workshop.node(netns_of(terms.lab, "bridge", MANY))
        change = Change(node, workshop.devices(node.name), [lay_out(read_documents(other)), layout])
        traffic = _ours(stack, layout, _at(layout, MANY), terms.burst)
        contest.enter(OURS, partial(change.measure, traffic, FRAMES), XDP)
        contest.enter(NOBODY, lambda: CHANGE_MS)
        yield contest


@contextmanager
def read_contest(terms: Terms) -> Iterator[Contest]:
    """The counters of all vEths of a large bridge are read, when each has counted; beside the budget."""
    with arena(terms.lab) as stack:
        contest = Contest()
        layout = labs.up(scale(terms.lab, (VETHS, HOSTS), XDP)).layout
        node = stack.enter_context(Workshop(terms.lab)).node(netns_of(terms.lab, "bridge", MANY))
        _ours(stack, layout, _at(layout, MANY), terms.burst).send(FRAMES)
        contest.enter(OURS, partial(_read_ms, node), XDP)
        contest.enter(NOBODY, lambda: READ_MS)
        yield contest


def _read_ms(node: Node) -> float:
    start = time.perf_counter()
    counted = read_counters(node)
    taken = 1000 * (time.perf_counter() - start)
    if len(counted) < VETHS:
        raise VerificationError(f"{len(counted)} of {VETHS} vEths have counted", code="nothing-measured")
    return taken


@contextmanager
def cost_contest(kinds: Sequence[str], terms: Terms) -> Iterator[Contest]:
    """What a short frame costs in the programs of our nodes of these kinds, and in a Linux bridge with its policy."""
    with arena(terms.lab) as stack:
        contest = Contest()
        layout = labs.up(pair(terms.lab, XDP, whole_profile())).layout
        nodes = [netns_of(terms.lab, "host", one.name) for one in layout.hosts if "host" in kinds]
        nodes += [netns_of(terms.lab, "bridge", one.name) for one in layout.bridges if "bridge" in kinds]
        traffic = _ours(stack, layout, layout.bindings, terms.burst)
        contest.enter(OURS, partial(program_cost, nodes, partial(traffic.send, FRAMES)), XDP)
        for peer in terms.peers:
            try:
                found = WIRES[peer](terms.lab)
            except UnsupportedError as error:
                contest.absent[peer] = error
                continue
            traffic = _theirs(stack, found, terms.burst)
            clock = stack.enter_context(bridge_clock(terms.lab, found.polling))
            measure = partial(bridge_cost, clock, partial(traffic.send, FRAMES))
            for name, setting in found.settings.items():
                contest.enter(peer, partial(_in, setting, measure), name)
        yield contest
