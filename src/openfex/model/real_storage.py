# SPDX-License-Identifier: Apache-2.0
"""What people write about an NVMe adapter: a document of kind `adapter` with `driver: nvme`.

That it fits the adapter, its flexible resources above all, is for plan/storage.py.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from openfex.errors import InputError
from openfex.model import written
from openfex.model.forms import Named, Otherwise
from openfex.model.real import HostName, Pfs, Range
from openfex.model.spec import Spec
from openfex.model.written_storage import NAMESPACE, SHARE

Shares = Annotated[int, SHARE]
EQUAL = Otherwise("an equal share")
KEPT = Otherwise("what it has, as far as the functions leave it")


class KeepSpec(Spec):
    """What the PF itself is to have of the flexible resources, beside its private ones."""

    queues: Annotated[Shares | None, KEPT] = Field(
        None, description="flexible queues; a change resets the PF's controller", examples=[0]
    )
    interrupts: Annotated[Shares | None, KEPT] = Field(
        None, description="flexible interrupts; a change resets the PF's controller", examples=[0]
    )


class StorageSettingsSpec(Spec):
    """What storage functions are to be."""

    queues: Annotated[Shares | None, EQUAL] = Field(
        None,
        description="queue pairs, the admin queues being one of them: at least 2 (`storage-share-too-small`), and what "
        "the adapter has (`storage-share-too-large`, `storage-share-step`, `storage-overcommitted`)",
        examples=[2],
    )
    interrupts: Annotated[Shares | None, EQUAL] = Field(
        None, description="interrupts: at least 1, and what the adapter has (the same codes)", examples=[1]
    )
    namespaces: Annotated[list[Annotated[int, NAMESPACE]] | None, Otherwise("left as it is")] = Field(
        None,
        description="the namespaces that it has, and no other ones (`no-such-namespace`, `namespace-private`, "
        "`namespace-taken`)",
        examples=[[1]],
    )
    driver: Annotated[Literal["device", "vfio-pci", "none"] | None, Otherwise("`device`, or who has it")] = Field(
        None,
        description="who has it: the host, with a block device for each namespace; `vfio-pci`, for a virtual machine; "
        "or nobody",
        examples=["vfio-pci"],
    )


class NvmeSpec(Spec):
    """A real NVMe adapter: which PFs, how many storage functions, and what these are to be."""

    host: Annotated[HostName | None, Otherwise("this machine")] = Field(
        None,
        description="where it is; without it the document is about the machine that reads it (`host-not-here`)",
        examples=["h1"],
    )
    driver: Literal["nvme"] = Field(description="`nvme`: a real NVMe adapter", examples=["nvme"])
    pfs: Pfs = Field(
        description="which physical functions, by address, ids or driver; each is in one document "
        "(`function-claimed-twice`)",
        examples=["0000:01:00.0", [{"vendor": "1b36", "device": "0010"}]],
    )
    functions: Annotated[int | None, written.COUNT, Otherwise("as many as there are")] = Field(
        None,
        description="how many to carve, of each PF (`too-many-functions`); another number takes all there are away for "
        "a moment (`function-in-use`)",
        examples=[4],
    )
    keep: Annotated[KeepSpec | None, Otherwise("what the functions leave")] = Field(
        None, description="what the PF keeps for itself", examples=[{"queues": 0}]
    )
    settings: Annotated[dict[Range, StorageSettingsSpec], Named("RANGE", "settings")] = Field(
        {},
        description="what functions are to be, by their numbers (`unknown-function`); where ranges overlap the later "
        "one wins, key by key",
        examples=[{"all": {"queues": 2}, "0": {"namespaces": [1]}, "1": {"driver": "vfio-pci"}}],
    )

    @model_validator(mode="after")
    def _whole(self) -> NvmeSpec:
        for pf in self.pfs:
            if pf.address and pf.address[2] is not None:
                remedy = "write the range in settings"
                raise InputError("an NVMe adapter is carved as a whole", code="bad-range", remedy=remedy)
        return self
