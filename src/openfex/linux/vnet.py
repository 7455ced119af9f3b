# SPDX-License-Identifier: Apache-2.0
"""The virtio-net header: what stands before a frame on a TAP or packet socket opened with it (linux/virtio_net.h).

It lets one frame of up to 64 KiB pass whole (GSO), to be cut only where a wire needs it, and leaves checksums to be
done. Fields are in the machine's own byte order, as the kernel has them by default.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import IntEnum

from openfex.errors import WireError

_HEADER = struct.Struct("=BBHHHH")
LENGTH = _HEADER.size

NEEDS_CHECKSUM = 1
"""Flag: the checksum field from `checksum_start` + `checksum_offset` on is still to be filled in."""


class GsoType(IntEnum):
    """What a super-frame is to be cut into."""

    NONE = 0
    TCPV4 = 1
    TCPV6 = 4
    UDP_L4 = 5


@dataclass(frozen=True, slots=True)
class VnetHeader:
    """What the sender leaves to be done; the default is nothing."""

    flags: int = 0
    gso_type: int = 0
    header_length: int = 0
    gso_size: int = 0
    checksum_start: int = 0
    checksum_offset: int = 0

    @classmethod
    def decode(cls, octets: bytes) -> VnetHeader:
        """From the first ten octets. Raises WireError."""
        if len(octets) < LENGTH:
            raise WireError(f"a virtio-net header has {LENGTH} octets, not {len(octets)}", code="short-vnet-header")
        return cls(*_HEADER.unpack_from(octets))

    def encode(self) -> bytes:
        """The ten octets."""
        return _HEADER.pack(
            self.flags, self.gso_type, self.header_length, self.gso_size, self.checksum_start, self.checksum_offset
        )

    def shifted(self, octets: int) -> VnetHeader:
        """The header for the same frame with `octets` more before its network header."""
        length = self.header_length + octets if self.header_length else 0
        start = self.checksum_start + octets if self.flags & NEEDS_CHECKSUM else self.checksum_start
        return replace(self, header_length=length, checksum_start=start)


PLAIN = VnetHeader()
"""Nothing left to do: an ordinary frame."""
