# SPDX-License-Identifier: Apache-2.0
"""Tables and JSON."""

from __future__ import annotations

import json

import pytest

from openfex.cli import columns
from openfex.cli.paper import cell_text, print_rows, progress, table
from openfex.lab.view.path import hop_rows
from openfex.lab.view.ports import port_rows
from tests.unit.lab.sights import small_path, small_sight

ROWS = [{"name": "one", "count": 5, "note": ""}, {"name": "[two]", "count": 40, "note": ""}]
COLUMNS = (("name", "name"), ("count", "count"), ("note", "note"))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Standard output as if it were a terminal of 80 columns."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    return monkeypatch


def test_a_table_has_numbers_to_the_right_and_no_empty_notes() -> None:
    assert table(ROWS, COLUMNS).splitlines() == ["name   count", "one        5", "[two]     40"]


def test_a_note_shows_when_there_is_one() -> None:
    assert table([{**ROWS[0], "note": "!"}, ROWS[1]], COLUMNS).splitlines()[0] == "name   count  note"


def test_values_are_told_plainly() -> None:
    values = [None, "", [], True, False, 0, "x", ["a", "b"]]
    assert [cell_text(value) for value in values] == ["-", "-", "-", "yes", "no", "0", "x", "a\nb"]


def test_without_a_terminal_a_table_is_as_wide_as_it_needs_to_be() -> None:
    lines = table(port_rows(small_sight()), columns.PORTS, columns.PORTS_NARROW).splitlines()
    assert len(lines) == 15
    assert "sw-a/veth1.1" in lines[2]
    assert "52:54:00:00:00:01" in lines[2]


@pytest.mark.usefixtures("terminal")
def test_what_a_terminal_has_no_room_for_is_stacked() -> None:
    for text in (
        table(port_rows(small_sight()), columns.PORTS, columns.PORTS_NARROW),
        table(hop_rows(small_path(small_sight())), columns.HOPS, columns.HOPS_NARROW),
    ):
        assert max(map(len, text.splitlines())) <= 80
        assert "52:54:00:00:00:01" in text, "nothing is broken in the middle"


def test_a_wide_terminal_has_room(terminal: pytest.MonkeyPatch) -> None:
    terminal.setenv("COLUMNS", "200")
    assert "frames/octets" in table(port_rows(small_sight()), columns.PORTS, columns.PORTS_NARROW)


def test_rows_are_json_with_all_they_hold(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, COLUMNS[:1], "none", as_json=True)
    assert json.loads(capsys.readouterr().out) == ROWS


def test_nothing_is_said_in_words_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([], COLUMNS, "none at all", as_json=False)
    print_rows([], COLUMNS, "none at all", as_json=True)
    assert capsys.readouterr().out == "none at all\n[]\n"


@pytest.mark.parametrize("quiet", [True, False])
def test_progress_without_a_terminal_is_silent(quiet: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=quiet) as step:
        step(0, 1, "make x")
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_names_what_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress(quiet=False) as step:
        step(3, 7, "make [wire]")
    said = capsys.readouterr()
    assert said.out == ""
    assert "make [wire]" in said.err
