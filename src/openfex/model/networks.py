# SPDX-License-Identifier: Apache-2.0
"""What is written of a network: its bridges, their ports, and how their agents speak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from openfex.errors import InputError
from openfex.model import written
from openfex.model.forms import Named, Otherwise, Shorthand
from openfex.model.signalling import SignallingSpec
from openfex.model.spec import Spec
from openfex.model.typed import Device, Fabric, Milliseconds, Mtu, Name, ProfileName, Truth, Wire

DEFAULT_PORT_MTU = 1500
"""Of a port that is a device of this machine; those of a lab have more room."""


class NetworkPortSpec(Spec):
    """A port of a bridge towards the network."""

    profile: Annotated[ProfileName | None, Otherwise("every VLAN tagged, nothing untagged")] = Field(
        None,
        description="the VLANs of the port (`unknown-profile`)",
        examples=["wan"],
    )
    peer: Truth = Field(
        False,
        description="the port leads to another bridge of ours: all vEths reach it in its VLANs, and it reaches them, "
        "whatever they are pinned to. Its profile is a trunk without a native VLAN (`peer-needs-trunk`)",
        examples=[True],
    )
    device: Annotated[Device | None, Otherwise("the lab makes one")] = Field(
        None,
        description="the device of this machine that is the port: it is lent to the bridge, which calls it as the port "
        "(`device-in-use`), and given back when that is taken down. Every port of a real bridge (`fex bridge`) has one "
        "(`port-needs-device`)",
        examples=["eth2"],
    )
    mtu: Annotated[Mtu | None, Otherwise("1500")] = Field(
        None,
        description="of that device (`mtu-needs-device`); frames of NICs, and their VLAN tags, must fit",
        examples=[9000],
    )


def _long_ports(value: object) -> object:
    """`[up0, up1]` is short for `{up0: {}, up1: {}}`, and `up0:` for `up0: {}`."""
    if isinstance(value, Mapping):
        return {name: {} if one is None else one for name, one in value.items()}
    if not isinstance(value, list):
        return value
    if any(isinstance(name, Mapping | list) for name in value):
        remedy = "write a port that has keys as {up0: {}, up1: {profile: wan}}"
        raise InputError("a list of ports holds only their names", code="bad-value", remedy=remedy)
    if twice := sorted({str(name) for name in value if value.count(name) > 1}):
        raise InputError(f"{', '.join(twice)} is in the list twice", code="duplicate-key", remedy="name each port once")
    return {name: {} for name in value}


Ports = Annotated[
    dict[Device, NetworkPortSpec],
    Named("PORT", "port"),
    Shorthand(
        "list of devices", _long_ports, {"type": "array", "items": dict(written.DEVICE.schema), "uniqueItems": True}
    ),
]


class BridgeSpec(Spec):
    """A controlling bridge."""

    fabric: Fabric = Field(
        "a",
        description="which fabric it is; a host's uplink must be of the same (`wrong-fabric`)",
        examples=["a"],
    )
    ports: Ports = Field(
        {},
        description="its ports towards the network, at most 15 (`too-many-network-ports`)",
        examples=[["up0"], {"up0": {}, "up1": {"profile": "wan"}}],
    )
    ageing: Milliseconds = Field(
        "300s",
        validate_default=True,
        description="a learnt station that is not heard for so long is forgotten",
        examples=["5m"],
    )
    remote: Truth = Field(
        False,
        description="another's bridge with reflective relay, reached over `port` of uplinks: nothing of it is built "
        "here. It has no `ports` (`remote-bridge-ports`), its uplinks are `vepa` (`remote-bridge-needs-vepa`), and the "
        "NICs on them have nothing but VLANs (`bridge-only-vlans`)",
        examples=[True],
    )
    agent: Truth = Field(
        True,
        description="of a `remote` bridge: it speaks VDP, and a NIC there is up when it says so. Without an agent it "
        "is up as these documents say (`agent-needs-remote`)",
        examples=[False],
    )


class NetworkSpec(Spec):
    """The bridges of a lab, and which of their ports are cabled together. The document's name is the lab's."""

    bridges: Annotated[dict[Name, BridgeSpec], Named("BRIDGE", "bridge"), Field(min_length=1)] = Field(
        description="the controlling bridges",
        examples=[{"sw-a": {"fabric": "a", "ports": ["up0"]}}],
    )
    signalling: Annotated[SignallingSpec | None, Otherwise("the defaults below")] = Field(
        None,
        description="the times that the agents of hosts and bridges go by, because of whose agreement ports come up",
        examples=[{"keep-alive": "1s"}],
    )
    wires: list[Wire] = Field(
        [],
        description="network ports that are cabled together; each port once (`bad-wire`)",
        examples=[[["sw-a/up1", "sw-b/up1"]]],
    )
