# SPDX-License-Identifier: Apache-2.0
"""What a binding is called by the network: MAC, UUID and VSI type, made from names. Pure."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass

from openfex.model.values import Mac

_NAMESPACE = uuid.UUID("6f70656e-6665-5800-8000-000000000000")


def mac_of(lab: str, machine: str, nic: str) -> Mac:
    """The MAC of a NIC that is not told one; the first octet says that it is locally administered."""
    return Mac(b"\x52\x54\x01" + hashlib.sha256(f"{lab}/{machine}/{nic}".encode()).digest()[:3])


def uuid_of(lab: str, machine: str, nic: str) -> str:
    """The UUID of the binding of a NIC."""
    return str(uuid.uuid5(_NAMESPACE, f"{lab}/{machine}/{nic}"))


@dataclass(frozen=True, slots=True, order=True)
class VsiType:
    """A VSI type id, of three octets, and its version (802.1Qbg 41.2.4): what VDP has for a profile."""

    number: int
    version: int = 0


def vsi_type_of(profile: str) -> VsiType:
    """The type of a profile that is not told one: so host and bridge need nobody who gives them out."""
    return VsiType(int.from_bytes(hashlib.sha256(profile.encode()).digest()[:3], "big"))
