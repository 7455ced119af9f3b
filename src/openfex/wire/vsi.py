# SPDX-License-Identifier: Apache-2.0
"""What VDP calls a VSI by, and what belongs to it: the VSIID and the filter entries (wire.md 4.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from openfex.errors import WireError
from openfex.model.values import Mac
from openfex.wire.fields import require_width

_SIGNIFICANT = 0x8000
_IPV4_PREFIX = bytes(10) + b"\xff\xff"
_MAC_PREFIX = bytes(10)
_VID, _GROUP, _MAC = 2, 4, 6


class VsiidFormat(IntEnum):
    """What the sixteen octets of a VSIID are."""

    IPV4 = 1
    IPV6 = 2
    MAC = 3
    LOCAL = 4
    UUID = 5


@dataclass(frozen=True, slots=True)
class Vsiid:
    """What names a VSI: sixteen octets, and what they are."""

    format: VsiidFormat
    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != 16:
            raise WireError(f"a VSIID has 16 octets, not {len(self.octets)}", code="field-out-of-range")

    @classmethod
    def uuid(cls, uuid: UUID) -> Vsiid:
        """From a UUID, in the octet order of RFC 4122."""
        return cls(VsiidFormat.UUID, uuid.bytes)

    @classmethod
    def mac(cls, mac: Mac) -> Vsiid:
        """From a MAC address, right aligned."""
        return cls(VsiidFormat.MAC, _MAC_PREFIX + mac.octets)

    @classmethod
    def ipv4(cls, address: IPv4Address) -> Vsiid:
        """From an IPv4 address, as IPv6 maps it."""
        return cls(VsiidFormat.IPV4, _IPV4_PREFIX + address.packed)

    @classmethod
    def ipv6(cls, address: IPv6Address) -> Vsiid:
        """From an IPv6 address."""
        return cls(VsiidFormat.IPV6, address.packed)

    @classmethod
    def local(cls, octets: bytes) -> Vsiid:
        """From sixteen octets that mean something to the station alone."""
        return cls(VsiidFormat.LOCAL, octets)

    def __str__(self) -> str:
        if self.format is VsiidFormat.UUID:
            return str(UUID(bytes=self.octets))
        if self.format is VsiidFormat.MAC:
            return str(Mac(self.octets[10:]))
        if self.format is VsiidFormat.IPV4:
            return str(IPv4Address(self.octets[12:]))
        return str(IPv6Address(self.octets)) if self.format is VsiidFormat.IPV6 else self.octets.hex()


class FilterFormat(IntEnum):
    """What a filter entry has beside its VID."""

    VID = 1
    MAC_VID = 2
    GROUP_VID = 3
    GROUP_MAC_VID = 4

    @property
    def has_group(self) -> bool:
        """Whether an entry begins with a GroupID."""
        return self >= FilterFormat.GROUP_VID

    @property
    def has_mac(self) -> bool:
        """Whether an entry has a MAC address."""
        return self in {FilterFormat.MAC_VID, FilterFormat.GROUP_MAC_VID}

    @property
    def octets(self) -> int:
        """Octets of an entry."""
        return _GROUP * self.has_group + _MAC * self.has_mac + _VID


@dataclass(frozen=True, slots=True)
class Filter:
    """One entry: frames of this VID (0: the bridge chooses one), and of this MAC, GroupID, PCP where there is one."""

    vid: int
    mac: Mac | None = None
    group: int | None = None
    pcp: int | None = None

    def __post_init__(self) -> None:
        require_width("filter", "vid", self.vid, 12)
        if self.group is not None:
            require_width("filter", "group", self.group, 32)
        if self.pcp is not None:
            require_width("filter", "pcp", self.pcp, 3)

    @property
    def format(self) -> FilterFormat:
        """The one format that this entry has."""
        if self.group is None:
            return FilterFormat.VID if self.mac is None else FilterFormat.MAC_VID
        return FilterFormat.GROUP_VID if self.mac is None else FilterFormat.GROUP_MAC_VID

    def encode(self) -> bytes:
        """Give the entry's octets: GroupID, MAC, then PS, PCP and VID in two octets."""
        group = b"" if self.group is None else self.group.to_bytes(_GROUP, "big")
        mac = b"" if self.mac is None else self.mac.octets
        priority = 0 if self.pcp is None else _SIGNIFICANT | self.pcp << 12
        return group + mac + (priority | self.vid).to_bytes(_VID, "big")

    @classmethod
    def decode(cls, octets: bytes, format_: FilterFormat) -> Filter:
        """Read an entry, as long as its format says; a PCP without PS is nothing."""
        group = int.from_bytes(octets[:_GROUP], "big") if format_.has_group else None
        mac = Mac(octets[-_MAC - _VID : -_VID]) if format_.has_mac else None
        word = int.from_bytes(octets[-_VID:], "big")
        return cls(word & 0xFFF, mac, group, word >> 12 & 7 if word & _SIGNIFICANT else None)


def fill_vids(wanted: Sequence[Filter], granted: Sequence[Filter]) -> tuple[Filter, ...] | None:
    """The entries `wanted`, in their order, with VIDs from `granted` for VID 0; None if the two are not the same.

    They are the same if each has its one counterpart. A null VID is met by any.
    """
    if tuple(wanted) == tuple(granted):
        return tuple(granted)
    if len(wanted) == len(granted) == 1:  # nearly always, and each time that one of thousands is kept alive
        (one,), (other,) = wanted, granted
        is_same = not one.vid and (one.mac, one.group, one.pcp) == (other.mac, other.group, other.pcp)
        return (other,) if is_same else None
    left: dict[Filter, int] = {}
    spare: dict[Filter, list[Filter]] = {}
    for one in granted:
        left[one] = left.get(one, 0) + 1
    for one in wanted:
        if one.vid:
            left[one] = left.get(one, 0) - 1
    if len(wanted) != len(granted) or min(left.values(), default=0) < 0:
        return None
    for one, count in left.items():
        spare.setdefault(replace(one, vid=0), []).extend([one] * count)
    filled = []
    for one in wanted:
        if not one.vid and not spare.get(one):
            return None
        filled.append(one if one.vid else spare[one].pop(0))
    return tuple(filled)
