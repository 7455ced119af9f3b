# SPDX-License-Identifier: Apache-2.0
"""NVMe admin commands and the structures that controllers answer with, as far as storage functions need them.

Numbers are little-endian. Opcodes, fields and offsets are those of the NVMe Base Specification ("Identify command",
"Namespace Attachment command", "Virtualization Management command"); they were compared with QEMU's
include/block/nvme.h and libnvme's headers, and are read from QEMU 10's controller by `tests/vm/test_nvme.py`. Never met
so far: hardware, granularities other than 1, and more than one page of controllers or namespaces.

    command     opcode 0 | nsid 4-7 | data pointer 24-39 | dword 10 at 40 | dword 11 at 44 | ... | dword 15 at 60
    0x14        cntlid 0 | crt 4 | VQ: total 32, assigned 36, own 40, private 42, most 44, step 46 | VI: from 64, so too
    0x15        count 0 | 32 octets each from 32: scid 0, pcid 2, state 4, VF number 8, queues 10, interrupts 12
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from openfex.errors import WireError
from openfex.model.storage import Resource, Share
from openfex.wire.fields import require_octets, require_width

PAGE = 4096
"""Octets of every structure here that a controller answers with."""
IDENTIFY, NAMESPACE_ATTACHMENT, VIRTUALIZATION_MANAGEMENT = 0x06, 0x15, 0x1C
_COMMAND = struct.Struct("<BBHIQQQQ6I")
_SHARE = struct.Struct("<IIHHHH")
_SECONDARY = struct.Struct("<HHB3xHHH18x")
_MOST_SECONDARIES = 127
_MOST_CONTROLLERS = 2047
_MOST_NAMESPACES = 1024
_RESOURCES = (Resource.QUEUES, Resource.INTERRUPTS)
"""By their number in a command: 0 is VQ, 1 is VI."""


class Cns(IntEnum):
    """What an Identify command asks for (Controller or Namespace Structure)."""

    CONTROLLER = 0x01
    ACTIVE_NAMESPACES = 0x02
    ALLOCATED_NAMESPACES = 0x10
    ALLOCATED_NAMESPACE = 0x11
    ATTACHED_CONTROLLERS = 0x12
    CONTROLLERS = 0x13
    PRIMARY = 0x14
    SECONDARIES = 0x15


class Action(IntEnum):
    """What a Virtualization Management command does (ACT)."""

    PRIMARY_FLEXIBLE = 0x1
    OFFLINE = 0x7
    ASSIGN = 0x8
    ONLINE = 0x9


class Status(IntEnum):
    """Status codes with their type, as Linux gives them, that say no to what is done here."""

    NAMESPACE_ATTACHED = 0x118
    NAMESPACE_PRIVATE = 0x119
    NAMESPACE_NOT_ATTACHED = 0x11A
    BAD_CONTROLLER_LIST = 0x11C
    BAD_CONTROLLER = 0x11F
    BAD_SECONDARY_STATE = 0x120
    BAD_NUMBER_OF_RESOURCES = 0x121
    BAD_RESOURCE = 0x122


@dataclass(frozen=True, slots=True)
class AdminCommand:
    """One admin command: `data` goes to the controller, or `room` octets come from it."""

    opcode: int
    nsid: int = 0
    cdw10: int = 0
    cdw11: int = 0
    data: bytes = b""
    room: int = 0

    def __post_init__(self) -> None:
        require_width("NVMe command", "opcode", self.opcode, 8)
        for name in ("nsid", "cdw10", "cdw11"):
            require_width("NVMe command", name, getattr(self, name), 32)

    def encode(self, prp1: int = 0, prp2: int = 0) -> bytes:
        """Give the 64 octets of a submission queue entry, without its identifier: Linux gives it one."""
        return _COMMAND.pack(self.opcode, 0, 0, self.nsid, 0, 0, prp1, prp2, self.cdw10, self.cdw11, 0, 0, 0, 0)

    @classmethod
    def decode(cls, octets: bytes) -> AdminCommand:
        """Read a submission queue entry; its data are elsewhere. Raises WireError."""
        require_octets("inside an NVMe command", octets, _COMMAND.size)
        opcode, _, _, nsid, _, _, _, _, cdw10, cdw11, *_ = _COMMAND.unpack_from(octets)
        return cls(opcode, nsid, cdw10, cdw11)


def identify(cns: Cns, nsid: int = 0, controller: int = 0) -> AdminCommand:
    """Ask for a structure; lists begin behind `nsid`, or at `controller`."""
    require_width("Identify", "controller", controller, 16)
    return AdminCommand(IDENTIFY, nsid, controller << 16 | cns, room=PAGE)


def attach_namespace(nsid: int, controllers: Iterable[int], *, attach: bool = True) -> AdminCommand:
    """Attach a namespace to controllers, or detach it from them."""
    return AdminCommand(NAMESPACE_ATTACHMENT, nsid, int(not attach), data=encode_controllers(controllers))


@dataclass(frozen=True, slots=True)
class VirtualizationManagement:
    """One such command: what becomes of a controller, or of how many of its flexible resources."""

    action: Action
    controller: int
    resource: Resource = Resource.QUEUES
    number: int = 0

    def command(self) -> AdminCommand:
        """As an admin command."""
        require_width("Virtualization Management", "controller", self.controller, 16)
        require_width("Virtualization Management", "number", self.number, 16)
        kind = _RESOURCES.index(self.resource)
        dword = self.controller << 16 | kind << 8 | self.action
        return AdminCommand(VIRTUALIZATION_MANAGEMENT, cdw10=dword, cdw11=self.number)

    @classmethod
    def read(cls, command: AdminCommand) -> VirtualizationManagement:
        """What an admin command says. Raises WireError."""
        kind, action = command.cdw10 >> 8 & 7, command.cdw10 & 0xF
        if command.opcode != VIRTUALIZATION_MANAGEMENT or kind >= len(_RESOURCES) or action not in set(Action):
            raise WireError(f"no Virtualization Management: {command}", code="wrong-command")
        return cls(Action(action), command.cdw10 >> 16, _RESOURCES[kind], command.cdw11 & 0xFFFF)


@dataclass(frozen=True, slots=True)
class ControllerIdentity:
    """Of the Identify Controller structure: who it is and whether it can do what is done here."""

    controller: int
    serial: str
    model: str
    manages_namespaces: bool
    virtualizes: bool

    def encode(self) -> bytes:
        """Give the 4,096 octets."""
        octets = bytearray(PAGE)
        octets[4:64] = self.serial.encode().ljust(20)[:20] + self.model.encode().ljust(40)[:40]
        octets[78:80] = self.controller.to_bytes(2, "little")
        octets[256] = self.manages_namespaces << 3 | self.virtualizes << 7
        return bytes(octets)

    @classmethod
    def decode(cls, octets: bytes) -> ControllerIdentity:
        """Read it: serial 4-23, model 24-63, CNTLID 78-79, OACS 256-257. Raises WireError."""
        require_octets("inside an Identify Controller structure", octets, PAGE)
        serial, model = (octets[part].decode("ascii", "replace").strip(" \0") for part in (slice(4, 24), slice(24, 64)))
        abilities = int.from_bytes(octets[256:258], "little")
        controller = int.from_bytes(octets[78:80], "little")
        return cls(controller, serial, model, bool(abilities >> 3 & 1), bool(abilities >> 7 & 1))


@dataclass(frozen=True, slots=True)
class PrimaryCapabilities:
    """Primary Controller Capabilities; a kind of resource that is not flexible at all has a share of zeros."""

    controller: int
    queues: Share
    interrupts: Share

    def encode(self) -> bytes:
        """Give the 4,096 octets."""
        head = struct.pack("<HHB27x", self.controller, 0, 3)
        octets = head + _pack_share(self.queues) + bytes(16) + _pack_share(self.interrupts)
        return octets.ljust(PAGE, b"\0")

    @classmethod
    def decode(cls, octets: bytes) -> PrimaryCapabilities:
        """Read them; what the controller does not support (CRT) is not looked at. Raises WireError."""
        require_octets("inside Primary Controller Capabilities", octets, PAGE)
        supported = octets[4]
        queues = _read_share(octets, 32) if supported & 1 else Share(0)
        interrupts = _read_share(octets, 64) if supported & 2 else Share(0)
        return cls(int.from_bytes(octets[:2], "little"), queues, interrupts)


@dataclass(frozen=True, slots=True)
class Secondary:
    """An entry of a Secondary Controller List; `vf` counts from 1, and 0 is none."""

    controller: int
    primary: int
    online: bool
    vf: int
    queues: int
    interrupts: int


def encode_secondaries(entries: Iterable[Secondary]) -> bytes:
    """A Secondary Controller List of at most 127 entries."""
    packed = [_SECONDARY.pack(one.controller, one.primary, one.online, *_counts(one)) for one in entries]
    if len(packed) > _MOST_SECONDARIES:
        raise WireError(f"{len(packed)} secondary controllers in one list", code="field-out-of-range")
    return (bytes([len(packed)]).ljust(32, b"\0") + b"".join(packed)).ljust(PAGE, b"\0")


def decode_secondaries(octets: bytes) -> list[Secondary]:
    """The entries of a Secondary Controller List, by controller. Raises WireError."""
    require_octets("inside a Secondary Controller List", octets, PAGE)
    count = octets[0]
    if count > _MOST_SECONDARIES:
        raise WireError(f"a Secondary Controller List says it has {count} entries", code="field-out-of-range")
    rows = [_SECONDARY.unpack_from(octets, 32 + _SECONDARY.size * place) for place in range(count)]
    _require_ascending("Secondary Controller List", [row[0] for row in rows])
    return [Secondary(row[0], row[1], bool(row[2] & 1), *row[3:]) for row in rows]


def encode_controllers(controllers: Iterable[int]) -> bytes:
    """A Controller List: how many, then their identifiers, ascending."""
    found = sorted(set(controllers))
    if len(found) > _MOST_CONTROLLERS:
        raise WireError(f"{len(found)} controllers in one list", code="field-out-of-range")
    for one in found:
        require_width("Controller List", "identifier", one, 16)
    return struct.pack(f"<{len(found) + 1}H", len(found), *found).ljust(PAGE, b"\0")


def decode_controllers(octets: bytes) -> list[int]:
    """The identifiers of a Controller List. Raises WireError."""
    require_octets("inside a Controller List", octets, PAGE)
    count = int.from_bytes(octets[:2], "little")
    if count > _MOST_CONTROLLERS:
        raise WireError(f"a Controller List says it has {count} entries", code="field-out-of-range")
    found = list(struct.unpack_from(f"<{count}H", octets, 2))
    _require_ascending("Controller List", found)
    return found


def encode_namespaces(nsids: Iterable[int]) -> bytes:
    """A Namespace List: at most 1,024 identifiers, ascending, with zeros behind them."""
    found = sorted(set(nsids))
    if len(found) > _MOST_NAMESPACES:
        raise WireError(f"{len(found)} namespaces in one list", code="field-out-of-range")
    for one in found:
        require_width("Namespace List", "identifier", one, 32)
    return struct.pack(f"<{len(found)}I", *found).ljust(PAGE, b"\0")


def decode_namespaces(octets: bytes) -> list[int]:
    """The identifiers of a Namespace List. Raises WireError."""
    require_octets("inside a Namespace List", octets, PAGE)
    row = struct.unpack_from(f"<{_MOST_NAMESPACES}I", octets)
    found = list(row[: row.index(0)] if 0 in row else row)
    _require_ascending("Namespace List", found)
    return found


@dataclass(frozen=True, slots=True)
class NamespaceIdentity:
    """Of the Identify Namespace structure: its size, and whether several controllers may have it at once."""

    blocks: int
    block_octets: int
    shared: bool

    @property
    def octets(self) -> int:
        """How large it is."""
        return self.blocks * self.block_octets

    def encode(self) -> bytes:
        """Give the 4,096 octets."""
        octets = bytearray(PAGE)
        octets[:8] = self.blocks.to_bytes(8, "little")
        octets[30] = self.shared
        octets[130] = self.block_octets.bit_length() - 1
        return bytes(octets)

    @classmethod
    def decode(cls, octets: bytes) -> NamespaceIdentity:
        """Read it: NSZE 0-7, FLBAS 26, NMIC 30, and LBADS of the format in use, from 128. Raises WireError."""
        require_octets("inside an Identify Namespace structure", octets, PAGE)
        form = octets[26] & 0xF | octets[26] >> 1 & 0x30
        shift = octets[128 + 4 * form + 2]
        if shift > 32:
            raise WireError(f"a namespace has blocks of 2^{shift} octets", code="field-out-of-range")
        return cls(int.from_bytes(octets[:8], "little"), 1 << shift, bool(octets[30] & 1))


def _counts(one: Secondary) -> tuple[int, int, int]:
    return one.vf, one.queues, one.interrupts


def _pack_share(share: Share) -> bytes:
    return _SHARE.pack(share.flexible, share.assigned, share.own, share.private, share.most, share.step)


def _read_share(octets: bytes, place: int) -> Share:
    return Share(*_SHARE.unpack_from(octets, place))


def _require_ascending(owner: str, numbers: list[int]) -> None:
    """So it is specified; and a reader that goes on behind the last one would never come to an end otherwise."""
    if any(second <= first for first, second in pairwise(numbers)):
        raise WireError(f"a {owner} does not ascend: {numbers[:8]}", code="list-not-ascending")
