# SPDX-License-Identifier: Apache-2.0
"""Capture files in pcapng (draft-ietf-opsawg-pcapng): the blocks that a capture of Ethernet frames needs, encoded.

    section header | interface description a port | enhanced packet a frame ... | interface statistics

Octets are little-endian; times are nanoseconds since 1970.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_LENGTH_UNKNOWN = -1
_ETHERNET = 1
_NANOSECONDS = b"\x09"
_COMMENT = 1
_APPLICATION = 4
_NAME, _DESCRIPTION, _RESOLUTION = 2, 3, 9
_FLAGS, _INBOUND, _OUTBOUND = 2, 1, 2
_DROPPED_BY_CAPTURE = 7
"""isb_osdrop: what came faster than it was taken."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A captured frame: `octets` are its first ones, `length` is how many it has."""

    interface: int
    time_ns: int
    octets: bytes
    length: int
    outbound: bool
    comment: str = ""


def section_header(application: str) -> bytes:
    """The block that a file begins with."""
    body = struct.pack("<IHHq", _BYTE_ORDER_MAGIC, 1, 0, _LENGTH_UNKNOWN)
    return _block(_SECTION, body + _options((_APPLICATION, application.encode())))


def interface_description(name: str, description: str, snap: int) -> bytes:
    """A port; its number is how many were described before it."""
    options = _options((_NAME, name.encode()), (_DESCRIPTION, description.encode()), (_RESOLUTION, _NANOSECONDS))
    return _block(_INTERFACE, struct.pack("<HHI", _ETHERNET, 0, snap) + options)


def enhanced_packet(packet: Packet) -> bytes:
    """A frame, with its direction and a comment."""
    head = (packet.interface, *_time(packet.time_ns), len(packet.octets), packet.length)
    flags = struct.pack("<I", _OUTBOUND if packet.outbound else _INBOUND)
    options = _options((_COMMENT, packet.comment.encode()), (_FLAGS, flags))
    return _block(_PACKET, struct.pack("<5I", *head) + _padded(packet.octets) + options)


def interface_statistics(interface: int, time_ns: int, lost: int) -> bytes:
    """How many frames of a port are missing in the file, at its end."""
    body = struct.pack("<3I", interface, *_time(time_ns))
    return _block(_STATISTICS, body + _options((_DROPPED_BY_CAPTURE, struct.pack("<Q", lost))))


def _time(time_ns: int) -> tuple[int, int]:
    return time_ns >> 32, time_ns & 0xFFFFFFFF


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def _options(*options: tuple[int, bytes]) -> bytes:
    """Those that have a value; four zeros end them."""
    given = (struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options if value)
    return b"".join(given) + bytes(4)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length
