# SPDX-License-Identifier: Apache-2.0
"""The proofs that hold on either engine: each sends real octets through the lab and says what it measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from openfex.errors import WireError
from openfex.model.drops import DropReason
from openfex.model.layout import Binding
from openfex.model.values import BROADCAST, ChannelKind, Mac, port_number
from openfex.plan.carving import check_carving
from openfex.proof.bed import DOWN, NETWORK, NIC, UP, Proof, Seen, Stage, numbers
from openfex.proof.topology import FUNCTIONS, MODEL
from openfex.rules.schannel import TPIDS
from openfex.wire import ETag, Frame, VlanTag, VnTag

ROUNDS = 10


def channel_of(octets: bytes, kind: ChannelKind) -> int | None:
    """The channel that a frame on an uplink names itself by; None for a list, or a frame without a channel's tag.

    By VEPA the VLAN, which is all that it says of itself beside its addresses.
    """
    try:
        tag = Frame.decode(octets).outer
    except WireError:
        return None
    if kind is ChannelKind.VEPA:
        return tag.vid if isinstance(tag, VlanTag) and tag.tpid == VlanTag.C_TPID else None
    if kind.is_schannel:
        return tag.vid if isinstance(tag, VlanTag) and tag.tpid == TPIDS[kind] else None
    if isinstance(tag, VnTag):
        return None if tag.pointer else tag.dvif if tag.direction else tag.svif
    return tag.ecid if isinstance(tag, ETag) and not tag.grp else None


def _own(binding: Binding) -> int:
    """What frames of a function say on its uplink."""
    return binding.profile.vlan if binding.uplink.kind is ChannelKind.VEPA else binding.function.channel


def _word(binding: Binding) -> str:
    return "VLAN" if binding.uplink.kind is ChannelKind.VEPA else "channel"


def _uplink(binding: Binding, way: str) -> str:
    return f"{way}{binding.uplink.host}.{binding.uplink.fabric}"


def _where(seen: Seen, number: int) -> dict[str, int]:
    """How often a frame was seen, by place."""
    return {place: count for place, frames in seen.items() if (count := numbers(frames).count(number))}


def function_to_host(stage: Stage) -> Proof:
    """A function need not go to a machine: the host itself can hold one, and its port is a port like any other."""
    host, other = stage.bindings["h2-own"], stage.bindings["vm1"]
    there, out = stage.frame(other.mac, host.mac)
    back, home = stage.frame(host.mac, other.mac)
    seen = stage.exchange("h2-own", [out], "vm1")
    answer = stage.exchange("vm1", [home], "h2-own")
    ok = _where(seen, there).get(NIC + other.name) == 1 and _where(answer, back).get(NIC + host.name) == 1
    measured = f"{host.name} is {host.function.name}, held by the host: 1 frame to {other.name}, 1 back"
    return Proof("function-to-host", ok, measured)


def tagged_on_wire(stage: Stage) -> Proof:
    """On the uplink every frame of a function is tagged, with the function's own channel; by VEPA with its VLAN."""
    found: dict[str, set[int | None]] = {}
    untagged = 0
    for machine, binding in stage.bindings.items():
        number, octets = stage.broadcast(machine)
        witness = "vm5" if binding.profile.name == "data" and machine != "vm5" else "vm3"
        witness = witness if binding.profile.name == "data" else "vm4" if machine != "vm4" else "vm1"
        seen = stage.exchange(machine, [octets], witness)
        mine = [one for one in seen[_uplink(binding, UP)] if number in numbers([one])]
        found[binding.name] = {channel_of(one, binding.uplink.kind) for one in mine}
        untagged += sum(Frame.decode(one).outer is None for way in (UP, DOWN) for one in seen[_uplink(binding, way)])
    right = {binding.name: {_own(binding)} for binding in stage.bindings.values()}
    ids = ", ".join(f"{binding.machine}={_own(binding)}" for binding in stage.bindings.values())
    kind = stage.bed.layout.hosts[0].kind
    measured = f"{kind.value} on every frame, {untagged} without; {ids}"
    return Proof("tagged-on-wire", found == right and not untagged, measured)


def _journey(stage: Stage, sender: str, receiver: str) -> tuple[dict[str, int], list[int | None]]:
    """Where one frame was seen, and the channels it was in, on its way up and then down."""
    one, other = stage.bindings[sender], stage.bindings[receiver]
    number, octets = stage.frame(other.mac, one.mac)
    seen = stage.exchange(sender, [octets], receiver)
    ways = seen[_uplink(one, UP)], seen[_uplink(other, DOWN)]
    channels = [channel_of(frame, one.uplink.kind) for frames in ways for frame in frames if number in numbers([frame])]
    return _where(seen, number), channels


def same_host_through_bridge(stage: Stage) -> Proof:
    """Two functions of one host reach each other only through the bridge: the host switches nothing (P1)."""
    places, channels = _journey(stage, "vm1", "vm2")
    one, other = stage.bindings["vm1"], stage.bindings["vm2"]
    expected = {_uplink(one, UP): 1, _uplink(one, DOWN): 1, NIC + other.name: 1}
    ok = places == expected and channels == [_own(one), _own(other)]
    measured = f"{one.name} to {other.name}: up the uplink in {_word(one)} {channels[0]}, down it in {channels[-1]}"
    return Proof("same-host-through-bridge", ok, measured)


def across_hosts(stage: Stage) -> Proof:
    """A frame from one host to another: one uplink up, the other down."""
    places, channels = _journey(stage, "vm1", "vm4")
    one, other = stage.bindings["vm1"], stage.bindings["vm4"]
    expected = {_uplink(one, UP): 1, _uplink(other, DOWN): 1, NIC + other.name: 1}
    ok = places == expected and channels == [_own(one), _own(other)]
    measured = f"{one.name} to {other.name}: up h1 in {_word(one)} {channels[0]}, down h2 in {channels[-1]}"
    return Proof("across-hosts", ok, measured)


def vlan_isolation(stage: Stage) -> Proof:
    """Nothing crosses from VLAN 10 to VLAN 20, not even a frame that knows the other's address."""
    one = stage.bindings["vm1"]
    before = stage.drops(DropReason.VLAN_MISMATCH)
    tries = [stage.broadcast("vm1"), *(stage.frame(stage.bindings[to].mac, one.mac) for to in ("vm3", "vm5"))]
    seen = stage.exchange("vm1", [octets for _, octets in tries], "vm4")
    crossed = sum(
        number in numbers(seen[NIC + stage.bindings[to].name]) for number, _ in tries for to in ("vm3", "vm5")
    )
    dropped = stage.drops(DropReason.VLAN_MISMATCH) - before
    measured = f"{len(tries)} tries from VLAN 10 into VLAN 20: {crossed} crossed, {dropped} counted as vlan-mismatch"
    return Proof("vlan-isolation", crossed == 0 and dropped == 2, measured)


def broadcast_exactly_once(stage: Stage) -> Proof:
    """Each member of the VLAN gets one copy of a broadcast, the sender none.

    An uplink carries one, for the host to replicate; in S-channels one a member.
    """
    sender = stage.bindings["vm2"]
    sent = [stage.broadcast("vm2") for _ in range(ROUNDS)]
    seen = stage.exchange("vm2", [octets for _, octets in sent], "vm4")
    copies = Counter[str]()
    for number, _ in sent:
        copies.update(_where(seen, number))
    members = [binding for binding in stage.bindings.values() if binding.profile == sender.profile]
    expected = {NIC + binding.name: ROUNDS for binding in members if binding is not sender}
    whole = all(
        octets in seen[NIC + binding.name] for _, octets in sent for binding in members if binding is not sender
    )
    expected |= dict.fromkeys((UP + "h1.a", NETWORK + "sw-a/up0"), ROUNDS)
    each = sender.uplink.kind.is_schannel
    for host in ("h1", "h2"):
        there = sum(binding.uplink.host == host for binding in members if binding is not sender)
        expected[f"{DOWN}{host}.a"] = ROUNDS * (there if each else 1)
    wires = "1 a member on a wire" if each else "1 a wire"
    measured = f"{ROUNDS} broadcasts, {len(members) - 1} members: {ROUNDS} copies each, sender 0, {wires}"
    if dict(copies) != expected:
        measured = f"expected {expected}, saw {dict(copies)}"
    return Proof("broadcast-exactly-once", dict(copies) == expected and whole, measured)


def spoof_dropped(stage: Stage) -> Proof:
    """What a machine forges is dropped and counted: a source, a channel's tag, its host's own frames (P2)."""
    one, victim = stage.bindings["vm1"], stage.bindings["vm2"]
    link_local = Mac(b"\x01\x80\xc2\0\0\x0e")
    forged = VnTag(svif=victim.function.channel).encode(), ETag(ecid=victim.function.channel).encode()
    tries = {
        DropReason.SPOOFED_SOURCE: [
            stage.frame(victim.mac, Mac(b"\x52\x54\0\0\x99\x99")),
            stage.frame(BROADCAST, stage.bindings["vm3"].mac),
        ],
        DropReason.FORGED_TAG: [stage.frame(victim.mac, one.mac, tag) for tag in forged],
        DropReason.LINK_LOCAL: [stage.frame(link_local, one.mac)],
        DropReason.BPDU: [stage.frame(Mac(b"\x01\x80\xc2\0\0\0"), one.mac)],
    }
    before = {reason: stage.drops(reason) for reason in tries}
    frames = [octets for some in tries.values() for _, octets in some]
    seen = stage.exchange("vm1", frames, "vm4")
    arrived = sum(
        number in numbers(seen[NIC + to.name])
        for some in tries.values()
        for number, _ in some
        for to in stage.bindings.values()
    )
    counted = {reason: stage.drops(reason) - before[reason] for reason in tries}
    words = ", ".join(f"{reason.word} {count}" for reason, count in counted.items())
    ok = arrived == 0 and counted == {reason: len(some) for reason, some in tries.items()}
    return Proof("spoof-dropped", ok, f"{len(frames)} forged frames, {arrived} arrived; counted: {words}")


def vf_cannot_change_itself(stage: Stage) -> Proof:
    """A holder that gives its end another MAC, or sends in another VLAN, has changed nothing (P2)."""
    one, other = stage.bindings["vm1"], stage.bindings["vm2"]
    wish = Mac(b"\x52\x54\0\0\xbe\xef")
    stage.bed.change_mac(one.name, wish)
    try:
        vlan = VlanTag(stage.bindings["vm3"].profile.vlan).encode()
        tries = [stage.frame(other.mac, wish), stage.frame(BROADCAST, one.mac, vlan)]
        seen = stage.exchange("vm1", [octets for _, octets in tries], "vm2")
        old, to_old = stage.frame(one.mac, other.mac)
        new, to_new = stage.frame(wish, other.mac)
        answer = stage.exchange("vm2", [to_old, to_new], "vm4")
    finally:
        stage.bed.change_mac(one.name, one.mac)
    arrived = sum(
        sum(_where(seen, number).get(NIC + to.name, 0) for to in stage.bindings.values()) for number, _ in tries
    )
    port = stage.bed.bridge_tables().ports[one.bridge_port]
    reached = _where(answer, old).get(NIC + one.name, 0)
    ok = arrived == 0 and reached == 1 and port.mac == one.mac and new not in numbers(seen[NIC + other.name])
    measured = f"{len(tries)} frames as somebody else: {arrived} arrived; its old address still reaches it ({reached})"
    return Proof("vf-cannot-change-itself", ok, measured)


def no_loop(stage: Stage) -> Proof:
    """Two network ports cabled to each other, and no spanning tree: every broadcast ends (P11)."""
    looped = next(one for one in stage.bindings.values() if one.pin and one.pin.name == "loop0")
    witness = next(one for one in stage.bindings.values() if one.profile == looped.profile and one is not looped)
    sent = [stage.broadcast(looped.machine) for _ in range(ROUNDS)]
    before = stage.drops(DropReason.OWN_SOURCE)
    seen = stage.exchange(looped.machine, [octets for _, octets in sent], witness.machine)
    wire = sum(
        sum(_where(seen, number).get(NETWORK + "sw-a/" + port, 0) for port in ("loop0", "loop1")) for number, _ in sent
    )
    ended = stage.drops(DropReason.OWN_SOURCE) - before  # the machine's own stack may have sent some too
    measured = (
        f"{ROUNDS} broadcasts into sw-a/loop0 = sw-a/loop1: {wire} frames on that cable, each ended as own-source"
    )
    return Proof("no-loop", wire == ROUNDS <= ended, measured)


def counters_add_up(stage: Stage) -> Proof:
    """Over all that the demo sent: in + replicated = delivered + dropped, on every node (P4)."""
    counts = stage.bed.counts()
    balances = {name: node.balance for name, node in counts.items()}
    ok = all(came == went for came, went in balances.values())
    measured = "; ".join(f"{name} {came} = {went}" for name, (came, went) in sorted(balances.items()))
    return Proof("counters-add-up", ok, measured)


def carve(stage: Stage) -> Proof:
    """Carving alone: every function is a port of the bridge at once, down, without a profile, and passes nothing."""
    tables = stage.bed.bridge_tables()
    veths = {number: port for number, port in tables.ports.items() if not port.network}
    functions = {
        port_number(uplink.bridge_link, function.channel)
        for host in stage.bed.layout.hosts
        for uplink in host.uplinks
        for function in host.functions
    }
    up = sum(port.up for port in veths.values())
    ok = veths.keys() == functions and not up
    measured = f"{len(functions)} functions of 2 x {MODEL} = {len(veths)} vEths, {up} of them up"
    return Proof("carve", ok, measured)


def limit_refused(stage: Stage) -> Proof:
    """Carving more than the model has is refused with a code."""
    refusal = check_carving(MODEL, 257, 0)
    kept = len({function for host in stage.bed.layout.hosts for function in host.functions})
    code = refusal.code if refusal else "not refused"
    measured = f"257 functions of a {MODEL}: {code}; {kept} functions stay as they were"
    return Proof("limit-refused", code == "too-many-functions" and kept == 2 * FUNCTIONS, measured)


CARVED: Mapping[str, Callable[[Stage], Proof]] = {"carve": carve, "limit-refused": limit_refused}
"""Proofs of a lab whose functions are carved and not bound."""

BOUND: Mapping[str, Callable[[Stage], Proof]] = {
    "function-to-host": function_to_host,
    "tagged-on-wire": tagged_on_wire,
    "same-host-through-bridge": same_host_through_bridge,
    "across-hosts": across_hosts,
    "vlan-isolation": vlan_isolation,
    "broadcast-exactly-once": broadcast_exactly_once,
    "spoof-dropped": spoof_dropped,
    "vf-cannot-change-itself": vf_cannot_change_itself,
    "no-loop": no_loop,
    "counters-add-up": counters_add_up,
}
"""Proofs of a lab whose machines have their NICs."""
