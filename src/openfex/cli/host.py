# SPDX-License-Identifier: Apache-2.0
"""`fex host`: keep this machine's adapters as a file says, from the start of the machine on."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from openfex.cli import here
from openfex.cli.arguments import STANDARD_INPUT, File, Flag, Json, read_text
from openfex.cli.failure import REFUSED, Misuse, lines_of
from openfex.cli.paper import print_line
from openfex.errors import OpenfexError

if TYPE_CHECKING:
    from pathlib import Path

    from openfex.host.real import Asked
    from openfex.model.functions import AdapterWish
    from openfex.model.reader import Reading
    from openfex.plan.watch import Told

Once = Annotated[Flag, Parameter(help="Apply, be ready, and end.")]
Wait = Annotated[
    float, Parameter(name="--wait", help="Seconds to wait for devices that are not there yet, and for their drivers.")
]
Name = Annotated[
    str | None, Parameter(name="--name", help="Which host of a network's FILE; else that named as this machine.")
]
PATIENCE_S, MOST_PATIENCE_S = 60.0, 3600.0


def host(file: File, /, *, name: Name = None, once: Once = False, wait: Wait = PATIENCE_S, json: Json = False) -> int:
    """Make this machine's adapters what FILE says, and keep them so.

    FILE is about adapters, or about a network that this machine is a `remote` host
    of: then it also speaks to the bridge at its cable (`fex bridge`), over the PF's
    device, and each function has the S-channel and the link that these agree on.

    For a service manager: it stays in the foreground, says that it is ready
    (sd_notify) when the functions are there, and writes a line for each event; with
    --json each line is an object. SIGHUP: read FILE again. SIGTERM: end, and change nothing.

    Examples: fex host /etc/openfex/host.yaml; fex host examples/adapter.yaml --once
    """
    from openfex.adapter.keeper import Keeper
    from openfex.adapter.waking import opened
    from openfex.host.real import RealHost

    if file == STANDARD_INPUT and not once:
        raise Misuse("standard input cannot be read again; give a file, or say --once", "fex host")
    if not 0 <= wait <= MOST_PATIENCE_S:
        raise Misuse(f"--wait is 0 to {MOST_PATIENCE_S:.0f} seconds", "fex host")

    def tell(told: Told) -> None:
        _write(told, json=json)

    with (
        here.machine() as (adapters, journal),
        closing(RealHost(adapters, lambda: asked_of(file, name, journal.folder.parent), tell)) as real,
        opened(tell, real.sleep) as door,
    ):
        real.keeper = Keeper(adapters, journal, door, real.wishes, taken=real.begin, looked=real.see)
        try:
            real.keeper.keep(once=once, patience_s=wait)
        except OpenfexError as error:
            door.notify(f"STATUS=failed: {error}")
            if not json:
                raise
            print(*lines_of(error), sep="\n", file=sys.stderr)
            print_line({"event": "failed", "object": None, "what": str(error), **error.describe()})
            return REFUSED
    return 0


def asked_of(file: str, name: str | None, folder: Path) -> Asked:
    """What a file asks of adapters here, or of this machine as a host of a network. Raises InputError, DocumentError.

    `folder`: where it is kept what a network's host has given.
    """
    from openfex.host.real import Asked
    from openfex.model.reader import read_documents
    from openfex.plan.parts import choose_node, remotes_of

    reading = read_documents(*read_text(file))
    hosts = remotes_of(reading)
    if not hosts:
        return Asked(wishes_in(reading))
    return _lay_out(reading, choose_node("host", hosts, name, os.uname().nodename), folder)


def _lay_out(reading: Reading, host: str, folder: Path) -> Asked:
    """The network, by what this host has given before. Raises DocumentError, InputError, RefusedError."""
    from openfex.adapter.given import FILE, read_given, write_given
    from openfex.errors import InputError
    from openfex.host.real import Asked
    from openfex.plan.adapters import real_adapters
    from openfex.plan.allotment import allotment_of
    from openfex.plan.layout import lay_out
    from openfex.plan.schannels import wishes_for
    from openfex.plan.wishes import joined, wishes_of

    layout = lay_out(reading, read_given(folder / FILE), ())
    wishes = list(wishes_for(layout, host))
    if not layout.host(host).adapters:
        remedy = f"write one: `kind: adapter`, with `host: {host}` and `driver: sriov`"
        raise InputError(f"host {host} of {reading.file} has no adapter", code="not-for-host", remedy=remedy)
    write_given(folder / FILE, allotment_of(layout))
    said = [wishes_of(document.name, spec)[0] for document, spec in real_adapters(reading)]
    if not layout.host(host).has_agent:
        return Asked(joined(said, wishes))
    return Asked(said, layout, host)


def wishes_in(reading: Reading) -> list[AdapterWish]:
    """What documents ask of adapters. Raises InputError where they are about something else, DocumentError."""
    from openfex.errors import InputError

    wishes = here.wishes_in(reading) if reading.problems or here.is_about_here(reading) else []
    if not wishes:
        remedy = "`fex host` keeps documents of kind adapter with `driver: sriov`, or a network with a `remote` host"
        raise InputError(
            f"{reading.file} is not only about this machine's adapters", code="not-for-host", remedy=remedy
        )
    return wishes


def _write(told: Told, *, json: bool) -> None:
    if json:
        line = {"event": told.event, "object": told.about or None, "what": told.words, **told.more}
        print_line(line)
    else:
        print_line(" ".join(part for part in (f"{told.event}:", told.about, told.words) if part))
