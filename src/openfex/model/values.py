# SPDX-License-Identifier: Apache-2.0
"""The small values that everything else is made of: MAC addresses, VLAN ids, port numbers, channel kinds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from openfex.errors import InputError

CHANNEL_BITS = 12
LAST_CHANNEL = 4094
"""Channels 1..4094 name functions; 0 is the link itself, 4095 stays reserved (wire.md 2.1)."""
DEFAULT_CHANNEL = 1
"""Of S-channels the one that has no tag (SVID 1 of CDCP, wire.md 4.3); where there are others it is one like them."""
LAST_VLAN = 4094

_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")


@dataclass(frozen=True, slots=True, order=True)
class Mac:
    """A 48-bit MAC address, held as its six octets in wire order."""

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != 6:
            raise InputError(f"a MAC address has 6 octets, not {len(self.octets)}", code="bad-mac")

    @classmethod
    def parse(cls, text: str) -> Mac:
        """From `52:54:00:00:00:01`. Raises InputError."""
        if not _MAC.fullmatch(text):
            raise InputError(f"{text!r} is not a MAC address like 52:54:00:00:00:01", code="bad-mac")
        return cls(bytes.fromhex(text.replace(":", "")))

    def __str__(self) -> str:
        return self.octets.hex(":")

    @property
    def is_multicast(self) -> bool:
        """True for group addresses, broadcast among them."""
        return bool(self.octets[0] & 1)

    @property
    def is_link_local(self) -> bool:
        """True for 01-80-C2-00-00-00 to -0F, which no bridge forwards (IEEE 802.1Q, table 8-1)."""
        return self.octets[:5] == b"\x01\x80\xc2\x00\x00" and self.octets[5] < 0x10


BROADCAST = Mac(b"\xff" * 6)


class ChannelKind(Enum):
    """How a function's frames are told apart on the uplink; the value is the word in documents."""

    VNTAG = "vntag"
    ETAG = "etag"
    SCHANNEL = "schannel"
    """An S-channel: the tag is an S-tag (802.1ad), its VID the channel."""
    SCHANNEL_Q = "schannel-q"
    """The same with a C-tag (802.1Q), for adapters that have no other."""
    VEPA = "vepa"
    """None: MAC and VLAN tell them apart, so every frame bears the C-tag of its VLAN (802.1Qbg)."""

    @property
    def overhead(self) -> int:
        """Octets that the tag adds to a frame; with VEPA the VLAN's C-tag, which is none of a channel's."""
        return {ChannelKind.VNTAG: 6, ChannelKind.ETAG: 8}.get(self, 4)

    @property
    def is_schannel(self) -> bool:
        """Whether the tag is a VLAN tag: it names no source and no list, and what has none is in a channel too."""
        return self in {ChannelKind.SCHANNEL, ChannelKind.SCHANNEL_Q}

    @property
    def first_channel(self) -> int:
        """The first that a function can have: behind the one of what has no tag."""
        return DEFAULT_CHANNEL + 1 if self.is_schannel else 1

    @property
    def channels(self) -> int:
        """How many functions of a host can have one."""
        return LAST_CHANNEL + 1 - self.first_channel


def port_number(link: int, channel: int = 0) -> int:
    """A port's number on its node: the link it is reached by, and the channel on it (0: the link itself)."""
    return link << CHANNEL_BITS | channel


def port_link(port: int) -> int:
    """The link of a port number."""
    return port >> CHANNEL_BITS


def port_channel(port: int) -> int:
    """The channel of a port number; 0 is the link itself."""
    return port & ((1 << CHANNEL_BITS) - 1)
