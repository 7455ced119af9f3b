# SPDX-License-Identifier: Apache-2.0
"""What vEths have counted, when NICs move from one to another: the numbers follow the NIC. Pure.

The kernel counts by port and nothing there is rewritten. The ledger says what is to be added to a port's numbers, or
taken from them, so that each shows what its NIC has sent and been given wherever that was. Where a NIC comes, its
numbers come from the port it left, and that port gets those that were here: so the sum over all ports stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from openfex.model.counters import PortCounters
from openfex.model.layout import Binding, Layout


class Tally(NamedTuple):
    """What a port has counted; in a ledger what is to be added. New numbers stand last: kept ledgers lack them."""

    in_frames: int = 0
    in_octets: int = 0
    out_frames: int = 0
    out_octets: int = 0
    drops: int = 0
    in_multicast: int = 0
    in_broadcast: int = 0
    out_multicast: int = 0
    out_broadcast: int = 0

    @classmethod
    def of(cls, counted: PortCounters, drops: int) -> Tally:
        """What the kernel has counted."""
        sums = (counted.in_frames, counted.in_octets, counted.out_frames, counted.out_octets, drops)
        return cls(*sums, counted.in_multicast, counted.in_broadcast, counted.out_multicast, counted.out_broadcast)

    def row(self) -> dict[str, object]:
        """As views show it."""
        told = self._asdict()
        for way in ("in", "out"):
            told[f"{way}_unicast"] = told[f"{way}_frames"] - told[f"{way}_multicast"] - told[f"{way}_broadcast"]
        return told

    def plus(self, other: Tally, sign: int = 1) -> Tally:
        """The sum, or with -1 the difference."""
        return Tally(*(one + sign * two for one, two in zip(self, other, strict=True)))


Ledger = Mapping[str, Tally]
"""By port: `sw-a:65537`."""
NOTHING = Tally()


def port_of(binding: Binding) -> str:
    """How the ledger calls a binding's vEth."""
    return f"{binding.uplink.bridge}:{binding.bridge_port}"


def moves(old: Layout, new: Layout) -> dict[str, str]:
    """From which vEth to which one NICs move."""
    before = {binding.name: port_of(binding) for binding in old.bindings}
    after = {binding.name: port_of(binding) for binding in new.bindings}
    return {before[name]: port for name, port in after.items() if before.get(name, port) != port}


def within(ledger: Ledger, layout: Layout) -> dict[str, Tally]:
    """What of a ledger is of bridges that there are."""
    bridges = {bridge.name for bridge in layout.bridges}
    return {port: tally for port, tally in ledger.items() if port.partition(":")[0] in bridges}


def follow(ledger: Ledger, moved: Mapping[str, str], before: Ledger, after: Ledger) -> dict[str, Tally]:
    """The ledger after NICs have moved. `before`, `after`: what the kernel had counted by port then and then.

    A port that one NIC left and another took counts for the new one from `before` on: what the old one still got in
    between is shown there. What a port has counted that went with its bridge is what it had `before`.
    """
    taken = set(moved.values())
    latest = {**before, **after}
    shown = {
        port: ledger.get(port, NOTHING).plus((before if port in taken else latest).get(port, NOTHING))
        for port in moved.keys() | taken
    }
    sources = {target: source for source, target in moved.items()}
    changed = dict(ledger)
    for target in taken:
        changed[target] = shown[sources[target]].plus(before.get(target, NOTHING), -1)
    for source in moved.keys() - taken:  # takes what was at the end of the chain that begins here
        end = moved[source]
        while end in moved:
            end = moved[end]
        changed[source] = shown[end].plus(after.get(source, NOTHING), -1)
    return {port: tally for port, tally in changed.items() if tally != NOTHING}
