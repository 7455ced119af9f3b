# SPDX-License-Identifier: Apache-2.0
"""The adapter models that a soft adapter can be, with the limits of the real ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AdapterModel:
    """A model, and how many functions can be carved from it: NICs and storage share the limit."""

    name: str
    functions: int
    storage: bool
    note: str


CATALOGUE = {
    model.name: model
    for model in (
        AdapterModel("vic-m81kr", 128, True, "Cisco UCS M81KR virtual interface card"),
        AdapterModel("vic-1240", 256, True, "Cisco UCS VIC 1240"),
        AdapterModel("vic-1280", 256, True, "Cisco UCS VIC 1280"),
        AdapterModel("82576", 7, False, "Intel 82576 (igb), per port"),
        AdapterModel("82599", 63, False, "Intel 82599 (ixgbe), per port"),
        AdapterModel("sriov", 256, False, "any with SR-IOV; what a real one of a network is to a bridge"),
        AdapterModel("bcm-8", 8, True, "a Broadcom NIC with eight partitions"),
    )
}
