# SPDX-License-Identifier: Apache-2.0
"""The proof `vm-on-vf`: a real virtual machine on a function, as a neighbour of machines that are name spaces.

It needs QEMU and an image made of Debian's packages, so it is given only when it is asked for by name.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from openfex.lab import guests, lab
from openfex.lab.names import netns_of
from openfex.lab.view.look import look
from openfex.linux.packet import PacketSocket
from openfex.machine.agent import Answer
from openfex.model.drops import DropReason
from openfex.model.layout import Binding, Layout
from openfex.model.reader import read_documents
from openfex.model.values import ChannelKind, Mac
from openfex.plan.layout import lay_out
from openfex.proof.bed import Proof
from openfex.proof.guest_traffic import call_from_guest, call_guest, serve_echo, watching, whole

NAME = "vm-on-vf"
VM, PEER, STRANGER = "vm1", "vm2", "vm3"
PAYLOAD = 8 << 20
TRIES = 3
FORGED = Mac(b"\x52\x54\x00\x00\x99\x99")
DEADLINE_S = 10
DOCUMENTS = """\
kind: network
name: demo
spec: {{bridges: {{sw-a: {{ports: [up0]}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: profile
name: data
spec: {{vlan: {{access: 20}}}}
---
kind: host
name: h1
spec: {{channel: {kind}, uplinks: {{a: {{device: up-a, bridge: sw-a}}}}}}
---
kind: host
name: h2
spec: {{channel: {kind}, uplinks: {{a: {{device: up-a, bridge: sw-a}}}}}}
---
kind: adapter
name: h1-nic0
spec: {{host: h1, model: vic-1280, functions: 4, backing: tap}}
---
kind: adapter
name: h2-nic0
spec: {{host: h2, model: vic-1280, functions: 4}}
---
kind: machine
name: vm1
spec: {{host: h1, type: qemu, nics: {{eth0: {{profile: web, address: 10.0.10.1/24}}}}}}
---
kind: machine
name: vm2
spec: {{host: h2, nics: {{eth0: {{profile: web, address: 10.0.10.2/24}}}}}}
---
kind: machine
name: vm3
spec: {{host: h2, nics: {{eth0: {{profile: data, address: 10.0.10.3/24}}}}}}
"""


@dataclass
class Trial:
    """A virtual machine, a machine of its VLAN and one of another, in a lab that is up."""

    layout: Layout
    vm: str = VM
    peer: str = PEER
    stranger: str = STRANGER

    def binding(self, machine: str) -> Binding:
        """The binding of a machine's only NIC."""
        return next(one for one in self.layout.bindings if one.machine == machine)

    def address(self, machine: str) -> str:
        """Its first address, without the prefix."""
        return self.binding(machine).addresses[0].split("/")[0]

    def space(self, machine: str) -> str:
        """The name space of a machine that is one."""
        return netns_of(self.layout.lab, "machine", machine)

    def ask(self, *argv: str) -> Answer:
        """Run a command in the virtual machine."""
        return guests.ask(self.layout.lab, self.vm, *argv)

    def drops(self, reason: DropReason) -> int:
        """How many frames all nodes dropped for a reason so far."""
        nodes = look(self.layout).nodes.values()
        return sum(frames for node in nodes for (_, why), frames in node.drops.items() if why is reason)

    def listen(self, machine: str) -> PacketSocket:
        """A socket that sees what comes to a machine that is a name space."""
        return PacketSocket(self.binding(machine).nic, netns=self.space(machine))

    def reaches(self, machine: str) -> bool:
        """Whether another machine answers to a ping. What was sent before it has then been decided upon."""
        return self.ask("ping", "-c", "1", "-W", str(DEADLINE_S), self.address(machine)).status == 0


def tcp(trial: Trial) -> tuple[bool, str]:
    """TCP, called from either side, data both ways, with super-frames that are whole on the TAP."""
    payload, vm = os.urandom(PAYLOAD), trial.binding(trial.vm)
    lab_name, peer, own = trial.layout.lab, trial.space(trial.peer), trial.address(trial.peer)
    serve_echo(lab_name, trial.vm)
    with watching(trial.layout, vm) as passed:
        called = call_guest(peer, trial.address(trial.vm), payload)
        calls = call_from_guest(lab_name, trial.vm, peer, own, payload)
    sent, got = whole(passed.sent_by(vm.mac)), whole(passed.sent_to(vm.mac))
    rates = f"called {called:.2f} Gbit/s, calling {calls:.2f}, each way"
    return sent > 0 and got > 0, f"TCP {rates}, {sent} super-frames out and {got} in whole"


def isolation(trial: Trial) -> tuple[bool, str]:
    """Nothing reaches a machine of another VLAN, though the guest knows its address."""
    stranger, vm = trial.binding(trial.stranger), trial.binding(trial.vm)
    before = trial.drops(DropReason.VLAN_MISMATCH)
    trial.ask("arp", "-s", trial.address(trial.stranger), str(stranger.mac))
    with trial.listen(trial.stranger) as door:
        trial.ask("ping", "-c", str(TRIES), "-i", "0.1", "-W", "1", trial.address(trial.stranger))
        answered = trial.reaches(trial.peer)
        crossed = sum(octets[6:12] == vm.mac.octets for octets in door.drain())
    dropped = trial.drops(DropReason.VLAN_MISMATCH) - before
    measured = f"{crossed} of {TRIES} frames crossed into VLAN {stranger.profile.vlan}, {dropped} counted"
    return answered and not crossed and dropped == TRIES, measured


def forgery(trial: Trial) -> tuple[bool, str]:
    """What the guest sends under another address is dropped, every frame of it counted."""
    vm = trial.binding(trial.vm)
    before = trial.drops(DropReason.SPOOFED_SOURCE)
    with trial.listen(trial.peer) as door:
        with watching(trial.layout, vm) as passed:
            trial.ask("ip", "link", "set", vm.nic, "address", str(FORGED))
            trial.ask("ping", "-c", str(TRIES), "-i", "0.1", "-W", "1", trial.address(trial.peer))
            trial.ask("ip", "link", "set", vm.nic, "address", str(vm.mac))
        answered = trial.reaches(trial.peer)
        arrived = sum(octets[6:12] == FORGED.octets for octets in door.drain())
    sent, dropped = len(passed.sent_by(FORGED)), trial.drops(DropReason.SPOOFED_SOURCE) - before
    measured = f"{arrived} of {sent} forged frames arrived, {dropped} counted"
    return answered and not arrived and sent == dropped > 0, measured


def reboot(trial: Trial) -> tuple[bool, str]:
    """After its reset button was pressed the guest is on the same port."""
    guests.reset(trial.layout.lab, trial.vm)
    answered = trial.reaches(trial.peer)
    return answered, f"after a reset it {'reaches' if answered else 'does not reach'} {trial.peer} again"


def documents(kind: ChannelKind) -> str:
    """The proof's lab: a virtual machine on one host, two machines on another."""
    return DOCUMENTS.format(kind=kind.value)


def layout(kind: ChannelKind) -> Layout:
    """The same laid out."""
    return lay_out(read_documents(documents(kind)))


def vm_on_vf(kind: ChannelKind) -> Proof:
    """A virtual machine boots on a function and is what its port says, as any other machine."""
    start = time.monotonic()
    trial = Trial(lab.up(documents(kind)).layout)
    booted = time.monotonic() - start
    results = [claim(trial) for claim in (tcp, isolation, forgery, reboot)]
    measured = "; ".join(text for _, text in results)
    function = trial.binding(VM).function.name
    return Proof(NAME, all(ok for ok, _ in results), f"lab with {VM} on {function} up in {booted:.1f} s; {measured}")
