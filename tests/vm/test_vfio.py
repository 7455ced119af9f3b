# SPDX-License-Identifier: Apache-2.0
"""A virtual machine drives a function of a real driver's adapter, by VFIO, as a vEth of a bridge outside.

The machine runs inside the twin, whose igb is carved and whose function is given to it by the project's own commands.
Both kernels are interpreted, the inner one by an interpreter that is interpreted, so it boots for minutes. Its igbvf
asks the PF's driver for its MAC: while the PF is down nobody answers, which is tried last.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from openfex.datapath.tables import read_counters, read_drops
from openfex.formats.document import write_document
from openfex.lab import lab
from openfex.lab.names import netns_of
from openfex.lab.workshop import Workshop
from openfex.machine import cpio
from openfex.machine.emulated import Igb, Iommu
from openfex.machine.emulator import make_emulator
from openfex.machine.stock import NEWEST, make_stock
from openfex.machine.twin import Hardware, Twin, twin
from openfex.model.counters import PortCounters
from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.plan.schannels import wishes_for

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.long]
LAB, CABLE, ADAPTER = "test-vfio", "fex-vfio0", "nic0"
FEX = (sys.executable, "-P", "-m", "openfex")
PINGS = 5
DEADLINE_S = 1500.0
DOCUMENTS = """
kind: network
name: test-vfio
spec: {{bridges: {{sw: {{ports: [up0]}}}}}}
---
kind: profile
name: guarded
spec: {{vlan: {{access: 10}}, acl: {{in: [{{deny: {{protocol: tcp, port: 9}}}}, {{permit: {{}}}}]}}}}
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
  agent: false
  uplinks: {{a: {{device: {pf}, bridge: sw, mtu: 1600, port: {cable}}}}}
---
kind: adapter
name: nic0
spec: {{host: real, model: "82576", functions: 2}}
---
kind: machine
name: vm1
spec: {{host: real, nics: {{eth0: {{profile: guarded, function: nic0/0, address: 10.0.10.1/24}}}}}}
---
kind: host
name: h2
spec: {{channel: etag, uplinks: {{a: {{device: up-a, bridge: sw}}}}}}
---
kind: adapter
name: veths
spec: {{host: h2, model: bcm-8, functions: 2}}
---
kind: machine
name: vm2
spec: {{host: h2, nics: {{eth0: {{profile: open, address: 10.0.10.2/24}}}}}}
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What the machine said, by its names, and what the bridge outside counted for it and for whom it spoke to."""

    said: dict[str, list[str]]
    mac: str
    one: PortCounters
    two: PortCounters
    denied: int
    seconds: float


class Console:
    """The console of the machine. What it wants is done, then it is told to go on."""

    def __init__(self, vm: Twin, pf: str) -> None:
        self._vm, self._pf, self._rest = vm, pf, b""
        self.said: dict[str, list[str]] = {}
        self.text = ""

    def write(self, octets: bytes) -> None:
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").strip()
            self.text += f"{text}\n"
            name, _, value = text.partition(" ")
            self.said.setdefault(name, []).append(value)
            if name == "wants":
                state = "down" if value == "down" else "up"
                self._vm.run(["sh", "-ec", f"ip link set {self._pf} {state}; echo on >/tmp/words"], check=True)


@pytest.fixture(scope="module")
def found() -> Iterator[Found]:
    with twin((Iommu(), Igb(ADAPTER, None, CABLE))) as vm:
        pf = vm.netdev(ADAPTER)
        try:
            layout = lab.up(DOCUMENTS.format(pf=pf, cable=CABLE)).layout
            yield watch(vm, pf, layout)
        finally:
            lab.down(LAB)


def watch(vm: Twin, pf: str, layout: Layout) -> Found:
    console, begun = Console(vm, pf), time.monotonic()
    done = vm.stream(["sh", "-ec", start(vm, give(vm, pf, layout))], console.write, DEADLINE_S)
    assert done.status == 0, f"{done.errors}\n{console.text}"
    seconds = time.monotonic() - begun
    print(console.text)  # shown when a test fails
    one, two = (next(each for each in layout.bindings if each.machine == name) for name in ("vm1", "vm2"))
    with Workshop(LAB) as workshop:
        node = workshop.node(netns_of(LAB, "bridge", "sw"))
        denied = read_drops(node)[one.bridge_port, DropReason.ACL_IN]
        counted = read_counters(node)
    return Found(console.said, str(one.mac), counted[one.bridge_port], counted[two.bridge_port], denied, seconds)


def give(vm: Twin, pf: str, layout: Layout) -> str:
    """Carve the adapter as the layout wants it, and leave its function to vfio-pci; the function's address."""
    [wish] = wishes_for(layout, "real")
    (vm.shared / "adapter.yaml").write_text(write_document(wish))
    vm.run(["ip", "link", "set", pf, "up"], check=True)
    vm.run([*FEX, "apply", "/mnt/adapter.yaml"], DEADLINE_S, check=True)
    link = vm.run(["readlink", f"/sys/class/net/{pf}/device/virtfn0"], check=True).output
    address = Path(link.strip()).name
    vm.run([*FEX, "give", address, "vm"], DEADLINE_S, check=True)
    return address


def start(vm: Twin, function: str) -> str:
    """The script that runs a machine with a function: its console is what the script prints, and the pipe `words`."""
    stock = make_stock(NEWEST)
    script = Path(__file__).with_name("nested.sh").read_bytes()
    more = cpio.archive([cpio.file("nested", script, executable=True)])
    (vm.shared / "initrd").write_bytes(stock.initrd.read_bytes() + more)
    argv = [*make_emulator().argv, "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot", "-nic", "none"]
    argv += ["-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256", "-serial", "stdio"]
    argv += ["-kernel", str(stock.kernel), "-initrd", "/mnt/initrd"]
    argv += ["-append", "'console=ttyS0 quiet panic=-1 edd=off rdinit=/nested'"]
    argv += ["-device", f"vfio-pci,host={function}"]
    return f"mkfifo /tmp/words; exec {' '.join(argv)} <>/tmp/words"


def test_it_has_the_functions_mac_and_carrier(found: Found, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\ncarved, given, booted and talked in {found.seconds:.0f} s")
    assert found.said["up"] == [f"{found.mac} 0 1"], found.said


def test_its_frames_go_through_the_bridge_outside(found: Found) -> None:
    assert found.said["ping"] == [f"{PINGS} packets transmitted, {PINGS} packets received, 0% packet loss"]
    assert min(found.one.in_frames, found.one.out_frames, found.two.in_frames, found.two.out_frames) >= PINGS


def test_its_profile_holds(found: Found) -> None:
    """A port that nobody listens at is refused by the peer, one that the profile denies by nobody."""
    assert "refused" in found.said["open"][0]
    assert "refused" not in found.said["denied"][0]
    assert found.denied > 0


def test_while_the_pf_is_down_its_mac_is_random_and_there_is_no_carrier(found: Found) -> None:
    [down] = found.said["down"]
    mac, kind, *carrier = down.split()
    assert (mac != found.mac, kind, carrier) == (True, "1", ["0"]), found.said


def test_when_the_pf_is_up_again_so_is_the_function(found: Found) -> None:
    assert found.said["again"] == [f"{found.mac} 0 1"], found.said


def test_registers_of_functions_above_4_gib_are_not_reached() -> None:
    """Of QEMU 10.0: where a machine has memory above 4 GiB, its firmware has 64-bit registers there, too."""
    with twin((Igb(ADAPTER, None, CABLE),), Hardware(memory_mib=3072)) as vm:
        pf = vm.netdev(ADAPTER)
        vm.run(["ip", "link", "set", pf, "up"], check=True)
        vm.run(["sh", "-ec", f"echo 1 >/sys/class/net/{pf}/device/sriov_numvfs"], check=True)
        said = vm.run(["sh", "-ec", f"head -n 1 /sys/class/net/{pf}/device/virtfn0/resource; dmesg"], check=True).output
    assert int(said.split()[0], 16) > 1 << 32
    assert "PF still in reset state. Is the PF interface up?" in said
