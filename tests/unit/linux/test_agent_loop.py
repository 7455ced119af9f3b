# SPDX-License-Identifier: Apache-2.0
"""What agents live behind: what is watched beside uplinks takes no more than a part of the time."""

from __future__ import annotations

import asyncio
import os
import time

from openfex.linux.agent_loop import REST, AgentLoop

TAKES_S, TIMES = 0.002, 5


def test_what_never_ends_is_read_with_a_rest_behind_each_time() -> None:
    source, end = os.pipe()
    os.write(end, b"x")  # which nobody takes: there is always something to read
    began: list[float] = []

    async def run() -> None:
        loop, done = AgentLoop(), asyncio.Event()

        def act() -> None:
            began.append(time.monotonic())
            time.sleep(TAKES_S)
            if len(began) == TIMES:
                done.set()

        loop.watch(source, act)
        await asyncio.wait_for(done.wait(), 10)
        loop.close()
        await asyncio.sleep(2 * REST * TAKES_S)

    asyncio.run(run())
    for one in (source, end):
        os.close(one)
    assert len(began) == TIMES, "and behind `close` no more"
    assert began[-1] - began[0] >= (TIMES - 1) * (1 + REST) * TAKES_S
