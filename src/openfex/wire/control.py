# SPDX-License-Identifier: Apache-2.0
"""Channel control: what host and bridge tell each other beside VDP. Ours alone: private, and no standard's.

It goes in ECP with a subtype of its own (0x3FE, so that no port extender of IEEE 802.1BR is taken for one of ours;
wire.md 3.3). Either end has a table that the other gets a copy of; a PDU has changes of it.

    octet   0    3         4             TLVs (tlv.py), the last one an End TLV
            "fex" version   session TLV first

    type    value
    1       session: id 0, number 8, flags 12 (1: all that was said before is void; 2: this completes the table)
    2       applied: the other's session 0, the number of its PDU 8, up to which all has been done
    3       again: the other's session 0; tell the whole table anew
    32 + n  an entry of kind n is so: its key, then its value
    64 + n  an entry of kind n is no more: its key

    kind    key                value
    1       (nothing)          host: channel kind 0 (1 vntag, 2 etag, 3 schannel, 4 schannel-q, 5 vepa), name in UTF-8
    2       function 0         flags 0 (1: its device has a link), generation 1, VSIID 9 (a UUID, 0: unbound), name
    3       function 0         the IP addresses of what it is bound to: length (4 or 16) and octets of each
    4       function 0         the NIC it is bound to: length of its network port's name, that name, its own name
    16      function 0         channel 0, state 2 (0 down, 1 up), reason of down 3 (`Reason`)
    17      list 0, row 2      channels row x 64 to + 63 that are on it, a bit each: tagged 0, untagged 8

Numbers are big-endian. `function` counts from 1 on each uplink; it is the host's name for one, `channel` the bridge's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from openfex.errors import WireError
from openfex.model.values import LAST_CHANNEL, ChannelKind
from openfex.wire.fields import require_octets, require_width
from openfex.wire.tlv import END, Tlv, read_tlvs, write_tlvs

VERSION = 1
_START = b"fex" + bytes((VERSION,))
_SESSION, _APPLIED, _AGAIN, _SET, _GONE = 1, 2, 3, 32, 64
_HEAD = struct.Struct("!QIB")
_MARK = struct.Struct("!QI")
_FUNCTION = struct.Struct("!BQ16s")
_VETH = struct.Struct("!HBB")
_ROW = struct.Struct("!QQ")
_NEW, _WHOLE = 1, 2
_MOST_NAME = 64
_LIST_BITS, _ROW_BITS = 14, 6
_KINDS = (ChannelKind.VNTAG, ChannelKind.ETAG, ChannelKind.SCHANNEL, ChannelKind.SCHANNEL_Q, ChannelKind.VEPA)


class Kind(IntEnum):
    """What an entry of a table is about."""

    HOST = 1
    FUNCTION = 2
    ADDRESSES = 3
    NIC = 4
    VETH = 16
    LIST = 17


HOST_KINDS = frozenset({Kind.HOST, Kind.FUNCTION, Kind.ADDRESSES, Kind.NIC})
BRIDGE_KINDS = frozenset({Kind.VETH, Kind.LIST})
"""Whose entries they are."""
KEY_OCTETS = {Kind.HOST: 0, Kind.FUNCTION: 2, Kind.ADDRESSES: 2, Kind.NIC: 2, Kind.VETH: 2, Kind.LIST: 4}


class Reason(IntEnum):
    """Why a vEth is down; none where it is up."""

    NONE = 0
    NO_ASSOCIATION = 1
    REFUSED = 2
    EXPIRED = 3
    WITHDRAWN = 4
    """The VSI is associated at another uplink by now."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which entry of a table: its kind, and the octets that tell it from others of that kind."""

    kind: Kind
    octets: bytes = b""


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in what an end has said: a session of it, and the number of a PDU there. Later ones are greater."""

    session: int
    number: int


@dataclass(frozen=True, slots=True)
class ControlPdu:
    """One PDU. `changes` has None for an entry that is no more. `is_new`: what was said before is void."""

    mark: Mark
    changes: tuple[tuple[Key, bytes | None], ...] = ()
    is_new: bool = False
    is_whole: bool = False
    applied: Mark | None = None
    again: int | None = None

    def encode(self) -> bytes:
        """Give the payload of an ECPDU."""
        flags = _NEW * self.is_new | _WHOLE * self.is_whole
        tlvs = [Tlv(_SESSION, _HEAD.pack(self.mark.session, self.mark.number, flags))]
        if self.applied is not None:
            tlvs.append(Tlv(_APPLIED, _MARK.pack(self.applied.session, self.applied.number)))
        if self.again is not None:
            tlvs.append(Tlv(_AGAIN, self.again.to_bytes(8, "big")))
        changes = (change_tlv(key, value) for key, value in self.changes)
        return _START + write_tlvs([*tlvs, *changes, Tlv(END, b"")])

    @classmethod
    def decode(cls, octets: bytes) -> ControlPdu:
        """Read the payload of an ECPDU; TLVs of types that are not known are passed over. Raises WireError."""
        require_octets("inside channel control's start", octets, len(_START))
        if not octets.startswith(_START):
            raise WireError(f"channel control starts with {_START.hex()}, not {octets[:4].hex()}", code="bad-version")
        tlvs = read_tlvs(octets[len(_START) :])
        if not tlvs or tlvs[0].type != _SESSION:
            raise WireError("channel control has its session first", code="no-session")
        session, number, flags = _unpack(_HEAD, tlvs[0].value)
        found = {tlv.type: tlv.value for tlv in tlvs if tlv.type in {_APPLIED, _AGAIN}}
        applied = Mark(*_unpack(_MARK, found[_APPLIED])) if _APPLIED in found else None
        again = int.from_bytes(found[_AGAIN][:8], "big") if _AGAIN in found else None
        return cls(Mark(session, number), _changes(tlvs), bool(flags & _NEW), bool(flags & _WHOLE), applied, again)


def change_tlv(key: Key, value: bytes | None) -> Tlv:
    """A change of a table as it stands in a PDU."""
    return Tlv(_GONE + key.kind, key.octets) if value is None else Tlv(_SET + key.kind, key.octets + value)


def _unpack(layout: struct.Struct, octets: bytes) -> tuple[int, ...]:
    require_octets("inside a TLV of channel control", octets, layout.size)
    return layout.unpack_from(octets)


def _changes(tlvs: Iterable[Tlv]) -> tuple[tuple[Key, bytes | None], ...]:
    found: list[tuple[Key, bytes | None]] = []
    for tlv in tlvs:
        is_gone, number = tlv.type >= _GONE, tlv.type & (_SET - 1)
        if not _SET <= tlv.type < _GONE + _SET or number not in KEY_OCTETS:
            continue
        kind = Kind(number)
        length = KEY_OCTETS[kind]
        require_octets("inside the key of an entry", tlv.value, length)
        key = Key(kind, tlv.value[:length])
        if _can_be(key):
            found.append((key, None if is_gone else tlv.value[length:]))
    return tuple(found)


def _can_be(key: Key) -> bool:
    """Whether there can be such a function or list at all."""
    numbers = numbers_of(key)
    if key.kind is Kind.LIST:
        return 0 < numbers[0] < 1 << _LIST_BITS and numbers[1] < 1 << _ROW_BITS
    return all(0 < one <= LAST_CHANNEL for one in numbers)


def _text(octets: bytes) -> str:
    """A name. What is no text is refused: it would come into logs and tables."""
    if len(octets) > _MOST_NAME:
        raise WireError(f"a name has {_MOST_NAME} octets at most, not {len(octets)}", code="field-out-of-range")
    try:
        text = octets.decode()
    except UnicodeDecodeError as cause:
        raise WireError("a name is not UTF-8", code="bad-name") from cause
    if not text.isprintable():
        raise WireError("a name has characters that cannot be printed", code="bad-name")
    return text


@dataclass(frozen=True, slots=True)
class HostEntry:
    """Who is at the other end, and how it tells functions apart."""

    channel: ChannelKind
    name: str

    KEY = Key(Kind.HOST)

    def encode(self) -> bytes:
        """Give the value."""
        return bytes((1 + _KINDS.index(self.channel),)) + self.name.encode()

    @classmethod
    def decode(cls, octets: bytes) -> HostEntry:
        """Read a value. Raises WireError."""
        require_octets("inside a host's entry", octets, 1)
        if not 1 <= octets[0] <= len(_KINDS):
            raise WireError(f"channel kind {octets[0]} is none of ours", code="field-out-of-range")
        return cls(_KINDS[octets[0] - 1], _text(octets[1:]))


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """A function that a host has carved; `vsi` is what it is bound to, by that binding's generation.

    `up`: it is bound, and its device has a link: whoever holds it is there, and has set it up.
    """

    name: str
    up: bool = False
    vsi: UUID | None = None
    generation: int = 0

    def encode(self) -> bytes:
        """Give the value."""
        vsi = self.vsi.bytes if self.vsi else bytes(16)
        return _FUNCTION.pack(self.up, self.generation, vsi) + self.name.encode()

    @classmethod
    def decode(cls, octets: bytes) -> FunctionEntry:
        """Read a value. Raises WireError."""
        require_octets("inside a function's entry", octets, _FUNCTION.size)
        flags, generation, vsi = _FUNCTION.unpack_from(octets)
        return cls(_text(octets[_FUNCTION.size :]), bool(flags & 1), UUID(bytes=vsi) if any(vsi) else None, generation)


@dataclass(frozen=True, slots=True)
class NicEntry:
    """What a function is bound to, and by which network port it is to reach the network; "": whichever."""

    name: str
    pin: str = ""

    def encode(self) -> bytes:
        """Give the value."""
        pin = self.pin.encode()
        return bytes((len(pin),)) + pin + self.name.encode()

    @classmethod
    def decode(cls, octets: bytes) -> NicEntry:
        """Read a value. Raises WireError."""
        require_octets("inside a NIC's entry", octets, 1)
        require_octets("inside the name of a network port", octets, 1 + octets[0])
        return cls(_text(octets[1 + octets[0] :]), _text(octets[1 : 1 + octets[0]]))


def encode_addresses(addresses: Iterable[bytes]) -> bytes:
    """The value of an entry of addresses, of 4 octets and of 16 each."""
    return b"".join(bytes((len(one),)) + one for one in sorted(addresses))


def decode_addresses(octets: bytes) -> frozenset[bytes]:
    """Read such a value. Raises WireError."""
    found, at = set(), 0
    while at < len(octets):
        length = octets[at]
        if length not in {4, 16}:
            raise WireError(f"an IP address has 4 or 16 octets, not {length}", code="field-out-of-range")
        require_octets("inside an address", octets, at + 1 + length)
        found.add(octets[at + 1 : at + 1 + length])
        at += 1 + length
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class VethEntry:
    """The port that a function has on the bridge: its channel, and whether frames pass; else `reason` says why not."""

    channel: int
    up: bool = False
    reason: int = Reason.NONE
    """A `Reason`, or one that only others know."""

    def __post_init__(self) -> None:
        require_width("vEth", "channel", self.channel, 12)
        require_width("vEth", "reason", self.reason, 8)

    def encode(self) -> bytes:
        """Give the value."""
        return _VETH.pack(self.channel, self.up, self.reason)

    @classmethod
    def decode(cls, octets: bytes) -> VethEntry:
        """Read a value. Raises WireError."""
        require_octets("inside a vEth's entry", octets, _VETH.size)
        channel, up, reason = _VETH.unpack_from(octets)
        return cls(channel, up == 1, reason)

    def __str__(self) -> str:
        """The state, and why it is that: `down: no association`."""
        if self.up or not self.reason:
            return "up" if self.up else "down"
        known = self.reason in tuple(Reason)
        return f"down: {Reason(self.reason).name.lower().replace('_', ' ') if known else f'reason {self.reason}'}"


@dataclass(frozen=True, slots=True)
class ListRow:
    """64 channels of a replication list, a bit each: who gets copies with the VLAN's tag, and who without."""

    tagged: int
    untagged: int

    def __post_init__(self) -> None:
        require_width("list row", "tagged", self.tagged, 64)
        require_width("list row", "untagged", self.untagged, 64)

    def encode(self) -> bytes:
        """Give the value."""
        return _ROW.pack(self.tagged, self.untagged)

    @classmethod
    def decode(cls, octets: bytes) -> ListRow:
        """Read a value. Raises WireError."""
        return cls(*_unpack(_ROW, octets))


def function_key(number: int, kind: Kind = Kind.FUNCTION) -> Key:
    """The entry of a function, or of its vEth."""
    require_width("channel control", "function", number, 16)
    return Key(kind, number.to_bytes(2, "big"))


def list_key(list_id: int, row: int) -> Key:
    """The entry of 64 channels of a list."""
    require_width("channel control", "list", list_id, _LIST_BITS)
    require_width("channel control", "row", row, _ROW_BITS)
    return Key(Kind.LIST, list_id.to_bytes(2, "big") + row.to_bytes(2, "big"))


def numbers_of(key: Key) -> tuple[int, ...]:
    """The numbers of a key: of a function one, of a list its id and row."""
    return tuple(int.from_bytes(key.octets[at : at + 2], "big") for at in range(0, len(key.octets), 2))
