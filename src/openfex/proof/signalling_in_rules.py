# SPDX-License-Identifier: Apache-2.0
"""The proofs of agents on the reference engine: the same agents, in virtual time. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from openfex.model.layout import Binding
from openfex.proof.bed import NIC, Proof, Stage, numbers
from openfex.proof.forged import forged
from openfex.proof.reference_bed import ReferenceBed
from openfex.protocol.vdp_timers import VdpTimers
from openfex.rules.compiler import compile_bridge, compile_extender

PART = 200
"""Frames of a stream before, while and after there are no agents."""
SILENT = "h2"


def _up(bed: ReferenceBed) -> set[str]:
    """The NICs whose vEths are up."""
    ports = bed.bridge_tables().ports
    return {one.name for one in bed.layout.bindings if one.bridge_port in ports and ports[one.bridge_port].up}


def _differing(bed: ReferenceBed) -> int:
    """Nodes whose tables are not what the documents say."""
    layout, tables = bed.layout, bed.bridge_tables()
    name = layout.bridges[0].name
    hosts = [
        bed.extender_tables(host.name) != compile_extender(layout, host, {name: tables}) for host in layout.own_hosts
    ]
    return sum(hosts) + (tables != compile_bridge(layout, name, tables))


def ports_by_signalling(bed: ReferenceBed) -> Proof:
    """Every vEth is up because host and bridge have agreed about it over their cable."""
    agreed: dict[str, float] = {}
    associated: dict[str, float] = {}
    for at, node, log in bed.town.logs:
        if log.event == "agreed":
            agreed[node] = at
        elif log.event == "associated":
            associated[log.about] = at - agreed[node]
    names = {one.name for one in bed.layout.bindings}
    up, differing = _up(bed), _differing(bed)
    took = max(associated.values(), default=0.0) * 1000
    measured = (
        f"{len(up)} of {len(names)} vEths up by VDP, the last one {took:.0f} ms of virtual time after its ends had "
        f"agreed by LLDP; {differing} differences from what the documents say"
    )
    return Proof("ports-by-signalling", up == names == associated.keys() and not differing, measured)


def vm_cannot_signal(bed: ReferenceBed) -> Proof:
    """What a machine sends as if it were its host reaches no agent."""
    sender = next(one for one in bed.layout.bindings if one.machine == "vm1")
    frames, host = forged(sender), sender.uplink.host
    before, logged = bed.counts()[host].drops.copy(), len(bed.town.logs)
    bed.send([(NIC + sender.name, octets) for octets in frames])
    new = bed.counts()[host].drops - before
    at_port = sum(count for (port, _), count in new.items() if port == sender.host_port)
    control = sum(node.totals.control for node in bed.counts().values())
    news, up = len(bed.town.logs) - logged, _up(bed)
    ok = at_port == len(frames) and not control and not news and up == {one.name for one in bed.layout.bindings}
    measured = (
        f"{len(frames)} LLDP and ECP frames of a machine: {at_port} dropped at its own port, {control} handed to "
        f"agents, {len(up)} vEths still up"
    )
    return Proof("vm-cannot-signal", ok, measured)


def _stream(stage: Stage, sender: Binding, receiver: Binding) -> int:
    """How many of a part of a stream arrive."""
    frames = [stage.frame(receiver.mac, sender.mac)[1] for _ in range(PART)]
    seen = stage.exchange(sender.machine, frames, receiver.machine)
    return len(set(numbers(seen[NIC + receiver.name]))) - 1  # the fence


def restart_adopts(bed: ReferenceBed) -> Proof:
    """Agents go under a counted stream and others take over: no frame is lost, no table is written (P5)."""
    stage = Stage(bed)
    nodes = [*bed.hosts, bed.layout.bridges[0].name]
    before, logged = [bed.bridge.tables, *(one.tables for one in bed.hosts.values())], len(bed.town.logs)
    ends = stage.bindings["vm1"], stage.bindings["vm4"]
    arrived = _stream(stage, *ends)
    for name in nodes:
        bed.town.kill(name)
    arrived += _stream(stage, *ends)
    bed.town.start()
    bed.settle()
    arrived += _stream(stage, *ends)
    after = [bed.bridge.tables, *(one.tables for one in bed.hosts.values())]
    written = sum(one is not other for one, other in zip(before, after, strict=True))
    said = [log.event for _, _, log in bed.town.logs[logged:]]
    undone = {"expired", "de-associated", "refused"} & {*said}
    confirmed = said.count("associated")
    lost = 3 * PART - arrived
    ok = not lost and not written and not undone and confirmed == len(bed.layout.bindings)
    measured = (
        f"agents gone in the middle of {3 * PART} frames: {lost} lost; others confirmed {confirmed} associations, "
        f"{written} tables rewritten"
    )
    return Proof("restart-adopts", ok, measured)


def keepalive_expiry(bed: ReferenceBed) -> Proof:
    """A host whose agent is dead: its vEths go down when its keep-alive time has run, and come back with it (P3)."""
    times = bed.layout.signalling
    expiry = VdpTimers.of(3, times.rte, times.rwd, times.rka).expiry
    mine = {one.name for one in bed.layout.bindings if one.uplink.host == SILENT}
    rest = {one.name for one in bed.layout.bindings} - mine
    bed.town.kill(SILENT)
    start = bed.town.now
    while _up(bed) & mine and bed.town.now < start + 2 * expiry:
        bed.town.run(expiry / 100)
    took, left = bed.town.now - start, _up(bed)
    bed.town.restart(SILENT)
    bed.settle()
    back = _up(bed)
    measured = (
        f"{len(mine - left)} vEths of a silent host down after {took:.1f} s of virtual time (keep-alive {expiry:.1f} "
        f"s), {len(left)} of others up all the time; {len(back)} up when it was back"
    )
    return Proof("keepalive-expiry", left == rest and back == mine | rest and took <= 1.1 * expiry, measured)


SIGNALLED: Mapping[str, Callable[[ReferenceBed], Proof]] = {
    "ports-by-signalling": ports_by_signalling,
    "vm-cannot-signal": vm_cannot_signal,
    "restart-adopts": restart_adopts,
    "keepalive-expiry": keepalive_expiry,
}
"""On the demo's lab, which is bound."""
