# SPDX-License-Identifier: Apache-2.0
"""`fex bridge`: be the bridge that the cables of real hosts end at."""

from __future__ import annotations

import time
from typing import Annotated

from cyclopts import Parameter

from openfex.cli.arguments import STANDARD_INPUT, File, Flag, Json, read_text
from openfex.cli.failure import Misuse
from openfex.cli.paper import print_json

Name = Annotated[
    str | None, Parameter(name="--name", help="Which bridge of FILE; else that named as this machine, or the only one.")
]
Down = Annotated[Flag, Parameter(help="End it, and give its devices back as they were.")]


def bridge(file: File, /, *, name: Name = None, down: Down = False, json: Json = False) -> None:
    """Be a bridge of FILE's network, whose ports are devices of this machine.

    The cables of `remote` hosts end at `port` of their uplinks, network ports are
    `device`s; these are lent to a name space of the bridge. A host's ports come up
    when its agent asks for them (`fex host`); the same FILE may be given to both.

    For a service manager: it stays in the foreground, says that it is ready
    (sd_notify) when its datapath is there, and writes a JSON object a line. SIGHUP:
    read FILE again; if that cannot be, the log says why and the old goes on. SIGTERM:
    end; frames go on, and the next start takes up what it finds. `fex show ports`,
    `fex capture` and other commands look into it as into a lab of the bridge's name.

    Examples: fex bridge /etc/openfex/network.yaml --name sw-a; fex bridge FILE --down
    """
    if file == STANDARD_INPUT and not down:
        raise Misuse("standard input cannot be read again; give a file", "fex bridge")
    from openfex.lab import real_bridge

    if not down:
        real_bridge.serve(lambda: read_text(file), name)
        return
    begun = time.monotonic()
    found, removed = real_bridge.take_down(*read_text(file), name)
    duration_s = time.monotonic() - begun
    if json:
        print_json({"bridge": found, "removed": removed, "duration_s": round(duration_s, 3)})
    elif removed:
        print(f"bridge {found} is down, its devices are given back ({duration_s:.2f} s)")
    else:
        print(f"nothing is left of bridge {found}: nothing to do")
