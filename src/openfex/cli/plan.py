# SPDX-License-Identifier: Apache-2.0
"""`fex plan` and `fex apply`: of a lab, or of this machine's real adapters. The documents of FILE say which."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from openfex.cli import here, lab, storage
from openfex.cli.arguments import File, Flag, Json, read_text
from openfex.cli.failure import Misuse
from openfex.cli.paper import Column, print_json, table

COLUMNS: tuple[Column, ...] = (("step", "step"), ("do", "verb"), ("what", "what"), ("difference", "difference"))
Force = Annotated[Flag, Parameter(help="Real adapters only: also where a function is in use, whose holder loses it.")]


def plan(file: File, /, *, force: Force = False, json: Json = False) -> None:
    """Show what `apply FILE` would do, and do nothing.

    Examples: fex plan examples/two-hosts.yaml; fex plan examples/adapter.yaml
    """
    from openfex.lab import lab as labs
    from openfex.lab.view.plan import counts, operation_rows
    from openfex.model.reader import read_documents

    text, name = read_text(file)
    reading = read_documents(text, name)
    if storage.is_about_storage(reading):
        storage.plan_storage(reading, force=force, json=json)
        return
    if here.is_about_here(reading):
        here.plan_here(reading, force=force, json=json)
        return
    _no_force(force, "fex plan")
    report = labs.plan(text, name)
    rows, found = operation_rows(report.operations), counts(report.operations)
    if json:
        print_json({"lab": report.layout.lab, **found, "operations": rows})
    elif not rows:
        print(f"lab {report.layout.lab} is as wanted: nothing to do")
    else:
        print(table(rows, COLUMNS))
        print(f"\nto be {', '.join(f'{word}: {count}' for word, count in found.items())}")


def apply(file: File, /, *, force: Force = False, json: Json = False) -> None:
    """Make this machine what FILE says.

    FILE is a lab, then this is the same as `fex lab up`; or it holds only
    documents of real adapters (`driver: sriov`, or `driver: nvme`), then these are changed.

    Examples: fex apply examples/two-hosts.yaml; fex apply examples/adapter.yaml
    """
    from openfex.model.reader import read_documents

    text, name = read_text(file)
    reading = read_documents(text, name)
    if storage.is_about_storage(reading):
        storage.apply_storage(reading, force=force, json=json)
        return
    if here.is_about_here(reading):
        here.apply_here(reading, force=force, json=json)
        return
    _no_force(force, "fex apply")
    lab.bring_up(text, name, json=json)


def _no_force(force: bool, command: str) -> None:
    if force:
        raise Misuse("--force is for real adapters, this file is a lab", command)
