# SPDX-License-Identifier: Apache-2.0
"""What a lab consists of in a kernel, as values: each object has a key that finds it again and a spec that may change.

The same types say what is wanted and what was observed, so a plan is their difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from openfex.model.layout import home_of
from openfex.model.place import Place
from openfex.model.shape import Shape
from openfex.model.values import Mac


@dataclass(frozen=True, slots=True, order=True)
class SpaceKey:
    """A name space."""

    netns: str

    def __str__(self) -> str:
        return f"name space {self.netns}"


@dataclass(frozen=True, slots=True)
class SpaceSpec:
    """`quiet`: its own IPv6 stack says nothing on the wires of the lab."""

    quiet: bool


@dataclass(frozen=True, slots=True, order=True)
class WireKey:
    """A cable between two nodes, by name: `h1.a` is a host's uplink, `sw-a/up0` a network port's."""

    name: str

    def __str__(self) -> str:
        return f"wire {self.name}"


@dataclass(frozen=True, slots=True)
class WireSpec:
    """Both ends, and the MTU. `xdp`: each end gives the other frames that its XDP program can take.

    `shape`: what the queues at both ends let out; None: there are none.
    """

    near: Place
    far: Place
    mtu: int
    xdp: bool = False
    shape: Shape | None = None


@dataclass(frozen=True, slots=True, order=True)
class DeviceKey:
    """A device of this machine that is lent to a bridge, by its own name: a real cable ends there."""

    name: str

    def __str__(self) -> str:
        return f"device {self.name}"


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """Where it is while it is lent. `xdp`: its frames come with all their octets, VLAN tags among them."""

    place: Place
    mtu: int
    xdp: bool = False


@dataclass(frozen=True, slots=True, order=True)
class FunctionKey:
    """A carved function, by the name space of its host and its name."""

    netns: str
    name: str

    def __str__(self) -> str:
        return f"function {self.name}"


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """The adapter's side, and where the function itself is. `xdp`: it gives and takes what XDP can take and send."""

    pf_device: str
    backing: str
    place: Place
    mtu: int
    xdp: bool = False

    @property
    def is_home(self) -> bool:
        """Whether nobody holds it."""
        return self.place.device == home_of(self.pf_device)


@dataclass(frozen=True, slots=True, order=True)
class NodeKey:
    """The datapath of a host or a bridge, by its name space."""

    netns: str

    def __str__(self) -> str:
        return f"datapath of {self.netns}"


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """Which programs, how many rows a port, and which devices they are attached to for which port number.

    `xdp`: those of the devices that have the XDP program, too.
    """

    role: str
    build: str
    rows: int
    devices: frozenset[tuple[int, str]]
    xdp: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, order=True)
class TablesKey:
    """The tables of a node; those of hosts are written first, because a bridge sends what its hosts must know."""

    of_bridge: bool
    netns: str

    def __str__(self) -> str:
        return f"tables of {self.netns}"


class Tables(Protocol):
    """What the decision of a node reads: a value of rules/tables.py."""

    def keeping(self, old: Any) -> Tables:
        """These, and what of the old ones, of the same kind, is asked for until the other nodes have theirs."""


@dataclass(frozen=True, slots=True)
class TablesSpec:
    """The tables of a node, which a plan does not look into.

    `xdp`: the ports that XDP may send to. `queued`: those whose frames are told apart by the queue of their device.
    `by_agent`: only its agent knows what they are to be, so they are wanted as they are.
    """

    tables: Tables
    xdp: frozenset[int] = frozenset()
    queued: frozenset[int] = frozenset()
    by_agent: bool = False


@dataclass(frozen=True, slots=True, order=True)
class NicKey:
    """A bound function as its holder has it, by the name space of its host and the function's name."""

    netns: str
    name: str

    def __str__(self) -> str:
        return f"NIC on function {self.name}"


@dataclass(frozen=True, slots=True)
class NicSpec:
    """Where it is, and what it has when it is up. `mac` None: whatever it has."""

    pf_device: str
    place: Place
    mac: Mac | None
    addresses: tuple[str, ...]
    up: bool = True

    @property
    def is_tap(self) -> bool:
        """Whether it is one device with the adapter's side: MAC and addresses are then its opener's business."""
        return self.place.device == self.pf_device


@dataclass(frozen=True, slots=True, order=True)
class GuestKey:
    """A virtual machine that runs, by the name space of its host and its name."""

    netns: str
    name: str

    def __str__(self) -> str:
        return f"guest {self.name}"


@dataclass(frozen=True, slots=True)
class GuestNic:
    """A NIC of a guest. `device` is the TAP that is its function; empty where QEMU has lost it."""

    name: str
    device: str
    mac: Mac
    mtu: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GuestSpec:
    """What a guest was started with. `kernel` and `image` are empty for our own."""

    memory_mib: int
    cpus: int
    nics: tuple[GuestNic, ...]
    kernel: str = ""
    image: str = ""


Key = SpaceKey | WireKey | DeviceKey | FunctionKey | NodeKey | TablesKey | NicKey | GuestKey
Spec = SpaceSpec | WireSpec | DeviceSpec | FunctionSpec | NodeSpec | TablesSpec | NicSpec | GuestSpec
State = dict[Key, Spec]


def is_whole(spec: Spec) -> bool:
    """Whether nothing of an observed object is missing, so that it could be made as it is told."""
    if isinstance(spec, WireSpec):
        return bool(spec.near.netns and spec.far.netns and spec.mtu)
    if isinstance(spec, FunctionSpec | DeviceSpec):
        return bool(spec.place.netns and spec.mtu)
    return not isinstance(spec, GuestSpec) or all(nic.device for nic in spec.nics)


ORDER: tuple[type, ...] = (SpaceKey, WireKey, DeviceKey, FunctionKey, NodeKey, TablesKey, NicKey, GuestKey)
"""Made in this order, and taken away in the reverse: a NIC is raised when all that its frames meet is there."""
