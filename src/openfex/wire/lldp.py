# SPDX-License-Identifier: Apache-2.0
"""The LLDPDU of IEEE 802.1AB, clause 8: who is at the other end of a cable, and what it says of itself.

    ethertype 0x88CC | Chassis ID (1) | Port ID (2) | TTL (3) | any others | End (0)

The three that must be there stand in a value's own fields, the others are TLVs in their order; what is not known here
stays as it came. An LLDPDU that can be made decodes from its octets as itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.wire.ethernet import Frame
from openfex.wire.fields import require_octets, require_width
from openfex.wire.tlv import END, ORGANIZATION, Tlv, read_tlvs, write_tlvs

ETHERTYPE = 0x88CC
SHORTEST_FRAME = 60
"""Octets of a frame without FCS; what is shorter is padded."""
MOST_OCTETS = 1500
"""Of an LLDPDU: no path between neighbours carries less, few carry more."""
IEEE_8021 = b"\x00\x80\xc2"
"""The OUI of the TLVs that 802.1Q defines: EVB and CDCP among them."""

CHASSIS_ID, PORT_ID, TIME_TO_LIVE, SYSTEM_NAME = 1, 2, 3, 5
_FIRST = (CHASSIS_ID, PORT_ID, TIME_TO_LIVE)
_MOST_ID = 255
_MAC = 6
_END = Tlv(END, b"").encode()


@dataclass(frozen=True, slots=True)
class _Id:
    """What chassis and ports are named by: `subtype` says what the octets are."""

    MAC: ClassVar[int]

    subtype: int
    octets: bytes

    def __post_init__(self) -> None:
        require_width(type(self).__name__, "subtype", self.subtype, 8)
        if not 1 <= len(self.octets) <= _MOST_ID:
            message = f"{type(self).__name__} has {len(self.octets)} octets, not 1 to {_MOST_ID}"
            raise WireError(message, code="field-out-of-range")

    def __str__(self) -> str:
        """Readable whatever the octets are: they come from the wire."""
        if self.subtype == self.MAC and len(self.octets) == _MAC:
            return str(Mac(self.octets))
        text = self.octets.decode("ascii", errors="replace")
        return text if text.isascii() and text.isprintable() else self.octets.hex()


@dataclass(frozen=True, slots=True)
class ChassisId(_Id):
    """The box; IEEE 802.1AB, table 8-2, has the subtypes."""

    MAC: ClassVar[int] = 4

    @classmethod
    def of_mac(cls, mac: Mac) -> ChassisId:
        """Named by a MAC address of its own."""
        return cls(cls.MAC, mac.octets)


@dataclass(frozen=True, slots=True)
class PortId(_Id):
    """The port of the box; IEEE 802.1AB, table 8-3, has the subtypes."""

    MAC: ClassVar[int] = 3
    INTERFACE_NAME: ClassVar[int] = 5

    @classmethod
    def of_mac(cls, mac: Mac) -> PortId:
        """Named by its MAC address."""
        return cls(cls.MAC, mac.octets)

    @classmethod
    def of_interface(cls, name: str) -> PortId:
        """Named as the operating system names it."""
        return cls(cls.INTERFACE_NAME, name.encode())


def system_name(name: str) -> Tlv:
    """The System Name TLV."""
    return Tlv(SYSTEM_NAME, name.encode())


def organization_tlv(oui: bytes, subtype: int, octets: bytes) -> Tlv:
    """An organizationally specific TLV: OUI, subtype, what the organization says."""
    require_width("organization's TLV", "subtype", subtype, 8)
    return Tlv(ORGANIZATION, oui + bytes([subtype]) + octets)


def organization_octets(tlv: Tlv, oui: bytes, subtype: int) -> bytes | None:
    """What stands behind OUI and subtype; None if the TLV has others."""
    start = oui + bytes([subtype])
    return tlv.value[len(start) :] if tlv.type == ORGANIZATION and tlv.value.startswith(start) else None


@dataclass(frozen=True, slots=True)
class Lldpdu:
    """What one LLDP agent says; `ttl` in seconds, 0 to be forgotten at once. Raises WireError for what does not fit."""

    chassis: ChassisId
    port: PortId
    ttl: int
    tlvs: tuple[Tlv, ...] = ()

    def __post_init__(self) -> None:
        require_width("LLDPDU", "ttl", self.ttl, 16)
        for tlv in self.tlvs:
            if tlv.type in {END, *_FIRST}:
                raise WireError(f"a TLV of type {tlv.type} has its own place in an LLDPDU", code="misplaced-tlv")
        if (length := len(self.encode())) > MOST_OCTETS:
            raise WireError(f"an LLDPDU has {MOST_OCTETS} octets at most, not {length}", code="too-long")

    def find(self, oui: bytes, subtype: int) -> bytes | None:
        """What the first TLV of that organization and subtype says; None if there is none."""
        said = (organization_octets(tlv, oui, subtype) for tlv in self.tlvs)
        return next((octets for octets in said if octets is not None), None)

    @property
    def system_name(self) -> str:
        """As the system calls itself; empty if it does not, unprintable characters as U+FFFD."""
        named = next((tlv.value.decode(errors="replace") for tlv in self.tlvs if tlv.type == SYSTEM_NAME), "")
        return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in named)

    def encode(self) -> bytes:
        """Give the octets behind the ethertype, End TLV included."""
        first = (
            Tlv(CHASSIS_ID, bytes([self.chassis.subtype]) + self.chassis.octets),
            Tlv(PORT_ID, bytes([self.port.subtype]) + self.port.octets),
            Tlv(TIME_TO_LIVE, self.ttl.to_bytes(2, "big")),
        )
        return write_tlvs((*first, *self.tlvs)) + _END

    def frame(self, group: Mac, source: Mac) -> bytes:
        """Give the whole frame to a scope's group address, padded."""
        return Frame(group, source, ETHERTYPE, self.encode()).encode().ljust(SHORTEST_FRAME, b"\0")

    @classmethod
    def decode(cls, octets: bytes) -> Lldpdu:
        """Read what follows the ethertype; padding is ignored. Raises WireError, "misplaced-tlv" among others."""
        tlvs = read_tlvs(octets)
        if tuple(tlv.type for tlv in tlvs[: len(_FIRST)]) != _FIRST:
            found = ", ".join(str(tlv.type) for tlv in tlvs[: len(_FIRST)])
            raise WireError(f"an LLDPDU starts with TLVs 1, 2, 3, not {found or 'none'}", code="misplaced-tlv")
        chassis, port, ttl = (tlv.value for tlv in tlvs[: len(_FIRST)])
        require_octets("inside a Chassis ID", chassis, 1)
        require_octets("inside a Port ID", port, 1)
        require_octets("inside a Time To Live", ttl, 2)
        return cls(
            ChassisId(chassis[0], chassis[1:]),
            PortId(port[0], port[1:]),
            int.from_bytes(ttl[:2], "big"),
            tlvs[len(_FIRST) :],
        )
