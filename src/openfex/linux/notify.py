# SPDX-License-Identifier: Apache-2.0
"""Door to the service manager: sd_notify(3), one datagram of lines `KEY=VALUE` to the socket of $NOTIFY_SOCKET."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from openfex.linux.border import crossing

VARIABLE = "NOTIFY_SOCKET"
_ABSTRACT = "@"


def notify(lines: Sequence[str], target: str | None = None) -> bool:
    """Tell who has started us: `READY=1`, `STATUS=...`. False if nobody wants to know. Raises KernelError.

    `target` is a path, or after `@` an abstract name; without it, what the environment says.
    """
    place = os.environ.get(VARIABLE, "") if target is None else target
    if not place.startswith(("/", _ABSTRACT)):
        return False
    address = f"\0{place[1:]}" if place.startswith(_ABSTRACT) else place
    told = "\n".join(" ".join(line.split("\n")) for line in lines).encode()
    with crossing(f"tell the service manager at {place}"):
        door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        with door:
            door.sendto(told, address)
    return True
