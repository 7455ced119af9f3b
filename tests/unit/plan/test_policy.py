# SPDX-License-Identifier: Apache-2.0
"""What a profile says becomes the policy of its ports."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from openfex.model.documents import ProfileSpec
from openfex.model.faults import check_spec
from openfex.model.policy import (
    FREE,
    Fragment,
    MacBlock,
    Policy,
    Priority,
    Rate,
    Rule,
    Source,
    Span,
    Trust,
)
from openfex.model.values import Mac
from openfex.plan.policy import policy_of

MAC = Mac.parse("52:54:00:00:00:01")


def policy(**keys: object) -> Policy:
    spec = check_spec("profile", {"vlan": {"access": 10}, **keys})
    assert isinstance(spec, ProfileSpec), spec
    return policy_of(spec)


def rule(**keys: object) -> Rule:
    (found,) = policy(acl={"in": [{"permit": {key.replace("_", "-"): one for key, one in keys.items()}}]}).acl_in or ()
    return found


def test_a_profile_of_vlans_alone_asks_nothing() -> None:
    assert policy() == policy(acl={}, rate={}, source={}, priority={}) == FREE


def test_a_direction_that_is_not_written_permits_and_an_empty_one_denies() -> None:
    assert policy(acl={"in": []}) == Policy(acl_in=())
    assert policy(acl={"out": [{"deny": {}, "name": "rest"}]}) == Policy(acl_out=(Rule(False, name="rest"),))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, Rule(True)),
        (
            {"source": "10.0.0.0/8", "destination": ["::/0", "fd00::1"]},
            Rule(True, sources=(ip_network("10.0.0.0/8"),), destinations=(ip_network("::/0"), ip_network("fd00::1"))),
        ),
        (
            {"protocol": ["TCP", 17], "port": "443,80-90", "source_port": 53},
            Rule(
                True,
                protocols=(6, 17),
                destination_ports=(Span(80, 90), Span(443, 443)),
                source_ports=(Span(53, 53),),
            ),
        ),
        ({"protocol": "icmp", "icmp_type": ["echo-request", 13]}, Rule(True, protocols=(1,), types=(8, 13))),
        ({"protocol": "icmpv6", "icmp_type": "echo-request"}, Rule(True, protocols=(58,), types=(128,))),
        (
            {"protocol": "tcp", "tcp": "established"},
            Rule(True, protocols=(6,), flags=((0x10, 0x10), (0x04, 0x04))),
        ),
        (
            {"protocol": "tcp", "tcp": ["new", "-fin+psh", "urg"]},
            Rule(True, protocols=(6,), flags=((0x12, 0x02), (0x09, 0x08), (0x20, 0x20))),
        ),
        ({"fragment": ["whole", "first"]}, Rule(True, fragments=(Fragment.WHOLE, Fragment.FIRST))),
        (
            {"ethertype": ["arp", "0x88CC", 34525], "vlan": [10, "20-29", 30]},
            Rule(True, ethertypes=(0x0806, 0x88CC, 0x86DD), vlans=(Span(10, 10), Span(20, 30))),
        ),
        (
            {"source_mac": MAC, "destination_mac": "52:54:00:00:00:00/24"},
            Rule(
                True,
                source_macs=(MacBlock(MAC),),
                destination_macs=(MacBlock(Mac.parse("52:54:00:00:00:00"), 24),),
            ),
        ),
    ],
    ids=str,
)
def test_rules(keys: dict[str, object], expected: Rule) -> None:
    assert rule(**{key: str(one) if isinstance(one, Mac) else one for key, one in keys.items()}) == expected


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("1Gbit", Rate(10**9, 31_250_000)),
        ("64kbit", Rate(64_000, 65_536)),
        ({"bits": "100Mbit", "burst": "1MiB"}, Rate(10**8, 1 << 20)),
        ({"frames": 100_000}, Rate(0, 0, 100_000, 25_000)),
        ({"frames": 1}, Rate(0, 0, 1, 64)),
        ({"bits": "400Gbit", "frames": 10, "burst-frames": 3}, Rate(400 * 10**9, 256 << 20, 10, 3)),
    ],
    ids=str,
)
def test_rates(written: object, rate: Rate) -> None:
    assert policy(rate={"in": written}) == Policy(rate_in=rate)
    assert policy(rate={"out": written}) == Policy(rate_out=rate)


def test_sources_and_priorities() -> None:
    assert policy(source={"macs": str(MAC), "learn": 2, "guard": True}).source == Source((MAC,), 2, True)
    assert policy(priority={"trust": "dscp", "pcp": 5, "dscp": "af41"}).priority == Priority(Trust.DSCP, 5, 34)
    assert policy(priority={"trust": "none", "dscp": 0}).priority == Priority(Trust.NONE, 0, 0)
