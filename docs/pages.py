# SPDX-License-Identifier: Apache-2.0
"""What of docs/ is made from the sources: tables of the reference, and the JSON Schema of a document.

`nox -s pages` writes them. A block of a page that is made begins with `<!-- made: NAME -->` and ends with
`<!-- end -->`; a test holds all of it current.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from openfex.datapath.budget import BUDGETS
from openfex.formats.catalogue import FORMATS
from openfex.formats.report import CODES
from openfex.model.reference import all_below, kind_key
from openfex.model.schema import document_schema
from openfex.model.written import VALUES
from openfex.protocol.ecp_tables import RECEIVING, SENDING
from openfex.protocol.table import Table
from openfex.protocol.vdp_tables import BRIDGE, STATION

REFERENCE = Path(__file__).resolve().parent / "reference"
PAGES = tuple(REFERENCE / f"{name}.md" for name in ("documents", "programs", "formats", "ecp", "vdp"))
SCHEMA = REFERENCE / "document.schema.json"
BLOCK = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


def code(words: Iterable[str]) -> str:
    """Words as code, with commas."""
    return ", ".join(f"`{word}`" for word in words)


def keys_table(kind: str) -> str:
    """The keys of a kind, however deep."""
    rows = []
    for key in all_below(kind_key(kind)):
        plain = " " in key.default or key.default in ("required", "none", "any")
        default = key.default if plain else f"`{key.default}`"
        rows.append((f"`{key.path.removeprefix(f'{kind}.')}`", key.type.words, default, key.meaning))
    return table(("key", "type", "default", "meaning"), rows)


def values_table() -> str:
    """The kinds of values."""
    rows = [(value.name, value.form, code(value.examples), code(value.codes)) for value in VALUES]
    return table(("type", "what", "examples", "code if wrong"), rows)


def budgets_table() -> str:
    """What the programs may cost the verifier."""
    rows = [(f"`{name}`", f"{one.steps:,}", str(one.stack)) for name, one in BUDGETS.items()]
    return table(("program", "steps at most", "octets of stack at most"), rows)


def format_table(name: str) -> str:
    """What the keys of another format are here."""
    rows = []
    for key in FORMATS[name].keys:
        theirs = key.theirs if key.theirs.startswith("any other") else f"`{key.theirs}`"
        rows.append((theirs, key.ours, f"{key.why} (`{key.code}`)" if key.code else ""))
    return table(("key there", "key here", "not carried over"), rows)


def notes_table() -> str:
    """What the notes of an import or export mean."""
    return table(("code", "means"), [(f"`{code}`", meaning) for code, meaning in CODES.items()])


MACHINES: dict[str, Table[Any, Any, Any]] = {
    "vdp_station": STATION,
    "vdp_bridge": BRIDGE,
    "ecp_sending": SENDING,
    "ecp_receiving": RECEIVING,
}


def machine_table(name: str) -> str:
    """A state machine: its diagram, and what happens in which state on which event, with the test that shows it."""
    found = MACHINES[name]
    arrows = [f"    {one.state.name} --> {one.next.name}: {one.event.value}" for one in found.transitions]
    drawn = "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {found.start.name}", *arrows, "```"])
    told = found.transitions
    rows = [(one.state.value, one.event.value, one.action.value, one.next.value, f"`{one.test}`") for one in told]
    return f"{drawn}\n\n" + table(("in", "when", "it does", "then", "shown by"), rows)


def format_tables() -> dict[str, Callable[[], str]]:
    """The blocks of formats.md."""
    made = {f"format_{name.replace('-', '_')}": partial(format_table, name) for name in FORMATS}
    return {**made, "format_notes": notes_table}


def block(name: str) -> str:
    """What stands in a block: a table of its own, or that of a kind's keys."""
    machines = {name: partial(machine_table, name) for name in MACHINES}
    tables: dict[str, Callable[[], str]] = {
        "values": values_table,
        "budgets": budgets_table,
        **machines,
        **format_tables(),
    }
    return tables[name]() if name in tables else keys_table(name.replace("_", "-"))


def page(text: str) -> str:
    """A page with its blocks as they have to be."""
    return BLOCK.sub(lambda found: found[1] + block(found[2]) + found[3], text)


def schema() -> str:
    """The JSON Schema as it is written."""
    return json.dumps(document_schema(), indent=2) + "\n"


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(page(path.read_text()))
    SCHEMA.write_text(schema())
