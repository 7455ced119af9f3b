# SPDX-License-Identifier: Apache-2.0
"""`fex plan` and `fex apply`."""

from __future__ import annotations

from openfex.cli import lab
from openfex.cli.arguments import File, Json, read_text
from openfex.cli.paper import Column, print_json, table

COLUMNS: tuple[Column, ...] = (("step", "step"), ("do", "verb"), ("what", "what"), ("difference", "difference"))


def plan(file: File, /, *, json: Json = False) -> None:
    """Show what `apply FILE` would do, and do nothing.

    Example: fex plan examples/two-hosts.yaml
    """
    from openfex.lab import lab as labs
    from openfex.lab.view.plan import counts, operation_rows

    report = labs.plan(*read_text(file))
    rows, found = operation_rows(report.operations), counts(report.operations)
    if json:
        print_json({"lab": report.layout.lab, **found, "operations": rows})
    elif not rows:
        print(f"lab {report.layout.lab} is as wanted: nothing to do")
    else:
        print(table(rows, COLUMNS))
        print(f"\nto be {', '.join(f'{word}: {count}' for word, count in found.items())}")


def apply(file: File, /, *, json: Json = False) -> None:
    """Make this machine what FILE says.

    For now this is the same as `fex lab up`: FILE is a lab.

    Example: fex apply examples/two-hosts.yaml
    """
    lab.up(file, json=json)
