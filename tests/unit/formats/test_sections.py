# SPDX-License-Identifier: Apache-2.0
"""Files of sections: what repeats, what goes on, what is a comment."""

from __future__ import annotations

import pytest

from openfex.formats.sections import KEYFILE, SYSTEMD, Dialect, read_sections

Flat = list[tuple[str, int, list[tuple[str, str, int]]]]


def flat(text: str, dialect: Dialect) -> Flat:
    found = read_sections(text, dialect).sections
    return [(one.name, one.line, [(entry.key, entry.value, entry.line) for entry in one.entries]) for one in found]


def test_sections_and_keys_that_repeat_are_all_there() -> None:
    text = "[A]\nx=1\nx=2\n[B]\n[A]\nx = 3\n"
    assert flat(text, SYSTEMD) == [("A", 1, [("x", "1", 2), ("x", "2", 3)]), ("B", 4, []), ("A", 5, [("x", "3", 6)])]


def test_a_line_goes_on_behind_a_backslash_past_comments() -> None:
    text = "[A]\nx=1 \\\n; no\n# no\n  2\\\n\ny=3\n"
    assert flat(text, SYSTEMD) == [("A", 1, [("x", "1  2", 2), ("y", "3", 7)])]


def test_an_escaped_backslash_ends_its_line() -> None:
    assert flat("[A]\nx=1\\\\\ny=2\n", SYSTEMD) == [("A", 1, [("x", "1\\\\", 2), ("y", "2", 3)])]


def test_the_last_line_may_want_to_go_on() -> None:
    assert flat("[A]\nx=1\\", SYSTEMD) == [("A", 1, [("x", "1", 2)])]


def test_keyfiles_know_other_comments_and_escapes() -> None:
    text = "[A]\n# no\nx=a\\sb\\\\\n"
    assert flat(text, KEYFILE) == [("A", 1, [("x", "a b\\", 3)])]
    assert read_sections("[A]\n;x\n", KEYFILE).bad == ((2, ";x"),)


def test_values_may_hold_what_begins_other_lines() -> None:
    assert flat("[A]\nx=[b] # = ;\n", SYSTEMD) == [("A", 1, [("x", "[b] # = ;", 2)])]


@pytest.mark.parametrize("line", ["x", "=1", "[A", "[A=1", "  =  "])
def test_lines_of_no_such_file_are_told(line: str) -> None:
    assert read_sections(f"[S]\n{line}\ny=1\n", SYSTEMD).bad == ((2, line.strip()),)


def test_an_assignment_before_any_section_is_told() -> None:
    assert read_sections("\ufeffx=1\n[A]\r\ny=2\r\n", SYSTEMD).bad == ((1, "x=1"),)
