# SPDX-License-Identifier: Apache-2.0
"""lldpd and lldpcli, another's LLDP agent: it and ours know each other as neighbours, in two scopes.

It gives up its rights for a user of its own, whom this machine does not have: so it sees other lists of users.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openfex.linux import netns
from openfex.protocol.evb import EvbSettings
from openfex.protocol.lldp import GoneReason, LldpAgent, LldpSettings, NeighbourGone, NeighbourSeen
from openfex.protocol.uplink import station_end
from openfex.wire.evb import EvbMode
from openfex.wire.lldp import ChassisId, PortId, system_name
from openfex.wire.tlv import NEAREST_BRIDGE
from tests.interop.debian import Programs, in_private, programs_of
from tests.interop.lldpad import DEVICE, OURS, PEER, SYSTEM_NAME, THEIRS, mac_of, uplink_settings
from tests.interop.pump import End, Pump

pytestmark = [pytest.mark.root, pytest.mark.interop, pytest.mark.slow, pytest.mark.usefixtures("cable")]

NAME = "other-host"
USER = "_lldpd"
ID = 64999


def agent() -> LldpAgent:
    mac = mac_of(OURS, DEVICE)
    settings = LldpSettings(mac, ChassisId.of_mac(mac), PortId.of_interface(DEVICE), NEAREST_BRIDGE)
    return LldpAgent(settings, [system_name(SYSTEM_NAME)])


SCOPES: dict[str, Callable[[], End]] = {
    "nearest-bridge": agent,
    "nearest-customer-bridge": lambda: station_end(uplink_settings(EvbSettings(EvbMode.STATION))),
}


@dataclass(frozen=True)
class Lldpd:
    """One that runs."""

    programs: Programs
    process: subprocess.Popen[bytes]
    socket: Path

    def neighbours(self) -> list[str]:
        """The words that ask it for its neighbours, as JSON."""
        return self.programs.command("usr/sbin/lldpcli", "-u", str(self.socket), "-f", "json0", "show", "neighbors")


@contextmanager
def lldpd(programs: Programs, folder: Path, scope: str) -> Iterator[Lldpd]:
    """One on the cable's other end, which speaks once a second."""
    (folder / "run" / "lldpd").mkdir(parents=True)
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + f"{USER}:x:{ID}:{ID}::/run/lldpd:/bin/false\n")
    (folder / "group").write_text(Path("/etc/group").read_text() + f"{USER}:x:{ID}:\n")
    config, socket = folder / "lldpd.conf", folder / "socket"
    words = (f"lldp agent-type {scope}", "lldp tx-interval 1", f"system hostname {NAME}")
    config.write_text("".join(f"configure {one}\n" for one in words))
    client = str(programs.root / "usr/sbin/lldpcli")
    options = ("-d", "-I", PEER, "-u", str(socket), "-L", client, "-O", str(config))
    places = {"run": "/run", "passwd": "/etc/passwd", "group": "/etc/group"}
    command = in_private(
        [(folder / ours, place) for ours, place in places.items()], programs.command("usr/sbin/lldpd", *options)
    )
    with (folder / "log").open("wb") as log:
        process = netns.spawn(THEIRS, command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield Lldpd(programs, process, socket)
        finally:
            for pid in netns.processes(THEIRS):
                os.kill(pid, signal.SIGKILL)
            process.wait()


@dataclass
class Acquaintance:
    """lldpd at one end of the cable, and we at the other."""

    peer: Lldpd
    pump: Pump[End]

    def neighbours(self) -> list[dict[str, Any]]:
        """Whom lldpd knows, as lldpcli shows them."""
        done = self.pump.run(THEIRS, self.peer.neighbours())
        assert done.returncode == 0, done.stdout
        return [one for found in json.loads(done.stdout)["lldp"] for one in found.get("interface", ())]


@pytest.fixture(params=SCOPES)
def acquaintance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Acquaintance]:
    """From when both know the other."""
    scope = str(request.param)
    with lldpd(programs_of("lldpd"), tmp_path, scope) as peer, Pump(SCOPES[scope](), OURS, DEVICE) as pump:
        found = Acquaintance(peer, pump)
        pump.start()
        pump.until(lambda: pump.told_of(NeighbourSeen), "we hear lldpd")
        pump.until(found.neighbours, "lldpd hears us")
        yield found


def test_lldpd_and_we_know_who_the_other_is(acquaintance: Acquaintance) -> None:
    (seen,) = acquaintance.pump.told_of(NeighbourSeen)
    theirs = mac_of(THEIRS, PEER)
    said = seen.neighbour.lldpdu
    assert (said.chassis, said.port, said.system_name) == (ChassisId.of_mac(theirs), PortId.of_mac(theirs), NAME)
    (known,) = acquaintance.neighbours()
    assert (known["name"], known["via"]) == (PEER, "LLDP")
    (chassis,), (port,) = known["chassis"], known["port"]
    assert chassis["id"] == [{"type": "mac", "value": str(mac_of(OURS, DEVICE))}]
    assert chassis["name"] == [{"value": SYSTEM_NAME}]
    assert (port["id"], port["ttl"]) == ([{"type": "ifname", "value": DEVICE}], [{"value": "120"}])


def test_we_forget_lldpd_at_once_when_it_says_that_it_goes(acquaintance: Acquaintance) -> None:
    pump = acquaintance.pump
    acquaintance.peer.process.terminate()
    pump.until(lambda: pump.told_of(NeighbourGone), "lldpd says that it goes")
    assert [one.reason for one in pump.told_of(NeighbourGone)] == [GoneReason.SHUTDOWN]
