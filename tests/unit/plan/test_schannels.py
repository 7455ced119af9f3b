# SPDX-License-Identifier: Apache-2.0
"""What the adapter of a real host must be: each function in its channel, with the MAC of the NIC that it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.errors import NotFoundError, RefusedError
from openfex.formats.document import write_document
from openfex.model.adapters import NetDevice, RealAdapter, RealFunction
from openfex.model.functions import AdapterWish, LinkState, Selector, Settings, TagProtocol
from openfex.model.layout import Layout
from openfex.model.reader import of_spec, read_documents
from openfex.model.real import SriovSpec
from openfex.model.values import Mac
from openfex.plan.layout import lay_out
from openfex.plan.schannels import FunctionPort, links_found, ports_found, vids_of, wishes_for
from openfex.plan.wishes import wishes_of

MAC = "52:54:00:00:00:01"
TEXT = """
kind: network
name: lab
spec: {{bridges: {{sw: {{ports: [up0]}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: host
name: h1
spec: {{channel: {kind}, remote: true, agent: false, uplinks: {{a: {{device: eno1, bridge: sw, port: enp2s0}}}}}}
---
kind: host
name: soft
spec: {{channel: etag, uplinks: {{a: {{device: up-a, bridge: sw}}}}}}
---
kind: adapter
name: nic0
spec: {{host: h1, model: "82576", functions: 2}}
---
kind: machine
name: own
spec: {{host: h1, nics: {{pf: {{profile: web, function: nic0/pf}}}}}}
---
kind: machine
name: vm1
spec: {{host: h1, nics: {{eth0: {{profile: web, function: nic0/1, mac: "{mac}"}}}}}}
"""


def layout_of(kind: str) -> Layout:
    return lay_out(read_documents(TEXT.format(kind=kind, mac=MAC)))


@pytest.mark.parametrize(
    ("kind", "protocol"), [("schannel", TagProtocol.DOT1AD), ("schannel-q", TagProtocol.DOT1Q)], ids=str
)
def test_each_function_has_its_channel_as_port_vlan_and_the_mac_of_its_nic(kind: str, protocol: TagProtocol) -> None:
    """The PF is in the default channel, and is no function."""
    first = Settings(vlan=2, protocol=protocol, spoof_check=True)
    second = Settings(Mac.parse(MAC), 3, protocol=protocol, spoof_check=True)
    wanted = AdapterWish("nic0", (Selector(name="eno1"),), 2, settings=((0, 0, first), (1, 1, second)))
    assert list(wishes_for(layout_of(kind), "h1")) == [wanted]


def test_its_document_is_read_back_as_the_same_wish() -> None:
    [wish] = wishes_for(layout_of("schannel-q"), "h1")
    [(document, spec)] = of_spec(read_documents(write_document(wish)), SriovSpec)
    assert wishes_of(document.name, spec) == (wish,)


@pytest.mark.parametrize("host", ["soft", "nobody"])
def test_only_a_real_host_has_adapters_to_be_told(host: str) -> None:
    with pytest.raises(NotFoundError, match="h1") as caught:
        list(wishes_for(layout_of("schannel"), host))
    assert caught.value.code == "no-such-host"


def test_what_was_agreed_on_is_the_port_vlan_and_the_link() -> None:
    ports = {2: FunctionPort(300, up=True), 3: FunctionPort(None, up=False)}
    [wish] = wishes_for(layout_of("schannel-q"), "h1", ports, links=True)
    assert [(one.vlan, one.link) for _, _, one in wish.settings] == [(300, LinkState.UP), (3, LinkState.DOWN)]
    [without] = wishes_for(layout_of("schannel-q"), "h1", ports)
    assert [one.link for _, _, one in without.settings] == [None, None]


def test_who_has_no_channel_yet_is_in_nobody_elses() -> None:
    ports = {2: FunctionPort(3, up=True), 4: FunctionPort(4094)}
    assert vids_of([2, 3, 4, 5], ports) == {2: 3, 3: 4093, 4: 4094, 5: 5}


def adapter(driver: str, *functions: Settings) -> RealAdapter:
    found = tuple(
        RealFunction(f"0000:01:10.{at}", at, "", "", "", "", "", "", settings=one) for at, one in enumerate(functions)
    )
    return RealAdapter("0000:01:00.0", "", "", "", driver, None, "", 7, len(found), 0, 0, "", True, functions=found)


def test_what_functions_are_set_to_is_what_was_agreed_on() -> None:
    host = layout_of("schannel-q").host("h1")
    there = adapter("ice", Settings(vlan=300, link=LinkState.UP), Settings(vlan=3, link=LinkState.AUTO))
    assert ports_found(host, there) == {1: FunctionPort(1, up=True), 2: FunctionPort(300, up=True), 3: FunctionPort(3)}
    assert ports_found(host, None) == {1: FunctionPort(1, up=True), 2: FunctionPort(), 3: FunctionPort()}


def test_a_function_that_cannot_be_seen_counts_as_one_that_has_a_link() -> None:
    host = layout_of("schannel-q").host("h1")
    there = adapter("ice", Settings(), Settings())
    one, other = there.functions
    for up, carrier in ((True, True), (True, False), (False, True)):
        net = NetDevice("", "v0", 7, Mac(bytes(6)), up, carrier)
        seen = replace(there, functions=(replace(one, net=net), other))
        assert links_found(host, seen) == {2: up and carrier, 3: True}
    assert links_found(host, replace(there, functions=())) == {2: True, 3: True}


def test_without_links_who_is_in_a_channel_is_up() -> None:
    host = layout_of("schannel-q").host("h1")
    there = adapter("igb", Settings(vlan=2, link=LinkState.AUTO), Settings(vlan=0, link=LinkState.AUTO))
    assert ports_found(host, there) == {1: FunctionPort(1, up=True), 2: FunctionPort(2, up=True), 3: FunctionPort()}


def test_a_host_without_s_channels_has_no_adapter_to_set() -> None:
    without_pf = TEXT.format(kind="vepa", mac=MAC).replace(", function: nic0/pf", "")
    with pytest.raises(RefusedError) as refused:
        list(wishes_for(lay_out(read_documents(without_pf)), "h1"))
    assert refused.value.code == "remote-needs-schannel"
