# SPDX-License-Identifier: Apache-2.0
"""What there is room for, to the last one, and what is said of the first that finds none."""

from __future__ import annotations

import pytest

from openfex.errors import DocumentError
from openfex.model.limits import MAX_LISTS, MAX_NETWORK_PORTS, MAX_UPLINKS, MAX_VLAN_SETS
from openfex.model.reader import read_documents
from openfex.plan.allotment import Allotment, Span
from openfex.plan.layout import lay_out
from tests.unit.plan.problems import told

WEB = "---\nkind: profile\nname: web\nspec: {vlan: {access: 10}}\n"


def one(*parts: str) -> list[str]:
    """The one line that is expected."""
    return ["fex: lab.yaml:" + "".join(parts)]


def network(ports: int = 1) -> str:
    names = ", ".join(f"up{number}" for number in range(ports))
    return f"kind: network\nname: lab\nspec: {{bridges: {{sw: {{ports: [{names}]}}}}}}\n"


def host(name: str) -> str:
    uplink = "{a: {device: up-a, bridge: sw}}"
    return f"---\nkind: host\nname: {name}\nspec: {{channel: vntag, uplinks: {uplink}}}\n"


def adapters(host: str, count: int, functions: int = 0) -> str:
    spec = f"{{host: {host}, model: vic-1280, functions: {functions}}}"
    return "".join(f"---\nkind: adapter\nname: {host}-nic{number}\nspec: {spec}\n" for number in range(count))


def machine(name: str, *profiles: str, pin: str = "") -> str:
    nics = ", ".join(
        f"eth{number}: {{profile: {profile}{f', pin: {pin}' if pin else ''}}}"
        for number, profile in enumerate(profiles)
    )
    return f"---\nkind: machine\nname: {name}\nspec: {{host: h1, nics: {{{nics}}}}}\n"


def trunk(name: str, allowed: str) -> str:
    return f'---\nkind: profile\nname: {name}\nspec: {{vlan: {{trunk: {{allowed: "{allowed}"}}}}}}\n'


def test_network_ports_of_a_bridge() -> None:
    assert told(network(MAX_NETWORK_PORTS)) == []
    assert told(network(MAX_NETWORK_PORTS + 2)) == one(
        "3: network lab at spec.bridges.sw.ports.up15: bridge sw has 17 network ports, the most is 15; ",
        "put some at another bridge [too-many-network-ports]",
    )


def test_uplinks_of_a_bridge() -> None:
    hosts = [host(f"h{number}") for number in range(MAX_UPLINKS + 2)]
    assert told(network() + "".join(hosts[:MAX_UPLINKS])) == []
    assert told(network() + "".join(hosts)) == one(
        "263: host h64 at spec.uplinks.a.bridge: 66 uplinks end at bridge sw, the most is 64; ",
        "let some end at another bridge [too-many-uplinks]",
    )


def test_channels_of_a_host() -> None:
    assert told(network() + host("h1") + adapters("h1", 15)) == []
    assert told(network() + host("h1") + adapters("h1", 17)) == one(
        "71: adapter h1-nic15 at spec.model: the adapters of host h1 could have more than 4094 functions ",
        "together; put it into another host [too-many-channels]",
    )


def test_channels_of_a_host_that_are_not_side_by_side() -> None:
    """What other adapters have is not moved."""
    spans = {f"h1/h1-nic{number}": Span(number, number * 300) for number in range(13)}
    with pytest.raises(DocumentError) as refused:
        lay_out(read_documents(network() + host("h1") + adapters("h1", 14)), Allotment(adapters=spans))
    assert [problem.code for problem in refused.value.problems] == ["too-many-channels"]


def test_replication_lists_of_a_bridge() -> None:
    """Two of 4,094 VLANs each for what is pinned to a port, and one for all; then VLANs of the next port."""
    base = network(3) + host("h1") + adapters("h1", 1, 4) + trunk("all", "1-4094") + trunk("more", "1-3")
    pinned = machine("vm0", "all", pin="up0") + machine("vm1", "all", pin="up1")
    assert MAX_LISTS == 3 * 4094 + 3
    assert told(base + pinned + machine("vm2", "more", pin="up2")) == []
    assert told(base + pinned + machine("vm2", "more", "all", pin="up2")) == one(
        "3: network lab at spec.bridges.sw: bridge sw needs 16376 replication lists, the most is 12285; ",
        "allow fewer VLANs on trunks, or pin their vEths to fewer network ports [too-many-lists]",
    )


def test_vlan_lists_of_a_bridge() -> None:
    """A network port without a profile has one, too: all VLANs."""
    profiles = [f"p{number}" for number in range(MAX_VLAN_SETS - 1)]
    text = network() + host("h1") + adapters("h1", 4, 256)
    text += "".join(trunk(name, f"{1 + number % 64},{100 + number // 64}") for number, name in enumerate(profiles))
    assert told(text + machine("vm1", *profiles[1:])) == []
    assert told(text + machine("vm1", *profiles)) == one(
        "3: network lab at spec.bridges.sw: the trunks of bridge sw have 1024 different lists of VLANs, ",
        "the most is 1023; use the same list more often [too-many-vlan-lists]",
    )


def test_a_model_that_holds_no_more_is_not_advised() -> None:
    text = network() + WEB + host("h1") + adapters("h1", 1, 256)
    assert told(text + machine("vm1", *["web"] * 257)) == one(
        "19: machine vm1 at spec.nics.eth256: host h1 has 256 NIC functions for 257 NICs, this is the ",
        "first that finds none; write another adapter, or use another host [no-free-function]",
    )
