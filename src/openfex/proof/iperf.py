# SPDX-License-Identifier: Apache-2.0
"""TCP throughput by iperf3, ours and a Linux bridge's in turns, so that both meet the machine in the same mood."""

from __future__ import annotations

import json
import subprocess
import time
from types import TracebackType

from openfex.errors import KernelError, UnsupportedError
from openfex.lab.names import netns_of
from openfex.linux import netns

PEER_ADDRESSES = ("10.0.99.1/24", "10.0.99.2/24")
PORT = 5201
START_S = 5.0


def _ip(space: str, arguments: str) -> None:
    outcome = netns.run(space, ["ip", *arguments.split()])
    if outcome.returncode:
        raise KernelError(f"ip {arguments}: {outcome.stderr.strip()}")


class Contest:
    """A path of ours, and beside it two name spaces on a Linux bridge. Everything made here goes with it."""

    def __init__(self, lab: str, client: str, server: str, address: str) -> None:
        self._ours = (client, server, address)
        self._spaces = [netns_of(lab, "peer", name) for name in ("client", "server", "bridge")]
        self._servers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Contest:
        try:
            self._build_peer()
            for server in (self._ours[1], self._spaces[1]):
                self._servers.append(self._serve(server))
        except BaseException:
            self._clear()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._clear()

    def _clear(self) -> None:
        for server in self._servers:
            server.kill()
            server.wait()
        for space in self._spaces:
            netns.delete(space)

    def _build_peer(self) -> None:
        """Two veths into a bridge, MTU 1500, as anybody would with iproute2."""
        *ends, bridge = self._spaces
        for space in self._spaces:
            netns.create(space)
        _ip(bridge, "link add br0 type bridge")
        for index, (space, address) in enumerate(zip(ends, PEER_ADDRESSES, strict=True)):
            _ip(bridge, f"link add port{index} type veth peer name eth0 netns {space}")
            _ip(bridge, f"link set port{index} master br0 up")
            _ip(space, f"address add {address} dev eth0")
            _ip(space, "link set eth0 up")
        _ip(bridge, "link set br0 up")

    def _serve(self, space: str) -> subprocess.Popen[bytes]:
        try:
            server = netns.spawn(
                space, ["iperf3", "-s", "-p", str(PORT)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except KernelError as error:
            remedy = "install the Debian package iperf3"
            raise UnsupportedError("iperf3 is not here", code="no-iperf3", remedy=remedy) from error
        self._wait_for_listener(space)
        return server

    def _wait_for_listener(self, space: str) -> None:
        """Until the server's port is in the name space's table of listening sockets."""
        deadline = time.monotonic() + START_S
        wanted = f":{PORT:04X} "
        while time.monotonic() < deadline:
            listening = netns.run(space, ["cat", "/proc/self/net/tcp6", "/proc/self/net/tcp"]).stdout
            if wanted in listening:
                return
        raise UnsupportedError(f"iperf3 did not listen within {START_S:.0f} s", code="no-iperf3")

    def _measure(self, space: str, address: str, seconds: float) -> float:
        command = ["iperf3", "-c", address, "-p", str(PORT), "-t", str(seconds), "-J"]
        outcome = netns.run(space, command, timeout=seconds + 20)
        report = json.loads(outcome.stdout)
        if "error" in report:
            raise UnsupportedError(f"iperf3: {report['error']}", code="no-iperf3")
        return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9

    def round(self, seconds: float) -> tuple[float, float]:
        """Gbit/s of ours and of the bridge, one after the other."""
        client, _, address = self._ours
        ours = self._measure(client, address, seconds)
        return ours, self._measure(self._spaces[0], PEER_ADDRESSES[1].split("/")[0], seconds)
