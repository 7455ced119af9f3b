# SPDX-License-Identifier: Apache-2.0
"""The E-Tag of IEEE 802.1BR, clause 7.5: the eight octets by which bridge and port extender name an E-channel.

    octet   0     1     2         3         4         5         6            7
            0x89  0x3f  pcp(3) dei ingress  res grp(2) ecid     ingress ext  ecid ext
                               base(12)     (2)        base(12)

The two identifiers have 20 bits each, split on the wire: the low twelve stand in the base, the high eight in the ext
at the tag's end. Here they are whole. `grp` 0 is one port, 1 to 3 are groups to replicate to; it counts as the two bits
above the E-CID, but not above its base: `ecid22` is the identifier that the standard's MIB uses, `target14` the one
that extenders without ext use (and that adapters match). `ingress` is the port that must not get a copy, 0 for none.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from openfex.wire.fields import require_start, require_width

_LAYOUT = struct.Struct("!HHHBB")


@dataclass(frozen=True, slots=True)
class ETag:
    """One E-Tag, its ethertype included."""

    ETHERTYPE: ClassVar[int] = 0x893F
    LENGTH: ClassVar[int] = 8

    ecid: int
    grp: int = 0
    ingress: int = 0
    pcp: int = 0
    dei: int = 0
    reserved: int = 0

    def __post_init__(self) -> None:
        require_width("E-Tag", "ecid", self.ecid, 20)
        require_width("E-Tag", "grp", self.grp, 2)
        require_width("E-Tag", "ingress", self.ingress, 20)
        require_width("E-Tag", "pcp", self.pcp, 3)
        require_width("E-Tag", "dei", self.dei, 1)
        require_width("E-Tag", "reserved", self.reserved, 2)

    @property
    def ecid22(self) -> int:
        """The E-CID with GRP above it, as IEEE8021-PE-MIB counts."""
        return self.grp << 20 | self.ecid

    @property
    def target14(self) -> int:
        """GRP above the E-CID's base, ext left out: all that a base port extender looks at."""
        return self.grp << 12 | self.ecid & 0xFFF

    def encode(self) -> bytes:
        """Give the eight octets, ethertype first."""
        first = self.pcp << 13 | self.dei << 12 | self.ingress & 0xFFF
        second = self.reserved << 14 | self.target14
        return _LAYOUT.pack(self.ETHERTYPE, first, second, self.ingress >> 12, self.ecid >> 12)

    @classmethod
    def decode(cls, octets: bytes) -> ETag:
        """Read octets that begin with the ethertype; what follows the tag is ignored. Raises WireError."""
        require_start("an E-Tag", octets, cls.LENGTH, cls.ETHERTYPE)
        first = int.from_bytes(octets[2:4], "big")
        second = int.from_bytes(octets[4:6], "big")
        return cls(
            ecid=octets[7] << 12 | second & 0xFFF,
            grp=second >> 12 & 3,
            ingress=octets[6] << 12 | first & 0xFFF,
            pcp=first >> 13,
            dei=first >> 12 & 1,
            reserved=second >> 14,
        )
