# SPDX-License-Identifier: Apache-2.0
"""The CDCP TLV of 802.1Qbg (IEEE 802.1Q annex D; wire.md 4.3): which S-channels there are on a link.

    octet   0-2       3     4                    5, 6                        7            8 ...
            00-80-C2  0x0E  role -(3) scomp -(3) -(12) capacity, high(4)     low(8)       scid(12) svid(12), ...

Role and S-VLAN component are the bits 31 and 27 of the word at octet 4, the capacity (ChnCap) is its low twelve.
Reserved bits are sent as 0 and ignored. A TLV's 511 octets hold 167 channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, NamedTuple

from openfex.errors import WireError
from openfex.model.values import DEFAULT_CHANNEL
from openfex.wire.fields import require_octets, require_width
from openfex.wire.lldp import IEEE_8021, Lldpdu, organization_tlv
from openfex.wire.tlv import Tlv

_HEAD = 4
_PAIR = 3
_ROLE, _S_COMPONENT = 31, 27


class CdcpRole(IntEnum):
    """What the sender is. The standard's text was not to be had: the polarity is a traffic generator's."""

    BRIDGE = 0
    STATION = 1


class SChannel(NamedTuple):
    """An S-channel's number on the link, and the VID of its S-tag: 0 from a station that asks for one."""

    scid: int
    svid: int


DEFAULT = SChannel(DEFAULT_CHANNEL, DEFAULT_CHANNEL)
"""The channel of frames without an S-tag; it is always there, and first."""


@dataclass(frozen=True, slots=True)
class Cdcp:
    """One CDCP TLV. Raises WireError for a number that does not fit its field, or for too many channels."""

    SUBTYPE: ClassVar[int] = 0x0E
    MOST_CHANNELS: ClassVar[int] = 167

    role: CdcpRole
    channels: tuple[SChannel, ...] = (DEFAULT,)
    capacity: int = MOST_CHANNELS
    """ChnCap: how many channels the sender can have, the default channel among them."""
    s_component: bool = True
    """There is an S-VLAN component: somebody who takes S-tags off and puts them on."""

    def __post_init__(self) -> None:
        require_width("CDCP", "capacity", self.capacity, 12)
        if len(self.channels) > self.MOST_CHANNELS:
            message = f"CDCP has {self.MOST_CHANNELS} channels at most, not {len(self.channels)}"
            raise WireError(message, code="field-out-of-range")
        for channel in self.channels:
            require_width("CDCP", "scid", channel.scid, 12)
            require_width("CDCP", "svid", channel.svid, 12)

    def tlv(self) -> Tlv:
        """Give the TLV."""
        head = self.role << _ROLE | self.s_component << _S_COMPONENT | self.capacity
        pairs = b"".join((scid << 12 | svid).to_bytes(_PAIR, "big") for scid, svid in self.channels)
        return organization_tlv(IEEE_8021, self.SUBTYPE, head.to_bytes(_HEAD, "big") + pairs)

    @classmethod
    def decode(cls, octets: bytes) -> Cdcp:
        """Read what follows OUI and subtype. Raises WireError "truncated-frame"."""
        require_octets("inside a CDCP TLV", octets, _HEAD)
        head = int.from_bytes(octets[:_HEAD], "big")
        pairs = [octets[at : at + _PAIR] for at in range(_HEAD, len(octets), _PAIR)]
        for pair in pairs[-1:]:
            require_octets("inside a CDCP channel", pair, _PAIR)
        words = [int.from_bytes(pair, "big") for pair in pairs]
        return cls(
            role=CdcpRole(head >> _ROLE),
            channels=tuple(SChannel(word >> 12, word & 0xFFF) for word in words),
            capacity=head & 0xFFF,
            s_component=bool(head >> _S_COMPONENT & 1),
        )

    @classmethod
    def find(cls, lldpdu: Lldpdu) -> Cdcp | None:
        """What an LLDPDU says of S-channels; None if nothing. Raises WireError for a TLV that is none."""
        octets = lldpdu.find(IEEE_8021, cls.SUBTYPE)
        return None if octets is None else cls.decode(octets)
