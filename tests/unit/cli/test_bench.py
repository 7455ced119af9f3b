# SPDX-License-Identifier: Apache-2.0
"""`fex bench` without a kernel: what it prints, draws and answers for what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from openfex.cli.app import run
from openfex.cli.bench import EXAMPLES
from openfex.errors import UnsupportedError
from openfex.proof.bench.course import Absence, Outcome
from openfex.proof.bench.ratios import Comparison
from openfex.proof.bench.rows import QUICK_ROUNDS, ROUNDS, ROWS, Result, Row
from openfex.proof.bench.traffic import BURST

Said = pytest.CaptureFixture[str]
NO_MACVLAN = UnsupportedError("ip: Error: Unknown device type.", code="no-peer")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the course was asked for; it answers with a result a peer, but for one it could not build."""
    asked = SimpleNamespace(rows=[], rounds=0, burst=0)

    def course(rows: Sequence[Row], rounds: int, progress: Callable[[int, int, object], None], burst: int) -> Outcome:
        asked.rows, asked.rounds, asked.burst = [row.name for row in rows], rounds, burst
        outcome = Outcome()
        for row in rows:
            for peer in row.peers:
                if peer == "macvlan-vepa":
                    outcome.absences.append(Absence(row, (peer,), NO_MACVLAN))
                else:
                    setting = "without br_netfilter" if row.name == "udp_64_pps" else ""
                    outcome.results.append(Result(row, peer, Comparison(18.04, 20, 0.9, 0.85, 0.96, rounds), setting))
        return outcome

    monkeypatch.setattr("openfex.proof.bench.course.run", course)
    monkeypatch.setattr("openfex.proof.bench.surroundings.busy_share", lambda: 0.02)
    return asked


def test_all_rows_and_the_table(asked: SimpleNamespace, capsys: Said) -> None:
    assert run(["bench"]) == 0
    assert asked.rows == list(ROWS)
    assert (asked.rounds, asked.burst) == (ROUNDS, BURST)
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert "CPUs" in lines[0]
    assert "95 % interval" in lines[2]
    assert " ".join(lines[3].split()) == "tcp_stream linux-bridge 18 20 Gbit/s 0.90 0.85 to 0.96 >= 1.00 missed"
    assert "udp_64_pps linux-bridge without br_netfilter" in " ".join(said.out.split())
    assert said.err == (
        "fex: tcp_stream beside macvlan-vepa was not measured: ip: Error: Unknown device type. [no-peer]\n"
    )


def test_a_row_s_name_means_all_its_peers_and_quick_is_three_rounds(asked: SimpleNamespace, capsys: Said) -> None:
    assert run(["bench", "tcp_stream", "--quick", "--json"]) == 1, "a peer that was asked for could not be measured"
    assert asked.rows == ["tcp_stream"]
    assert asked.rounds == QUICK_ROUNDS == 3
    rows = json.loads(capsys.readouterr().out)
    assert [(row["peer"], row["rounds"]) for row in rows] == [("linux-bridge", 3), ("direct-veth", 3)]


def test_how_many_frames_of_a_flow_come_in_a_row_can_be_said(asked: SimpleNamespace) -> None:
    assert run(["bench", "scale_4094", "--burst", "1"]) == 0
    assert asked.burst == 1


def test_of_three_rounds_nobody_says_95(asked: SimpleNamespace, capsys: Said) -> None:
    run(["bench", "--quick"])
    assert "95 %" not in capsys.readouterr().out


def test_a_busy_machine_is_said(asked: SimpleNamespace, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openfex.proof.bench.surroundings.busy_share", lambda: 0.48)
    assert run(["bench", "round_trip"]) == 0
    assert "others use 48% of this machine's CPUs" in capsys.readouterr().err


def test_the_picture(asked: SimpleNamespace, tmp_path: Path) -> None:
    file = tmp_path / "bench.svg"
    assert run(["bench", "--plot", str(file)]) == 0
    assert file.read_text().startswith("<svg ")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("bench tcp-stream", "unknown-row"),
        ("bench --plot /nowhere/at/all/x.svg", "bad-file"),
        ("bench scale_4094 --burst 0", "bad-burst"),
    ],
)
def test_what_is_refused_is_refused_before_anything_is_measured(
    asked: SimpleNamespace, words: str, code: str, capsys: Said
) -> None:
    assert run(words.split()) == 1
    assert asked.rows == []
    assert f"[{code}]" in capsys.readouterr().err


def test_the_help_lists_every_row_with_its_peers() -> None:
    for row in ROWS.values():
        (line,) = [line for line in EXAMPLES.splitlines() if line.startswith(f"  {row.name} ")]
        assert all(peer in line for peer in row.peers)
