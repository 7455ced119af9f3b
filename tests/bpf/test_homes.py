# SPDX-License-Identifier: Apache-2.0
"""vEths are found by their MACs: without a hash where the MAC is at home in its row, else by the hash."""

from __future__ import annotations

from itertools import combinations

import pytest

from openfex.datapath.rows import bridge_rows, home_of, home_rows, read_bridge
from openfex.model.limits import FIRST_UPLINK
from openfex.model.values import ChannelKind, Mac, port_number
from openfex.rules.decision import Verdict
from openfex.rules.tables import BridgeTables, Port, Terms
from openfex.testing.frames import Arrival
from openfex.testing.kernel import KernelEngine
from openfex.wire import ETag
from tests.bpf.trials import BridgeTrial

pytestmark = pytest.mark.root


def neighbours(count: int) -> list[Mac]:
    """MACs that have the same row: a number and the inverse of what it is multiplied by find them."""
    factor = pow(0x9E3779B97F4B, -1, 1 << 48)
    macs = (Mac(((77 << 32 | rest) * factor % (1 << 48)).to_bytes(6, "big")) for rest in range(1, 1000))
    return [mac for mac in macs if not mac.is_multicast][:count]


def tables_of(macs: list[Mac]) -> BridgeTables:
    tables = BridgeTables({FIRST_UPLINK: ChannelKind.ETAG}, {1: Terms(10)})
    for channel, mac in enumerate(macs, start=1):
        number = port_number(FIRST_UPLINK, channel)
        tables.ports[number] = Port(up=True, profile=1, mac=mac)
        tables.veths[mac] = number
    return tables


def test_the_macs_of_this_test_have_one_row() -> None:
    assert {home_of(mac)[0] for mac in neighbours(4)} == {77}
    assert len(home_rows(tables_of(neighbours(4)).veths)) == 1


@pytest.mark.parametrize("attachment", ["tc", "xdp"])
def test_who_is_not_at_home_is_found_all_the_same(attachment: str) -> None:
    macs = neighbours(4)
    with KernelEngine("bridge", attachment) as kernel:
        trial = BridgeTrial(kernel, tables_of(macs))
        for source, target in [*combinations(macs, 2), *combinations(reversed(macs), 2)]:
            octets = (
                target.octets + source.octets + ETag(ecid=1 + macs.index(source)).encode() + b"\x12\x34" + bytes(46)
            )
            decision = trial.feed(Arrival(port_number(FIRST_UPLINK), octets))
            assert (decision.verdict, decision.out) == (Verdict.DELIVER, trial.tables.veths[target])
        trial.check()


def test_a_row_that_was_not_written_is_missed() -> None:
    """A run may be killed between the rows of veths and of homes; the next one sees that something is to be done."""
    tables = tables_of(neighbours(2))
    rows = bridge_rows(tables, {}, {})
    assert read_bridge(rows, None).veths == tables.veths
    rows["homes"] = {}
    assert read_bridge(rows, None).veths == {}
