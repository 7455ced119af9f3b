# SPDX-License-Identifier: Apache-2.0
"""What the adapter of a real host must be: each function in its channel, with the MAC of the NIC that it is."""

from __future__ import annotations

import pytest

from openfex.errors import NotFoundError
from openfex.formats.document import write_document
from openfex.model.functions import AdapterWish, Selector, Settings, TagProtocol
from openfex.model.layout import Layout
from openfex.model.reader import of_spec, read_documents
from openfex.model.real import SriovSpec
from openfex.model.values import Mac
from openfex.plan.layout import lay_out
from openfex.plan.schannels import wishes_for
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
spec: {{channel: {kind}, remote: true, uplinks: {{a: {{device: eno1, bridge: sw, port: enp2s0}}}}}}
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
