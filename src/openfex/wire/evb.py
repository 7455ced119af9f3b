# SPDX-License-Identifier: Apache-2.0
"""The EVB TLV of 802.1Qbg as ratified (IEEE 802.1Q annex D; wire.md 4.1): reflective relay, and times for ECP and VDP.

    octet   0-2       3     4                    5                      6           7                 8
            00-80-C2  0x0D  - bgid rrcap rrctr   - sgid rrreq rrstat(2) r(3) rte(5) mode(2) rol rwd(5) -(2) rol rka(5)
                            bridge status        station status

Exponents count doublings of 10 us (timers.py). Reserved bits are sent as 0 and ignored, and so are octets behind the
ninth. The TLV of draft 0.2 has another OUI and is not read: it stays a Tlv.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from openfex.wire.fields import require_octets, require_width
from openfex.wire.lldp import IEEE_8021, Lldpdu, organization_tlv
from openfex.wire.tlv import Tlv


class EvbMode(IntEnum):
    """What the sender is."""

    NOT_SUPPORTED = 0
    BRIDGE = 1
    STATION = 2
    RESERVED = 3


class RelayStatus(IntEnum):
    """A station's view of reflective relay (RRSTAT); 2 has no meaning yet."""

    OFF = 0
    ON = 1
    RESERVED = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class BridgeStatus:
    """What a bridge says of its port, and what a station repeats."""

    rrcap: bool = False
    """It can do reflective relay."""
    rrctr: bool = False
    """Reflective relay is on."""
    bgid: bool = False
    """It knows GroupIDs."""

    def encode(self) -> int:
        """Give the octet."""
        return self.bgid << 2 | self.rrcap << 1 | self.rrctr

    @classmethod
    def decode(cls, octet: int) -> BridgeStatus:
        """Read the octet."""
        return cls(rrcap=bool(octet & 2), rrctr=bool(octet & 1), bgid=bool(octet & 4))


@dataclass(frozen=True, slots=True)
class StationStatus:
    """What a station says of itself, and what a bridge repeats."""

    rrreq: bool = False
    """It asks for reflective relay."""
    rrstat: RelayStatus = RelayStatus.OFF
    sgid: bool = False
    """It knows GroupIDs."""

    def encode(self) -> int:
        """Give the octet."""
        return self.sgid << 3 | self.rrreq << 2 | self.rrstat

    @classmethod
    def decode(cls, octet: int) -> StationStatus:
        """Read the octet."""
        return cls(rrreq=bool(octet & 4), rrstat=RelayStatus(octet & 3), sgid=bool(octet & 8))


@dataclass(frozen=True, slots=True)
class Evb:
    """One EVB TLV. Raises WireError for a number that does not fit its field."""

    SUBTYPE: ClassVar[int] = 0x0D
    LENGTH: ClassVar[int] = 5

    mode: EvbMode
    bridge: BridgeStatus = BridgeStatus()
    station: StationStatus = StationStatus()
    retries: int = 3
    """R: how often ECP sends again."""
    rte: int = 14
    """Exponent: how long ECP waits for an acknowledgement."""
    rwd: int = 20
    """Exponent: how long the bridge may wait for its resources."""
    rka: int = 20
    """Exponent: how often a station says that a VSI is still there."""
    rwd_remote: bool = False
    rka_remote: bool = False
    """ROL, remote or local: the value in use is the other's."""

    def __post_init__(self) -> None:
        require_width("EVB", "retries", self.retries, 3)
        for name in ("rte", "rwd", "rka"):
            require_width("EVB", name, getattr(self, name), 5)

    def tlv(self) -> Tlv:
        """Give the TLV."""
        octets = (
            self.bridge.encode(),
            self.station.encode(),
            self.retries << 5 | self.rte,
            self.mode << 6 | self.rwd_remote << 5 | self.rwd,
            self.rka_remote << 5 | self.rka,
        )
        return organization_tlv(IEEE_8021, self.SUBTYPE, bytes(octets))

    @classmethod
    def decode(cls, octets: bytes) -> Evb:
        """Read what follows OUI and subtype. Raises WireError "truncated-frame"."""
        require_octets("inside an EVB TLV", octets, cls.LENGTH)
        bridge, station, retransmission, delay, keep_alive = octets[: cls.LENGTH]
        return cls(
            mode=EvbMode(delay >> 6),
            bridge=BridgeStatus.decode(bridge),
            station=StationStatus.decode(station),
            retries=retransmission >> 5,
            rte=retransmission & 0x1F,
            rwd=delay & 0x1F,
            rka=keep_alive & 0x1F,
            rwd_remote=bool(delay & 0x20),
            rka_remote=bool(keep_alive & 0x20),
        )

    @classmethod
    def find(cls, lldpdu: Lldpdu) -> Evb | None:
        """What an LLDPDU says of EVB; None if nothing. Raises WireError for a TLV that is none."""
        octets = lldpdu.find(IEEE_8021, cls.SUBTYPE)
        return None if octets is None else cls.decode(octets)
