# SPDX-License-Identifier: Apache-2.0
"""Door to the programs that measure from one name space to another: iperf3 (TCP) and sockperf (round trips)."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from openfex.errors import KernelError, UnsupportedError
from openfex.linux import netns
from openfex.proof.cpus import on_cpu

PORT = 5201
START_S = 5.0
SPARE_S = 20.0
"""How much longer than it was told to a client may take."""
_MEDIAN = re.compile(r"percentile 50\.0+ = +([\d.]+)")
_VALID = re.compile(r"\[Valid Duration\] RunTime=([\d.]+) sec; SentMessages=\d+; ReceivedMessages=(\d+)")


@dataclass(frozen=True)
class Ends:
    """The name spaces of a client and of a server, the server's address, and the CPU that both run on; None: any."""

    client: str
    server: str
    address: str
    cpu: int | None = None


@contextmanager
def tcp_stream(ends: Ends, seconds: float = 1.0) -> Iterator[Callable[[], float]]:
    """A server of iperf3, and what measures Gbit/s to it, as received."""

    def measure() -> float:
        command = ["iperf3", "-c", ends.address, "-p", str(PORT), "-t", str(seconds), "-J"]
        report: dict[str, Any] = json.loads(_output(ends, command, seconds) or '{"error": "it said nothing"}')
        if "error" in report:
            raise UnsupportedError(f"iperf3: {report['error']}", code="no-iperf3")
        return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9

    with _serving(ends, ["iperf3", "-s", "-p", str(PORT)], "tcp"):
        yield measure


@contextmanager
def round_trip(ends: Ends, seconds: float = 1.0) -> Iterator[Callable[[], float]]:
    """A server of sockperf, and what measures the median of UDP round trips to it, in us."""
    with _ping_pong(ends, seconds, "udp") as play:
        yield lambda: float(_found(_MEDIAN, play())[1])


@contextmanager
def transactions(ends: Ends, seconds: float = 1.0) -> Iterator[Callable[[], float]]:
    """A server of sockperf, and what measures how many thousand requests it answers in a second over TCP."""
    with _ping_pong(ends, seconds, "tcp") as play:

        def measure() -> float:
            found = _found(_VALID, play())
            return int(found[2]) / float(found[1]) / 1e3

        yield measure


@contextmanager
def _ping_pong(ends: Ends, seconds: float, protocol: str) -> Iterator[Callable[[], str]]:
    """A server of sockperf, and what sends it one message of 64 octets after the other; what that says."""
    common = ["-i", ends.address, "-p", str(PORT), *(["--tcp"] if protocol == "tcp" else [])]
    own = ["-t", f"{seconds:.0f}", "--msg-size", "64", "--full-rtt"]
    with _serving(ends, ["sockperf", "server", *common], protocol):
        yield lambda: _output(ends, ["sockperf", "ping-pong", *common, *own], seconds)


def _found(pattern: re.Pattern[str], said: str) -> re.Match[str]:
    found = pattern.search(said)
    if found is None:
        raise UnsupportedError("sockperf measured nothing", code="no-sockperf")
    return found


def _output(ends: Ends, command: Sequence[str], seconds: float) -> str:
    try:
        with on_cpu(ends.cpu):
            return netns.run(ends.client, command, timeout=seconds + SPARE_S).stdout
    except subprocess.TimeoutExpired as cause:
        message = f"{command[0]} did not end within {seconds + SPARE_S:.0f} s"
        raise UnsupportedError(message, code=f"no-{command[0]}") from cause


@contextmanager
def _serving(ends: Ends, command: Sequence[str], protocol: str) -> Iterator[None]:
    """Keep a server running. Its program is the Debian package of the same name."""
    program, code = command[0], f"no-{command[0]}"
    try:
        with on_cpu(ends.cpu):
            quiet = subprocess.DEVNULL
            server = netns.spawn(ends.server, command, stdout=quiet, stderr=quiet)
    except KernelError as error:
        remedy = f"install the Debian package {program}"
        raise UnsupportedError(f"{program} is not here", code=code, remedy=remedy) from error
    try:
        if not _is_listening(ends.server, protocol):
            raise UnsupportedError(f"{program} did not listen within {START_S:.0f} s", code=code)
        yield
    finally:
        server.kill()
        server.wait()


def _is_listening(space: str, protocol: str) -> bool:
    """Wait until the server's port is in the name space's table of sockets."""
    deadline = time.monotonic() + START_S
    tables = [f"/proc/self/net/{protocol}{version}" for version in ("6", "")]
    while time.monotonic() < deadline:
        if f":{PORT:04X} " in netns.run(space, ["cat", *tables]).stdout:
            return True
    return False
