# SPDX-License-Identifier: Apache-2.0
"""The Edge Control Protocol's PDU (IEEE 802.1Q clause 43; wire.md 4.4): what stands behind ethertype 0x8940.

    octet   0          1                2   3       4 ...
            version(4) op(2) subtype(10) sequence    payload

An ack is the head of what it acknowledges, with another operation and nothing behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.wire.ethernet import Frame
from openfex.wire.fields import require_octets, require_width
from openfex.wire.tlv import NEAREST_CUSTOMER_BRIDGE

VDP, PE_CSP, CHANNEL_CONTROL = 1, 2, 0x3FE
"""Subtypes: VSI discovery; port extenders' control and status; our own channel control (wire.md 0, 3.3)."""
SHORTEST_FRAME = 60
_HEAD = 4


class Operation(IntEnum):
    """What an ECPDU does."""

    REQUEST = 0
    ACK = 1


@dataclass(frozen=True, slots=True)
class Ecpdu:
    """One ECPDU; a payload that was read may end in padding. Raises WireError for a field that does not fit."""

    ETHERTYPE: ClassVar[int] = 0x8940

    operation: Operation
    subtype: int
    sequence: int
    payload: bytes = b""
    version: int = 1

    def __post_init__(self) -> None:
        require_width("ECPDU", "subtype", self.subtype, 10)
        require_width("ECPDU", "sequence", self.sequence, 16)
        require_width("ECPDU", "version", self.version, 4)

    def encode(self) -> bytes:
        """Give what stands behind the ethertype, not padded."""
        head = self.version << 12 | self.operation << 10 | self.subtype
        return head.to_bytes(2, "big") + self.sequence.to_bytes(2, "big") + self.payload

    @classmethod
    def decode(cls, octets: bytes) -> Ecpdu:
        """Read what stands behind the ethertype. Raises WireError "truncated-frame" or "unknown-operation"."""
        require_octets("inside an ECPDU's head", octets, _HEAD)
        head = int.from_bytes(octets[:2], "big")
        operation = head >> 10 & 3
        if operation > Operation.ACK:
            raise WireError(f"ECPDU operation is {operation}, neither request nor ack", code="unknown-operation")
        sequence = int.from_bytes(octets[2:4], "big")
        return cls(Operation(operation), head & 0x3FF, sequence, octets[_HEAD:], head >> 12)

    def frame(self, source: Mac, destination: Mac = NEAREST_CUSTOMER_BRIDGE) -> bytes:
        """The whole frame; a request is padded to 60 octets, an ack is as short as lldpad's, 18 (wire.md 4.4)."""
        octets = Frame(destination, source, self.ETHERTYPE, self.encode()).encode()
        return octets.ljust(SHORTEST_FRAME, b"\0") if self.operation is Operation.REQUEST else octets

    @classmethod
    def decode_frame(cls, octets: bytes) -> Ecpdu:
        """Read an untagged frame to the nearest customer bridge. Raises WireError, "not-ecp" for other frames."""
        frame = Frame.decode(octets)
        if frame.dst != NEAREST_CUSTOMER_BRIDGE or frame.tags or frame.ethertype != cls.ETHERTYPE:
            raise WireError(f"a frame of ethertype 0x{frame.ethertype:04x} to {frame.dst} is not ECP", code="not-ecp")
        return cls.decode(frame.payload)
