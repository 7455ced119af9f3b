# SPDX-License-Identifier: Apache-2.0
"""`fex demo` and `fex doctor`: the main job, and what this machine can do of it."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from openfex.cli.arguments import Flag, Json
from openfex.cli.paper import Column, print_json, table

COLUMNS: tuple[Column, ...] = (
    ("what", "what"),
    ("", lambda row: "good" if row["good"] else "MISSING"),
    ("needed for", "needed_for"),
)

Proofs = Annotated[str, Parameter(help="Only these proofs; all if none is named.")]
Channel = Annotated[
    Literal["vntag", "etag"] | None,
    Parameter(help="How frames are told apart on the uplink; vntag if not said."),
]
Engine = Annotated[
    Literal["kernel", "reference"] | None,
    Parameter(help="kernel: real frames through eBPF, the default where it can run; reference: the rules in Python."),
]
Keep = Annotated[Flag, Parameter(help="Leave the lab up.")]


def demo(
    *proofs: Proofs,
    channel: Channel = None,
    engine: Engine = None,
    keep: Keep = False,
    json: Json = False,
) -> int:
    """Do the main job end to end, with proofs.

    Carve adapters, bind machines, and show on real frames that what the product claims holds.

    Examples: fex demo; fex demo tcp-throughput --channel etag
    """
    from openfex.proof.demo import main

    options = [(channel, f"--channel={channel}"), (engine, f"--engine={engine}"), (keep, "--keep"), (json, "--json")]
    return main([*(text for given, text in options if given), *proofs])


def doctor(*, json: Json = False) -> int:
    """Say what this machine can and cannot do.

    And what is missing for the rest. Exit status 1 if it cannot forward frames.

    Example: fex doctor
    """
    from openfex.datapath.objects import PROGRAMS, object_path
    from openfex.errors import NotFoundError
    from openfex.lab.view.inventory import doctor_rows
    from openfex.linux.capability import probe

    found = probe()
    reasons = list(found.reasons)
    objects = ""
    try:
        for role in PROGRAMS:
            object_path(role)
    except NotFoundError as error:
        objects = str(error)
        reasons.append(f"{objects}.")
    able = found.kernel_engine and not objects
    rows = doctor_rows(found, objects)
    if json:
        print_json({"kernel_engine": able, "checks": rows, "reasons": reasons})
    else:
        print(table(rows, COLUMNS))
        print("", *reasons, sep="\n")
        print(
            "This machine can forward frames." if able else "This machine can only run `fex demo --engine reference`."
        )
    return 0 if able else 1
