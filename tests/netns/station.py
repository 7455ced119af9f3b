# SPDX-License-Identifier: Apache-2.0
"""A host's agent at the far end of a cable, without the host: `python -m tests.netns.station FILE HOST DEVICE`.

What it would write is written at once. Its log is a JSON object a line; it ends with SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from openfex.host.agent import HostAgent, WriteHost
from openfex.linux.agent_loop import AgentLoop
from openfex.linux.control_wire import ControlWire, settings_of
from openfex.linux.netlink import Netlink
from openfex.model.layout import Layout
from openfex.model.reader import read_documents
from openfex.plan.layout import lay_out
from openfex.protocol.evb import EvbSettings
from openfex.protocol.output import Log
from openfex.protocol.uplink import station_end
from openfex.wire.evb import EvbMode


async def serve(layout: Layout, name: str, device: str) -> None:
    host, [uplink] = layout.host(name), layout.host(name).uplinks
    with Netlink() as here:
        mac = here.link(device).mac
    settings = settings_of(name, device, mac, EvbSettings.of(EvbMode.STATION, layout.signalling))
    end = station_end(settings, s_channels=host.kind.is_schannel)
    agent = HostAgent(host, layout.bindings_on(name), {uplink.host_link: end})
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)

    loop = AgentLoop()

    def perform(effect: object) -> Iterable[object]:
        if isinstance(effect, Log):
            print(json.dumps(asdict(effect)), flush=True)
        return agent.written(loop.now()) if isinstance(effect, WriteHost) else ()

    loop.add(agent, {uplink.host_link: ControlWire(device)}, perform)
    await ended.wait()


if __name__ == "__main__":
    path, node, cable = sys.argv[1:]
    asyncio.run(serve(lay_out(read_documents(Path(path).read_text(), path), None, ()), node, cable))
