# SPDX-License-Identifier: Apache-2.0
"""`fex capture` without a kernel: when it ends, where frames go, what is told at the end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from openfex.cli.app import run
from openfex.datapath.abi import Seen
from openfex.datapath.record import CapturedFrame
from openfex.lab.capture import Sighting
from openfex.lab.points import Point
from openfex.model.drops import DropReason
from openfex.rules.decision import Verdict
from tests.unit.lab.sights import small_layout

Said = pytest.CaptureFixture[str]
PORT = "sw-a/veth1.1"
MAGIC = bytes.fromhex("0a0d0d0a")


class FakeSession:
    """A capture that sees a frame a look, and that a test can end."""

    opened: ClassVar[list[FakeSession]] = []
    at_look: ClassVar[Callable[[FakeSession], None]] = staticmethod(lambda session: None)

    def __init__(self, lab: str, points: Sequence[Point], snap: int) -> None:
        self.given = (lab, [point.name for point in points], [point.seen for point in points], snap)
        self.points = points
        self.is_on = True
        self.lost = 0
        self.looks = 0
        self.closed = False
        FakeSession.opened.append(self)

    def __enter__(self) -> FakeSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def wait(self, patience_s: float) -> list[Sighting]:
        self.looks += 1
        FakeSession.at_look(self)
        octets = bytes.fromhex("ffffffffffff 525400000001 0806") + bytes(46)
        frame = CapturedFrame(
            0, Seen.IN, Verdict.DROP, DropReason.PORT_DOWN, False, self.points[0].number, 0, 0, octets, 60
        )
        return [Sighting(self.points[0], frame, self.looks)]


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    FakeSession.opened.clear()
    monkeypatch.setattr("openfex.lab.lab.labs", lambda: ["small"])
    monkeypatch.setattr("openfex.lab.lab.layout_of", lambda name: small_layout())
    monkeypatch.setattr("openfex.lab.capture.Session", FakeSession)
    monkeypatch.setattr(FakeSession, "at_look", staticmethod(lambda session: None))
    yield monkeypatch
    assert all(one.closed for one in FakeSession.opened)


def at_third_look(monkeypatch: pytest.MonkeyPatch, do: Callable[[FakeSession], None]) -> None:
    def look(session: FakeSession) -> None:
        if session.looks == 3:
            do(session)

    monkeypatch.setattr(FakeSession, "at_look", staticmethod(look))


def test_a_line_a_frame_until_there_are_enough(capfd: Said) -> None:
    assert run(["capture", PORT, "--text", "-c", "4"]) == 0
    said = capfd.readouterr()
    assert said.out.count("dropped: port-down") == said.out.count("\n") == 4
    assert said.err.splitlines() == [f"fex: capturing {PORT}; Ctrl-C ends it", "fex: 4 frames captured"]


def test_a_json_object_a_line(capfd: Said) -> None:
    assert run(["capture", PORT, "--json", "-c", "2"]) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [row["dropped"] for row in rows] == ["port-down"] * 2


@pytest.mark.parametrize("words", [[], ["-w", "-"], ["--write=-"]])
def test_into_a_pipe_it_is_pcapng(words: list[str], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["capture", PORT, "-c", "1", *words]) == 0
    assert capfdbinary.readouterr().out.startswith(MAGIC)


def test_a_file_is_pcapng_and_the_sum_can_be_json(tmp_path: Path, capfd: Said) -> None:
    file = tmp_path / "a.pcapng"
    assert run(["capture", "vm1/eth0", "-c", "2", "-w", str(file), "--json"]) == 0
    assert file.read_bytes().startswith(MAGIC)
    told = {"ports": [PORT, "nic0/0"], "frames": 2, "lost": 0, "file": str(file)}
    assert json.loads(capfd.readouterr().out) == told


def test_what_is_asked_for_is_handed_on() -> None:
    assert run(["capture", PORT, "--in", "--dropped", "--snap", "64", "--text", "-c", "1"]) == 0
    assert FakeSession.opened[0].given == ("small", [PORT], [Seen.IN | Seen.DROPPED], 64)


def test_it_ends_after_its_time(capfd: Said) -> None:
    assert run(["capture", PORT, "--text", "--seconds", "0.001"]) == 0
    assert "frames captured" in capfd.readouterr().err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_and_what_there_is_is_written(
    number: signal.Signals, status: int, fake: pytest.MonkeyPatch, capfd: Said
) -> None:
    before = signal.getsignal(number)
    at_third_look(fake, lambda session: os.kill(os.getpid(), number))
    assert run(["capture", PORT, "--text"]) == status
    assert capfd.readouterr().out.count("\n") == 4  # and one last look
    assert signal.getsignal(number) is before


def test_a_datapath_that_goes_is_told(fake: pytest.MonkeyPatch, capfd: Said) -> None:
    at_third_look(fake, lambda session: setattr(session, "is_on", False))
    assert run(["capture", PORT, "--text"]) == 1
    said = capfd.readouterr()
    assert said.err.endswith("fex: the datapath of sw-a is gone [no-datapath]\n")
    assert said.out.count("\n") == 4


def test_lost_frames_are_told(fake: pytest.MonkeyPatch, capfd: Said) -> None:
    at_third_look(fake, lambda session: setattr(session, "lost", 7))
    assert run(["capture", PORT, "--text", "-c", "3"]) == 0
    assert "3 frames captured; 7 lost" in capfd.readouterr().err


def test_nobody_reading_ends_it(fake: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Even when no frame comes, whose writing would say so."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        fake.setattr("openfex.cli.capture.sys.stdout", pipe)
        assert run(["capture", PORT, "-w", str(tmp_path / "a.pcapng")]) == 141


@pytest.mark.parametrize(
    "words", ["--text --json", "--text -w a", "--json -w -", "-c 0", "--seconds 0", "--snap 63", "--snap 32769"]
)
def test_wrong_use(words: str, capfd: Said) -> None:
    assert run(["capture", PORT, *words.split()]) == 2
    assert capfd.readouterr().err.endswith("[usage]\n")
    assert not FakeSession.opened


def test_an_unknown_port(capfd: Said) -> None:
    assert run(["capture", "sw-a/veth1.11"]) == 1
    assert "did you mean sw-a/veth1.1" in capfd.readouterr().err


def test_a_file_that_cannot_be_written(tmp_path: Path, capfd: Said) -> None:
    assert run(["capture", PORT, "-w", str(tmp_path)]) == 1
    assert capfd.readouterr().err.endswith("[system-refused]\n")
