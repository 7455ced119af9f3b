# SPDX-License-Identifier: Apache-2.0
"""A real host's agent beside the keeper of its adapters: what it wishes, and how it waits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from openfex.errors import InternalError
from openfex.host.real import Asked, RealHost
from openfex.model.functions import LinkState
from openfex.model.reader import read_documents
from openfex.plan.layout import lay_out
from openfex.plan.schannels import FunctionPort
from openfex.testing.adapters import CARVED, FakeAdapter, FakeFunction, FakeHost

LONG_S = 10.0
TEXT = (Path(__file__).resolve().parents[3] / "examples/real-network.yaml").read_text()
HERE, OTHER = "fex-none0", "fex-none1"
"""PFs whose network devices nobody can speak on."""


@pytest.fixture
def idle() -> Iterator[RealHost]:
    with closing(RealHost(FakeHost(), Asked, lambda told: None)) as real:
        yield real


def asked_at(pf: str) -> Asked:
    return Asked(layout=lay_out(read_documents(TEXT.replace("eno1", pf))), host="h1")


def adapter_at(pf: str, bus: int, *vlans: int) -> FakeAdapter:
    """An adapter that can take links away, whose functions are up in these VLANs."""
    settings = [replace(CARVED, vlan=vlan, link=LinkState.UP) for vlan in vlans]
    functions = [FakeFunction(f"0000:{bus:02x}:10.{index}", index, one) for index, one in enumerate(settings)]
    return FakeAdapter(f"0000:{bus:02x}:00.0", pf, "ice", numvfs=len(vlans), functions=functions)


def wished(real: RealHost) -> list[tuple[int | None, LinkState | None]]:
    """The VLAN and the link of each function, by what the file says now."""
    [wish] = real.wishes()
    return [(one.vlan, one.link) for _, _, one in wish.settings]


def test_p3_functions_of_another_pf_are_not_what_was_agreed_on_for_those_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = FakeHost(adapter_at(HERE, 1, 20, 21), adapter_at(OTHER, 2, 0, 0))
    file = [asked_at(HERE)]
    with closing(RealHost(machine, lambda: file[-1], lambda told: None)) as real:
        monkeypatch.setattr(real, "_start", lambda layout, host: None)
        real.wishes()
        real.begin()
        real._ports, real._has_links = {2: FunctionPort(20, up=True), 3: FunctionPort(21, up=True)}, True
        assert wished(real) == [(20, LinkState.UP), (21, LinkState.UP)], "agreed on with the bridge"
        file.append(asked_at(OTHER))
        fresh = [(2, None), (3, None)]
        assert wished(real) == fresh, "nothing is agreed on yet"
        file.append(asked_at(HERE))
        assert wished(real) == [(20, LinkState.UP), (21, LinkState.UP)], "what could not be taken over is as before"
        file.append(asked_at(OTHER))
        assert wished(real) == fresh
        real.begin()
        assert wished(real) == fresh


def test_a_bug_ends_the_wait_at_once(idle: RealHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(idle._loop, "default_exception_handler", lambda context: None)
    idle._loop.call_soon(fail)
    start = time.monotonic()
    with pytest.raises(InternalError, match="a bug"):
        idle.sleep((), LONG_S)
    assert time.monotonic() - start < LONG_S
