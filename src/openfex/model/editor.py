# SPDX-License-Identifier: Apache-2.0
"""Changes of documents as text: one word is put in another's place, and everything else stays as it was written."""

from __future__ import annotations

from openfex.errors import NotFoundError, RefusedError
from openfex.model.documents import MachineSpec
from openfex.model.reader import Document, of_spec, read_documents


def replace_host(text: str, machine: str, host: str) -> str:
    """The documents with a machine on another host. Raises NotFoundError, RefusedError."""
    document, spec = _find(text, machine)
    if spec.type == "host":
        message = f"machine {machine} is its host itself"
        raise RefusedError(message, code="machine-is-host", remedy="move what runs in it")
    fixed = [name for name, nic in spec.nics.items() if nic.function is not None]
    if fixed:
        message = f"NIC {fixed[0]} of machine {machine} is told its function, which the other host does not have"
        raise RefusedError(message, code="function-fixed", remedy="take the key `function` out of the document")
    line, column = document.source.written_at(("spec", "host"))
    return _replace_word(text, line, column, spec.host, host)


def _find(text: str, machine: str) -> tuple[Document, MachineSpec]:
    for document, spec in of_spec(read_documents(text), MachineSpec):
        if document.name == machine:
            return document, spec
    raise NotFoundError(f"there is no machine {machine}", code="no-such-machine")


def _replace_word(text: str, line: int, column: int, old: str, new: str) -> str:
    lines = text.split("\n")
    before, rest = lines[line - 1][: column - 1], lines[line - 1][column - 1 :]
    quote = rest[0] if rest[:1] in {"'", '"'} else ""
    word = f"{quote}{old}{quote}"
    if not rest.startswith(word):
        raise RefusedError(f"{old} in line {line} is not written there", code="cannot-edit", remedy="use no alias")
    lines[line - 1] = f"{before}{quote}{new}{quote}{rest[len(word) :]}"
    return "\n".join(lines)
