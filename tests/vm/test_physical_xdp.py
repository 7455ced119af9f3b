# SPDX-License-Identifier: Apache-2.0
"""A bridge whose uplink is a physical device: in a twin, on Linux's igb driver. We are the real host outside.

An adapter takes the outermost VLAN tag off before XDP sees the frame; so it is told not to, or every S-channel would be
the default one. Of what tc sees the kernel makes super-frames first (GRO looks behind VLAN tags).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv6Address

import pytest

from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.machine.emulated import Igb
from openfex.machine.twin import Twin, twin
from openfex.model.values import BROADCAST, ChannelKind, Mac
from openfex.proof.bed import frame, numbers
from openfex.rules.engine import up_tag
from openfex.wire import ipv6_tcp

pytestmark = [pytest.mark.root, pytest.mark.slow]
NIC, TAP = "nic0", "fex-t-phys"
FRAMES = 100
SEGMENT, ACK, IPV6 = 1000, 0x10, b"\x86\xdd"
DEADLINE_S = 20.0
KIND = ChannelKind.SCHANNEL_Q
MACS = {name: Mac(bytes((2, 0, 0, 0, 1, index))) for index, name in enumerate(("vm1", "vm2", "own"), start=1)}
CHANNELS = {"own": 1, "vm1": 2, "vm2": 3}
FEX = f"{sys.executable} -P -m openfex"
AT_BRIDGE = "ip netns exec fex_phys_bridge_sw"
LAB = """
kind: network
name: phys
spec: {{bridges: {{sw: {{ports: [up0]}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: host
name: real
spec:
  channel: {kind}
  remote: true
  agent: false
  uplinks: {{a: {{device: eno1, bridge: sw, mtu: 1518, attachment: {attachment}, port: {port}}}}}
---
kind: adapter
name: nic0
spec: {{host: real, model: "82576", functions: 2}}
---
kind: machine
name: own
spec: {{host: real, nics: {{pf: {{profile: web, function: nic0/pf, mac: "{own}"}}}}}}
---
kind: machine
name: vm1
spec: {{host: real, nics: {{eth0: {{profile: web, function: nic0/0, mac: "{vm1}"}}}}}}
---
kind: machine
name: vm2
spec: {{host: real, nics: {{eth0: {{profile: web, function: nic0/1, mac: "{vm2}"}}}}}}
"""


class Rig:
    """The twin, and the wire of its adapter, which we are at the other end of."""

    def __init__(self, machine: Twin, wire: PacketSocket) -> None:
        self.machine, self.wire = machine, wire
        self.port = machine.netdev(NIC)

    def sh(self, script: str) -> str:
        return self.machine.run(["sh", "-ec", script], 120.0, check=True).output

    def up(self, attachment: str, kind: ChannelKind = KIND) -> None:
        text = LAB.format(kind=kind.value, attachment=attachment, port=self.port, **MACS)
        (self.machine.shared / "lab.yaml").write_text(text)
        self.sh(f"{FEX} lab up /mnt/lab.yaml")
        self.sh(f"{AT_BRIDGE} sh -c 'until [ $(cat /sys/class/net/uplink16/carrier) = 1 ]; do sleep 0.1; done'")

    def runs(self) -> dict[str, int]:
        """How often each of the bridge's programs has run."""
        found = json.loads(self.sh("bpftool -j prog show"))
        return {one["name"]: one.get("run_cnt", 0) for one in found if "bridge_in" in one.get("name", "")}

    def exchange(self, sender: str, to: Mac, numbered: range, copies: int = 1) -> list[bytes]:
        """Send as a function of the real host; what comes down, once the last one has come so many times."""
        tag = up_tag(KIND, CHANNELS[sender], 0)
        capture = PacketCapture({"wire": self.wire})
        for number in numbered:
            octets = frame(to, MACS[sender], number)
            self.wire.send(octets[:12] + tag + octets[12:])
        last = numbered[-1]
        capture.collect(lambda seen: numbers(seen["wire"]).count(last) >= copies, DEADLINE_S)
        return [one for one in capture.frames["wire"] if numbers([one])]


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with twin([Igb(NIC, None, TAP)]) as machine, Netlink() as here, ExitStack() as held:
        here.set(TAP, up=True)
        found = Rig(machine, held.enter_context(PacketSocket(TAP)))
        found.sh("sysctl -qw kernel.bpf_stats_enabled=1")
        yield found


def tagged(octets: bytes) -> bytes:
    """What stands between the addresses and the frame's own ethertype."""
    return octets[12:16] if octets[12:14] == b"\x81\x00" else b""


@pytest.mark.parametrize("attachment", ["xdp", "tc"])
def test_s_channels_of_a_physical_uplink(rig: Rig, attachment: str) -> None:
    before = rig.sh(f"ethtool -k {rig.port} | grep -E '^(rx|tx)-vlan-offload'")
    rig.up(attachment)
    try:
        parsing = rig.sh(f"{AT_BRIDGE} ethtool -k uplink16 | grep ^rx-vlan-offload").split()[1]
        assert parsing == ("off" if attachment == "xdp" else "on")
        runs = rig.runs()
        came = rig.exchange("vm1", MACS["vm2"], range(FRAMES))
        assert [tagged(one) for one in came] == [up_tag(KIND, CHANNELS["vm2"], 0)] * FRAMES
        assert numbers(came) == list(range(FRAMES)), "each once, in order"
        ran = {name: count - runs.get(name, 0) for name, count in rig.runs().items()}
        assert (ran.get("xdp_bridge_in", 0) >= FRAMES) == (attachment == "xdp")
        assert (ran["bridge_in"] < FRAMES) == (attachment == "xdp"), "what XDP has sent tc does not see"
        [to_pf] = rig.exchange("vm1", MACS["own"], range(1000, 1001))
        assert tagged(to_pf) == b""
        copies = rig.exchange("own", BROADCAST, range(1001, 1002), copies=2)
        assert sorted(map(tagged, copies)) == [up_tag(KIND, CHANNELS[name], 0) for name in ("vm1", "vm2")]
    finally:
        rig.sh(f"{FEX} lab down phys")
    assert rig.sh(f"ethtool -k {rig.port} | grep -E '^(rx|tx)-vlan-offload'") == before
    assert "prog" not in rig.sh(f"ip link show {rig.port}"), "no program of a lab that is gone"


@pytest.mark.parametrize("kind", [kind for kind in ChannelKind if kind.is_schannel])
def test_a_stream_is_merged_on_its_way_in_and_leaves_as_it_came(rig: Rig, kind: ChannelKind) -> None:
    """So a physical uplink needs no program that takes tags off for GRO: one decision is of many frames at tc."""
    rig.up("tc", kind)
    try:
        before = rig.runs()["bridge_in"]
        macs = MACS["vm2"].octets + MACS["vm1"].octets
        ends = IPv6Address("fd00::1"), IPv6Address("fd00::2")
        payloads = [index.to_bytes(2, "big") * (SEGMENT // 2) for index in range(FRAMES)]
        packets = [ipv6_tcp(*ends, 1000, 2000, at * SEGMENT, 1, ACK, data) for at, data in enumerate(payloads)]
        capture = PacketCapture({"wire": rig.wire})
        for packet in packets:
            rig.wire.send(macs + up_tag(kind, CHANNELS["vm1"], 0) + IPV6 + packet)
        down = macs + up_tag(kind, CHANNELS["vm2"], 0) + IPV6
        capture.collect(lambda seen: sum(one.startswith(down) for one in seen["wire"]) >= FRAMES, DEADLINE_S)
        assert [one[len(down) :] for one in capture.frames["wire"] if one.startswith(down)] == packets
        assert rig.runs()["bridge_in"] - before < FRAMES, "one run of the program is of several frames"
    finally:
        rig.sh(f"{FEX} lab down phys")
