# SPDX-License-Identifier: Apache-2.0
"""Which node of a network a machine is, and what a real bridge is of documents that are the same for all."""

from __future__ import annotations

import pytest

from openfex.errors import DocumentError, NotFoundError, RefusedError
from openfex.model.layout import Layout
from openfex.model.reader import Reading, read_documents
from openfex.plan.layout import lay_out
from openfex.plan.parts import bridges_of, choose_node, lay_out_bridge, remotes_of

TEXT = """
kind: network
name: office
spec:
  bridges:
    sw-a: {ports: {up0: {device: eth0, mtu: 9000}, up1: {device: eth1}}}
    sw-b: {fabric: b, ports: {up0: {device: eth0}}}
  wires: [[sw-a/up1, sw-b/up0]]
---
kind: profile
name: web
spec: {vlan: {access: 10}}
---
kind: host
name: h1
spec: {channel: schannel-q, remote: true, uplinks: {a: {device: eno1, bridge: sw-a, port: eth2}}}
---
kind: host
name: h2
spec: {channel: schannel, remote: true, uplinks: {b: {device: eno1, bridge: sw-b, port: eth2}}}
---
kind: adapter
name: n1
spec: {host: h1, model: "82576", functions: 2}
---
kind: adapter
name: n2
spec: {host: h2, model: "82576", functions: 2}
---
kind: machine
name: vm1
spec: {host: h1, nics: {eth0: {profile: web}}}
---
kind: machine
name: vm2
spec: {host: h2, nics: {eth0: {profile: web}}}
"""


def reading(text: str = TEXT) -> Reading:
    return read_documents(text)


def whole() -> Layout:
    return lay_out(reading(), None, ())


def test_a_bridge_is_a_lab_of_its_own_name_with_the_hosts_at_its_cables() -> None:
    part = lay_out_bridge(reading(), "sw-b")
    assert (part.lab, [one.name for one in part.bridges], [one.name for one in part.hosts]) == (
        "sw-b",
        ["sw-b"],
        ["h2"],
    )
    assert [one.name for one in part.machines] == ["vm2"]
    assert part.wires == ()
    assert part.signalling is not None, "real nodes always signal"
    assert part.has_stations("sw-b")
    assert not part.has_outside


def test_both_ends_call_a_nic_the_same() -> None:
    [here] = lay_out_bridge(reading(), "sw-b").bindings
    [there] = whole().bindings_on("h2")
    assert (here.uuid, here.mac, here.function) == (there.uuid, there.mac, there.function)


def test_devices_of_its_ports_have_the_mtu_that_is_said() -> None:
    [bridge] = lay_out_bridge(reading(), "sw-a").bridges
    assert [(port.name, port.device, port.mtu) for port in bridge.ports] == [
        ("up0", "eth0", 9000),
        ("up1", "eth1", 1500),
    ]


def test_two_bridges_on_one_machine_cannot_have_one_device() -> None:
    with pytest.raises(DocumentError) as caught:
        lay_out(reading())
    assert {one.code for one in caught.value.problems} == {"duplicate-device"}


REAL = "remote: true, uplinks: {a: {device: eno1, bridge: sw-a, port: eth2}}"


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (("up0: {device: eth0, mtu: 9000}", "up0: {}"), "port-needs-device"),
        ((REAL, "uplinks: {a: {device: up-a, bridge: sw-a}}"), "bridge-needs-remote"),
        ((REAL, REAL.replace("eth2", "eth0")), "duplicate-device"),
    ],
)
def test_what_is_a_labs_is_no_real_bridge(edit: tuple[str, str], code: str) -> None:
    text = TEXT.replace(*edit)
    assert text != TEXT
    with pytest.raises(DocumentError) as caught:
        lay_out_bridge(reading(text), "sw-a")
    assert {one.code for one in caught.value.problems} == {code}
    assert lay_out_bridge(reading(text), "sw-b").lab == "sw-b", "the other one is not to blame"


def test_the_nodes_of_documents() -> None:
    assert bridges_of(reading()) == ["sw-a", "sw-b"]
    assert remotes_of(reading()) == ["h1", "h2"]
    with pytest.raises(NotFoundError) as caught:
        bridges_of(reading("kind: profile\nname: web\nspec: {vlan: {access: 10}}\n"))
    assert caught.value.code == "no-bridge"
    with pytest.raises(DocumentError):
        bridges_of(reading("kind: network\nname: office\nspec: {bridges: many}\n"))


def test_which_node_a_machine_is() -> None:
    names = ["sw-a", "sw-b"]
    assert choose_node("bridge", names, "sw-b", "sw-a") == "sw-b", "the one that is named"
    assert choose_node("bridge", names, None, "sw-a") == "sw-a", "that with the machine's name"
    assert choose_node("bridge", ["sw-a"], None, "rack") == "sw-a", "the only one"
    with pytest.raises(RefusedError) as refused:
        choose_node("bridge", names, None, "rack")
    assert refused.value.code == "which-node"
    with pytest.raises(NotFoundError) as unknown:
        choose_node("bridge", names, "sw-c", "sw-a")
    assert unknown.value.code == "no-such-node"
