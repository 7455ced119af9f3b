# SPDX-License-Identifier: Apache-2.0
"""What is printed: rows as a table for people or as JSON for programs, and progress on a terminal."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Row = Mapping[str, object]
Column = tuple[str, str | Callable[[Row], object]]
"""A heading, and the key of the row or a function of it."""

LEFT_OUT_IF_EMPTY = frozenset({"note", "difference", "missing", "policy"})
"""Columns that say what is not as usual."""
AS_WIDE_AS_NEEDED = 100_000
Columns = Sequence[Column]
Progress = Callable[[int, int, object], None]


def print_json(value: object, *, one_line: bool = False) -> None:
    """A value as JSON."""
    print(json.dumps(value, indent=None if one_line else 2))


def print_line(value: object) -> None:
    """A line of a log, at once: a text without what a terminal would obey, or a value as JSON."""
    text = "".join(one if one.isprintable() else " " for one in value) if isinstance(value, str) else json.dumps(value)
    print(text, flush=True)


def print_rows(rows: Sequence[Row], columns: Columns, nothing: str, *, as_json: bool, narrow: Columns = ()) -> None:
    """Rows as JSON, with all they hold, or as a table of the columns; `nothing` is said when there are none."""
    if as_json:
        print_json(rows)
    else:
        print(table(rows, columns, narrow) if rows else nothing)


def cell_text(value: object) -> str:
    """A value in a table."""
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return str(value)


def table(rows: Sequence[Row], columns: Columns, narrow: Columns = ()) -> str:
    """A table: as wide as it needs to be, or if a terminal is not, of the `narrow` columns and folded."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    room = shutil.get_terminal_size()
    width = room.columns if terminal else AS_WIDE_AS_NEEDED
    paper = StringIO()
    console = Console(
        file=paper,
        width=width,
        height=room.lines,  # without it rich takes a dumb terminal to be 80 columns wide
        force_terminal=terminal,
        markup=False,
        emoji=False,
        highlight=False,
    )
    drawn = _draw(rows, columns)
    if terminal and narrow and _natural_width(drawn, console) > width:
        drawn = _draw(rows, narrow)
    console.print(drawn)
    return "\n".join(line.rstrip() for line in paper.getvalue().rstrip("\n").split("\n"))


def _natural_width(drawn: Table, console: Console) -> int:
    options = console.options.update(max_width=AS_WIDE_AS_NEEDED)
    return console.measure(drawn, options=options).maximum


def _draw(rows: Sequence[Row], columns: Columns) -> Table:
    from rich.table import Table

    columns = [one for one in columns if one[0] not in LEFT_OUT_IF_EMPTY or any(_value(row, one[1]) for row in rows)]
    values = [[_value(row, source) for _, source in columns] for row in rows]
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, (heading, _) in enumerate(columns):
        numbers = any(type(line[index]) is int for line in values)
        drawn.add_column(heading, justify="right" if numbers else "left", overflow="fold")
    for line in values:
        drawn.add_row(*map(cell_text, line))
    return drawn


def _value(row: Row, source: str | Callable[[Row], object]) -> object:
    return row.get(source) if isinstance(source, str) else source(row)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """A bar on stderr if that is a terminal; it is gone when the work is done."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total, what: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking", total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=str(what))
