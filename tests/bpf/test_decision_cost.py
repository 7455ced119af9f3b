# SPDX-License-Identifier: Apache-2.0
"""What policy adds to a bridge's decision: printed, with no verdict but that what was measured is what was meant.

`./fex test --long tests/bpf/test_decision_cost.py -s`. The numbers are those of docs/guide/measuring.md.
"""

from __future__ import annotations

import itertools
from ipaddress import IPv4Address, IPv4Network

import pytest

from openfex.model.limits import FIRST_UPLINK
from openfex.model.policy import FREE, Policy, Rate, Rule, Source, Span
from openfex.model.values import ChannelKind, Mac, port_number
from openfex.rules.decision import Verdict
from openfex.rules.packet import UDP
from openfex.rules.tables import BridgeTables, Port, Terms
from openfex.testing.kernel import KernelEngine
from openfex.wire import VnTag, ipv4_udp

pytestmark = [pytest.mark.root, pytest.mark.long]

VETHS = 200
ROUNDS, FRAMES = 7, 200_000
PLENTY = Rate(bits=10**11, burst_octets=10**6)


def rules(count: int) -> tuple[Rule, ...]:
    """So many, of which the last matches."""
    places = itertools.islice(itertools.product(range(5), range(1, 201)), count - 1)
    networks = (IPv4Network(f"10.{first}.{second}.0/24") for second, first in places)
    denied = (
        Rule(False, sources=(one,), protocols=(UDP,), destination_ports=(Span(port, port),))
        for port, one in enumerate(networks, start=1000)
    )
    return (*denied, Rule(True))


GUARDED = Source(guard=True)
POLICIES = {
    "nothing": FREE,
    "guard": Policy(source=GUARDED),
    "100 rules": Policy(acl_in=rules(100)),
    "1,000 rules": Policy(acl_in=rules(1000)),
    "a rate": Policy(rate_in=PLENTY),
    "guard, 100 rules, rates both ways": Policy(rules(100), rate_in=PLENTY, rate_out=PLENTY, source=GUARDED),
}


def mac_of(channel: int) -> Mac:
    return Mac(bytes((0x52, 0x54, 0, 0, 0, channel)))


def tables_of(policy: Policy) -> BridgeTables:
    tables = BridgeTables({FIRST_UPLINK: ChannelKind.VNTAG}, {1: Terms(10, None, policy)})
    for channel in range(1, VETHS + 1):
        number, own = port_number(FIRST_UPLINK, channel), frozenset({bytes((10, 0, 0, channel))})
        tables.ports[number] = Port(up=True, profile=1, mac=mac_of(channel), addresses=own)
        tables.veths[mac_of(channel)] = number
    return tables


@pytest.mark.parametrize("attachment", ["xdp", "tc"])
def test_what_policy_adds_to_a_decision(attachment: str) -> None:
    datagram = ipv4_udp(IPv4Address("10.0.0.1"), IPv4Address("10.0.0.9"), 9, 9, bytes(18))
    frame = mac_of(2).octets + mac_of(1).octets + VnTag(svif=1).encode() + b"\x08\x00" + datagram
    print(f"\n{attachment}, ns a decision with its counters")
    with KernelEngine("bridge", attachment) as kernel:
        for name, policy in POLICIES.items():
            kernel.write(tables_of(policy))
            assert kernel.decide(port_number(FIRST_UPLINK), frame).verdict is Verdict.DELIVER
            best = min(kernel.time(port_number(FIRST_UPLINK), frame, FRAMES) for _ in range(ROUNDS))
            print(f"  {best:4}  {name}")
            assert best > 0
