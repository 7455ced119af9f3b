# SPDX-License-Identifier: Apache-2.0
"""The functions of an adapter as rtnetlink shows and takes them: IFLA_VFINFO_LIST, and IFLA_BRIDGE_MODE of the PF.

The kernel fills a value that a driver leaves alone with all ones (spoof check, trust, RSS query), with zeroes (rates,
MAC) or with `auto` (link state), see rtnl_fill_vfinfo; only the first kind can be told from what the driver says.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from openfex.linux.links import IFINFO
from openfex.linux.rtnetlink import Answer, attribute, attributes, nested, number, pairs, u32
from openfex.model.adapters import FunctionCounters
from openfex.model.functions import HwMode, LinkState, Settings, TagProtocol
from openfex.model.values import Mac

AF_BRIDGE = 7
_IFLA_VFINFO_LIST, _IFLA_AF_SPEC, _IFLA_EXT_MASK = 22, 26, 29
_VF_INFO = 1
_VF_MAC, _VF_VLAN, _VF_SPOOFCHK, _VF_LINK_STATE, _VF_RATE, _VF_RSS_QUERY, _VF_STATS = 1, 2, 4, 5, 6, 7, 8
_VF_TRUST, _VF_VLAN_LIST, _VF_VLAN_INFO = 9, 12, 1
_WITH_FUNCTIONS, _WITHOUT_STATISTICS = 1, 8
_BRIDGE_FLAGS, _BRIDGE_MODE, _FLAG_SELF = 0, 1, 2
_NOT_SAID = 0xFFFFFFFF

_PAIR = struct.Struct("=II")
_TRIPLE = struct.Struct("=III")
_MAC = struct.Struct("=I32s")
_VLAN_INFO = struct.Struct("=III")
_PROTOCOLS = {0x8100: TagProtocol.DOT1Q, 0x88A8: TagProtocol.DOT1AD}
_PROTOCOL_NUMBERS = {word: value for value, word in _PROTOCOLS.items()}
_STATES = {0: LinkState.AUTO, 1: LinkState.UP, 2: LinkState.DOWN}
_STATE_NUMBERS = {word: value for value, word in _STATES.items()}
_MODES = {0: HwMode.VEB, 1: HwMode.VEPA}
_MODE_NUMBERS = {word: value for value, word in _MODES.items()}
_COUNTERS = ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "broadcast", "multicast", "", "rx_dropped")
_STAT_NAMES = (*_COUNTERS, "tx_dropped")

Word = TypeVar("Word", bound=Enum)


@dataclass(frozen=True, slots=True)
class VfInfo:
    """One function as its PF's driver tells it."""

    index: int
    settings: Settings
    counters: FunctionCounters = field(default_factory=FunctionCounters)


def functions_of(index: int, *, statistics: bool = True) -> bytes:
    """The message that asks for a link with its functions: `ip -details link show DEV`."""
    mask = _WITH_FUNCTIONS | (0 if statistics else _WITHOUT_STATISTICS)
    return IFINFO.pack(socket.AF_UNSPEC, 0, index, 0, 0) + u32(_IFLA_EXT_MASK, mask)


def read_functions(answer: Answer) -> list[VfInfo]:
    """The functions in an RTM_NEWLINK, by number. What is cut short or of an unknown kind is left out."""
    listed = attributes(answer.body, IFINFO.size).get(_IFLA_VFINFO_LIST, b"")
    found = [_read_function(attributes(octets)) for kind, octets in pairs(listed) if kind == _VF_INFO]
    return sorted((one for one in found if one is not None), key=lambda one: one.index)


def _read_function(found: dict[int, bytes]) -> VfInfo | None:
    mac = found.get(_VF_MAC, b"")
    if len(mac) < 10:
        return None
    index, octets = struct.unpack_from("=I6s", mac)
    vlan, qos, protocol = _read_vlan(found)
    rates = found.get(_VF_RATE, b"")
    least, most = _PAIR.unpack_from(rates, 4) if len(rates) >= _TRIPLE.size else (None, None)
    settings = Settings(
        mac=Mac(octets),
        vlan=vlan,
        qos=qos,
        protocol=protocol,
        min_rate=least,
        max_rate=most,
        spoof_check=_truth(found.get(_VF_SPOOFCHK)),
        trust=_truth(found.get(_VF_TRUST)),
        link=_STATES.get(_value(found.get(_VF_LINK_STATE))),
        rss_query=_truth(found.get(_VF_RSS_QUERY)),
    )
    return VfInfo(index, settings, _read_counters(attributes(found.get(_VF_STATS, b""))))


def _read_vlan(found: dict[int, bytes]) -> tuple[int | None, int | None, TagProtocol | None]:
    """The list has the protocol, and one entry at most; older kernels have only the other."""
    entry = attributes(found.get(_VF_VLAN_LIST, b"")).get(_VF_VLAN_INFO, b"")
    if len(entry) >= 14:
        _, vlan, qos = _VLAN_INFO.unpack_from(entry)
        return vlan, qos, _PROTOCOLS.get(int.from_bytes(entry[12:14], "big"))
    plain = found.get(_VF_VLAN, b"")
    if len(plain) < _TRIPLE.size:
        return None, None, None
    _, vlan, qos = _TRIPLE.unpack_from(plain)
    return vlan, qos, TagProtocol.DOT1Q


def _read_counters(found: dict[int, bytes]) -> FunctionCounters:
    values = {name: number(found[kind]) for kind, name in enumerate(_STAT_NAMES) if name and kind in found}
    return FunctionCounters(**values)


def _value(octets: bytes | None) -> int:
    return _NOT_SAID if octets is None or len(octets) < _PAIR.size else int(_PAIR.unpack_from(octets)[1])


def _truth(octets: bytes | None) -> bool | None:
    value = _value(octets)
    return None if value == _NOT_SAID else bool(value)


def changes(index: int, function: int, change: Settings) -> list[tuple[str, bytes]]:
    """The messages that set attributes of a function, one each, with what they set in words: `ip link set PF vf N ...`.

    One each, because the kernel stops at the first that a driver refuses and keeps what it has done. VLAN, QoS and
    protocol are one attribute, and so are the rates: with one of them the others are set, too (0 if not said).
    """
    parts: list[tuple[str, bytes]] = []
    if change.mac is not None:
        parts.append(("the MAC", attribute(_VF_MAC, _MAC.pack(function, change.mac.octets))))
    if (change.vlan, change.qos, change.protocol) != (None, None, None):
        parts.append(("the VLAN", _vlan(function, change)))
    if (change.min_rate, change.max_rate) != (None, None):
        parts.append(
            ("the rates", attribute(_VF_RATE, _TRIPLE.pack(function, change.min_rate or 0, change.max_rate or 0)))
        )
    for words, kind, value in (
        ("the spoof check", _VF_SPOOFCHK, change.spoof_check),
        ("the trust", _VF_TRUST, change.trust),
        ("the link state", _VF_LINK_STATE, None if change.link is None else _STATE_NUMBERS[change.link]),
        ("the RSS query", _VF_RSS_QUERY, change.rss_query),
    ):
        if value is not None:
            parts.append((words, attribute(kind, _PAIR.pack(function, int(value)))))
    head = IFINFO.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    return [(words, head + nested(_IFLA_VFINFO_LIST, nested(_VF_INFO, part))) for words, part in parts]


def _vlan(function: int, change: Settings) -> bytes:
    protocol = _PROTOCOL_NUMBERS[change.protocol or TagProtocol.DOT1Q].to_bytes(2, "big")
    entry = _VLAN_INFO.pack(function, change.vlan or 0, change.qos or 0) + protocol + bytes(2)
    return nested(_VF_VLAN_LIST, attribute(_VF_VLAN_INFO, entry))


def all_bridge_modes() -> bytes:
    """The message that asks for the embedded switches of all links: `bridge -details link show`.

    The kernel takes no link's number here: it is a dump, and strictly checked.
    """
    return IFINFO.pack(AF_BRIDGE, 0, 0, 0, 0)


def read_bridge_mode(answer: Answer) -> tuple[int, HwMode | None]:
    """The number of a link, and how its embedded switch works; None where it has none that says so."""
    index = int(IFINFO.unpack_from(answer.body)[2])
    inner = attributes(attributes(answer.body, IFINFO.size).get(_IFLA_AF_SPEC, b""))
    mode = inner.get(_BRIDGE_MODE)
    return index, None if mode is None else _MODES.get(number(mode))


def bridge_mode(index: int, mode: HwMode) -> bytes:
    """The message that sets it: `bridge link set dev DEV hwmode veb|vepa`."""
    flags = attribute(_BRIDGE_FLAGS, struct.pack("=H", _FLAG_SELF))
    wanted = attribute(_BRIDGE_MODE, struct.pack("=H", _MODE_NUMBERS[mode]))
    return IFINFO.pack(AF_BRIDGE, 0, index, 0, 0) + nested(_IFLA_AF_SPEC, flags, wanted)
