# SPDX-License-Identifier: Apache-2.0
"""A layout that its own agents bring up: agents, cables and reference engines in one process, in virtual time.

town = Town(lay_out(documents))
town.start()
town.run(5.0)                       frames arrive, deadlines come, tables are written
town.fabric.from_function(...)      data goes by the tables that the agents wrote
"""

from __future__ import annotations

from dataclasses import replace

from openfex.lab import town
from openfex.lab.town import Fate, ideal
from openfex.model.layout import Layout, Signalling
from openfex.rules.tables import BridgeTables, ExtenderTables
from openfex.testing.fabric import Fabric


class Town(town.Town):
    """All of a layout. `exponents`: RTE, RWD and RKA, which both ends ask for."""

    def __init__(self, layout: Layout, exponents: tuple[int, int, int] = (14, 20, 20), fate: Fate = ideal) -> None:
        self.fabric = Fabric(layout)
        for host in self.fabric.hosts.values():
            host.tables = ExtenderTables()
        for bridge in self.fabric.bridges.values():
            bridge.tables = BridgeTables()
        times = replace(layout, signalling=Signalling(*exponents))
        super().__init__(times, self.fabric.hosts, self.fabric.bridges, fate)
