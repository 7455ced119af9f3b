# SPDX-License-Identifier: Apache-2.0
"""What is counted is read whole: every CPU's part of it, wherever in the arrays it is, over all sizes of the tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openfex.datapath.abi import COUNTERS, DROP_KEY, U32, U64, Total
from openfex.datapath.node import Node
from openfex.datapath.tables import read_counters, read_drops, read_totals
from openfex.linux.libbpf import Map, possible_cpus
from openfex.model.counters import PortCounters
from openfex.model.drops import DropReason
from openfex.testing.kernel import KernelTables

pytestmark = pytest.mark.root

EDGES = (0, 1, 63, 64, 65, 4095, 4096, 16 << 12, (20 << 12) - 1)
"""Rows at both ends of what is looked at together, and of the array."""


class Sizes(Node):
    """A node that has grown: each size's counters are those of one of these tables."""

    def __init__(self, *sizes: KernelTables) -> None:
        super().__init__("test-sizes", sizes[-1].role)
        self._tables = sizes

    def map(self, name: str) -> Map:
        return self._tables[-1].map(name)

    def counters(self) -> list[Map]:
        return [one.map("counters") for one in self._tables]


@pytest.fixture
def bridge() -> Iterator[KernelTables]:
    tables = KernelTables("bridge", test=False)
    yield tables
    tables.close()


def count(tables: KernelTables, ports: tuple[int, ...], times: int = 1) -> None:
    """Count on every CPU a little more than on the one before."""
    one = tables.map("counters")
    for cpu in range(possible_cpus()):
        first = cpu * one.max_entries // possible_cpus()
        row = COUNTERS.pack(*(times * (cpu + word) for word in range(8)))
        one.put_many([(U32.pack(first + port), row) for port in ports])


def counted(times: int = 1) -> PortCounters:
    cpus = range(possible_cpus())
    return PortCounters(*(sum(times * (cpu + word) for cpu in cpus) for word in range(8)))


@pytest.mark.parametrize("ports", [(), *((edge,) for edge in EDGES), EDGES], ids=str)
def test_p4_every_counter_is_read_wherever_it_is(bridge: KernelTables, ports: tuple[int, ...]) -> None:
    count(bridge, ports)
    assert bridge.counters() == dict.fromkeys(ports, counted())


def test_p4_a_port_has_counted_what_it_has_in_all_sizes(bridge: KernelTables) -> None:
    larger = KernelTables("bridge", test=False, links=24)
    try:
        count(bridge, (1, 2))
        count(larger, (2, 22 << 12), times=10)
        found = read_counters(Sizes(bridge, larger))
        assert found == {1: counted(), 2: counted(11), 22 << 12: counted(10)}
    finally:
        larger.close()


def test_p4_drops_and_totals_are_summed_over_the_cpus(bridge: KernelTables) -> None:
    row = b"".join(U64.pack(cpu + 1) for cpu in range(possible_cpus()))
    bridge.map("drops").put(DROP_KEY.pack(7, DropReason.BPDU), row)
    bridge.map("totals").put(U32.pack(Total.AGED), row)
    node = Sizes(bridge)
    wanted = sum(range(1, possible_cpus() + 1))
    assert read_drops(node) == {(7, DropReason.BPDU): wanted}
    assert read_totals(node).aged == wanted
    assert read_totals(node).replicated == 0
