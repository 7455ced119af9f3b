# SPDX-License-Identifier: Apache-2.0
"""The proof `igb`: a commodity SR-IOV adapter is VM-FEX. Linux's igb driver carves it, each function is an S-channel.

The adapter is QEMU's, in a twin of this machine; its wire ends at a bridge here, outside. Both have one file: in the
twin `fex host` makes the adapter what it says and asks for its ports over the wire, here the bridge's agent grants
them. What is done in the twin is in real_nic_claims.py, what is counted is read from the bridge here.

Of itself the 82576 loses unicast from one function to another of another VLAN (docs/reference/adapters.md), so its
embedded switch's loopback is switched off in its register, which a stock kernel allows with `iomem=relaxed` alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from openfex.datapath.tables import read_counters, read_drops, read_totals
from openfex.errors import RefusedError, VerificationError
from openfex.lab import kept, lab, staffing
from openfex.lab.names import netns_of
from openfex.lab.view.look import look
from openfex.lab.view.ports import port_rows
from openfex.lab.workshop import Workshop
from openfex.linux.netlink import Netlink
from openfex.machine.emulated import Igb, Iommu
from openfex.machine.twin import Hardware, Twin, twin
from openfex.model.counters import PortCounters
from openfex.model.drops import DropReason
from openfex.model.layout import Binding, Layout
from openfex.model.values import port_number
from openfex.proof.bed import Proof
from openfex.proof.real_nic_claims import DENIED_PORT, ROUNDS

NAME = "igb"
LAB = "demo-igb"
CABLE, ADAPTER = "fex-igb0", "nic0"
BRIDGE, HOST = "sw-a", "real"
DEVICES = (Iommu(), Igb(ADAPTER, None, CABLE))
DEADLINE_S = 120.0
_DOCUMENTS = """
kind: network
name: demo-igb
spec: {{bridges: {{sw-a: {{ports: [up0]}}}}, signalling: {{keep-alive: 30s}}}}
---
kind: profile
name: guarded
spec:
  vlan: {{access: 10}}
  acl: {{in: [{{deny: {{protocol: udp, port: {denied}}}}}, {{permit: {{}}}}]}}
---
kind: profile
name: open
spec: {{vlan: {{access: 10}}}}
---
kind: host
name: real
spec:
  channel: schannel-q
  remote: true
  uplinks: {{a: {{device: {pf}, bridge: sw-a, mtu: 1600, port: {cable}}}}}
---
kind: adapter
name: nic0
spec: {{host: real, model: "82576", functions: 2}}
---
kind: machine
name: vm1
spec: {{host: real, nics: {{eth0: {{profile: guarded, function: nic0/0, address: 10.0.10.1/24}}}}}}
---
kind: machine
name: vm2
spec: {{host: real, nics: {{eth0: {{profile: open, function: nic0/1, address: 10.0.10.2/24}}}}}}
---
kind: machine
name: own
spec: {{host: real, nics: {{pf: {{profile: open, function: nic0/pf, mac: "{mac}"}}}}}}
"""


@dataclass
class Trial:
    """The twin, the PF's device in it and its MAC, and the lab around its wire."""

    machine: Twin
    pf: str
    mac: str

    def documents(self) -> str:
        """The bridge with the real host, and who has its functions."""
        return _DOCUMENTS.format(denied=DENIED_PORT, pf=self.pf, cable=CABLE, mac=self.mac)

    def ask(self, phase: str, **asked: object) -> dict[str, object]:
        """Have the twin do a phase of the claims; what it found."""
        command = [sys.executable, "-P", "-m", "openfex.proof.real_nic_claims", phase, json.dumps(asked)]
        done = self.machine.run(command, DEADLINE_S, check=True)
        found: dict[str, object] = json.loads(done.output.splitlines()[-1])
        return found


def real_nic_proofs() -> Iterator[Proof]:
    """Boot the twin, put a bridge at its wire, and try every claim. The lab is removed at the end."""
    _make_room()
    with _cable(), twin(DEVICES, Hardware(append="iomem=relaxed")) as machine:
        pf = machine.netdev(ADAPTER)
        mac = machine.run(["cat", f"/sys/class/net/{pf}/address"], check=True).output.strip()
        try:
            yield from _proofs(Trial(machine, pf, mac))
        finally:
            lab.down(LAB)


def _make_room() -> None:
    """Remove what an earlier proof left that was killed. Raises RefusedError where it is somebody's own lab."""
    found = kept.read(LAB)
    if found is not None and f"port: {CABLE}" not in found.text:
        remedy = f"give it another name, or take it down with `fex lab down {LAB}`"
        raise RefusedError(f"a lab named {LAB} is up that no demo made", code="lab-exists", remedy=remedy)
    lab.down(LAB)


@contextmanager
def _cable() -> Iterator[None]:
    """The device at which the adapter's wire ends."""
    with Netlink() as here:
        if CABLE in {link.name for link in here.links()}:
            here.delete(CABLE)
    yield


def _proofs(trial: Trial) -> Iterator[Proof]:
    layout = lab.up(trial.documents()).layout
    bindings = {one.machine: one for one in layout.bindings}
    ends = [{"mac": str(bindings[name].mac), "address": bindings[name].addresses[0]} for name in ("vm1", "vm2")]
    asked = {"pf": trial.pf, "host": HOST, "documents": trial.documents(), "ends": ends}
    with Workshop(LAB) as workshop:
        yield _carved(trial, workshop, layout, trial.ask("carve", **asked))
        yield _signalled(workshop, layout, trial.ask("signal", **asked))
        found = trial.ask("talk", **asked)
        yield _through(workshop, layout, bindings, found)
        yield _denied(workshop, layout, bindings, found)
        yield _once(found)
        yield _adopted(workshop, trial.ask("again", **asked))
    yield _released(trial.ask("release", **asked))


def _carved(trial: Trial, workshop: Workshop, layout: Layout, found: dict[str, object]) -> Proof:
    channels = _channels(layout)
    node = workshop.node(netns_of(layout.lab, "bridge", BRIDGE))

    [uplink] = layout.uplinks_of(BRIDGE)
    where = port_number(uplink.bridge_link), DropReason.NOT_IN_CHANNEL
    end = time.monotonic() + DEADLINE_S
    while (down := read_drops(node)[where]) < ROUNDS and time.monotonic() < end:
        time.sleep(0.05)
    ok = found["vlans"] == channels and not found["again"] and down >= ROUNDS
    measured = (
        f"{len(channels)} functions of igb, S-channels {channels} as port VLANs (802.1Q), read back; twice is once; "
    )
    measured += f"before the host has spoken {down} frames ended at the bridge; "
    measured += f"booted in {trial.machine.boot_s:.0f} s, "
    measured += "then its own switch's loopback was switched off (DTXSWC)"
    return Proof(f"{NAME}-carved", ok, measured)


def _channels(layout: Layout) -> list[int]:
    return sorted(binding.function.channel for binding in layout.bindings if not binding.function.is_pf)


def _states(layout: Layout) -> dict[str, object]:
    """By NIC, what its vEth is."""
    return {str(row["nic"]): row["state"] for row in port_rows(look(layout)) if row["nic"]}


def _signalled(workshop: Workshop, layout: Layout, found: dict[str, object]) -> Proof:
    states, names = _states(layout), {one.name for one in layout.bindings}
    [row] = [row for row in staffing.neighbours(LAB) if row["node"] == BRIDGE]
    control = read_totals(workshop.node(netns_of(LAB, "bridge", BRIDGE))).control
    ok = states == dict.fromkeys(names, "up") and row["channels"] == len(_channels(layout))
    ok = ok and (row["name"], row["evb"], row["control"]) == (HOST, "agreed", True) and control > 0
    measured = f"`fex host` in the twin and the bridge here agreed on {len(names)} ports "
    measured += f"{found['took_s']} s after it was ready, over {control} frames to the bridge: EVB, "
    return Proof(f"{NAME}-signalled", ok, f"{measured}{row['channels']} S-channels by CDCP, and associations by VDP")


def _adopted(workshop: Workshop, found: dict[str, object]) -> Proof:
    said = {one["event"] for one in staffing.read_log(LAB)}
    ok = found["echoed"] == ROUNDS and found["steps"] == 0 and found["associated"] == 3 and "expired" not in said
    measured = f"`fex host` killed (-9): {found['echoed']} of {ROUNDS} datagrams without it; the next one had "
    return Proof(
        f"{NAME}-restart-adopts", ok, f"{measured}{found['steps']} steps to do, {found['associated']} confirmed"
    )


def _counters(workshop: Workshop, layout: Layout, binding: Binding) -> PortCounters:
    node = workshop.node(netns_of(layout.lab, "bridge", BRIDGE))
    return read_counters(node).get(binding.bridge_port, PortCounters())


def _through(workshop: Workshop, layout: Layout, bindings: dict[str, Binding], found: dict[str, object]) -> Proof:
    one, two = (_counters(workshop, layout, bindings[name]) for name in ("vm1", "vm2"))
    least = min(one.in_frames, one.out_frames, two.in_frames, two.out_frames)
    ok = found["echoed"] == ROUNDS and least >= ROUNDS
    measured = (
        f"{found['echoed']} of {ROUNDS} datagrams vm1 to vm2 and back, two functions of one adapter; vEths counted "
    )
    measured += f"vm1 in {one.in_frames} out {one.out_frames}, vm2 in {two.in_frames} out {two.out_frames}"
    return Proof(f"{NAME}-through-the-bridge", ok, measured)


def _denied(workshop: Workshop, layout: Layout, bindings: dict[str, Binding], found: dict[str, object]) -> Proof:
    node = workshop.node(netns_of(layout.lab, "bridge", BRIDGE))
    drops = read_drops(node)[bindings["vm1"].bridge_port, DropReason.ACL_IN]
    ok = found["denied"] == 0 and drops == ROUNDS
    measured = f"UDP port {DENIED_PORT} denied at vm1's port: {found['denied']} of {ROUNDS} arrived, acl-in {drops}"
    return Proof(f"{NAME}-denied", ok, measured)


def _once(found: dict[str, object]) -> Proof:
    copies = found["copies"]
    if not isinstance(copies, dict):
        raise VerificationError("the twin told of no copies", code="twin-command-failed")
    ok = copies == {"vm1": 0, "vm2": ROUNDS, "own": ROUNDS}
    told = ", ".join(f"{name} {count}" for name, count in copies.items())
    return Proof(f"{NAME}-broadcast-once", ok, f"{ROUNDS} broadcasts of vm1: {told}")


def _released(found: dict[str, object]) -> Proof:
    measured = f"functions taken back and released in {found['steps']} steps; the adapter reads back "
    return Proof(f"{NAME}-released", found["same"] is True, measured + ("the same" if found["same"] else "different"))
