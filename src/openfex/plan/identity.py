# SPDX-License-Identifier: Apache-2.0
"""What a binding is called by the network: a MAC and a UUID made from the names of lab, machine and NIC. Pure."""

from __future__ import annotations

import hashlib
import uuid

from openfex.model.values import Mac

_NAMESPACE = uuid.UUID("6f70656e-6665-5800-8000-000000000000")


def mac_of(lab: str, machine: str, nic: str) -> Mac:
    """The MAC of a NIC that is not told one; the first octet says that it is locally administered."""
    return Mac(b"\x52\x54\x01" + hashlib.sha256(f"{lab}/{machine}/{nic}".encode()).digest()[:3])


def uuid_of(lab: str, machine: str, nic: str) -> str:
    """The UUID of the binding of a NIC."""
    return str(uuid.uuid5(_NAMESPACE, f"{lab}/{machine}/{nic}"))
