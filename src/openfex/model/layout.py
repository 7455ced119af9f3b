# SPDX-License-Identifier: Apache-2.0
"""A lab laid out: every reference resolved, every number given. What is built, compiled and shown from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from openfex.model.policy import FREE, Policy
from openfex.model.shape import Shape
from openfex.model.values import ChannelKind, Mac, port_number

AUTO, TC, XDP = "auto", "tc", "xdp"


@dataclass(frozen=True, slots=True)
class Profile:
    """A port profile. `allowed` is None for an access port, whose VLAN is `vlan`; else that is the native one, or 0.

    `number` is its row in the tables of all bridges. `service`: the VLAN of the service tag towards the network, or 0.
    """

    name: str
    vlan: int
    allowed: frozenset[int] | None = None
    policy: Policy = FREE
    number: int = 0
    service: int = 0

    @property
    def vlans(self) -> frozenset[int]:
        """The VLANs of a port that has this profile."""
        return frozenset({self.vlan}) if self.allowed is None else self.allowed


@dataclass(frozen=True, slots=True)
class NetworkPort:
    """A port of a bridge towards the network; `peer`: towards another bridge of ours."""

    bridge: str
    name: str
    link: int
    profile: Profile
    peer: bool = False
    device: str = ""
    """The device of this machine that it is; empty where a lab makes one."""
    mtu: int = 0
    """Of that device."""

    @property
    def number(self) -> int:
        """Its port number on the bridge."""
        return port_number(self.link)


@dataclass(frozen=True, slots=True)
class Uplink:
    """The cable between a host and a bridge. `host_link` and `bridge_link` are its numbers at either end.

    `attachment` is what was asked for: `auto`, `tc` or `xdp`. `shape`: what it carries; None is what it can.
    """

    host: str
    fabric: str
    device: str
    bridge: str
    kind: ChannelKind
    mtu: int
    host_link: int
    bridge_link: int
    attachment: str = AUTO
    shape: Shape | None = None
    port: str = ""
    """Of a real host or bridge: the device of this machine that is the cable's other end."""
    foreign: bool = False
    """Its bridge is another's."""

    @property
    def is_xdp(self) -> bool:
        """Whether its frames meet XDP programs. A lab's wires carry super-frames: `auto` leaves them to tc."""
        return self.attachment == XDP

    @property
    def bridge_device(self) -> str:
        """The name of the cable's end at the bridge."""
        return f"uplink{self.bridge_link}"


def home_of(pf_device: str) -> str:
    """The name of a function's own device while nobody holds it, by that of the adapter's side."""
    return pf_device.replace("p", "v")


class Purpose(Enum):
    """What a function is."""

    NIC = "nic"
    STORAGE = "storage"
    PF = "pf"
    """None, but the PF of a real adapter, whose own frames are in the default channel."""


@dataclass(frozen=True, slots=True)
class Function:
    """One VF. It has the same channel on every uplink of its host."""

    adapter: str
    index: int
    channel: int
    purpose: Purpose
    slot: int
    """The adapter's number on its host."""

    @property
    def name(self) -> str:
        """`h1-nic0/3`; `h1-nic0/pf` for the adapter's own port."""
        return f"{self.adapter}/{'pf' if self.is_pf else self.index}"

    @property
    def is_pf(self) -> bool:
        """Whether it is the adapter's own port, which is in the default channel."""
        return self.purpose is Purpose.PF

    @property
    def pf_device(self) -> str:
        """The adapter's side of the function: what the port extender is attached to."""
        return f"f{self.slot}p{self.index}"

    @property
    def device(self) -> str:
        """The function's own device while nobody holds it."""
        return home_of(self.pf_device)


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter and the functions carved from it."""

    name: str
    host: str
    model: str
    backing: str
    functions: tuple[Function, ...]
    slot: int = 0
    """Its number on its host."""
    base: int = 0
    """The channel before that of its first function."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A machine's NIC, the function that is it, and the vEth that is its port."""

    uuid: str
    generation: int
    machine: str
    nic: str
    function: Function
    profile: Profile
    mac: Mac
    addresses: tuple[str, ...]
    mtu: int
    uplink: Uplink
    pin: NetworkPort | None

    @property
    def name(self) -> str:
        """`vm1/eth0`."""
        return f"{self.machine}/{self.nic}"

    @property
    def bridge_port(self) -> int:
        """Its vEth's port number on the bridge."""
        return port_number(self.uplink.bridge_link, self.function.channel)

    @property
    def host_port(self) -> int:
        """Its port number on the host's port extender."""
        return port_number(self.uplink.host_link, self.function.channel)


@dataclass(frozen=True, slots=True)
class Bridge:
    """A controlling bridge, or another's. `has_agent`: it speaks VDP, at least."""

    name: str
    fabric: str
    ports: tuple[NetworkPort, ...]
    ageing_ms: int
    foreign: bool = False
    has_agent: bool = True


@dataclass(frozen=True, slots=True)
class Host:
    """A host with its uplinks, in the order of their links.

    `remote`: a real one; of it only the bridge's ends of its cables are here. `has_agent`: it signals.
    """

    name: str
    kind: ChannelKind
    uplinks: tuple[Uplink, ...]
    adapters: tuple[Adapter, ...]
    remote: bool = False
    has_agent: bool = True

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions of all its adapters."""
        return tuple(function for adapter in self.adapters for function in adapter.functions)


@dataclass(frozen=True, slots=True)
class Guest:
    """What a virtual machine runs on. `kernel` and `image` (its first file system) are empty for our own."""

    memory_mib: int
    cpus: int
    kernel: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What holds NICs. `in_host`: their devices stay in the host's own name space, as TAPs of a `guest` do."""

    name: str
    host: str
    in_host: bool
    guest: Guest | None = None


@dataclass(frozen=True, slots=True)
class Signalling:
    """How agents speak: exponents of EVB (10 us x 2^n), of ECP's retransmission, resource wait and keep-alive."""

    rte: int = 14
    rwd: int = 20
    rka: int = 20


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole."""

    lab: str
    bridges: tuple[Bridge, ...]
    hosts: tuple[Host, ...]
    machines: tuple[Machine, ...]
    bindings: tuple[Binding, ...]
    profiles: tuple[Profile, ...]
    wires: tuple[tuple[NetworkPort, NetworkPort], ...] = ()
    signalling: Signalling = Signalling()
    foreign: tuple[Bridge, ...] = ()
    """Others' bridges, where uplinks end; nothing of them is built here, or known."""

    def uplinks_of(self, bridge: str) -> tuple[Uplink, ...]:
        """The uplinks that end at a bridge."""
        return tuple(uplink for host in self.hosts for uplink in host.uplinks if uplink.bridge == bridge)

    @property
    def own_hosts(self) -> tuple[Host, ...]:
        """The hosts that are built here."""
        return tuple(host for host in self.hosts if not host.remote)

    @property
    def has_outside(self) -> bool:
        """Whether there is something here that stands for the network outside."""
        return bool(self.own_hosts) or any(not port.device for bridge in self.bridges for port in bridge.ports)

    def has_stations(self, bridge: str) -> bool:
        """Whether real hosts decide by their agents, whenever they are there, which ports of a bridge are up."""
        hosts = {uplink.host for uplink in self.uplinks_of(bridge)}
        return any(self.is_station(one) for one in self.hosts if one.name in hosts)

    def is_station(self, host: Host) -> bool:
        """Whether a host is a real one that signals."""
        return host.remote and host.has_agent

    def is_plain(self, host: Host) -> bool:
        """Whether a host says by VDP what it has, and documents do not: another's station."""
        return self.is_station(host) and host.kind is ChannelKind.VEPA

    def host(self, name: str) -> Host:
        """The host of that name."""
        return next(host for host in self.hosts if host.name == name)

    def bridge(self, name: str) -> Bridge:
        """The bridge of that name, another's too."""
        return next(bridge for bridge in (*self.bridges, *self.foreign) if bridge.name == name)

    def is_foreign(self, bridge: str) -> bool:
        """Whether a bridge is another's."""
        return any(one.name == bridge for one in self.foreign)

    def is_tap(self, binding: Binding) -> bool:
        """Whether a binding's function is a TAP."""
        adapters = self.host(binding.uplink.host).adapters
        return any(one.name == binding.function.adapter and one.backing == "tap" for one in adapters)

    def is_xdp(self, binding: Binding) -> bool:
        """Whether a binding's frames meet XDP programs at its function: a TAP, which carries super-frames, has none."""
        return binding.uplink.is_xdp and not self.is_tap(binding)

    def bindings_on(self, host: str) -> tuple[Binding, ...]:
        """The bindings of a host's functions."""
        return tuple(binding for binding in self.bindings if binding.uplink.host == host)
