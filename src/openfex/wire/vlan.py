# SPDX-License-Identifier: Apache-2.0
"""The VLAN tag of IEEE 802.1Q, as C-tag (TPID 0x8100) and as S-tag (TPID 0x88A8)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from openfex.errors import WireError
from openfex.wire.fields import require_start, require_width

_LAYOUT = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class VlanTag:
    """One VLAN tag, its TPID included. VID 0 (priority only) and 4095 (reserved) are values of the wire, and pass."""

    C_TPID: ClassVar[int] = 0x8100
    S_TPID: ClassVar[int] = 0x88A8
    LENGTH: ClassVar[int] = 4

    vid: int
    pcp: int = 0
    dei: int = 0
    tpid: int = 0x8100

    def __post_init__(self) -> None:
        require_width("VLAN tag", "vid", self.vid, 12)
        require_width("VLAN tag", "pcp", self.pcp, 3)
        require_width("VLAN tag", "dei", self.dei, 1)
        if self.tpid not in (self.C_TPID, self.S_TPID):
            raise WireError(f"VLAN tag tpid is {self.tpid:#06x}, not 0x8100 or 0x88a8", code="field-out-of-range")

    @property
    def tci(self) -> int:
        """The tag's second word: priority, drop eligibility, VID."""
        return self.pcp << 13 | self.dei << 12 | self.vid

    def encode(self) -> bytes:
        """Give the four octets, TPID first."""
        return _LAYOUT.pack(self.tpid, self.tci)

    @classmethod
    def decode(cls, octets: bytes) -> VlanTag:
        """Read octets that begin with the TPID; what follows the tag is ignored. Raises WireError."""
        tpid = require_start("a VLAN tag", octets, cls.LENGTH, cls.C_TPID, cls.S_TPID)
        tci = int.from_bytes(octets[2:4], "big")
        return cls(vid=tci & 0xFFF, pcp=tci >> 13, dei=tci >> 12 & 1, tpid=tpid)
