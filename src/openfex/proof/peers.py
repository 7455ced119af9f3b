# SPDX-License-Identifier: Apache-2.0
"""Door to the peers: what people build with iproute2 today, each in name spaces `fex_LAB_peer_…` of its own.

`fex lab down LAB` removes them too. Every device has the MTU of 1500 that functions have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from openfex.datapath.node import pin_folder
from openfex.errors import NotFoundError, UnsupportedError
from openfex.lab.names import netns_of
from openfex.linux import netns
from openfex.linux.libbpf import Program
from openfex.linux.sysctl import sysctl
from openfex.proof.streams import Ends

KIND = "peer"
BRIDGE = "linux-bridge"
NETFILTER = ("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")
PORTS = ("port0", "port1")


def bridge_space(lab: str, peer: str = BRIDGE) -> str:
    """The name space that the bridge of a peer is in."""
    return netns_of(lab, KIND, f"{peer}-bridge")


def make_spaces(lab: str, peer: str, parts: Sequence[str]) -> list[str]:
    """Name spaces for the parts of a peer."""
    spaces = [netns_of(lab, KIND, f"{peer}-{part}") for part in parts]
    for space in spaces:
        netns.create(space)
    return spaces


def ip_batch(space: str, lines: Sequence[str]) -> float:
    """Carry out commands of iproute2 by one process: `ip -batch`; the seconds that it took. Raises UnsupportedError."""
    return batch("ip", space, lines)


def batch(program: str, space: str, lines: Sequence[str]) -> float:
    """The same by `ip` or by `tc`."""
    start = time.perf_counter()
    outcome = netns.run(space, [program, "-batch", "-"], input="\n".join(lines) + "\n")
    taken = time.perf_counter() - start
    if outcome.returncode:
        raise UnsupportedError(f"{program}: {outcome.stderr.strip().splitlines()[0]}", code="no-peer")
    return taken


@contextmanager
def pinned(lab: str, program: Program) -> Iterator[Path]:
    """A program as a file, which is how iproute2 is told of it. `fex lab down` finds the file after a crash."""
    folder = pin_folder() / netns_of(lab, KIND, "programs")
    folder.mkdir(parents=True, exist_ok=True)
    pin = folder / program.name
    try:
        program.pin(pin)
        yield pin
    finally:
        pin.unlink(missing_ok=True)
        folder.rmdir()


def call_netfilter(bridge: str, on: bool) -> bool:
    """Let what a Linux bridge forwards pass through iptables, or not; False if this kernel has no br_netfilter."""
    try:
        for key in NETFILTER:
            sysctl(bridge, key, int(on))
    except NotFoundError:
        return False
    return True


def remove_peers(lab: str) -> None:
    """Remove the name spaces of all peers."""
    for space in netns.names(netns_of(lab, KIND, "")):
        netns.delete(space)


def raise_ends(spaces: Sequence[str], subnet: int) -> Ends:
    """Give the two machines' devices their addresses, and raise them."""
    client, server = spaces
    for index, space in enumerate(spaces, start=1):
        ip_batch(space, [f"address add 10.0.{subnet}.{index}/24 dev eth0", "link set eth0 up"])
    return Ends(client, server, f"10.0.{subnet}.2")


def linux_bridge(lab: str, peer: str = BRIDGE) -> Ends:
    """Two veths into a Linux bridge."""
    *ends, bridge = make_spaces(lab, peer, ("client", "server", "bridge"))
    lines = ["link add br0 type bridge"]
    for port, space in zip(PORTS, ends, strict=True):
        lines += [f"link add {port} type veth peer name eth0 netns {space}", f"link set {port} master br0 up"]
    ip_batch(bridge, [*lines, "link set br0 up"])
    return raise_ends(ends, 99)


def direct_veth(lab: str) -> Ends:
    """One veth pair and nothing in between: the limit of what a path over veths can reach."""
    ends = make_spaces(lab, "direct-veth", ("client", "server"))
    ip_batch(ends[0], [f"link add eth0 type veth peer name eth0 netns {ends[1]}"])
    return raise_ends(ends, 98)


def macvlan_vepa(lab: str) -> Ends:
    """Two macvlans in VEPA mode on one uplink, whose far end is a hairpin port of a Linux bridge."""
    *ends, host, bridge = make_spaces(lab, "macvlan-vepa", ("client", "server", "host", "bridge"))
    port = ["link set port0 master br0 up", "link set port0 type bridge_slave hairpin on"]
    uplink = f"link add port0 type veth peer name uplink netns {host}"
    ip_batch(bridge, ["link add br0 type bridge", uplink, *port, "link set br0 up"])
    lines = ["link set uplink up"]
    for index, space in enumerate(ends):
        lines += [f"link add vepa{index} link uplink type macvlan mode vepa"]
        lines += [f"link set vepa{index} name eth0 netns {space}"]
    ip_batch(host, lines)
    call_netfilter(bridge, False)
    return raise_ends(ends, 97)


BUILDERS: dict[str, Callable[[str], Ends]] = {
    BRIDGE: linux_bridge,
    "direct-veth": direct_veth,
    "macvlan-vepa": macvlan_vepa,
}
