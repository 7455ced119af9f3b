# SPDX-License-Identifier: Apache-2.0
"""Agents of as many VSIs as there can be: they agree, in few frames and writes, and keep no more than that takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from openfex.model.reader import read_documents
from openfex.plan.layout import lay_out
from openfex.proof.bench.labs import full_adapter, laden, scale
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.testing.signalling import Town

SETTLED_S = 5.0
KEEP_ALIVE_S = 10.5
VSIS_IN_A_PDU = 20
"""At least."""
Text = Callable[[], str]


class Counting(Town):
    """How often tables were written."""

    writes = 0

    def _perform(self, name: str, effects: Iterable[object]) -> None:
        listed = [*effects]
        self.writes += sum(type(one).__name__.startswith("Write") for one in listed)
        super()._perform(name, listed)


SIZES = [
    pytest.param(lambda: full_adapter("x", 256), 256, id="256 on one uplink"),
    pytest.param(lambda: scale("x", (4094, 16)), 4094, id="4094 on 16 uplinks", marks=pytest.mark.slow),
    pytest.param(lambda: laden("x", 4094), 4094, id="4094 on one uplink", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("text", "count"), SIZES)
def test_all_vsis_that_there_can_be(text: Text, count: int) -> None:
    town = Counting(lay_out(read_documents(text())))
    town.start()
    town.run(SETTLED_S)
    check_agreed(town)
    pdus = count / VSIS_IN_A_PDU
    assert town.sent < 20 * pdus + 100 * len(town.layout.hosts)
    assert town.writes < 3 * pdus + 20 * len(town.layout.hosts)
    before, writes = town.sent, town.writes
    town.run(2 * KEEP_ALIVE_S)
    assert town.sent - before < 2 * 4 * pdus + 20 * len(town.layout.hosts), "a PDU, its answer, and an ack of each"
    assert town.writes == writes, "to be kept alive is no news"
    check_bounded(town)


def check_agreed(town: Town) -> None:
    """Both ends have what the layout compiles to."""
    tables = {one.name: town.fabric.bridges[one.name].tables for one in town.layout.bridges}
    for name, found in tables.items():
        wanted = compile_bridge(town.layout, name)
        assert (found.ports, found.veths, [*found.floods]) == (wanted.ports, wanted.veths, [*wanted.floods])
    for host in town.layout.hosts:
        assert town.host(host.name).is_settled
        assert town.fabric.hosts[host.name].tables == compile_extender(town.layout, host, tables)


def check_bounded(town: Town) -> None:
    """Nothing waits, and timers are as many as what they are for."""
    for agent in town.agents.values():
        for end in agent.ends.values():
            held = len(end.vdp.associations)
            assert len(end.mirror._speaker._unsaid) == 0
            assert len(end.vdp._outbox) == 0
            for name in ("_deadlines", "_responses", "_keep_alives"):
                waiting = getattr(end.vdp, name, ())
                assert len(waiting) <= held
                assert getattr(waiting, "entries", 0) <= 2 * held + 16
