# SPDX-License-Identifier: Apache-2.0
"""What the proof `igb` does on the machine that has the adapter: its twin. `python -m … PHASE JSON`, prints JSON.

Phases: `carve` (the adapter is what documents say, its functions are in name spaces), `signal` (`fex host` runs, and
all ports are up), `talk` (frames between functions), `again` (it is killed, and started again), `release` (all is as it
was).
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from openfex.adapter import changes, giving
from openfex.adapter.giving import Wanted
from openfex.adapter.journal import Journal
from openfex.adapter.sriov import KernelHost
from openfex.errors import VerificationError
from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.model.adapters import RealAdapter
from openfex.model.values import BROADCAST, Mac
from openfex.proof.bed import Seen, frame, numbers

ROUNDS, BURST = 100, 10
ECHO_PORT, DENIED_PORT = 7, 9
DEADLINE_S = 15.0
SPACES = ("vm1", "vm2")
BEFORE = Path("/var/lib/openfex/proof-igb.json")
FILE, LOG, PID = (Path(f"/tmp/fex-proof-igb.{name}") for name in ("yaml", "log", "pid"))
STARTING_S = 90.0
"""How long `fex host` may take to begin: Python itself takes many seconds there."""
_DTXSWC, _LOOPBACK = 0x3500, 1 << 31
"""The register of the embedded switch, and its bit for the loopback: 82576 datasheet, 8.14.3."""

Asked = Mapping[str, Any]


def _adapter(host: KernelHost, pf: str) -> RealAdapter:
    """The adapter whose network device is `pf`."""
    found = [one for one in host.observe() if one.net and one.net.name == pf]
    if len(found) != 1:
        raise VerificationError(f"there are {len(found)} adapters {pf}", code="no-such-adapter")
    return found[0]


def _state(adapter: RealAdapter) -> list[object]:
    functions = [(one.index, one.driver, one.override, str(one.settings)) for one in adapter.functions]
    return [adapter.count, adapter.autoprobe, [list(one) for one in functions]]


def _loop_back(pf: str, on: bool) -> None:
    """Have the embedded switch give frames of functions to other functions itself, or send all out."""
    handle = os.open(f"/sys/class/net/{pf}/device/resource0", os.O_RDWR | os.O_SYNC)
    try:
        with mmap.mmap(handle, 0x20000) as registers, memoryview(registers).cast("I") as words:
            before = words[_DTXSWC // 4]
            words[_DTXSWC // 4] = before | _LOOPBACK if on else before & ~_LOOPBACK
    finally:
        os.close(handle)


def carve(asked: Asked) -> dict[str, object]:
    """The adapter is what documents say, its functions are in name spaces; the first sends into the void."""
    host, journal, pf = KernelHost(), Journal(), asked["pf"]
    BEFORE.parent.mkdir(parents=True, exist_ok=True)
    BEFORE.write_text(json.dumps(_state(_adapter(host, pf))))
    FILE.write_text(asked["documents"])
    first, second = (_once(asked["host"]) for _ in range(2))
    functions = _adapter(host, pf).functions
    for space, function, end in zip(SPACES, functions, asked["ends"], strict=True):
        netns.create(space)
        giving.give(host, journal, function.address, Wanted(space, "eth0"))
        with Netlink(space) as there:
            there.add_address("eth0", end["address"])
            there.set("eth0", up=True)
            if there.wait_ready(["eth0"], STARTING_S):
                raise VerificationError(f"function {function.index} has no carrier", code="no-carrier")
    _loop_back(pf, False)
    vlans = sorted(one.settings.vlan or 0 for one in functions)
    one, two = (Mac.parse(end["mac"]) for end in asked["ends"])
    with _sockets(SPACES) as sockets:
        sockets["vm1"].send_many([frame(two, one, number) for number in range(ROUNDS)])
    return {"vlans": vlans, "steps": first, "again": second}


# `fex host`


def _start(host: str, *options: str) -> subprocess.Popen[bytes]:
    """A process of its own, which outlives this one; its log begins anew."""
    command = [sys.executable, "-P", "-m", "openfex", "host", str(FILE), "--name", host, "--json", *options]
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    PID.write_text(str(process.pid))
    return process


def _said(event: str) -> list[dict[str, Any]]:
    """The lines of its log of one kind, whole ones."""
    whole, _, _ = LOG.read_text(errors="replace").rpartition("\n")
    lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def _until(event: str, count: int = 1) -> float:
    """Wait until it has said this so often; when that was seen, by the clock. Raises VerificationError."""
    end = time.monotonic() + STARTING_S
    while len(_said(event)) < count:
        if time.monotonic() > end:
            message = f"`fex host` has not said {event} {count} times: {LOG.read_text(errors='replace')[-2000:]}"
            raise VerificationError(message, code="host-not-ready")
        time.sleep(0.05)
    return time.monotonic()


def _once(host: str) -> int:
    """Have adapters be as documents say, once; how many steps that took. Raises VerificationError."""
    process = _start(host, "--once")
    _until("ready")
    process.wait(DEADLINE_S)
    return _steps()


def _steps() -> int:
    return sum(line["steps"] for line in _said("applied"))


def signal_(asked: Asked) -> dict[str, object]:
    """`fex host` runs, and all ports are up; how long that took."""
    _start(asked["host"])
    ready = _until("ready")
    took_s = _until("associated", len(asked["ends"]) + 1) - ready
    return {"took_s": round(took_s, 1)}


def again(asked: Asked) -> dict[str, object]:
    """It is killed, frames go on, and another one takes up what it finds."""
    os.kill(int(PID.read_text()), signal.SIGKILL)
    one, two = (end["address"].split("/")[0] for end in asked["ends"])
    with _udp("vm1", (one, 0)) as client, _udp("vm2", (two, ECHO_PORT)) as server:
        echo = threading.Thread(target=_echo, args=(server, ROUNDS), daemon=True)
        echo.start()
        echoed = sum(_exchange(client, (two, ECHO_PORT), number) for number in range(ROUNDS))
        echo.join(DEADLINE_S)
    _start(asked["host"])
    _until("associated", len(asked["ends"]) + 1)
    return {"echoed": echoed, "steps": _steps(), "associated": len({line["object"] for line in _said("associated")})}


# Frames


@contextmanager
def _sockets(spaces: Sequence[str]) -> Iterator[dict[str, PacketSocket]]:
    """Not promiscuous: that changes which frames an adapter gives to which of its functions."""
    sockets = {space: PacketSocket("eth0", netns=space, promiscuous=False) for space in spaces}
    try:
        yield sockets
    finally:
        for one in sockets.values():
            one.close()


def _udp(space: str, address: tuple[str, int]) -> socket.socket:
    with netns.entered(space):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(address)
    made.settimeout(DEADLINE_S)
    return made


def talk(asked: Asked) -> dict[str, object]:
    """Datagrams both ways, those that a port's rules deny, and broadcasts."""
    one, two = (end["address"].split("/")[0] for end in asked["ends"])
    _loop_back(asked["pf"], False)
    with ExitStack() as held:
        client = held.enter_context(_udp("vm1", (one, 0)))
        server = held.enter_context(_udp("vm2", (two, ECHO_PORT)))
        closed = held.enter_context(_udp("vm2", (two, DENIED_PORT)))
        echo = threading.Thread(target=_echo, args=(server, ROUNDS + 1), daemon=True)
        echo.start()
        echoed = sum(_exchange(client, (two, ECHO_PORT), number) for number in range(ROUNDS))
        for number in range(ROUNDS):
            client.sendto(number.to_bytes(8, "big"), (two, DENIED_PORT))
        behind = _exchange(client, (two, ECHO_PORT), ROUNDS)  # the path keeps order: the denied ones are over
        closed.settimeout(0)
        denied = _count(closed)
        echo.join(DEADLINE_S)
    return {"echoed": echoed, "denied": denied if behind else -1, "copies": _broadcasts(asked)}


def _exchange(client: socket.socket, to: tuple[str, int], number: int) -> bool:
    client.sendto(number.to_bytes(8, "big"), to)
    try:
        return client.recv(64) == number.to_bytes(8, "big")
    except TimeoutError:
        return False


def _echo(server: socket.socket, count: int) -> None:
    try:
        for _ in range(count):
            octets, sender = server.recvfrom(64)
            server.sendto(octets, sender)
    except TimeoutError:
        return


def _count(door: socket.socket) -> int:
    came = 0
    try:
        while door.recv(64):
            came += 1
    except BlockingIOError:
        return came
    return came


def _broadcasts(asked: Asked) -> dict[str, int]:
    """How often each member of the VLAN has each of vm1's broadcasts; the last one ends it."""
    here = Mac.parse(asked["ends"][0]["mac"])
    with _sockets(SPACES) as sockets, PacketSocket(asked["pf"], promiscuous=False) as own:
        capture = PacketCapture({**sockets, "own": own})
        for first in range(0, ROUNDS, BURST):
            burst = range(first, first + BURST)
            sockets["vm1"].send_many([frame(BROADCAST, here, number) for number in burst])
            capture.collect(partial(_have, burst[-1]), DEADLINE_S)
    return {name: len(numbers(frames)) for name, frames in capture.frames.items()}


def _have(number: int, seen: Seen) -> bool:
    return all(number in numbers(seen[name]) for name in ("vm2", "own"))


def release(asked: Asked) -> dict[str, object]:
    """Functions are taken back, the adapter is as it was before."""
    host, journal, pf = KernelHost(), Journal(), asked["pf"]
    os.kill(int(PID.read_text()), signal.SIGTERM)
    _until("ended")
    _loop_back(pf, True)
    adapter = _adapter(host, pf)
    for function in adapter.functions:
        giving.take_back(host, journal, function.address)
    for space in SPACES:
        netns.delete(space)
    outcome = changes.release(host, journal, [adapter.address])
    return {"steps": len(outcome.steps), "same": _state(_adapter(host, pf)) == json.loads(BEFORE.read_text())}


def main() -> None:
    """One phase."""
    phases = {"carve": carve, "signal": signal_, "talk": talk, "again": again, "release": release}
    print(json.dumps(phases[sys.argv[1]](json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
