# SPDX-License-Identifier: Apache-2.0
"""`fex import`: other people's SR-IOV configuration as documents."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from openfex.cli.arguments import ForeignFile, Json, read_text
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
