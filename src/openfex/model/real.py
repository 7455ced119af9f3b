# SPDX-License-Identifier: Apache-2.0
"""What people write about a real adapter: a document of kind `adapter` with `driver: sriov`.

That settings fit each other where several ranges meet a function, and fit the machine, is for plan/functions.py.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from openfex.errors import InputError
from openfex.model import written, written_functions
from openfex.model.forms import AtLeastOne, Named, NameOf, Otherwise, Shorthand
from openfex.model.spec import Spec
from openfex.model.values import Mac
from openfex.model.written_functions import Numbers

HostName = Annotated[str, written.NAME, NameOf("host")]
PciId = Annotated[str, written_functions.PCI_ID]
Truth = Annotated[bool, written.TRUTH]
FunctionRate = Annotated[int, written_functions.FUNCTION_RATE]
Range = Annotated[Numbers | None, written_functions.RANGE]
LEFT = Otherwise("left as it is")


class PfSpec(Spec):
    """PFs that have all that is said."""

    address: Annotated[tuple[str, str, Numbers | None] | None, written_functions.PF, Otherwise("any")] = Field(
        None,
        description="the PF's PCI address or network device, perhaps with a range of its functions. Where it is all "
        "there is to say, it is written alone (`no-such-pf`)",
        examples=["eno1"],
    )
    vendor: Annotated[PciId | None, Otherwise("any")] = Field(
        None, description="its vendor's PCI id", examples=["8086"]
    )
    device: Annotated[PciId | None, Otherwise("any")] = Field(
        None, description="its device's PCI id", examples=["10c9"]
    )
    driver: Annotated[str | None, written.DEVICE, Otherwise("any")] = Field(
        None, description="the PF's own driver", examples=["igb"]
    )

    @model_validator(mode="after")
    def _something(self) -> PfSpec:
        if not self.model_fields_set:
            raise InputError("says nothing of the PF", code="bad-pf", remedy="write for example {driver: igb}")
        return self


def _long_pfs(value: object) -> object:
    """`eno1` is short for `[{address: eno1}]`."""
    listed = value if isinstance(value, list) else [value]
    return [one if isinstance(one, dict) else {"address": one} for one in listed]


Pfs = Annotated[
    list[PfSpec],
    Named("PF", "PF"),
    AtLeastOne(),
    Shorthand("PF, a list of these", _long_pfs, {"anyOf": [dict(written_functions.PF.schema), {"type": "array"}]}),
]


class RateSpec(Spec):
    """What a function may send, and what it has at least when others send, too."""

    min: Annotated[FunctionRate | None, LEFT] = Field(
        None, description="what it has at least; not more than `max` (`min-over-max`)", examples=["100Mbit"]
    )
    max: Annotated[FunctionRate | None, LEFT] = Field(
        None, description="what it may send at most; 0 is no limit", examples=["1Gbit"]
    )

    @model_validator(mode="after")
    def _in_order(self) -> RateSpec:
        if self.min and self.max and self.min > self.max:
            remedy = "write a `max` that is not below `min`"
            message = f"min {self.min}Mbit is more than max {self.max}Mbit"
            raise InputError(message, code="min-over-max", remedy=remedy)
        return self


class SettingsSpec(Spec):
    """What functions are to be. What is not said is left as it is."""

    mac: Annotated[Mac | None, written.MAC, LEFT] = Field(
        None,
        description="the function's only MAC, which its holder cannot change; for one function (`duplicate-mac`)",
        examples=["52:54:00:00:00:01"],
    )
    mac_pool: Annotated[Mac | None, written_functions.POOL, LEFT] = Field(
        None,
        description="the MAC of the first of the range; each that follows has the next, PF by PF in the order of their "
        "addresses. Not with `mac`",
        examples=["52:54:00:00:10:00"],
    )
    vlan: Annotated[int | None, written_functions.PORT_VLAN, LEFT] = Field(
        None,
        description="the function's port VLAN: the adapter tags what it sends, and gives it that VLAN untagged",
        examples=[10],
    )
    qos: Annotated[int | None, written_functions.QOS, LEFT] = Field(
        None, description="the priority in that tag; with a VLAN (`qos-without-vlan`)", examples=[3]
    )
    protocol: Annotated[Literal["802.1Q", "802.1ad"] | None, LEFT] = Field(
        None, description="the kind of that tag (`protocol-not-supported`)", examples=["802.1ad"]
    )
    rate: Annotated[RateSpec | None, LEFT] = Field(None, description="what it may send", examples=[{"max": "1Gbit"}])
    spoof_check: Annotated[Truth | None, LEFT] = Field(
        None, description="frames from another MAC are dropped by the adapter", examples=[True]
    )
    trust: Annotated[Truth | None, LEFT] = Field(
        None, description="its holder may change its MAC and take all frames", examples=[False]
    )
    link: Annotated[Literal["auto", "up", "down"] | None, LEFT] = Field(
        None, description="what it sees of the link: that of the PF, or always the same", examples=["auto"]
    )
    rss_query: Annotated[Truth | None, LEFT] = Field(
        None, description="its holder may read how its frames are spread over queues", examples=[True]
    )
    driver: Annotated[Literal["device", "vfio-pci", "none"] | None, LEFT] = Field(
        None,
        description="who has it: the driver of its device, here or in a name space; `vfio-pci`, to be given to a "
        "virtual machine (`no-iommu`, `iommu-group-shared`); or nobody",
        examples=["vfio-pci"],
    )
    purpose: Annotated[str | None, written_functions.PURPOSE, Otherwise("none")] = Field(
        None, description="what it is for, for people", examples=["database"]
    )

    @model_validator(mode="after")
    def _go_together(self) -> SettingsSpec:
        if self.mac and self.mac_pool:
            raise InputError("both mac and mac-pool are said", code="bad-value", remedy="write one of the two")
        if self.vlan == 0 and self.qos:
            remedy = "write a VLAN, or take qos out"
            raise InputError("there is no VLAN, so no tag that qos could be in", code="qos-without-vlan", remedy=remedy)
        return self


class SriovSpec(Spec):
    """A real adapter: which PFs, how many functions, and what these are to be."""

    host: Annotated[HostName | None, Otherwise("this machine")] = Field(
        None,
        description="where it is; without it the document is about the machine that reads it (`host-not-here`)",
        examples=["h1"],
    )
    driver: Literal["sriov"] = Field(description="`sriov`: a real adapter", examples=["sriov"])
    pfs: Pfs = Field(
        description="which physical functions; each function is in one document (`function-claimed-twice`)",
        examples=["eno1", ["0000:01:00.0", "eno2#0-3"], [{"vendor": "8086", "device": "10c9"}]],
    )
    functions: Annotated[int | None, written.COUNT, Otherwise("as many as there are")] = Field(
        None,
        description="how many to carve, of each PF (`too-many-functions`); another number destroys all there are "
        "(`function-in-use`)",
        examples=[4],
    )
    hwmode: Annotated[Literal["veb", "vepa"] | None, LEFT] = Field(
        None,
        description="how the adapter's embedded switch works: it bridges between functions, or sends all to the "
        "uplink (`no-hwmode`)",
        examples=["vepa"],
    )
    autoprobe: Annotated[Truth | None, LEFT] = Field(
        None, description="new functions get the driver of their device by themselves", examples=[False]
    )
    settings: Annotated[dict[Range, SettingsSpec], Named("RANGE", "settings")] = Field(
        {},
        description="what functions are to be, by their numbers; where ranges overlap the later one wins, key by key",
        examples=[{"all": {"spoof-check": True}, "0-1": {"vlan": 10}, "2": {"driver": "vfio-pci"}}],
    )
