# SPDX-License-Identifier: Apache-2.0
"""The VSI Discovery Protocol's TLVs (IEEE 802.1Q clause 41; wire.md 4.6), which ECP carries.

A VDPDU is a VSI Manager ID TLV and, behind it, association TLVs, each about one VSI:

    octet   0        1 2 3     4         5        6 ... 21   22         23 24     25 ...
            status   type id   version   format   VSIID      filters'   entries   entries
                                                             format
    status  of a request    0x20 S hint (migrates from here), 0x10 M hint (migrates to here)
            of a response   0x40, 0x20 Keep, 0x10 Hard, 0x0f error code

The codec knows structure alone: whether VIDs and entries make sense is `VsiTlv.fault`, since that has an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import lru_cache
from typing import ClassVar

from openfex.errors import WireError
from openfex.model.values import LAST_VLAN
from openfex.wire.fields import require_octets, require_width
from openfex.wire.tlv import Tlv, read_tlvs
from openfex.wire.vsi import Filter, FilterFormat, Vsiid, VsiidFormat

_RESPONSE, _KEEP, _HARD, _ERROR = 0x40, 0x20, 0x10, 0x0F
_FIXED = 25
_REMEMBERED = 1 << 13
"""TLVs: each VSI's request and response, which are the same with every keep-alive."""


class Command(IntEnum):
    """What is asked for; the value is the TLV's type."""

    PRE_ASSOCIATE = 1
    PRE_ASSOCIATE_RR = 2
    """With resources reserved."""
    ASSOCIATE = 3
    DE_ASSOCIATE = 4


class ErrorCode(IntEnum):
    """Why a request is refused; a number without a name is read as OTHER."""

    SUCCESS = 0
    INVALID_FORMAT = 1
    INSUFFICIENT_RESOURCES = 2
    NO_VSI_MANAGER = 3
    OTHER = 4
    INVALID_FILTER = 5
    """A VID, GroupID or MAC address that cannot be."""


class Hint(IntFlag):
    """What a request says of a migration."""

    NONE = 0
    TO = 0x10
    """M: the VSI is coming here."""
    FROM = 0x20
    """S: the VSI is leaving."""


@dataclass(frozen=True, slots=True)
class ManagerId:
    """Which VSI manager knows the types: sixteen octets that mean something to the two ends alone."""

    TYPE: ClassVar[int] = 5

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != 16:
            raise WireError(f"a VSI Manager ID has 16 octets, not {len(self.octets)}", code="wrong-length")

    @classmethod
    def text(cls, text: str) -> ManagerId:
        """From text of at most 16 octets, zeros behind it."""
        return cls(text.encode().ljust(16, b"\0"))

    def encode(self) -> bytes:
        """Give the TLV."""
        return Tlv(self.TYPE, self.octets).encode()


@dataclass(frozen=True, slots=True)
class VsiTlv:
    """One association TLV, request or response. `filter_format` follows from the filters where there are any.

    Raises WireError for fields that do not fit: "mixed-filters", "status-conflict", "field-out-of-range".
    """

    command: Command
    vsiid: Vsiid
    type_id: int
    type_version: int
    filters: tuple[Filter, ...]
    filter_format: FilterFormat | None = None
    hint: Hint = Hint.NONE
    is_response: bool = False
    keep: bool = False
    hard: bool = False
    error: ErrorCode = ErrorCode.SUCCESS

    def __post_init__(self) -> None:
        require_width("VSI", "type id", self.type_id, 24)
        require_width("VSI", "type version", self.type_version, 8)
        if self.filter_format is None:
            derived = self.filters[0].format if self.filters else FilterFormat.VID
            object.__setattr__(self, "filter_format", derived)
        if any(one.format is not self.filter_format for one in self.filters):
            raise WireError("the filters of a VSI have one format", code="mixed-filters")
        if self.hint if self.is_response else self.keep or self.hard or self.error:
            raise WireError("hints are of requests; Keep, Hard and errors of responses", code="status-conflict")

    def encode(self) -> bytes:
        """Give the TLV, its head included. Raises WireError "field-out-of-range" for more filters than fit."""
        assert self.filter_format is not None
        status = self.hint | _RESPONSE * self.is_response | _KEEP * self.keep | _HARD * self.hard | self.error
        fixed = bytes([status]) + self.type_id.to_bytes(3, "big") + bytes([self.type_version, self.vsiid.format])
        shape = bytes([self.filter_format]) + len(self.filters).to_bytes(2, "big")
        entries = b"".join(one.encode() for one in self.filters)
        return Tlv(self.command, fixed + self.vsiid.octets + shape + entries).encode()

    @classmethod
    def decode(cls, tlv: Tlv) -> VsiTlv:
        """Read it. Raises WireError "unknown-type", "truncated-frame", "unknown-format" or "wrong-length"."""
        value = tlv.value
        if tlv.type not in _COMMANDS:
            raise WireError(f"TLV type {tlv.type} is not about a VSI", code="unknown-type")
        require_octets("inside an association TLV", value, _FIXED)
        status, count = value[0], int.from_bytes(value[23:25], "big")
        if value[5] not in _VSIID_FORMATS or value[22] not in _FILTER_FORMATS:
            raise WireError(
                f"VSIID format {value[5]}, filter format {value[22]}: not both known", code="unknown-format"
            )
        format_ = _FILTER_FORMATS[value[22]]
        size = format_.octets
        if len(value) != _FIXED + count * size:
            message = f"{count} filters of {size} octets do not fill {len(value) - _FIXED} octets"
            raise WireError(message, code="wrong-length")
        is_response = bool(status & _RESPONSE)
        return cls(
            command=_COMMANDS[tlv.type],
            vsiid=Vsiid(_VSIID_FORMATS[value[5]], value[6:22]),
            type_id=int.from_bytes(value[1:4], "big"),
            type_version=value[4],
            filters=tuple(Filter.decode(value[at : at + size], format_) for at in range(_FIXED, len(value), size)),
            filter_format=format_,
            hint=Hint.NONE if is_response else Hint(status & (Hint.TO | Hint.FROM)),
            is_response=is_response,
            keep=is_response and bool(status & _KEEP),
            hard=is_response and bool(status & _HARD),
            error=_ERRORS.get(status & _ERROR, ErrorCode.OTHER) if is_response else ErrorCode.SUCCESS,
        )

    def fault(self, group_ids: bool = True) -> ErrorCode:
        """What is wrong with it as a request; SUCCESS if nothing is (wire.md 4.6).

        Without `group_ids`, which EVB agrees on, there may be none. VID 1 is none of lldpad's, but one of ours.
        """
        if self.command is Command.DE_ASSOCIATE:
            return ErrorCode.SUCCESS
        if not self.filters:
            return ErrorCode.INVALID_FORMAT
        assert self.filter_format is not None
        if any(one.vid > LAST_VLAN or (one.mac and one.mac.is_multicast) for one in self.filters):
            return ErrorCode.INVALID_FILTER
        if self.filter_format.has_group and not group_ids:
            return ErrorCode.INVALID_FILTER
        nulls = [one for one in self.filters if not one.vid]
        alone = self.filter_format is FilterFormat.VID
        return ErrorCode.INVALID_FILTER if alone and len(nulls) > 1 else ErrorCode.SUCCESS


@lru_cache(_REMEMBERED)
def _read(tlv: Tlv) -> VsiTlv:
    return VsiTlv.decode(tlv)


_COMMANDS = {int(one): one for one in Command}
_ERRORS = {int(one): one for one in ErrorCode}
_VSIID_FORMATS = {int(one): one for one in VsiidFormat}
_FILTER_FORMATS = {int(one): one for one in FilterFormat}


@dataclass(frozen=True, slots=True)
class Vdpdu:
    """What one ECPDU carries: VSIs of one VSI manager. TLVs that have no meaning here are not kept."""

    manager: ManagerId
    vsis: tuple[VsiTlv, ...]

    def encode(self) -> bytes:
        """Give an ECPDU's payload, without an End TLV, as lldpad does."""
        return self.manager.encode() + b"".join(one.encode() for one in self.vsis)

    @classmethod
    def decode(cls, payload: bytes) -> Vdpdu:
        """Read an ECPDU's payload. Raises WireError: "no-manager", "second-manager", and those of `VsiTlv.decode`.

        TLVs of other types are passed over, organizational ones (127) among them.
        """
        tlvs = read_tlvs(payload)
        if not tlvs or tlvs[0].type != ManagerId.TYPE:
            raise WireError("a VDPDU begins with a VSI Manager ID", code="no-manager")
        if any(one.type == ManagerId.TYPE for one in tlvs[1:]):
            raise WireError("a VDPDU has one VSI Manager ID", code="second-manager")
        vsis = tuple(_read(one) for one in tlvs[1:] if one.type in _COMMANDS)
        return cls(ManagerId(tlvs[0].value), vsis)
