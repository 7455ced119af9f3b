# SPDX-License-Identifier: Apache-2.0
"""lldpad (Open-LLDP), another's station and bridge: run in a name space of its own with files of its own.

It is told its role before it starts, for it looks at that once (wire.md 5.4), and takes up ECP and VDP when reflective
relay is on. Its control socket is per name space, its locks are per machine: it gets a /run and a /dev/shm of its own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.model.values import Mac
from openfex.protocol.evb import EvbSettings
from openfex.protocol.uplink import Uplink, UplinkSettings
from openfex.wire.evb import Evb, EvbMode, RelayStatus
from tests.interop.debian import Programs, in_private, programs_of
from tests.interop.pump import Owner, Pump, V

OURS, THEIRS = "fex-test-lldp-us", "fex-test-lldp-peer"
DEVICE, PEER = "up0", "st0"
"""The cable: our end in our name space, the peer's in its own."""
EXPONENT = 16
"""Of keep-alive and resource wait, 0.66 s: so a VSI expires within 3 s (wire.md 4.7)."""
SHORT = {"vdprka": EXPONENT, "vdprwd": EXPONENT}
"""Of lldpad, whose own are 20; its RTE is 8, so that ours counts."""
SLACK_S = 2.0
"""By which a timer may come late on a busy machine."""
SYSTEM_NAME = "fex-host"
_ROLES = {EvbMode.STATION: ("station", "evbrrreq"), EvbMode.BRIDGE: ("bridge", "evbrrcap")}


@dataclass(frozen=True)
class Lldpad:
    """One that runs."""

    programs: Programs
    process: subprocess.Popen[bytes]
    files: Path

    def lldptool(self, *arguments: str) -> list[str]:
        """The words that ask it for something at our cable, in the scope in which EVB is spoken."""
        return self.programs.command("usr/sbin/lldptool", *arguments, "-i", PEER, "-g", "ncb")

    def vdptool(self, mode: str, **settings: str) -> list[str]:
        """The words that have it put a VSI to the bridge, and wait for what that says."""
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return self.programs.command(
            "usr/sbin/vdptool", "-i", PEER, "-T", "-W", "-V", mode, "-c", f"mode={mode}", *options
        )

    def vdptool_list(self) -> list[str]:
        """The words that ask it for the VSIs that it has associated."""
        return self.programs.command("usr/sbin/vdptool", "-i", PEER, "-t", "-V", "assoc")

    def kill(self) -> None:
        """End it without giving it a chance to say so."""
        self.process.kill()
        self.process.wait()


@contextmanager
def lldpad(programs: Programs, folder: Path, role: EvbMode, settings: Mapping[str, int | str]) -> Iterator[Lldpad]:
    """One on the cable's other end; `settings` are lldptool's for EVB, `vdprka` and the like."""
    for name in ("shm", "run"):
        (folder / name).mkdir()
    config = folder / "lldpad.conf"
    config.write_text(_config(role, settings))
    command = programs.command("usr/sbin/lldpad", "-f", str(config), "-V", "7", "-t")
    mounts = ((folder / "shm", "/dev/shm"), (folder / "run", "/run"))
    with (folder / "log").open("wb") as log:
        process = netns.spawn(THEIRS, in_private(mounts, command), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield Lldpad(programs, process, folder)
        finally:
            process.kill()
            process.wait()


def mac_of(space: str, device: str) -> Mac:
    """The address of an end of the cable."""
    with Netlink(space) as netlink:
        return netlink.link(device).mac


def uplink_settings(evb: EvbSettings) -> UplinkSettings:
    """Who we are on our end of the cable."""
    mac = mac_of(OURS, DEVICE)
    return UplinkSettings(mac, mac, DEVICE, SYSTEM_NAME, evb, session=1)


@contextmanager
def met(
    end: Callable[[UplinkSettings], Uplink[V]],
    folder: Path,
    evb: EvbSettings,
    settings: Mapping[str, int | str] = SHORT,
    owner: Owner = lambda *_: (),
) -> Iterator[tuple[Pump[Uplink[V]], Lldpad]]:
    """Our end and lldpad in the other role, from when both say that reflective relay is on."""
    role = EvbMode.STATION if evb.role is EvbMode.BRIDGE else EvbMode.BRIDGE
    ours = end(uplink_settings(evb))
    with lldpad(programs_of("lldpad"), folder, role, settings) as peer, Pump(ours, OURS, DEVICE, owner) as pump:
        pump.start()
        pump.until(lambda: is_relay_on(ours), "EVB agrees, and reflective relay is on")
        yield pump, peer


def is_relay_on(end: Uplink[V]) -> bool:
    """As both ends know: only then does lldpad listen to ECP."""
    said = [Evb.find(one.lldpdu) for one in end.lldp.neighbours]
    knows = any(one is not None and one.station.rrstat is RelayStatus.ON for one in said)
    return end.agreement is not None and end.agreement.reflective_relay and knows


def _config(role: EvbMode, settings: Mapping[str, int | str]) -> str:
    word, relay = _ROLES[role]
    lines = "".join(f" {name} = {value};" for name, value in settings.items())
    evb = f'tlvid0080c20d : {{ enableTx = true; evbmode = "{word}"; {relay} = true;{lines} }};'
    dcbx = 'dcbx : { version = "1.0"; dcbx_version = 2; };'
    return f"{dcbx}\nnearest_customer_bridge : {{ {PEER} : {{ adminStatus = 3; {evb} }}; }};\n"
