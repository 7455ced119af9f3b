# SPDX-License-Identifier: Apache-2.0
"""`fex host`: keep this machine's adapters as a file says, from the start of the machine on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from openfex.cli import here
from openfex.cli.arguments import STANDARD_INPUT, File, Flag, Json, read_text
from openfex.cli.failure import REFUSED, Misuse, lines_of
from openfex.cli.paper import print_line
from openfex.errors import OpenfexError

if TYPE_CHECKING:
    from openfex.model.functions import AdapterWish
    from openfex.plan.watch import Told

Once = Annotated[Flag, Parameter(help="Apply, be ready, and end.")]
Wait = Annotated[
    float, Parameter(name="--wait", help="Seconds to wait for devices that are not there yet, and for their drivers.")
]
PATIENCE_S, MOST_PATIENCE_S = 60.0, 3600.0


def host(file: File, /, *, once: Once = False, wait: Wait = PATIENCE_S, json: Json = False) -> int:
    """Make this machine's adapters what FILE says, and keep them so.

    For a service manager: it stays in the foreground, says that it is ready
    (sd_notify) when the functions are there, and writes a line for each event; with
    --json each line is an object. SIGHUP: read FILE again. SIGTERM: end, and change nothing.

    Examples: fex host /etc/openfex/host.yaml; fex host examples/adapter.yaml --once
    """
    from openfex.adapter.keeper import Keeper
    from openfex.adapter.waking import opened

    if file == STANDARD_INPUT and not once:
        raise Misuse("standard input cannot be read again; give a file, or say --once", "fex host")
    if not 0 <= wait <= MOST_PATIENCE_S:
        raise Misuse(f"--wait is 0 to {MOST_PATIENCE_S:.0f} seconds", "fex host")
    with opened(lambda told: _write(told, json=json)) as door, here.machine() as (adapters, journal):
        try:
            Keeper(adapters, journal, door, lambda: wishes_of_file(file)).keep(once=once, patience_s=wait)
        except OpenfexError as error:
            door.notify(f"STATUS=failed: {error}")
            if not json:
                raise
            print(*lines_of(error), sep="\n", file=sys.stderr)
            print_line({"event": "failed", "object": None, "what": str(error), **error.describe()})
            return REFUSED
    return 0


def wishes_of_file(file: str) -> list[AdapterWish]:
    """What a file asks of adapters. Raises InputError where it is about something else, DocumentError."""
    from openfex.errors import InputError
    from openfex.model.reader import read_documents

    text, name = read_text(file)
    reading = read_documents(text, name)
    wishes = here.wishes_in(reading) if reading.problems or here.is_about_here(reading) else []
    if not wishes:
        remedy = "`fex host` keeps documents of kind adapter with `driver: sriov`, and no others"
        raise InputError(f"{name} is not only about this machine's adapters", code="not-for-host", remedy=remedy)
    return wishes


def _write(told: Told, *, json: bool) -> None:
    if json:
        line = {"event": told.event, "object": told.about or None, "what": told.words, **told.more}
        print_line(line)
    else:
        print_line(" ".join(part for part in (f"{told.event}:", told.about, told.words) if part))
