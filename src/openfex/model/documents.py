# SPDX-License-Identifier: Apache-2.0
"""The documents people write: `{kind, name, spec}`, checked one by one. What ties them together is plan/'s to check.

Unknown keys are errors; a key with nothing behind it is not written. What is said of a key here (its description, its
example) is what messages, `fex explain`, docs/reference/documents.md and the JSON Schema say.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from openfex.errors import InputError
from openfex.model.forms import Named, Otherwise
from openfex.model.networks import NetworkSpec
from openfex.model.policing import AclSpec, PrioritySpec, RatesSpec, SourceSpec, Vlans
from openfex.model.spec import Spec
from openfex.model.typed import (
    Addresses,
    BitRate,
    BridgeName,
    Count,
    Cpus,
    Device,
    Fabric,
    File,
    Function,
    HostName,
    MacAddress,
    Mebibytes,
    Model,
    Mtu,
    Name,
    Pcps,
    PortName,
    ProfileName,
    Truth,
    Vlan,
)

DEFAULT_UPLINK_MTU = 9216
DEFAULT_FUNCTION_MTU = 1500


class TrunkSpec(Spec):
    """Tagged frames of the VLANs allowed; untagged ones belong to the native VLAN, if there is one."""

    allowed: Vlans = Field(description="the port takes and gets frames with these tags", examples=["10,20-29"])
    native: Vlan | None = Field(
        None,
        description="untagged frames belong to this VLAN, which is then allowed too; without it they are dropped",
        examples=[10],
    )


class VlanSpec(Spec):
    """The VLANs of a port: access or trunk, one of the two; towards the network perhaps inside a service tag."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["access"]}, {"required": ["trunk"]}]})

    access: Vlan | None = Field(
        None,
        description="the port is in this VLAN, and takes and gets untagged frames; "
        "those with a priority tag (VLAN 0) are untagged ones",
        examples=[10],
    )
    trunk: TrunkSpec | None = Field(
        None,
        description="the port takes and gets tagged frames",
        examples=[{"allowed": "10,20-29", "native": 10}],
    )
    service: Vlan | None = Field(
        None,
        description="of a network port: all frames leave it inside a service tag (802.1ad, 0x88A8) of this VLAN, and "
        "it takes none without; not for NICs (`service-needs-network-port`)",
        examples=[100],
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> VlanSpec:
        if self.access is None and self.trunk is None:
            raise InputError("neither access nor trunk is said", code="missing-key", remedy="write one of the two")
        if self.access is not None and self.trunk is not None:
            raise InputError("both access and trunk are said", code="bad-value", remedy="write one of the two")
        return self


class ProfileSpec(Spec):
    """What a port may do: that of a NIC, or one towards the network."""

    vlan: VlanSpec = Field(
        description="access or trunk, one of the two; towards the network perhaps inside a service tag",
        examples=[{"access": 10}, {"trunk": {"allowed": "10,20-29"}, "service": 100}],
    )
    priority: PrioritySpec | None = Field(
        None,
        description="which priority a frame has, and what is written into it",
        examples=[{"trust": "dscp"}, {"trust": "none", "pcp": 5, "dscp": "ef"}],
    )
    acl: AclSpec | None = Field(
        None,
        description="which frames may enter and leave by the port: in each direction the first rule that matches "
        "decides, and what none matches is dropped",
        examples=[{"in": [{"permit": {"protocol": "tcp", "port": 443}}, {"permit": {"ethertype": "arp"}}]}],
    )
    rate: RatesSpec | None = Field(
        None,
        description="how much may enter and leave by the port; what is more is dropped",
        examples=[{"in": "1Gbit", "out": "1Gbit"}],
    )
    source: SourceSpec | None = Field(
        None,
        description="whose addresses a NIC may send from; not for network ports (`source-needs-nic`)",
        examples=[{"learn": 2}, {"guard": True}],
    )


class ClassSpec(Spec):
    """Frames of an uplink that have some of it for themselves when it is full."""

    pcp: Pcps = Field(
        description="frames of these priorities: what they have inside the bridge, and upwards what their VLAN tag "
        "says. Each in one class (`duplicate-pcp`)",
        examples=[[5, 6, 7], 5],
    )
    minimum: BitRate = Field(
        description="what they have at least, all of them together, in each direction; what they leave is the others', "
        "and the other way round (`minimums-too-large`)",
        examples=["4Gbit"],
    )


class UplinkSpec(Spec):
    """The host's cable to a fabric's bridge."""

    device: Device = Field(description="the uplink's name in the host", examples=["up-a"])
    bridge: BridgeName = Field(
        description="where it ends (`unknown-bridge`); a bridge takes 64 uplinks (`too-many-uplinks`)",
        examples=["sw-a"],
    )
    mtu: Mtu = Field(
        DEFAULT_UPLINK_MTU,
        description="must have room for a NIC's MTU, the channel's tag and two VLAN tags (`mtu-too-large`)",
        examples=[9216],
    )
    attachment: Literal["auto", "tc", "xdp"] = Field(
        "auto",
        description="how programs get at its frames, and at those of its functions (`xdp-not-possible`): "
        "`tc` keeps super-frames whole, `xdp` carries more frames a second; `auto` takes `tc` in a lab",
        examples=["xdp"],
    )
    rate: Annotated[BitRate | None, Otherwise("what it can")] = Field(
        None,
        description="what it carries in each direction: more waits in a queue at its end, and is dropped where that is "
        "full; not with `attachment: xdp` (`rate-needs-tc`)",
        examples=["10Gbit"],
    )
    classes: Annotated[dict[Name, ClassSpec], Named("CLASS", "class")] = Field(
        {},
        description="who has a part of `rate` for himself (`classes-need-rate`); frames of all other priorities have "
        "what is left together",
        examples=[{"voice": {"pcp": [5, 6, 7], "minimum": "4Gbit"}}],
    )
    port: Device | None = Field(
        None,
        description="of a `remote` host, or to a `remote` bridge: the device of this machine where its cable ends "
        "(`remote-needs-port`); it is lent to the bridge, or to the host, and given back by `fex lab down`",
        examples=["enp1s0"],
    )


class HostSpec(Spec):
    """A host: how its functions' frames are told apart, and its uplinks."""

    channel: Literal["vntag", "etag", "schannel", "schannel-q", "vepa"] = Field(
        description="how its functions' frames are told apart on the uplinks: by a VN-Tag, an E-Tag, an S-tag "
        "(802.1ad), or with `schannel-q` a C-tag (802.1Q); `vepa` has none: each frame bears the C-tag of its VLAN, "
        "and MACs tell functions apart, so NICs that share a VLAN share a network port (`vepa-pins-differ`), and "
        "profiles neither judge what leaves (`vepa-judges-out`) nor learn (`vepa-learns`)",
        examples=["vntag"],
    )
    remote: Truth = Field(
        False,
        description="a real host, reached over `port` of its uplinks: nothing of it is built here. Its adapters put a "
        "port VLAN on each function, so its channels are S-channels; or with `channel: vepa` any station that puts a "
        "VLAN's tag on each frame (`remote-needs-schannel`)",
        examples=[True],
    )
    agent: Truth = Field(
        True,
        description="of a `remote` host: it signals (`fex host`), and its ports are up when it says so. Without an "
        "agent they are up as these documents say (`agent-needs-remote`)",
        examples=[False],
    )
    uplinks: Annotated[dict[Fabric, UplinkSpec], Named("FABRIC", "uplink"), Field(min_length=1)] = Field(
        description="its uplinks, one a fabric",
        examples=[{"a": {"device": "up-a", "bridge": "sw-a"}}],
    )


class AdapterSpec(Spec):
    """An adapter of a host, and how many functions to carve."""

    host: HostName = Field(description="where it is (`unknown-host`)", examples=["h1"])
    driver: Literal["soft", "sriov", "nvme"] = Field(
        "soft",
        description="`soft` is emulated; `sriov` and `nvme` are real, with the keys of `adapter-sriov`, `adapter-nvme`",
        examples=["soft"],
    )
    model: Model = Field(
        description="what it emulates (`unknown-model`); `fex show adapters --catalogue` lists the models",
        examples=["vic-1280"],
    )
    functions: Count = Field(0, description="NIC functions to carve (`too-many-functions`)", examples=[16])
    storage: Count = Field(
        0,
        description="storage functions to carve (`no-storage`); with a channel and a vEth each, but without a device: "
        "soft adapters have no storage behind them",
        examples=[2],
    )
    backing: Literal["veth", "tap"] = Field(
        "veth",
        description="what a NIC function is made of; a TAP is for a virtual machine (`qemu-needs-tap`) or another "
        "program that opens it, and stays in the host's name space (`tap-needs-host`)",
        examples=["veth"],
    )


class NicSpec(Spec):
    """A NIC of a machine: its profile, and what of its binding is to be fixed rather than chosen."""

    profile: ProfileName = Field(description="the profile of its vEth (`unknown-profile`)", examples=["web"])
    mac: Annotated[MacAddress | None, Otherwise("`52:54:01:` and three octets made from the names")] = Field(
        None,
        description="the only source address that its port takes; each NIC of a lab has its own (`duplicate-mac`)",
        examples=["52:54:00:00:00:01"],
    )
    address: Addresses = Field(
        (),
        description="what the NIC is given (`duplicate-address`)",
        examples=["10.0.10.1/24", ["10.0.10.1/24", "fd00:10::1/64"]],
    )
    mtu: Mtu = Field(
        DEFAULT_FUNCTION_MTU,
        description="of the function, on both sides (`mtu-too-large`); with an IPv6 address at least 1280 "
        "(`mtu-too-small`)",
        examples=[9000],
    )
    fabric: Annotated[Fabric | None, Otherwise("the host's first, `a` before `b`")] = Field(
        None,
        description="on which uplink of the host it is bound (`unknown-fabric`)",
        examples=["b"],
    )
    function: Annotated[Function | None, Otherwise("a free NIC function of the host")] = Field(
        None,
        description="which function it is (`unknown-function`, `function-taken`, `soft-storage-not-bindable`, "
        "`no-free-function`)",
        examples=["h1-nic0/3"],
    )
    pin: Annotated[PortName | None, Otherwise("one that carries one of its VLANs")] = Field(
        None,
        description="the network port of the bridge that it uses (`unknown-port`, `pin-without-vlan`)",
        examples=["up1"],
    )

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses, however many were written."""
        return self.address


class MachineSpec(Spec):
    """What holds NICs: a name space, the host itself, or a virtual machine. Each NIC is bound to one function."""

    host: HostName = Field(description="where it runs (`unknown-host`)", examples=["h1"])
    type: Literal["namespace", "host", "qemu"] = Field(
        "namespace",
        description="a name space of its own, the host's own, or a virtual machine, whose NICs are functions that "
        "are TAPs",
        examples=["host"],
    )
    nics: Annotated[dict[Device, NicSpec], Named("NIC", "NIC"), Field(min_length=1)] = Field(
        description="its NICs by device. With `type: host` the name must be free in the host (`duplicate-device`)",
        examples=[{"eth0": {"profile": "web", "address": "10.0.10.1/24"}}],
    )
    memory: Mebibytes = Field(
        "192MiB",
        validate_default=True,
        description="of a virtual machine",
        examples=["256MiB"],
    )
    cpus: Cpus = Field(1, description="of a virtual machine", examples=[2])
    kernel: Annotated[File | None, Otherwise("ours, of Debian")] = Field(
        None,
        description="what a virtual machine boots",
        examples=["/boot/vmlinuz"],
    )
    image: Annotated[File | None, Otherwise("ours: busybox, and an agent for `fex lab exec`")] = Field(
        None,
        description="the first file system of a virtual machine, and its only one",
        examples=["/srv/images/initrd"],
    )

    @model_validator(mode="after")
    def _keys_of_guests(self) -> MachineSpec:
        given = [key for key in ("memory", "cpus", "kernel", "image") if key in self.model_fields_set]
        if given and self.type != "qemu":
            remedy = "write `type: qemu`, or take it out"
            raise InputError(f"only a virtual machine has {', '.join(given)}", code="bad-value", remedy=remedy)
        return self


SPECS: dict[str, type[Spec]] = {
    "network": NetworkSpec,
    "profile": ProfileSpec,
    "host": HostSpec,
    "adapter": AdapterSpec,
    "machine": MachineSpec,
}

EXAMPLES: dict[str, tuple[str, dict[str, object]]] = {
    "network": ("lab", {"bridges": {"sw-a": {"fabric": "a", "ports": ["up0"]}}}),
    "profile": ("web", {"vlan": {"access": 10}}),
    "host": ("h1", {"channel": "vntag", "uplinks": {"a": {"device": "up-a", "bridge": "sw-a"}}}),
    "adapter": ("h1-nic0", {"host": "h1", "model": "vic-1280", "functions": 16}),
    "machine": ("vm1", {"host": "h1", "nics": {"eth0": {"profile": "web", "address": "10.0.10.1/24"}}}),
}
"""Name and spec of a document of each kind. Together they are a lab."""
