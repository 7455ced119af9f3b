# SPDX-License-Identifier: Apache-2.0
"""The VN-Tag: the six octets by which a port extender and its bridge name a virtual interface (VIF).

    octet   0        1        2        3        4        5
            0x89     0x26     dp dvif(14)       lr ver(2) svif(12)

Cisco's, older than 802.1BR. `direction` 1 is from the bridge; `pointer` 1 makes `dvif` a list of VIFs; `looped` 1 says
that the frame goes back to the extender that it came from, and `svif` is then the VIF that must not get a copy.
`dvif` is two bits wider than `svif`. `reserved` and `version` are sent as 0; they are kept when read, so that
what was read is also what is written again.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from openfex.wire.fields import require_start, require_width

_LAYOUT = struct.Struct("!HI")


@dataclass(frozen=True, slots=True)
class VnTag:
    """One VN-Tag, its ethertype included."""

    ETHERTYPE: ClassVar[int] = 0x8926
    LENGTH: ClassVar[int] = 6

    direction: int = 0
    pointer: int = 0
    dvif: int = 0
    looped: int = 0
    svif: int = 0
    reserved: int = 0
    version: int = 0

    def __post_init__(self) -> None:
        require_width("VN-Tag", "direction", self.direction, 1)
        require_width("VN-Tag", "pointer", self.pointer, 1)
        require_width("VN-Tag", "dvif", self.dvif, 14)
        require_width("VN-Tag", "looped", self.looped, 1)
        require_width("VN-Tag", "svif", self.svif, 12)
        require_width("VN-Tag", "reserved", self.reserved, 1)
        require_width("VN-Tag", "version", self.version, 2)

    def encode(self) -> bytes:
        """Give the six octets, ethertype first."""
        upper = self.direction << 15 | self.pointer << 14 | self.dvif
        lower = self.looped << 15 | self.reserved << 14 | self.version << 12 | self.svif
        return _LAYOUT.pack(self.ETHERTYPE, upper << 16 | lower)

    @classmethod
    def decode(cls, octets: bytes) -> VnTag:
        """Read octets that begin with the ethertype; what follows the tag is ignored. Raises WireError."""
        require_start("a VN-Tag", octets, cls.LENGTH, cls.ETHERTYPE)
        word = int.from_bytes(octets[2:6], "big")
        return cls(
            direction=word >> 31,
            pointer=word >> 30 & 1,
            dvif=word >> 16 & 0x3FFF,
            looped=word >> 15 & 1,
            svif=word & 0xFFF,
            reserved=word >> 14 & 1,
            version=word >> 12 & 3,
        )
