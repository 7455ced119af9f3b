# SPDX-License-Identifier: Apache-2.0
"""Cases of bad documents, read from tests/data/problems: what is wrong with them, line by line as it is printed.

A case is a title behind `===`, a text of documents, and behind `=>` each line that is expected. Good documents are put
behind those of the case, so that it shows only what is wrong; but not those that it writes itself, by kind and name,
nor what it wants to be `without:`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openfex.cli.failure import lines_of
from openfex.errors import DocumentError
from openfex.model.reader import read_documents
from openfex.plan.layout import lay_out

FOLDER = Path(__file__).resolve().parents[2] / "data" / "problems"
GOOD = {
    "network lab": "{bridges: {sw-a: {ports: [up0, up1]}, sw-b: {fabric: b, ports: [up0]}}}",
    "profile web": "{vlan: {access: 10}}",
    "profile router": '{vlan: {trunk: {allowed: "10,20-29", native: 10}}}',
    "host h1": "{channel: vntag, uplinks: {a: {device: up-a, bridge: sw-a}, b: {device: up-b, bridge: sw-b}}}",
    "host h2": "{channel: etag, uplinks: {a: {device: up-a, bridge: sw-a}}}",
    "adapter h1-nic0": "{host: h1, model: vic-1280, functions: 4, storage: 2}",
    "adapter h2-nic0": "{host: h2, model: 82599, functions: 2}",
}
"""Specs by kind and name."""


@dataclass(frozen=True)
class Case:
    """Documents that are wrong, and what is said of them."""

    title: str
    text: str
    expected: tuple[str, ...]


def cases(path: Path) -> Iterator[Case]:
    """The cases of a file."""
    for part in path.read_text().split("\n=== ")[1:]:
        title, _, rest = part.partition("\n")
        lines = rest.rstrip("\n").split("\n")
        text = "\n".join(line for line in lines if not line.startswith("=> "))
        yield Case(title, text, tuple(line.removeprefix("=> ") for line in lines if line.startswith("=> ")))


def completed(text: str) -> str:
    """The documents of a case, and the good ones behind them."""
    left_out = set(re.findall(r"^without: (.*)$", text, re.MULTILINE))
    text = re.sub(r"^without: .*\n?", "", text, flags=re.MULTILINE)
    written = {" ".join(pair) for pair in re.findall(r"^kind: (\S+)\nname: [\"']?([^\s\"']+)", text, re.MULTILINE)}
    rest = {name: spec for name, spec in GOOD.items() if name not in written | left_out}
    documents = [f"kind: {name.split()[0]}\nname: {name.split()[1]}\nspec: {spec}\n" for name, spec in rest.items()]
    return "\n---\n".join([text.strip("\n") if text.strip() else "", *documents])


def told(text: str, file: str = "lab.yaml") -> list[str]:
    """What `fex plan` says of documents, line by line; nothing if they are good."""
    try:
        lay_out(read_documents(text, file))
    except DocumentError as error:
        return lines_of(error)
    return []
