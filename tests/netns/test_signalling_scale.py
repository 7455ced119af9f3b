# SPDX-License-Identifier: Apache-2.0
"""Agents, processes on real cables, with as many VSIs as there can be; virtual time has more of it (unit/bridge)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openfex.lab import lab, staffing
from openfex.lab.workshop import Workshop
from openfex.proof.bench.labs import full_adapter, laden, scale
from openfex.proof.signalling import kill_agents, ports_up

pytestmark = pytest.mark.root
LAB = "test-many"


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    lab.down(LAB)


TEXTS = [
    pytest.param(full_adapter(LAB, 256), 256, id="256 on one uplink"),
    pytest.param(scale(LAB, (4094, 16)), 4096, id="4094 on 16 uplinks", marks=pytest.mark.long),
    pytest.param(laden(LAB, 4094), 4094, id="4094 on one uplink", marks=pytest.mark.long),
]


@pytest.mark.parametrize(("text", "count"), TEXTS)
def test_all_of_them_come_up_and_are_taken_up_by_others(text: str, count: int) -> None:
    layout = lab.up(text).layout
    assert len(layout.bindings) == count
    with Workshop(LAB) as workshop:
        assert len(ports_up(workshop, layout)) == count
        assert lab.drift(LAB).operations == ()
        kill_agents(LAB)
        staffing.start(LAB)
        assert len(ports_up(workshop, layout)) == count
    assert lab.drift(LAB).operations == ()
    undone = {"lost", "expired", "de-associated", "refused", "failed"}
    assert not undone & {str(one["event"]) for one in staffing.read_log(LAB)}
