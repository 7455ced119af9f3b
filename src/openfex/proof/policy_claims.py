# SPDX-License-Identifier: Apache-2.0
"""The proofs of policy, on either engine: rules, rates, sources, one profile on a vEth and on a network port."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from openfex.model.drops import DropReason
from openfex.model.values import Mac
from openfex.proof.bed import NETWORK, End, Proof, Stage, numbers
from openfex.proof.policed import NEIGHBOURS, PORT, RATE, RULES
from openfex.proof.policy_frames import CASES, REST, UNREADABLE, forged, framed, honest
from openfex.proof.topology import BRIDGE
from openfex.rules.decision import Direction

OUTSIDE = End(f"{NETWORK}{BRIDGE}/{PORT}", Mac(b"\x52\x54\x00\x00\x00\xee"))
"""A station on the network, behind the network port."""
STEPS, STEP_NS = 20, 50_000_000
LOAD = 150
"""Frames a step: 24 Mbit/s."""
FRAME_OCTETS = 1000
FILLING = 400
"""Frames that are more than the burst: then the port owes all that it may."""
LAST_FRAMES = 60
CLOSE_NS = 5_000_000
"""How exactly the moment is to be known when a rate's bucket is empty, and how often we try."""
TRIES = 20


@dataclass(frozen=True)
class Judged:
    """What became of some frames: which arrived, what each rule has decided, and why the others were dropped."""

    arrived: tuple[bool, ...]
    hits: Mapping[str, int]
    drops: Mapping[str, int]


def judge(stage: Stage, sender: End, receiver: End, at: str, direction: Direction) -> Judged:
    """Send the cases, and tell what the profile `edge` made of them at the port `at` in one direction."""
    sent = [framed(stage, case, sender, receiver.mac) for case in CASES]
    hits, drops = _hits(stage, direction), _drops(stage, at)
    seen = stage.through(sender, [octets for _, octets in sent], receiver)
    there = set(numbers(seen[receiver.place]))
    arrived = tuple(number in there for number, _ in sent)
    decided = {name: count - hits[name] for name, count in _hits(stage, direction).items()}
    del decided[NEIGHBOURS]
    return Judged(arrived, decided, _drops(stage, at) - drops)


def _hits(stage: Stage, direction: Direction) -> dict[str, int]:
    """By rule of the profile `edge`; it has the same in both directions."""
    number = next(one.number for one in stage.bed.layout.profiles if one.name == "edge")
    names = [*(rule.name for rule in RULES), REST]
    found = {
        hit.rule: count
        for hit, count in stage.bed.hits().items()
        if (hit.profile, hit.direction) == (number, direction)
    }
    return {name: found.get(at, 0) for at, name in enumerate(names)}


def _drops(stage: Stage, at: str) -> Counter[str]:
    port = _port(stage, at)
    node = stage.bed.counts()[BRIDGE]
    return Counter({reason.word: count for (number, reason), count in node.drops.items() if number == port})


def _port(stage: Stage, at: str) -> int:
    """The number of a machine's vEth, or of the network port."""
    binding = stage.bindings.get(at)
    return binding.bridge_port if binding else stage.bed.layout.bridges[0].ports[0].number


def _expected(direction: Direction) -> Judged:
    """What policed.RULES say of the cases."""
    decided = Counter(case.rule for case in CASES if case.rule != UNREADABLE)
    denied = DropReason.ACL_OUT if direction else DropReason.ACL_IN
    unreadable = sum(case.rule == UNREADABLE for case in CASES)
    drops = {denied.word: sum(not case.passes for case in CASES) - unreadable}
    names = {rule.name: 0 for rule in RULES if rule.name != NEIGHBOURS} | {REST: 0}
    return Judged(
        tuple(case.passes for case in CASES), names | decided, {**drops, DropReason.UNREADABLE_HEADER.word: unreadable}
    )


def _ways(stage: Stage) -> list[Direction]:
    """The directions that the profile `edge` has rules for: by VEPA only one."""
    edge = next(one for one in stage.bed.layout.profiles if one.name == "edge")
    return [*Direction] if edge.policy.acl_out else [Direction.IN]


def _to_and_from(stage: Stage, end: End, at: str) -> list[Judged]:
    """The cases into a port that has the profile `edge`, and out of it."""
    client = stage.end("client")
    ends = {Direction.IN: (end, client), Direction.OUT: (client, end)}
    return [judge(stage, *ends[way], at, way) for way in _ways(stage)]


def _as_written(stage: Stage) -> list[Judged]:
    return [_expected(way) for way in _ways(stage)]


def acl(stage: Stage) -> Proof:
    """A list of rules decides both ways as it is written: the first that matches. Each counts what it decided."""
    both = _to_and_from(stage, stage.end("server"), "server")
    ok = both == _as_written(stage)
    arrived = sum(sum(one.arrived) for one in both)
    permitted = sum(case.passes for case in CASES) * len(both)
    reasons = ", ".join(f"{word} {count}" for one in both for word, count in sorted(one.drops.items()))
    decided = sum(sum(one.hits.values()) for one in both)
    measured = (
        f"{len(both) * len(CASES)} frames, {permitted} permitted: {arrived} arrived; {reasons}; "
        f"{len(RULES)} rules counted {decided} decisions"
    )
    return Proof("acl", ok, measured)


def same_profile_on_physical_port(stage: Stage) -> Proof:
    """One profile on a vEth and on a network port: the same frames, the same verdicts, the same counts of each rule."""
    veth = _to_and_from(stage, stage.end("server"), "server")
    port = _to_and_from(stage, OUTSIDE, PORT)
    ok = veth == port == _as_written(stage)
    compared = sum(len(one.hits) for one in veth)
    differ = sum(one.hits[name] != other.hits[name] for one, other in zip(veth, port, strict=True) for name in one.hits)
    verdicts = sum(
        mine != theirs
        for one, other in zip(veth, port, strict=True)
        for mine, theirs in zip(one.arrived, other.arrived, strict=True)
    )
    measured = (
        f"profile edge on a vEth and on {BRIDGE}/{PORT}: {len(veth) * len(CASES)} frames through each, "
        f"{verdicts} verdicts differ, {differ} of {compared} counters of rules"
    )
    return Proof("same-profile-on-physical-port", ok, measured)


def source_guard(stage: Stage) -> Proof:
    """A guarded NIC speaks for itself alone, in IPv4, IPv6, ARP and neighbour discovery; DHCP and probes pass."""
    sender, client, other = (stage.end(name) for name in ("guarded", "client", "server"))
    own, others = (IPv4Address(stage.bindings[name].addresses[0].split("/")[0]) for name in ("guarded", "server"))
    true = [framed(stage, case, sender, client.mac) for case in honest(sender.mac, own)]
    false = [framed(stage, case, sender, client.mac) for case in forged(sender.mac, own, other.mac, others)]
    before = _drops(stage, "guarded")
    seen = stage.through(sender, [octets for _, octets in (*true, *false)], client)
    there = set(numbers(seen[client.place]))
    passed, slipped = (sum(number in there for number, _ in sent) for sent in (true, false))
    word = DropReason.SPOOFED_ADDRESS.word
    counted = _drops(stage, "guarded")[word] - before[word]
    ok = (passed, slipped, counted) == (len(true), 0, len(false))
    measured = (
        f"{passed} of {len(true)} frames as itself arrived, {slipped} of {len(false)} as others; {word} {counted}"
    )
    return Proof("source-guard", ok, measured)


@dataclass(frozen=True)
class _Empty:
    """A moment when a bucket was empty, known to lie between two times, and what had passed by then."""

    first_ns: int
    last_ns: int
    octets: int


def _empty(stage: Stage) -> _Empty:
    """Send until the port owes all that it may, and again, until it is known well when that was."""
    _offer(stage, FILLING)
    first = last = 0
    for _ in range(TRIES):
        first = stage.bed.now_ns()
        _offer(stage, LAST_FRAMES)
        last = stage.bed.now_ns()
        if last - first < CLOSE_NS:
            break
    client = stage.bindings["client"].bridge_port
    return _Empty(first, last, stage.bed.counts()[BRIDGE].counters[client].out_octets)


def _offer(stage: Stage, count: int) -> None:
    sender, client = stage.end("slow"), stage.end("client")
    frames = [stage.frame(client.mac, sender.mac)[1].ljust(FRAME_OCTETS, b"\0") for _ in range(count)]
    stage.bed.send([(sender.place, octets) for octets in frames])


def rate(stage: Stage) -> Proof:
    """From one moment when a port owes all that it may to another its rate has passed, however much was offered."""
    before = _drops(stage, "slow")
    start = _empty(stage)
    for _ in range(STEPS):
        _offer(stage, LOAD)
        stage.bed.rest(STEP_NS)
    end = _empty(stage)
    bits = (end.octets - start.octets) * 8 * 1e9
    least, most = bits / (end.last_ns - start.first_ns), bits / (end.first_ns - start.last_ns)
    middle = 2 * bits / (end.first_ns + end.last_ns - start.first_ns - start.last_ns)
    word = DropReason.RATE_IN.word
    dropped = _drops(stage, "slow")[word] - before[word]
    seconds = (end.last_ns - start.last_ns) / 1e9
    ok = least <= RATE.bits * 1.02 and most >= RATE.bits * 0.98 and dropped > 0 and most < RATE.bits * 1.1
    measured = (
        f"{RATE.bits / 1e6:.0f} Mbit/s asked for, more than twice that sent: {middle / 1e6:.2f} Mbit/s passed "
        f"in {seconds:.1f} s; {word} {dropped}"
    )
    return Proof("rate", ok, measured)


POLICED: Mapping[str, Callable[[Stage], Proof]] = {
    "acl": acl,
    "rate": rate,
    "source-guard": source_guard,
    "same-profile-on-physical-port": same_profile_on_physical_port,
}
"""Proofs of the lab in policed.py."""
