# SPDX-License-Identifier: Apache-2.0
"""The process of agents, asked to read documents anew: others take over, or those that are go on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from openfex.errors import OpenfexError, RefusedError
from openfex.lab import duty, kept, staffing
from openfex.lab.duty import Duty
from openfex.lab.workshop import Workshop
from openfex.model.layout import Layout
from openfex.plan.objects import State

LAB = "one"
PATIENCE_S = 10.0
REFUSAL = RefusedError("profiles a and b have one type", code="vsi-type-taken")


class Place:
    """A workshop of nothing."""

    def __init__(self, lab: str) -> None:
        pass

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Crew:
    """Agents that only know whether they speak. `refuses`: what the next ones cannot do."""

    refuses = ""
    all: list[Crew]

    def __init__(self, layout: Layout, wanted: State, workshop: Workshop, loop: object, say: object) -> None:
        self.fail("made")
        self.loop, self.agents, self.is_settled, self.state = loop, (), True, "enlisted"
        self.all.append(self)

    @classmethod
    def fail(cls, at: str) -> None:
        if cls.refuses == at:
            raise REFUSAL

    def enlist(self, node: str) -> None:
        self.fail("enlisted")

    def begin(self) -> None:
        assert [one.state for one in self.all].count("speaks") == 0, "nobody speaks beside them"
        self.state = "speaks"

    def close(self) -> None:
        self.state = "ended"


def load() -> tuple[str, Layout, Any]:
    Crew.fail("read")
    return "digest", cast("Layout", None), lambda workshop: Crew.fail("wanted")


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[staffing.Lock]:
    monkeypatch.setattr(kept, "STATE", tmp_path)
    monkeypatch.setattr(duty, "Workshop", Place)
    monkeypatch.setattr(duty, "Staff", Crew)
    monkeypatch.setattr(Crew, "all", [], raising=False)
    monkeypatch.setattr(Crew, "refuses", "")
    (tmp_path / LAB).mkdir()
    handle = os.open(tmp_path / LAB / "lock", os.O_RDWR | os.O_CREAT)
    yield staffing.Lock(handle)
    os.close(handle)


async def read_again(lock: staffing.Lock, refuses: str) -> list[str]:
    """Have agents, ask them to read again, which goes so, and end them: what they were before the end."""
    told: list[bytes] = []
    ready, done = asyncio.Event(), asyncio.Event()

    def tell(line: bytes) -> None:
        told.append(line)
        (done if ready.is_set() else ready).set() if not line else None

    served = Duty(LAB, load, lock)
    task = asyncio.ensure_future(served.serve(tell))
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait([task, asyncio.ensure_future(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
        Crew.refuses = refuses
        served._asking.append(tell)
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.wait([task, asyncio.ensure_future(done.wait())], return_when=asyncio.FIRST_COMPLETED)
        found = [one.state for one in Crew.all]
        os.kill(os.getpid(), signal.SIGTERM)
        await task
    assert [one.state for one in Crew.all] == ["ended"] * len(Crew.all)
    return found


def test_others_take_over_when_documents_are_read_again(lock: staffing.Lock) -> None:
    assert asyncio.run(read_again(lock, "")) == ["ended", "speaks"]


@pytest.mark.parametrize("stage", ["read", "wanted", "made", "enlisted"])
def test_the_old_go_on_where_others_cannot_be(
    lock: staffing.Lock, stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    states = asyncio.run(read_again(lock, stage))
    assert states == (["speaks", "ended"] if stage == "enlisted" else ["speaks"])
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (line["event"], line["code"]) == ("not-read", "vsi-type-taken")


@pytest.mark.parametrize("stage", ["read", "wanted", "made", "enlisted"])
def test_who_cannot_begin_at_all_says_so(lock: staffing.Lock, stage: str) -> None:
    Crew.refuses = stage
    with pytest.raises(OpenfexError) as refused:
        asyncio.run(Duty(LAB, load, lock).serve(None))
    assert refused.value is REFUSAL
