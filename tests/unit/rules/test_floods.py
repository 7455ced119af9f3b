# SPDX-License-Identifier: Apache-2.0
"""Floods where some vEths have rules of their own for what leaves by them, and so are on no list."""

from __future__ import annotations

import pytest

from openfex.model.layout import Profile
from openfex.model.policy import Policy, Rule
from openfex.model.values import BROADCAST, ChannelKind, port_number
from openfex.testing.fabric import Fabric
from openfex.testing.layouts import LayoutBuilder, access, trunk
from tests.unit.rules.lab import H1, WEB, frame, mac, vnic

ALONE = access(10, policy=Policy(acl_out=(Rule(True),)))


def fabric(*profiles: Profile) -> Fabric:
    """A host whose first channels have these profiles."""
    builder = LayoutBuilder()
    bridge = builder.bridge("sw-a")
    pin = builder.port(bridge, trunk({10}))
    host = builder.host("h1", ChannelKind.VNTAG, [bridge], list(range(1, len(profiles) + 1)))
    for channel, profile in enumerate(profiles, start=1):
        builder.bind(host, channel, profile, pin)
    return Fabric(builder.layout())


@pytest.mark.parametrize(
    "profiles",
    [(ALONE, WEB), (ALONE, WEB, WEB), (WEB, ALONE), (WEB, WEB, ALONE), (ALONE, ALONE), (ALONE, ALONE, WEB)],
    ids=lambda profiles: ", ".join("alone" if one is ALONE else "listed" for one in profiles),
)
def test_p4_whoever_sends_each_other_gets_one_copy(profiles: tuple[Profile, ...]) -> None:
    lab = fabric(*profiles)
    reached = lab.from_function("h1", port_number(1, 1), frame(BROADCAST, mac(H1, 1)))
    others = [vnic(H1, channel) for channel in range(2, len(profiles) + 1)]
    assert sorted(spot.port for spot in reached if spot.node == "h1") == sorted(spot.port for spot in others)
    assert lab.dropped == 0
