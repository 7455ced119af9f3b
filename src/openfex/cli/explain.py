# SPDX-License-Identifier: Apache-2.0
"""`fex explain`: what a document may say, key by key."""

from __future__ import annotations

from textwrap import fill, indent
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from openfex.cli.arguments import Flag, Json
from openfex.cli.paper import Column, Row, print_json, table

if TYPE_CHECKING:
    from openfex.model.reference import Key

What = Annotated[
    str | None,
    Parameter(name="KIND", metavar="KIND[.KEY]", help="A kind of document, or one of its keys: machine.nics.NIC.mtu."),
]
Schema = Annotated[Flag, Parameter(help="Print the JSON Schema of a document instead, for editors.")]

WIDTH = 80
KINDS: tuple[Column, ...] = (("kind", "kind"), ("what", "meaning"))
KEYS: tuple[Column, ...] = (("key", "key"), ("type", "type"), ("default", "default"))


def explain(what: What = None, /, *, schema: Schema = False, json: Json = False) -> None:
    """Say what a document may hold: its keys, what they mean, their defaults.

    Without KIND: which kinds of documents there are.

    Examples: fex explain machine; fex explain machine.nics.NIC.pin
    """
    from openfex.model.documents import SPECS
    from openfex.model.reference import find_key, kind_key
    from openfex.model.schema import document_schema

    if schema:
        print_json(document_schema())
    elif what is None:
        rows = [{"kind": kind, "meaning": kind_key(kind).meaning} for kind in SPECS]
        if json:
            print_json(rows)
        else:
            print(table(rows, KINDS))
            print("\n`fex explain KIND` lists the keys of a kind, `fex explain KIND.KEY` explains one.")
    elif json:
        print_json(_view(find_key(what)))
    else:
        print(*_lines(find_key(what)), sep="\n")


def _view(key: Key) -> Row:
    """A key, and those below it, whole."""
    return {
        "path": key.path,
        "meaning": _plain(key.meaning),
        "type": _plain(key.type.words),
        "form": _plain(key.type.form),
        "choices": list(key.type.choices),
        "required": key.required,
        "default": None if key.required else _plain(key.default),
        "examples": list(key.examples),
        "keys": [_view(one) for one in key.inner],
    }


def _lines(key: Key) -> list[str]:
    from openfex.model.kinds import FORMS
    from openfex.model.reference import all_below, kind_example

    parts = [key.path, _folded(_plain(key.meaning), "  ")]
    if key.examples:
        form = f": {key.type.form}" if key.type.form else ""
        facts = [("type", _plain(key.type.words + form)), ("default", "none, it is required" if key.required else "")]
        facts = [(name, text or _plain(key.default)) for name, text in facts]
        facts += [("example", f"{key.name}: {one}") for one in key.examples]
        parts.append("\n".join(_folded(text, f"  {name:<9}") for name, text in facts))
    rows = [
        {"key": one.path.removeprefix(f"{key.path}."), "type": _plain(one.type.words), "default": _plain(one.default)}
        for one in all_below(key)
    ]
    if rows:
        parts.append(table(rows, KEYS))
    if key.path in FORMS:
        parts.append("For example:\n\n" + indent(kind_example(key.path), "  ").rstrip())
    return "\n\n".join(parts).split("\n")


def _folded(text: str, head: str) -> str:
    return fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)


def _plain(text: str) -> str:
    """Without the marks of the pages."""
    return text.replace("`", "")
