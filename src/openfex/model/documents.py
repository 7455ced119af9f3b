# SPDX-License-Identifier: Apache-2.0
"""The documents people write: `{kind, name, spec}`, checked one by one. What ties them together is plan/'s to check.

Unknown keys are errors. Quote nothing: YAML 1.2 is read, so a MAC stays a MAC.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from openfex.model.quantities import parse_duration, parse_vlan, parse_vlans
from openfex.model.values import Mac

DEFAULT_UPLINK_MTU = 9216
DEFAULT_FUNCTION_MTU = 1500


def _parse_mac(value: object) -> Mac:
    mac = value if isinstance(value, Mac) else Mac.parse(str(value))
    if mac.is_multicast or not any(mac.octets):
        raise ValueError(f"{mac} is not the address of one station: a group address or zero")
    return mac


def _parse_address(value: object) -> str:
    return str(ipaddress.ip_interface(str(value)))


def _parse_ports(value: object) -> object:
    """`[up0, up1]` is short for `{up0: {}, up1: {}}`."""
    return {str(name): {} for name in value} if isinstance(value, list) else value


NAME = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
"""Of documents and bridges. No underscore: it parts the names of what a lab leaves in the kernel."""
LONGEST_NAME = 40
Name = Annotated[str, StringConstraints(pattern=NAME, max_length=LONGEST_NAME)]
Device = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=15)]
Vlan = Annotated[int, BeforeValidator(parse_vlan)]
Vlans = Annotated[frozenset[int], BeforeValidator(parse_vlans)]
MacAddress = Annotated[Mac, BeforeValidator(_parse_mac)]
Address = Annotated[str, BeforeValidator(_parse_address)]
Milliseconds = Annotated[int, BeforeValidator(parse_duration)]
Mtu = Annotated[int, Field(ge=68, le=65_535)]


class Spec(BaseModel):
    """Base of all specs: strict about keys, frozen once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class NetworkPortSpec(Spec):
    """A port of a bridge towards the network. Without a profile: every VLAN tagged, nothing untagged."""

    profile: Name | None = None
    peer: bool = False


class BridgeSpec(Spec):
    """A controlling bridge."""

    fabric: Literal["a", "b"] = "a"
    ports: Annotated[dict[Device, NetworkPortSpec], BeforeValidator(_parse_ports)] = {}
    ageing: Milliseconds = 300_000


class NetworkSpec(Spec):
    """The bridges of a network, and in a lab which of their ports are cabled together."""

    bridges: Annotated[dict[Name, BridgeSpec], Field(min_length=1)]
    wires: list[tuple[str, str]] = []


class TrunkSpec(Spec):
    """Tagged frames of the VLANs allowed; untagged ones belong to the native VLAN, if there is one."""

    allowed: Vlans
    native: Vlan | None = None


class VlanSpec(Spec):
    """Access or trunk, one of the two."""

    access: Vlan | None = None
    trunk: TrunkSpec | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> VlanSpec:
        if (self.access is None) == (self.trunk is None):
            raise ValueError("say either access: VLAN or trunk: {allowed: VLANS}")
        return self


class ProfileSpec(Spec):
    """What a port may do. `rate` is read and refused: this version does not enforce it."""

    vlan: VlanSpec
    rate: dict[str, Any] | None = None


class UplinkSpec(Spec):
    """The host's cable to a fabric's bridge."""

    device: Device
    bridge: Name
    mtu: Mtu = DEFAULT_UPLINK_MTU


class HostSpec(Spec):
    """A host: how its functions' frames are told apart, and its uplinks by fabric."""

    channel: Literal["vntag", "etag", "schannel", "vepa"]
    uplinks: Annotated[dict[Literal["a", "b"], UplinkSpec], Field(min_length=1)]


class AdapterSpec(Spec):
    """An adapter of a host, and how many functions to carve."""

    host: Name
    driver: Literal["soft"] = "soft"
    model: str
    functions: Annotated[int, Field(ge=0)] = 0
    storage: Annotated[int, Field(ge=0)] = 0
    backing: Literal["veth", "tap"] = "veth"


class NicSpec(Spec):
    """A machine's NIC: its profile, and what of the binding is to be fixed rather than chosen."""

    profile: Name
    mac: MacAddress | None = None
    address: Address | list[Address] = []
    mtu: Mtu = DEFAULT_FUNCTION_MTU
    fabric: Literal["a", "b"] | None = None
    function: str | None = None
    pin: Device | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses, however many were written."""
        return (self.address,) if isinstance(self.address, str) else tuple(self.address)


class MachineSpec(Spec):
    """What holds NICs: a name space of its own, or the host itself."""

    host: Name
    type: Literal["namespace", "host"] = "namespace"
    nics: Annotated[dict[Device, NicSpec], Field(min_length=1)]


SPECS: dict[str, type[Spec]] = {
    "network": NetworkSpec,
    "profile": ProfileSpec,
    "host": HostSpec,
    "adapter": AdapterSpec,
    "machine": MachineSpec,
}
