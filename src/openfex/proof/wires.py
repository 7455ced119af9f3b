# SPDX-License-Identifier: Apache-2.0
"""Door to the peers that only frames are sent through, each built in name spaces `fex_LAB_peer_…` of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial

from openfex.datapath.abi import U32
from openfex.datapath.objects import object_path
from openfex.errors import KernelError, UnsupportedError
from openfex.linux import netns
from openfex.linux.libbpf import Object
from openfex.linux.netlink import Netlink
from openfex.model.place import Place
from openfex.model.values import Mac
from openfex.proof import peers
from openfex.proof.bench import policy

CHAIN, NFTABLES = "bare-xdp", "nftables-bridge"
Setting = Callable[[], AbstractContextManager[object]]
"""Sets a peer up in one of its settings for as long as it is measured."""


@dataclass(frozen=True)
class Wires:
    """A peer's two NICs, the devices that have to poll for frames, and its settings; "" where there is but one."""

    nics: Sequence[Place]
    polling: Sequence[Place]
    settings: Mapping[str, Setting] = field(default_factory=lambda: {"": nullcontext})


def bridge_wires(lab: str) -> Wires:
    """A Linux bridge, with iptables in the way (the default of many) and without."""
    found = _bridge(lab, peers.BRIDGE)
    bridge = peers.bridge_space(lab)

    settings = {"without br_netfilter": _once(partial(peers.call_netfilter, bridge, False))}
    if peers.call_netfilter(bridge, True):
        settings["with br_netfilter"] = _once(partial(peers.call_netfilter, bridge, True))
    return Wires(found.nics, found.polling, settings)


def policed_wires(lab: str, rules: int = policy.RULES, whole: bool = True) -> Wires:
    """A Linux bridge with the bench profile in nftables, its ACL written in both ways that people do.

    Of two ways the better one counts; rule by rule is so much worse that with many rules it is not tried.
    """
    found = _bridge(lab, NFTABLES)
    bridge = peers.bridge_space(lab, NFTABLES)
    peers.call_netfilter(bridge, False)
    machines = [
        policy.Machine(far.device, str(_mac(nic)), f"10.0.1.{number}")
        for number, (nic, far) in enumerate(zip(found.nics, found.polling, strict=True), start=1)
    ]
    ways = {"with a set": policy.as_a_set(rules)}
    if rules <= policy.RULES:
        ways["rule by rule"] = policy.one_by_one(rules)
    texts = {name: policy.nftables(acl, machines, whole) for name, acl in ways.items()}
    for text in texts.values():  # what this kernel does not know is to be known before a round begins
        nft(bridge, text)
    return Wires(found.nics, found.polling, {name: _once(partial(nft, bridge, text)) for name, text in texts.items()})


def chain_wires(lab: str) -> Wires:
    """Our own hops over our own kind of wires, each a bare XDP program: the limit of a path of three hops."""
    *machines, host, bridge = peers.make_spaces(lab, CHAIN, ("vm1", "vm2", "host", "bridge"))
    lines = [f"link add up-a type veth peer name up0 netns {bridge}", "link set up-a up"]
    for number, space in enumerate(machines):
        mac = f"address 52:54:00:00:00:{number:02x}"
        lines += [f"link add f{number}p0 type veth peer name eth0 {mac} netns {space}", f"link set f{number}p0 up"]
    peers.ip_batch(host, lines)
    peers.ip_batch(bridge, ["link set up0 up"])
    nics = [Place(space, "eth0") for space in machines]
    for space in machines:
        peers.ip_batch(space, ["link set eth0 up"])
    with Object.load(object_path("bench", "chain")) as programs:
        ways = programs.map("ways")
        with Netlink(host) as netlink, netns.entered(host):
            for row, device in enumerate(("f0p0", "f1p0", "up-a")):
                ways.put(U32.pack(row), U32.pack(netlink.index(device)))
        hops = {"bench_up": [(host, "f0p0"), (host, "f1p0")], "bench_down": [(host, "up-a")]}
        for name, places in (*hops.items(), ("bench_turn", [(bridge, "up0")])):
            with peers.pinned(lab, programs.program(name)) as pin:
                for space, device in places:
                    peers.ip_batch(space, [f"link set {device} xdpdrv pinned {pin}"])
    return Wires(nics, polling=nics)


def nft(space: str, text: str) -> None:
    """Have nft carry out a file's text. Raises UnsupportedError."""
    try:
        outcome = netns.run(space, ["nft", "--file", "-"], input=text)
    except KernelError as cause:
        remedy = "install the Debian package nftables"
        raise UnsupportedError("nft is not here", code="no-nft", remedy=remedy) from cause
    if outcome.returncode:
        raise UnsupportedError(f"nft: {outcome.stderr.strip().splitlines()[0]}", code="no-nft")


def _once(action: Callable[[], object]) -> Setting:
    """A setting that one action makes, and that stays until another one is made."""

    @contextmanager
    def setting() -> Iterator[None]:
        action()
        yield

    return setting


def _mac(nic: Place) -> Mac:
    with Netlink(nic.netns) as netlink:
        return netlink.link(nic.device).mac


def _bridge(lab: str, peer: str) -> Wires:
    ends, bridge = peers.linux_bridge(lab, peer), peers.bridge_space(lab, peer)
    polling = [Place(bridge, port) for port in peers.PORTS]
    return Wires([Place(space, "eth0") for space in (ends.client, ends.server)], polling)
