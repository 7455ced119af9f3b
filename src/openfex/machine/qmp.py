# SPDX-License-Identifier: Apache-2.0
"""Door to the monitor of a QEMU: its machine protocol (QMP), by the library of QEMU's own developers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from qemu.qmp import QMPClient, QMPError

from openfex.errors import NotFoundError

DEADLINE_S = 10.0


def read_status(socket: Path) -> str:
    """What QEMU says of its guest: `running`, `paused`, `internal-error` and so on. Raises NotFoundError."""
    return asyncio.run(_read_status(socket))


def reset(socket: Path) -> None:
    """Press the guest's reset button; returns when it has been let go. Raises NotFoundError."""
    asyncio.run(_reset(socket))


@asynccontextmanager
async def _monitor(socket: Path) -> AsyncIterator[QMPClient]:
    client = QMPClient("openfex")
    try:
        async with asyncio.timeout(DEADLINE_S):
            await client.connect(str(socket))
            yield client
    except (QMPError, TimeoutError) as cause:
        remedy = "start it again with `fex lab up FILE`"
        raise NotFoundError(f"QEMU does not answer: {cause}", code="guest-not-running", remedy=remedy) from cause
    finally:
        with suppress(EOFError, QMPError):  # QEMU may have ended first
            await client.disconnect()


async def _read_status(socket: Path) -> str:
    async with _monitor(socket) as client:
        found = await client.execute("query-status")
        return str(found["status"]) if isinstance(found, dict) else "unknown"


async def _reset(socket: Path) -> None:
    async with _monitor(socket) as client:
        with client.listener("RESET") as events:
            await client.execute("system_reset")
            await events.get()
