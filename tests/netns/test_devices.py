# SPDX-License-Identifier: Apache-2.0
"""Names of devices that the kernel takes, and those that documents may not have because it does not."""

from __future__ import annotations

import pytest

from openfex.errors import OpenfexError
from openfex.lab.names import netns_of
from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.linux.sysctl import read_sysctl
from openfex.model.layout import Layout
from tests.netns.labs import running

pytestmark = pytest.mark.root
LAB = "test-devices"
TEXT = f"""
kind: network
name: {LAB}
spec: {{bridges: {{sw: {{ports: [up.0]}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: host
name: h1
spec: {{channel: vntag, uplinks: {{a: {{device: up.a, bridge: sw}}}}}}
---
kind: adapter
name: n1
spec: {{host: h1, model: bcm-8, functions: 2}}
---
kind: machine
name: own
spec: {{host: h1, type: host, nics: {{own.0: {{profile: web, address: 10.0.10.1/24}}}}}}
---
kind: machine
name: vm1
spec: {{host: h1, nics: {{f0p0: {{profile: web, address: 10.0.10.2/24}}}}}}
"""


def links(layout: Layout, kind: str, name: str) -> set[str]:
    with Netlink(netns_of(layout.lab, kind, name)) as netlink:
        return {link.name for link in netlink.links()}


def test_dots_and_our_own_names_elsewhere_are_names() -> None:
    with running(TEXT) as layout:
        host = netns_of(LAB, "host", "h1")
        assert {"up.a", "own.0", "f0p0", "f0p1"} <= links(layout, "host", "h1")
        assert "up.0" in links(layout, "bridge", "sw")
        assert links(layout, "machine", "vm1") == {"lo", "f0p0"}
        assert read_sysctl(host, "net/ipv6/conf/own.0/disable_ipv6") == "0"


@pytest.mark.parametrize("name", ["all", "default"])
def test_the_kernel_takes_no_device_that_is_a_word_of_its_settings(name: str) -> None:
    """Why documents may not have it."""
    netns.create("fex-test-devices")
    try:
        with Netlink("fex-test-devices") as netlink, pytest.raises(OpenfexError):
            netlink.add_veth(name, "other", mtu=1500)
    finally:
        netns.delete("fex-test-devices")
