# SPDX-License-Identifier: Apache-2.0
"""A cable between our end of an uplink and another's agent, each in a name space of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.linux.sysctl import sysctl
from tests.interop.lldpad import DEVICE, OURS, PEER, THEIRS

READY_S = 5.0


@pytest.fixture
def cable() -> Iterator[None]:
    """A veth pair that nothing but the agents speaks on."""
    spaces = (OURS, THEIRS)
    for space in spaces:
        netns.delete(space)
        netns.create(space)
        sysctl(space, "net.ipv6.conf.default.disable_ipv6", 1)
    with Netlink(OURS) as ours, Netlink(THEIRS) as theirs:
        ours.add_veth(DEVICE, PEER, mtu=1500, peer_netns=THEIRS, up=True)
        theirs.set(PEER, up=True)
        assert ours.wait_ready([DEVICE], READY_S) == []
        assert theirs.wait_ready([PEER], READY_S) == []
    yield
    for space in spaces:
        netns.delete(space)
