# SPDX-License-Identifier: Apache-2.0
"""Type, length, value: what LLDP, VDP and channel control are made of (IEEE 802.1AB clause 8.4).

    octet   0          1         2 ...
            type(7) length(9)    value

Octets of a list and its TLVs stand for each other, but for what comes after an End TLV (type 0, length 0): padding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.wire.fields import require_octets, require_width

END, ORGANIZATION = 0, 127
MOST_VALUE = 511
"""Octets that a value can have: what nine bits count."""
_HEAD = 2

NEAREST_BRIDGE = Mac(b"\x01\x80\xc2\x00\x00\x0e")
NEAREST_NON_TPMR_BRIDGE = Mac(b"\x01\x80\xc2\x00\x00\x03")
NEAREST_CUSTOMER_BRIDGE = Mac(b"\x01\x80\xc2\x00\x00\x00")
"""Group addresses, each a scope: LLDP of any kind; LLDP across repeaters; EVB, CDCP, ECP (IEEE 802.1AB table 7-1)."""


@dataclass(frozen=True, slots=True)
class Tlv:
    """One TLV; `value` is what stands behind its head. Raises WireError for a type or value that does not fit."""

    type: int
    value: bytes

    def __post_init__(self) -> None:
        require_width("TLV", "type", self.type, 7)
        if len(self.value) > MOST_VALUE:
            raise WireError(f"a TLV has {MOST_VALUE} octets at most, not {len(self.value)}", code="field-out-of-range")

    def encode(self) -> bytes:
        """Give head and value."""
        return (self.type << 9 | len(self.value)).to_bytes(_HEAD, "big") + self.value


def write_tlvs(tlvs: Iterable[Tlv]) -> bytes:
    """One TLV behind the other, without an End TLV."""
    return b"".join(tlv.encode() for tlv in tlvs)


def read_tlvs(octets: bytes) -> tuple[Tlv, ...]:
    """Read to the End TLV, which is not given, or to the end. Raises WireError "truncated-frame"."""
    found = []
    at = 0
    while at < len(octets):
        require_octets("inside a TLV's head", octets, at + _HEAD)
        head = int.from_bytes(octets[at : at + _HEAD], "big")
        at, end = at + _HEAD, at + _HEAD + (head & MOST_VALUE)
        require_octets("inside a TLV", octets, end)
        if head == END:
            break
        found.append(Tlv(head >> 9, octets[at:end]))
        at = end
    return tuple(found)
