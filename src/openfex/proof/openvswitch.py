# SPDX-License-Identifier: Apache-2.0
"""Door to the peer `ovs-userspace`: Open vSwitch's own datapath (`datapath_type=netdev`), run by us and for us alone.

Its programs come from Debian's packages, which `fex` unpacks into a folder: installed, they would start a switch of
their own, now and with the machine. Its files are in the lab's folder and its processes in the peer's name space, so
`fex lab down` ends them, too.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from openfex.errors import UnsupportedError
from openfex.lab import kept
from openfex.linux import netns
from openfex.model.place import Place
from openfex.proof import peers
from openfex.proof.cpus import available
from openfex.proof.wires import Wires

OVS = "ovs-userspace"
UNPACKED = Path("/var/cache/openfex/openvswitch")
"""Where `fex` unpacks it."""
KINDS = {"with AF_PACKET": "system", "with AF_XDP": "afxdp"}
"""How it takes frames from a veth, and what its database calls that."""
PATIENCE_S = 10


@dataclass(frozen=True)
class Switch:
    """A switch that runs: its name space, and the environment in which its programs find their files and each other."""

    space: str
    root: Path
    files: Path

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs, or start it if it goes on by itself. Raises UnsupportedError."""
        libraries = next(self.root.glob("usr/lib/*-linux-gnu"), self.root)
        folders = {f"OVS_{kind}DIR": str(self.files) for kind in ("RUN", "LOG", "DB", "SYSCONF")}
        places = {"LD_LIBRARY_PATH": str(libraries), "LIBXDP_OBJECT_PATH": str(libraries / "bpf"), **folders}
        outcome = netns.run(self.space, [str(self.root / program), *arguments], env={**os.environ, **places})
        if outcome.returncode:
            words = outcome.stderr.strip().splitlines() or ["it failed"]
            raise UnsupportedError(f"{Path(program).name}: {words[0]}", code="no-openvswitch")

    def control(self, *arguments: str) -> None:
        """Change what the switch is to be, and wait until it is."""
        self.run("usr/bin/ovs-vsctl", f"--db=unix:{self.files}/db.sock", f"--timeout={PATIENCE_S}", *arguments)

    def signal(self, number: int) -> None:
        """Send its datapath a signal."""
        os.kill(int((self.files / "ovs-vswitchd.pid").read_text(encoding="ascii")), number)


def switch_wires(lab: str, root: Path = UNPACKED) -> Wires:
    """Two veths into its switch, in each way that it can be joined to them. Raises UnsupportedError."""
    if not (root / "usr/lib/openvswitch-switch/ovs-vswitchd").exists():
        remedy = "`./fex bench udp_64_pps`, as root, fetches it from Debian"
        raise UnsupportedError("Open vSwitch is not here", code="no-openvswitch", remedy=remedy)
    *ends, bridge = peers.make_spaces(lab, OVS, ("client", "server", "bridge"))
    lines: list[str] = []
    for port, space in zip(peers.PORTS, ends, strict=True):
        lines += [f"link add {port} type veth peer name eth0 netns {space}", f"link set {port} up"]
    peers.ip_batch(bridge, lines)
    peers.raise_ends(ends, 96)
    switch = _start(Switch(bridge, root, kept.folder(lab) / OVS))
    settings = {name: partial(_joined, switch, kind) for name, kind in KINDS.items()}
    return Wires([Place(space, "eth0") for space in ends], [Place(bridge, port) for port in peers.PORTS], settings)


def _start(switch: Switch) -> Switch:
    """Its database and its datapath, whose busy threads get another CPU than the one that makes the frames."""
    switch.files.mkdir(parents=True, exist_ok=True)
    database, daemon = str(switch.files / "conf.db"), ("--detach", "--no-chdir", "--pidfile", "--log-file")
    switch.run("usr/bin/ovsdb-tool", "create", database, str(switch.root / "usr/share/openvswitch/vswitch.ovsschema"))
    switch.run("usr/sbin/ovsdb-server", database, f"--remote=punix:{switch.files}/db.sock", *daemon)
    switch.control("--no-wait", "set", "open_vswitch", ".", f"other_config:pmd-cpu-mask={1 << available()[-1]:x}")
    switch.run("usr/lib/openvswitch-switch/ovs-vswitchd", f"unix:{switch.files}/db.sock", *daemon)
    switch.control("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
    switch.control(*_each("add-port", "br0", "{}"))
    switch.signal(signal.SIGSTOP)
    return switch


def _each(*words: str) -> Iterator[str]:
    """A command for each port."""
    for port in peers.PORTS:
        yield from ("--", *(word.format(port) for word in words))


@contextmanager
def _joined(switch: Switch, kind: str) -> Iterator[None]:
    """Have it join its ports so. It spins while it waits for frames, so it is stopped while others are measured."""
    switch.signal(signal.SIGCONT)
    try:
        switch.control(*_each("set", "interface", "{}", f"type={kind}"))
        yield
    finally:
        switch.signal(signal.SIGSTOP)
