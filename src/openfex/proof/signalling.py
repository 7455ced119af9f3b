# SPDX-License-Identifier: Apache-2.0
"""Proofs of agents: ports come up by what they say, machines cannot speak, who is restarted rebuilds nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from openfex.datapath.tables import read_drops, read_rows, read_tables, read_totals
from openfex.errors import VerificationError
from openfex.lab import staffing
from openfex.lab.lab import drift
from openfex.lab.names import netns_of
from openfex.lab.workshop import Workshop
from openfex.linux.packet import PacketSocket
from openfex.model.layout import Layout
from openfex.proof.bed import Proof
from openfex.proof.endurance import STREAM, stream
from openfex.proof.forged import forged
from openfex.proof.kernel_bed import nic_place
from openfex.protocol.vdp_timers import VdpTimers
from openfex.rules.tables import BridgeTables

DEADLINE_S = 15.0
_LOOK_AGAIN_S = 0.01


def _wait(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() >= end:
            raise VerificationError(f"not within {DEADLINE_S:.0f} s: {what}", code="not-seen")
        time.sleep(_LOOK_AGAIN_S)


def _said(lab: str, since: int = 0) -> list[dict[str, object]]:
    """What the agents have logged."""
    return staffing.read_log(lab)[since:]


def ports_up(workshop: Workshop, layout: Layout) -> set[str]:
    """The NICs whose vEths are up, read from the kernel."""
    up = set()
    for bridge in layout.bridges:
        space = netns_of(layout.lab, "bridge", bridge.name)
        tables = read_tables(workshop.node(space), workshop.devices(space))
        assert isinstance(tables, BridgeTables)
        mine = [one for one in layout.bindings if one.uplink.bridge == bridge.name]
        up |= {one.name for one in mine if one.bridge_port in tables.ports and tables.ports[one.bridge_port].up}
    return up


def ports_by_signalling(layout: Layout) -> Proof:
    """Every vEth is up because host and bridge have agreed about it over their cable, and that is what was written."""
    said = _said(layout.lab)
    names = {one.name for one in layout.bindings}
    agreed: dict[object, float] = {}
    associated: dict[str, float] = {}
    for one in said:
        at = float(str(one["time"]))
        if one["event"] == "agreed":
            agreed[one["node"]] = at
        elif one["event"] == "associated":
            associated[str(one["about"])] = at - agreed[one["node"]]
    with Workshop(layout.lab) as workshop:
        up = ports_up(workshop, layout)
    differing = len(drift(layout.lab).operations)
    ok = up == names == associated.keys() and differing == 0
    took = max(associated.values(), default=0.0) * 1000
    measured = (
        f"{len(up)} of {len(names)} vEths up by VDP, the last one {took:.0f} ms after its ends had agreed by LLDP; "
        f"{differing} differences from what the documents say"
    )
    return Proof("ports-by-signalling", ok, measured)


def vm_cannot_signal(layout: Layout) -> Proof:
    """What a machine sends as if it were its host reaches no agent: not LLDP, not ECP, to no address of theirs."""
    sender = next(one for one in layout.bindings if one.machine == "vm1")
    spaces = [netns_of(layout.lab, "host", sender.uplink.host), netns_of(layout.lab, "bridge", sender.uplink.bridge)]
    place, frames = nic_place(layout, sender), forged(sender)
    before = len(_said(layout.lab))
    with Workshop(layout.lab) as workshop, PacketSocket(place.device, netns=place.netns) as door:
        node = workshop.node(spaces[0])
        drops = read_drops(node)
        for octets in frames:
            door.send(octets)
        _wait(lambda: (read_drops(node) - drops).total() >= len(frames), "the machine's frames are counted as dropped")
        new = read_drops(node) - drops
        control = [read_totals(workshop.node(space)).control for space in spaces]
        up = ports_up(workshop, layout)
    news = [one for one in _said(layout.lab, before) if one["event"] not in {"associated"}]
    at_port = sum(count for (port, _), count in new.items() if port == sender.host_port)
    ok = at_port == len(frames) and not news and up == {one.name for one in layout.bindings}
    measured = (
        f"{len(frames)} LLDP and ECP frames of a machine: {at_port} dropped at its own port, {len(news)} heard by "
        f"agents (which took {sum(control)} of each other's), {len(up)} vEths still up"
    )
    return Proof("vm-cannot-signal", ok, measured)


def restart_adopts(layout: Layout) -> Proof:
    """Kill -9 all agents under a counted stream and have others take over: no frame is lost, no row is written (P5)."""
    bindings = {one.machine: one for one in layout.bindings}
    spaces = [netns_of(layout.lab, "host", one.name) for one in layout.own_hosts]
    spaces += [netns_of(layout.lab, "bridge", one.name) for one in layout.bridges]
    took: list[float] = []

    def restart() -> None:
        kill_agents(layout.lab)
        start = time.monotonic()
        staffing.start(layout.lab)
        took.append(time.monotonic() - start)

    before = len(_said(layout.lab))
    with Workshop(layout.lab) as workshop:
        rows = [read_rows(workshop.node(space)) for space in spaces]
        arrived = stream(layout, bindings["vm1"], bindings["vm4"], restart)
        same = [read_rows(workshop.node(space)) for space in spaces] == rows
    undone = [one for one in _said(layout.lab, before) if one["event"] in {"expired", "de-associated", "refused"}]
    lost = STREAM - len(set(arrived))
    ok = lost == 0 and arrived == sorted(set(arrived)) and same and not undone and bool(took)
    measured = (
        f"agents killed in the middle of {STREAM} frames: {lost} lost; others confirmed {len(layout.bindings)} "
        f"associations in {sum(took):.1f} s, {'no row' if same else 'rows'} rewritten"
    )
    return Proof("restart-adopts", ok, measured)


def kill_agents(lab: str) -> int:
    """Kill -9 the process of a lab's agents, with nobody to start others; its process id."""
    found = staffing.kill(lab)
    if found is None:
        raise VerificationError(f"lab {lab} has no agents", code="no-agents")
    _wait(lambda: staffing.find(lab) is None, "the agents end")
    return found


@contextmanager
def agent_of(lab: str, node: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process for one node's agent alone, which is killed in the end."""
    command = [sys.executable, "-P", "-m", "openfex", "lab", "agents", lab, "--node", node]
    with staffing.log_file(lab).open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.kill()


def keepalive_expiry(layout: Layout) -> Proof:
    """A host whose agent is dead: its vEths go down when its keep-alive time has run, and come back with it (P3)."""
    silent = "h2"
    others = [one.name for one in layout.own_hosts if one.name != silent] + [one.name for one in layout.bridges]
    mine = {one.name for one in layout.bindings if one.uplink.host == silent}
    rest = {one.name for one in layout.bindings} - mine
    before = len(_said(layout.lab))
    staffing.stop(layout.lab)
    with ExitStack() as held, Workshop(layout.lab) as workshop:
        for node in others:
            held.enter_context(agent_of(layout.lab, node))
        _wait(lambda: not ports_up(workshop, layout) & mine, "the silent host's vEths go down")
        left = ports_up(workshop, layout)
        _wait(lambda: len(_of(layout.lab, "associated", before) & rest) == len(rest), "the others are confirmed")
    staffing.start(layout.lab)
    said = _said(layout.lab, before)
    agreed = min(float(str(one["time"])) for one in said if one["node"] == "sw-a" and one["event"] == "agreed")
    expired = [float(str(one["time"])) - agreed for one in said if one["event"] == "expired"]
    with Workshop(layout.lab) as workshop:
        back = ports_up(workshop, layout)
    ok = left == rest and len(expired) == len(mine) and back == mine | rest
    measured = (
        f"{len(expired)} vEths of a silent host down {max(expired, default=0):.1f} s after its bridge's agent was back "
        f"(keep-alive {_expiry(layout):.1f} s), {len(left)} of others up all the time; {len(back)} up when it was back"
    )
    return Proof("keepalive-expiry", ok, measured)


def _of(lab: str, event: str, since: int) -> set[str]:
    return {str(one["about"]) for one in _said(lab, since) if one["event"] == event}


def _expiry(layout: Layout) -> float:
    times = layout.signalling
    return VdpTimers.of(3, times.rte, times.rwd, times.rka).expiry


SIGNALLED: Mapping[str, Callable[[Layout], Proof]] = {
    "ports-by-signalling": ports_by_signalling,
    "vm-cannot-signal": vm_cannot_signal,
    "restart-adopts": restart_adopts,
    "keepalive-expiry": keepalive_expiry,
}
"""On the demo's lab, which is up and bound."""
