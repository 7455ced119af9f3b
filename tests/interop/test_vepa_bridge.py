# SPDX-License-Identifier: Apache-2.0
"""A host of ours on another's bridge: a Linux bridge whose port reflects (hairpin), and lldpad that speaks VDP for it.

The bridge speaks the spanning tree protocol: one that does not hands frames to 01-80-C2-00-00-00 on, and lldpad on its
port would hear nothing (docs/reference/signalling.md).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from openfex.datapath.tables import read_drops, read_tables
from openfex.lab import lab, staffing
from openfex.lab.names import netns_of
from openfex.lab.view.inventory import binding_rows
from openfex.lab.view.look import look
from openfex.lab.workshop import Workshop
from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.linux.sysctl import sysctl
from openfex.model.drops import DropReason
from openfex.model.layout import Binding, Layout
from openfex.model.values import BROADCAST, Mac
from openfex.proof.bed import frame, numbers
from openfex.proof.kernel_bed import nic_place
from openfex.rules.tables import ExtenderTables
from openfex.wire import VlanTag
from openfex.wire.evb import EvbMode
from tests.interop.debian import programs_of
from tests.interop.lldpad import PEER, SHORT, THEIRS, Lldpad, lldpad
from tests.netns.policed import wait_until

pytestmark = [pytest.mark.root, pytest.mark.interop, pytest.mark.slow]

LAB, CABLE, MTU, DEADLINE_S = "test-guest", "fex-t-tor", 1600, 30.0
STRANGER = Mac.parse("52:54:00:00:bb:09")
VLAN_10, VLAN_20 = VlanTag(10).encode(), VlanTag(20).encode()
TEXT = f"""
kind: network
name: {LAB}
spec:
  bridges: {{tor: {{remote: true}}}}
  signalling: {{retransmission: 160ms, resource-wait: 1s, keep-alive: 500ms}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: profile
name: both
spec: {{vlan: {{trunk: {{native: 10, allowed: [10, 20]}}}}}}
---
kind: host
name: h1
spec: {{channel: vepa, uplinks: {{a: {{device: up-a, bridge: tor, port: {CABLE}, mtu: {MTU}}}}}}}
---
kind: adapter
name: n1
spec: {{host: h1, model: bcm-8, functions: 4}}
---
kind: machine
name: vm1
spec: {{host: h1, nics: {{eth0: {{profile: web}}}}}}
---
kind: machine
name: vm2
spec: {{host: h1, nics: {{eth0: {{profile: web}}}}}}
---
kind: machine
name: vm3
spec: {{host: h1, nics: {{eth0: {{profile: both}}}}}}
"""


def call(command: str) -> None:
    words = command.split()
    assert netns.spawn(THEIRS, words, stdin=subprocess.DEVNULL).wait(DEADLINE_S) == 0, command


until = partial(wait_until, patience_s=DEADLINE_S, pause_s=0.02)


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Lldpad]:
    """A Linux bridge in a name space of its own: the cable's other end, which reflects, and one that we look behind."""
    netns.delete(THEIRS)
    netns.create(THEIRS)
    sysctl(THEIRS, "net.ipv6.conf.default.disable_ipv6", 1)
    with Netlink() as here:
        if CABLE in {link.name for link in here.links()}:
            here.delete(CABLE)
        here.add_veth(CABLE, PEER, mtu=MTU, peer_netns=THEIRS)
    call("ip link add br0 type bridge stp_state 1 forward_delay 200 hello_time 100")
    call("ip link add net0 type veth peer name net1")
    for port in (PEER, "net0"):
        call(f"ip link set {port} master br0 up")
    call(f"ip link set {PEER} type bridge_slave hairpin on")
    call("ip link set net1 up")
    call("ip link set br0 up")
    with lldpad(programs_of("lldpad"), tmp_path, EvbMode.BRIDGE, SHORT) as peer:
        yield peer
    netns.delete(THEIRS)


@pytest.fixture
def layout(bridge: Lldpad) -> Iterator[Layout]:
    try:
        yield lab.up(TEXT).layout
    finally:
        lab.down(LAB)


def host_tables() -> ExtenderTables:
    with Workshop(LAB) as workshop:
        space = netns_of(LAB, "host", "h1")
        tables = read_tables(workshop.node(space), workshop.devices(space))
        assert isinstance(tables, ExtenderTables)
        return tables


def named(layout: Layout, name: str) -> Binding:
    return next(one for one in layout.bindings if one.machine == name)


def forwards() -> bool:
    """Whether the bridge's ports are past the spanning tree's listening and learning."""
    said = subprocess.run(
        ["ip", "netns", "exec", THEIRS, "cat", *(f"/sys/class/net/{one}/brport/state" for one in (PEER, "net0"))],
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.split() == ["3", "3"]


def test_functions_come_up_by_vdp_alone_and_are_adopted(layout: Layout) -> None:
    rows = binding_rows(look(lab.layout_of(LAB)))
    assert {row["name"]: (row["state"], row["port"]) for row in rows} == {
        f"{name}/eth0": ("up", None) for name in ("vm1", "vm2", "vm3")
    }
    assert lab.drift(LAB).operations == ()
    said = staffing.read_log(LAB)
    assert {row["about"] for row in said if row["event"] == "associated"} == {
        f"vm{number}/eth0" for number in (1, 2, 3)
    }
    before = host_tables()
    staffing.stop(LAB)
    staffing.start(LAB)
    assert host_tables() == before
    assert lab.drift(LAB).operations == ()


def test_machines_of_one_host_reach_each_other_by_reflection_and_the_network(layout: Layout) -> None:
    until(forwards, "the bridge's ports forward")
    one, two, three = (named(layout, f"vm{number}") for number in (1, 2, 3))
    places = {one.machine: nic_place(layout, one) for one in (one, two, three)}
    sockets = {name: PacketSocket(place.device, netns=place.netns) for name, place in places.items()}
    with PacketSocket("net1", netns=THEIRS) as outside, PacketSocket(PEER, netns=THEIRS) as wire:
        capture = PacketCapture({**sockets, "outside": outside, "wire": wire})
        sockets["vm1"].send(frame(two.mac, one.mac, 1))
        sockets["vm1"].send(frame(BROADCAST, one.mac, 2))
        sockets["vm1"].send(frame(two.mac, STRANGER, 3))
        sockets["vm1"].send(frame(BROADCAST, one.mac, 4, VLAN_20))
        sockets["vm3"].send(frame(BROADCAST, three.mac, 5, VLAN_20))
        outside.send(frame(three.mac, STRANGER, 6, VLAN_20))
        outside.send(frame(one.mac, STRANGER, 7, VLAN_20))
        outside.send(frame(two.mac, STRANGER, 8, VLAN_10))
        capture.collect(lambda seen: 8 in numbers(seen["vm2"]) and 6 in numbers(seen["vm3"]), DEADLINE_S)
    seen = {name: numbers(frames) for name, frames in capture.frames.items()}
    for socket in sockets.values():
        socket.close()
    assert sorted(seen["vm2"]) == [1, 2, 8]
    assert sorted(seen["vm3"]) == [2, 6]
    assert seen["vm1"] == [], "nothing of its own came back, and nothing of another VLAN"
    assert {1, 2, 5} <= set(seen["wire"])
    assert not {3, 4} & set(seen["wire"])
    assert {2, 5} <= set(seen["outside"])
    with Workshop(LAB) as workshop:
        drops = read_drops(workshop.node(netns_of(LAB, "host", "h1")))
    assert drops[one.host_port, DropReason.SPOOFED_SOURCE] == 1
    assert drops[one.host_port, DropReason.VLAN_NOT_ALLOWED] == 1


def test_a_bridge_that_does_not_answer_any_more_takes_nothing_away(layout: Layout, bridge: Lldpad) -> None:
    """As a bridge of ours whose agent is dead."""
    bridge.kill()
    until(lambda: any(row["event"] == "lost" for row in staffing.read_log(LAB)), "the loss is noticed")
    assert all(host_tables().functions[one.host_port].up for one in layout.bindings)
