# SPDX-License-Identifier: Apache-2.0
"""Who may speak: LLDP and ECP pass between the ends of an uplink, and from a machine they reach no agent (P2).

The agents' sockets are bound to one protocol, so that they cost nothing to frames of others; such a socket hears what
the programs pass on, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from openfex.datapath.tables import read_drops
from openfex.lab import lab
from openfex.lab.names import netns_of
from openfex.lab.workshop import Workshop
from openfex.linux.packet import PacketSocket
from openfex.model.layout import Layout
from openfex.model.values import ChannelKind, Mac
from openfex.proof.bed import frame, numbers
from openfex.proof.kernel_bed import DEADLINE_S, nic_place
from openfex.rules.engine import up_tag
from openfex.rules.head import ECP, LLDP
from openfex.wire.tlv import NEAREST_BRIDGE, NEAREST_CUSTOMER_BRIDGE
from tests.netns.policed import binding_of, wait_until

pytestmark = pytest.mark.root
LAB = "test-control"
TEXT = """
kind: network
name: test-control
spec: {{bridges: {{sw: {{ports: [up0]}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: host
name: h1
spec: {{channel: {kind}, uplinks: {{a: {{device: up-a, bridge: sw, attachment: {attachment}}}}}}}
---
kind: adapter
name: n1
spec: {{host: h1, model: bcm-8, functions: 2}}
---
kind: machine
name: m1
spec: {{host: h1, nics: {{eth0: {{profile: web}}}}}}
---
kind: machine
name: m2
spec: {{host: h1, nics: {{eth0: {{profile: web}}}}}}
"""


@dataclass
class Rig:
    """Both ends of the uplink as their agents hear them, by protocol; and the machines' NICs."""

    layout: Layout
    host: dict[int, PacketSocket]
    bridge: dict[int, PacketSocket]
    nics: dict[str, PacketSocket]


@pytest.fixture(scope="module", params=[(kind, how) for kind in ChannelKind for how in ("tc", "xdp")], ids=str)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    kind, attachment = request.param
    layout = lab.up(TEXT.format(kind=kind.value, attachment=attachment)).layout
    spaces = netns_of(LAB, "host", "h1"), netns_of(LAB, "bridge", "sw")
    devices = "up-a", layout.hosts[0].uplinks[0].bridge_device
    with ExitStack() as held:
        host, bridge = (
            {one: held.enter_context(PacketSocket(device, netns=space, protocol=one)) for one in (LLDP, ECP)}
            for device, space in zip(devices, spaces, strict=True)
        )
        nics = {}
        for one in layout.bindings:
            place = nic_place(layout, one)
            nics[one.machine] = held.enter_context(PacketSocket(place.device, netns=place.netns))
        yield Rig(layout, host, bridge, nics)
    lab.down(LAB)


def control(dst: Mac, src: Mac, ethertype: int, tag: bytes = b"") -> bytes:
    return dst.octets + src.octets + tag + ethertype.to_bytes(2, "big") + bytes(46)


@pytest.mark.parametrize("dst", [NEAREST_BRIDGE, NEAREST_CUSTOMER_BRIDGE], ids=["nearest-bridge", "customer-bridge"])
@pytest.mark.parametrize("ethertype", [LLDP, ECP], ids=["lldp", "ecp"])
def test_signalling_passes_between_the_ends_of_an_uplink(rig: Rig, ethertype: int, dst: Mac) -> None:
    octets = control(dst, Mac(b"\x02\0\0\0\0\x07"), ethertype)
    for speaker, listener in ((rig.host, rig.bridge), (rig.bridge, rig.host)):
        speaker[ethertype].send(octets)
        assert listener[ethertype].receive(DEADLINE_S) == octets


@pytest.mark.parametrize("ethertype", [LLDP, ECP], ids=["lldp", "ecp"])
def test_p2_a_machine_s_signalling_reaches_no_agent_and_no_machine(rig: Rig, ethertype: int) -> None:
    """Nor does it inside a channel that it tags itself; the frame behind it shows that it would have come."""
    sender, target, kind = binding_of(rig.layout, "m1"), binding_of(rig.layout, "m2"), rig.layout.hosts[0].kind
    with Workshop(LAB) as workshop:
        node = workshop.node(netns_of(LAB, "host", "h1"))
        before = read_drops(node)
        for dst in (NEAREST_BRIDGE, NEAREST_CUSTOMER_BRIDGE):
            rig.nics["m1"].send(control(dst, sender.mac, ethertype))
            rig.nics["m1"].send(control(dst, sender.mac, ethertype, up_tag(kind, target.function.channel, 0)))
        rig.nics["m1"].send(frame(target.mac, sender.mac, 5))
        seen: list[bytes] = []

        def has_come() -> bool:
            seen.extend(rig.nics["m2"].drain())
            return 5 in numbers(seen)

        wait_until(has_come, "what is behind it comes")
        assert [one for one in seen if one[12:14] == ethertype.to_bytes(2, "big")] == []
        for end in (rig.host, rig.bridge):
            assert [socket.drain() for socket in end.values()] == [[], []]
        new = read_drops(node) - before
    assert {port for port, _ in new} == {sender.host_port}
    assert new.total() == 4, "all of them end at the first port"
