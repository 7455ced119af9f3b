# SPDX-License-Identifier: Apache-2.0
"""`fex import` and `fex export`: other people's SR-IOV configuration as documents, and back."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from openfex.cli.arguments import File, ForeignFile, Json, read_text
from openfex.cli.paper import print_json

FORMATS = """\
Formats:

  systemd                 .link and .network files
  networkmanager          keyfiles
  netplan, nmstate        YAML
  sriov-network-operator  SriovNetworkNodePolicy and SriovNetwork"""

Format = Annotated[
    str | None, Parameter(name="--from", metavar="FORMAT", help="What FILE is; by itself this is seen in most files.")
]

To = Annotated[str, Parameter(name="--to", metavar="FORMAT", help="systemd or nmstate.")]


def import_(file: ForeignFile, /, *, format_: Format = None, json: Json = False) -> None:
    """Print what FILE of another program asks of adapters, as documents.

    What is not carried over is told on stderr, each key with the reason. FILE is not changed, and nothing is applied.

    Example: fex import /etc/systemd/network/10-eno1.link > eno1.yaml
    """
    from openfex.formats.catalogue import find_format, recognise
    from openfex.formats.document import document, write_document

    named = find_format(format_) if format_ else None
    text, name = read_text(file)
    form = named or recognise(text, name)
    found = form.read(text, name)
    if json:
        notes = [note.describe() for note in found.notes]
        print_json({"format": form.name, "documents": [document(wish) for wish in found.wishes], "notes": notes})
    else:
        print("---\n".join(write_document(wish) for wish in found.wishes), end="")
    for note in found.notes:
        print(f"fex: {note.told(name)}", file=sys.stderr)


def export(file: File, /, *, to: To, json: Json = False) -> None:
    """Print the real adapters of FILE in the words of another program.

    Each file that it takes is printed behind its name. What the other program
    has no words for is told on stderr. Documents of other kinds are left out.

    Example: fex export examples/adapter.yaml --to systemd
    """
    from openfex.errors import DocumentError, InputError
    from openfex.formats.catalogue import find_writer
    from openfex.formats.writing import together
    from openfex.model.reader import read_documents
    from openfex.model.real import SriovSpec
    from openfex.plan.wishes import wishes_of

    write = find_writer(to)
    text, name = read_text(file)
    reading = read_documents(text, name)
    if reading.problems:
        raise DocumentError(reading.problems)
    wishes = [wish for one in reading if isinstance(one.spec, SriovSpec) for wish in wishes_of(one.name, one.spec)]
    if not wishes:
        remedy = "write an adapter with `driver: sriov`"
        raise InputError(f"{name} has no real adapters", code="nothing-to-export", remedy=remedy)
    found = write(*together(wishes, to))
    if json:
        files = [{"name": one.name, "text": one.text} for one in found.files]
        print_json({"format": to, "files": files, "notes": [note.describe() for note in found.notes]})
    else:
        print("\n".join(f"# {one.name}\n{one.text}" for one in found.files), end="")
    for note in found.notes:
        print(f"fex: {note.told(name)}", file=sys.stderr)
