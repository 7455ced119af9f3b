# SPDX-License-Identifier: Apache-2.0
"""A real host at a bridge of a lab: its cable is a device of this machine, its functions are S-channels.

Here a pair of veths is the cable, and the frames are those that an adapter with a port VLAN a function puts on it
(docs/reference/adapters.md has what a real one does).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openfex.errors import NotFoundError, RefusedError
from openfex.lab import lab
from openfex.lab.view.inventory import binding_rows, function_rows, host_rows, machine_rows
from openfex.lab.view.look import look
from openfex.lab.view.ports import port_rows
from openfex.lab.workshop import Workshop
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.linux.sysctl import sysctl
from openfex.model.drops import DropReason
from openfex.model.layout import Layout
from openfex.model.values import BROADCAST, ChannelKind, Mac
from openfex.plan.objects import DeviceKey, DeviceSpec
from openfex.proof.bed import frame, numbers
from openfex.proof.kernel_bed import DEADLINE_S, nic_place
from openfex.rules.engine import up_tag
from openfex.wire import VlanTag
from tests.netns.policed import binding_of, counts_of, wait_until

pytestmark = pytest.mark.root
LAB, CABLE, ADAPTER, BRIDGE = "test-remote", "fex-t-cable", "fex-t-wire", "fex-t-bridge"
MTU = 1600
ROUTER = Mac.parse("02:00:00:00:00:99")
TEXT = """
kind: network
name: test-remote
spec: {{bridges: {{sw: {{ports: [up0]}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: profile
name: deaf
spec: {{vlan: {{access: 10}}, acl: {{in: [{{deny: {{ethertype: 0x88b5}}}}, {{permit: {{}}}}]}}}}
---
kind: host
name: real
spec: {{channel: {kind}, remote: true, agent: false, uplinks: {{a: {{device: enp1s0, bridge: sw, port: {cable}}}}}}}
---
kind: adapter
name: nic0
spec: {{host: real, model: "82576", functions: 3}}
---
kind: machine
name: own
spec: {{host: real, nics: {{pf: {{profile: web, function: nic0/pf}}}}}}
---
kind: machine
name: vm1
spec: {{host: real, nics: {{eth0: {{profile: web}}}}}}
---
kind: machine
name: vm2
spec: {{host: real, nics: {{eth0: {{profile: web}}}}}}
---
kind: machine
name: vm3
spec: {{host: real, nics: {{eth0: {{profile: deaf}}}}}}
"""

OWN = """
---
kind: host
name: h1
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
---
kind: adapter
name: n1
spec: {host: h1, model: bcm-8, functions: 2}
---
kind: machine
name: mine
spec: {host: h1, nics: {eth0: {profile: web}}}
"""


def text_of(kind: ChannelKind = ChannelKind.SCHANNEL_Q, cable: str = CABLE) -> str:
    return TEXT.format(kind=kind.value, cable=cable)


@pytest.fixture
def cable() -> Iterator[None]:
    with Netlink() as here:
        names = {link.name for link in here.links()}
        if ADAPTER in names:
            here.delete(ADAPTER)
        here.add_veth(CABLE, ADAPTER, mtu=MTU)
        sysctl(None, f"net/ipv6/conf/{ADAPTER}/disable_ipv6", 1)  # its own frames would be a forged source of the PF
        here.set(ADAPTER, up=True)
        yield
        lab.down(LAB)
        here.delete(ADAPTER)


@contextmanager
def running(kind: ChannelKind) -> Iterator[Layout]:
    yield lab.up(text_of(kind).replace("port:", f"mtu: {MTU}, port:")).layout


@pytest.mark.parametrize("kind", [kind for kind in ChannelKind if kind.is_schannel])
def test_a_real_adapters_functions_reach_each_other_through_the_bridge_alone(cable: None, kind: ChannelKind) -> None:
    with (
        running(kind) as layout,
        PacketSocket(ADAPTER) as wire,
        counts_of(layout) as counts,
    ):
        one, two, own = (binding_of(layout, name) for name in ("vm1", "vm2", "own"))

        def exchange(octets: bytes, channel: int, last: bytes, copies: int) -> list[bytes]:
            capture = PacketCapture({"wire": wire})
            tag = up_tag(kind, channel, 0)
            wire.send(octets[:12] + tag + octets[12:])
            capture.collect(lambda seen: sum(last in one for one in seen["wire"]) >= copies, DEADLINE_S)
            return [found for found in capture.frames["wire"] if last in found]

        octets = frame(two.mac, one.mac, 7)
        [came] = exchange(octets, one.function.channel, octets[14:], 1)
        assert came == octets[:12] + up_tag(kind, two.function.channel, 0) + octets[12:]
        to_pf = frame(own.mac, one.mac, 8)
        [came] = exchange(to_pf, one.function.channel, to_pf[14:], 1)
        assert came == to_pf, "the PF's frames have no tag"
        flood = frame(BROADCAST, own.mac, 9)
        copies = exchange(flood, own.function.channel, flood[14:], 3)
        tags = {found[12 : len(found) - len(flood) + 12] for found in copies}
        members = [binding_of(layout, name).function.channel for name in ("vm1", "vm2", "vm3")]
        assert tags == {up_tag(kind, channel, 0) for channel in members}, "one each, and none back"
        wire.send(frame(two.mac, one.mac, 10))  # as if the PF sent in vm1's name
        denied = frame(two.mac, binding_of(layout, "vm3").mac, 11)
        wire.send(denied[:12] + up_tag(kind, members[2], 0) + denied[12:])
        wait_until(lambda: counts.drops("own", DropReason.SPOOFED_SOURCE) == 1, "a forged source of the PF is counted")
        wait_until(lambda: counts.drops("vm3", DropReason.ACL_IN) == 1, "a denied frame is counted")


def test_without_an_agent_its_ports_are_up_by_the_documents_beside_hosts_that_signal(cable: None) -> None:
    layout = lab.up(text_of() + OWN).layout
    states = {row["nic"]: row["state"] for row in port_rows(look(layout)) if row["nic"]}
    assert set(states.values()) == {"up"}
    assert len(states) == len(layout.bindings) == 5
    assert lab.drift(LAB).operations == ()


def test_with_an_agent_its_ports_are_down_until_it_asks_and_that_is_as_wanted(cable: None) -> None:
    text = text_of().replace("agent: false, ", "") + OWN
    layout = lab.up(text).layout
    states = {row["nic"]: row["state"] for row in port_rows(look(layout)) if row["nic"]}
    assert {nic for nic, state in states.items() if state == "up"} == {"mine/eth0"}
    assert lab.drift(LAB).operations == ()
    assert lab.up(text).operations == ()


def test_a_network_port_can_be_a_device_of_this_machine(cable: None) -> None:
    """Of a lab as of a real bridge; the rest of the lab is as ever."""
    text = text_of().replace("ports: [up0]", "ports: {up0: {device: fex-t-cable, mtu: 1600}}")
    text = text[: text.index("---\nkind: host")] + OWN
    with Netlink() as here:
        before = here.link(CABLE)
        layout = lab.up(text).layout
        [bound] = layout.bindings
        assert CABLE not in {link.name for link in here.links()}
        with PacketSocket(ADAPTER) as network, PacketSocket("eth0", netns=f"fex_{LAB}_machine_mine") as nic:
            octets = frame(BROADCAST, bound.mac, 7)
            nic.send(octets)
            wait_until(lambda: any(octets[14:] in found for found in network.drain()), "a broadcast leaves by it")
        assert lab.up(text).operations == ()
        lab.down(LAB)
        assert here.link(CABLE) == before


def by_vepa() -> str:
    """The same without a PF: by VEPA there is no channel that has no name."""
    before, _, behind = text_of(ChannelKind.VEPA).partition("---\nkind: machine\nname: own")
    return before + "---" + behind.split("---", 1)[1]


def test_a_station_of_which_documents_say_all_needs_no_agents(cable: None) -> None:
    """Its MACs and VLANs are what its NICs' documents have; nothing is signalled."""
    lab.up(by_vepa())
    layout = lab.layout_of(LAB)
    with PacketSocket(ADAPTER) as wire, counts_of(layout) as counts:
        one, two, deaf = (binding_of(layout, name) for name in ("vm1", "vm2", "vm3"))
        tag = VlanTag(10).encode()
        capture = PacketCapture({"wire": wire})
        for octets in (frame(two.mac, one.mac, 1, tag), frame(BROADCAST, one.mac, 2, tag)):
            wire.send(octets)
        wire.send(frame(two.mac, deaf.mac, 3, tag))
        wire.send(frame(two.mac, one.mac, 4, VlanTag(20).encode()))
        wait_until(lambda: counts.drops("vm3", DropReason.ACL_IN) == 1, "a denied frame is counted")
        wait_until(lambda: counts.drops("vm1", DropReason.VLAN_NOT_ALLOWED) == 1, "another VLAN is counted")
        capture.collect(lambda seen: len(seen["wire"]) >= 2, DEADLINE_S)
        assert sorted(capture.frames["wire"]) == sorted(
            (frame(two.mac, one.mac, 1, tag), frame(BROADCAST, one.mac, 2, tag))
        ), "as they went: tagged, and one copy of the flood"
    assert lab.drift(LAB).operations == ()


FOREIGN = f"""
kind: network
name: {LAB}
spec: {{bridges: {{tor: {{remote: true, agent: false}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: host
name: h1
spec: {{channel: vepa, uplinks: {{a: {{device: up-a, bridge: tor, port: {CABLE}, mtu: {MTU}}}}}}}
---
kind: adapter
name: n1
spec: {{host: h1, model: bcm-8, functions: 2}}
---
kind: machine
name: vm1
spec: {{host: h1, nics: {{eth0: {{profile: web}}}}}}
"""


def test_a_device_is_lent_to_a_host_whose_bridge_is_another_s(cable: None) -> None:
    with Netlink() as here:
        before = here.link(CABLE)
        lab.up(FOREIGN)
        layout = lab.layout_of(LAB)
        assert CABLE not in {link.name for link in here.links()}
        assert lab.drift(LAB).operations == ()
        vm1, place = binding_of(layout, "vm1"), nic_place(layout, binding_of(layout, "vm1"))
        with PacketSocket(place.device, netns=place.netns) as nic, PacketSocket(ADAPTER) as wire:
            capture = PacketCapture({"nic": nic, "wire": wire})
            nic.send(frame(BROADCAST, vm1.mac, 1))
            tag, inside = VlanTag(10).encode(), frame(vm1.mac, ROUTER, 2)
            wire.send(inside[:12] + tag + inside[12:])
            wire.send(frame(vm1.mac, ROUTER, 3, VlanTag(20).encode()))
            capture.collect(lambda seen: 2 in numbers(seen["nic"]) and 1 in numbers(seen["wire"]), DEADLINE_S)
        assert inside in capture.frames["nic"]
        out = frame(BROADCAST, vm1.mac, 1)
        assert out[:12] + tag + out[12:] in capture.frames["wire"]
        assert 3 not in numbers(capture.frames["nic"])
        assert [row["state"] for row in binding_rows(look(layout))] == ["up"]
        lab.down(LAB)
        assert here.link(CABLE).name == before.name


def test_a_cable_that_is_out_is_told_at_every_veth_behind_it(cable: None) -> None:
    lab.up(text_of())
    layout = lab.layout_of(LAB)
    veths = [binding.bridge_port for binding in layout.bindings]
    assert {row["note"] for row in port_rows(look(layout))} == {""}
    with Netlink() as here:
        here.set(ADAPTER, up=False)
        wait_until(
            lambda: sum("no carrier" in str(row["note"]) for row in port_rows(look(layout))) == len(veths), "told"
        )


def test_its_device_is_lent_and_given_back_as_it_was(cable: None) -> None:
    with Netlink() as here:
        here.set(CABLE, mtu=1400, up=True)
        before = here.link(CABLE)
        lab.up(text_of())
        assert CABLE not in {link.name for link in here.links()}
        assert lab.up(text_of()).operations == ()
        assert [str(one) for one in lab.drift(LAB).operations] == []
        lab.down(LAB)
        after = here.link(CABLE)
    assert (after.mtu, after.up, after.promiscuous, after.alias) == (before.mtu, before.up, False, "")


def test_a_device_that_there_is_not_leaves_nothing_half_done() -> None:
    with pytest.raises(NotFoundError) as caught:
        lab.up(text_of(cable="fex-t-none"))
    assert caught.value.code == "no-such-device"
    assert lab.labs() == []


def in_use(here: Netlink, how: str) -> None:
    if how == "address":
        here.add_address(CABLE, "192.0.2.1/24")
    else:
        subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
        subprocess.run(["ip", "link", "set", CABLE, "master", BRIDGE], check=True)


@pytest.mark.parametrize("how", ["address", "bridge"])
def test_a_device_that_somebody_uses_is_refused_and_left_alone(cable: None, how: str) -> None:
    with Netlink() as here:
        here.set(CABLE, up=True, alias="somebody's")
        try:
            in_use(here, how)
            before = here.link(CABLE)
            with pytest.raises(RefusedError) as caught:
                lab.up(text_of())
            assert caught.value.code == "device-in-use"
            assert here.link(CABLE) == before
        finally:
            subprocess.run(["ip", "link", "del", BRIDGE], check=False, capture_output=True)
    assert lab.labs() == []


def test_a_device_that_a_killed_run_left_at_home_is_lent_all_the_same(cable: None) -> None:
    """Marked, and down: so it is between what `lend` does first and last, and so it is on its way back."""
    with Netlink() as here:
        here.set(CABLE, mtu=1400, up=True, alias="somebody's")
        lab.up(text_of())
        [spec] = lent_now().values()
        with Netlink(spec.place.netns) as there:
            mark = there.link(spec.place.device).alias
        lab.down(LAB)
        here.set(CABLE, alias=mark, up=False, mtu=1500)
        lab.up(text_of())
        assert [bool(one.place.netns) for one in lent_now().values()] == [True]
        lab.down(LAB)
        assert (here.link(CABLE).mtu, here.link(CABLE).up, here.link(CABLE).alias) == (1400, True, "somebody's")
        here.set(CABLE, alias=mark, up=False, mtu=1500)
        lab.down(LAB)
        assert (here.link(CABLE).mtu, here.link(CABLE).up, here.link(CABLE).alias) == (1400, True, "somebody's")


def test_a_device_whose_name_is_taken_meanwhile_comes_home_under_another(cable: None) -> None:
    with Netlink() as here:
        index = here.index(CABLE)
        lab.up(text_of())
        here.add_tap(CABLE, mtu=1500)
        try:
            lab.down(LAB)
            [home] = [link for link in here.links() if link.name.startswith("lent")]
            assert home.index == index or home.peer_index == here.index(ADAPTER)
            assert home.alias == ""
        finally:
            here.delete(CABLE)
            here.set(home.name, up=False)
            here.set(home.name, new_name=CABLE)


def test_a_name_space_that_a_crash_left_half_made_does_not_keep_a_lab_from_going(cable: None) -> None:
    lab.up(text_of())
    left = Path("/run/netns") / f"fex_{LAB}_machine_left"
    left.touch()
    lab.down(LAB)
    assert not left.exists()
    assert lab.labs() == []


def lent_now() -> dict[DeviceKey, DeviceSpec]:
    with Workshop(LAB) as workshop:
        found = workshop.lent()
    return {key: spec for key, spec in found.items() if isinstance(key, DeviceKey) and isinstance(spec, DeviceSpec)}


def test_what_is_shown_of_a_real_host_is_what_the_bridge_knows(cable: None) -> None:
    lab.up(text_of())
    sight = look(lab.layout_of(LAB))
    assert [row["datapath"] for row in host_rows(sight)] == ["remote"]
    assert {row["state"] for row in machine_rows(sight)} == {"remote"}
    assert [(row["name"], row["state"]) for row in function_rows(sight)] == [
        *[("nic0/pf", "bound"), ("nic0/0", "bound")],
        *[("nic0/1", "bound"), ("nic0/2", "bound")],
    ]
    assert {row["state"] for row in binding_rows(sight)} == {"up"}
