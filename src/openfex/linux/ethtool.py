# SPDX-License-Identifier: Apache-2.0
"""Door to a link's offloads: the SIOCETHTOOL ioctl (linux/ethtool.h), which names a link's features and switches them.

A feature has the kernel's name (`rx-gro`); the short names of ethtool(8) (`gro`, `tso`) stand for one or several of
them.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

from openfex.errors import InputError, UnsupportedError
from openfex.linux import netns as spaces
from openfex.linux.border import crossing, refusal
from openfex.linux.links import name_of_link
from openfex.linux.rtnetlink import link_not_found

_SIOCETHTOOL = 0x8946
_GET_STRINGS, _GET_SET_INFO, _GET_FEATURES, _SET_FEATURES = 0x1B, 0x37, 0x3A, 0x3B
_FEATURE_STRINGS = 4
_STRING = 32
_BLOCK = struct.Struct("=4I")

Ask = Callable[[bytes], bytes]
_known: list[str] = []

_SHORT = {
    "gro": "rx-gro",
    "gso": "tx-generic-segmentation",
    "lro": "rx-lro",
    "rx": "rx-checksum",
    "rxvlan": "rx-vlan-hw-parse",
    "sg": "tx-scatter-gather*",
    "tso": "tx-tcp*-segmentation",
    "tx": "tx-checksum-*",
    "txvlan": "tx-vlan-hw-insert",
}


@dataclass(frozen=True, slots=True)
class Feature:
    """One offload of a link: whether it is on, and whether it can be switched."""

    on: bool
    changeable: bool


def features(netns: str | None, ifname: str) -> dict[str, Feature]:
    """The offloads of a link by the kernel's names: `ethtool -k IFNAME`."""
    with _door(netns, ifname) as door:
        return read(door, ifname)


def set_feature(netns: str | None, ifname: str, feature: str, on: bool) -> None:
    """Switch an offload: `ethtool -K IFNAME FEATURE on|off`. Raises UnsupportedError if the link keeps it as it is."""
    with _door(netns, ifname) as door:
        before = read(door, ifname)
        meant = [name for name in before if fnmatchcase(name, _SHORT.get(feature, feature))]
        if not meant:
            raise InputError(f"link {ifname} knows no feature {feature}", code="no-such-feature")
        # Of several, those that cannot be switched do not matter as long as others can.
        wanted = [name for name in meant if before[name].changeable] or meant
        switch(door, ifname, dict.fromkeys(wanted, on))
        after = read(door, ifname)
    if any(after[name].on != on for name in wanted):
        word = "on" if on else "off"
        raise UnsupportedError(f"link {ifname} cannot have {feature} {word}", code="feature-fixed")


def read(door: int, ifname: str) -> dict[str, Feature]:
    """The offloads of a link, asked by any socket of its name space."""
    ask = _asking(door, ifname, f"read features of {ifname}")
    return _read(ask, _names(ask))


def all_are(door: int, ifname: str, wanted: Mapping[str, bool]) -> bool:
    """Whether those of some offloads that the kernel knows are all as wanted; the others are not looked at."""
    ask = _asking(door, ifname, f"read features of {ifname}")
    names = _names(ask)
    answer = ask(_question(names))
    places = ((names.index(name), on) for name, on in wanted.items() if name in names)
    return all(bool(_block(answer, place)[2] >> place % 32 & 1) == on for place, on in places)


def switch(door: int, ifname: str, wanted: Mapping[str, bool]) -> None:
    """Switch offloads in one step, by the kernel's names; those that it does not know, or cannot switch, stay."""
    ask = _asking(door, ifname, f"switch {', '.join(wanted)} on {ifname}")
    ask(_switch(_names(ask), wanted))


@contextmanager
def _door(netns: str | None, ifname: str) -> Iterator[int]:
    with (
        crossing(f"open {ifname}"),
        spaces.entered(netns),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door,
    ):
        yield door.fileno()


def _asking(door: int, ifname: str, action: str) -> Ask:
    """What hands ethtool commands about one link to the kernel and gives back its answers."""
    name = name_of_link(ifname).encode()

    def ask(command: bytes) -> bytes:
        room = ctypes.create_string_buffer(command, len(command))
        try:
            fcntl.ioctl(door, _SIOCETHTOOL, struct.pack("16sP16x", name, ctypes.addressof(room)))
        except OSError as cause:
            if cause.errno == errno.ENODEV:
                raise link_not_found(ifname) from cause
            raise refusal(cause.errno or 0, action, cause.strerror or "") from cause
        return room.raw

    return ask


def _read(ask: Ask, names: list[str]) -> dict[str, Feature]:
    answer = ask(_question(names))
    found: dict[str, Feature] = {}
    for number, name in enumerate(names):
        available, _, active, fixed = _block(answer, number)
        bit = 1 << number % 32
        if name:
            found[name] = Feature(on=bool(active & bit), changeable=bool(available & ~fixed & bit))
    return found


def _question(names: list[str]) -> bytes:
    blocks = -(-len(names) // 32)
    return struct.pack("=II", _GET_FEATURES, blocks) + bytes(16 * blocks)


def _block(answer: bytes, number: int) -> tuple[int, int, int, int]:
    """Of the 32 features that one is among: which are available, requested, active and fixed."""
    available, requested, active, fixed = _BLOCK.unpack_from(answer, 8 + _BLOCK.size * (number // 32))
    return available, requested, active, fixed


def _names(ask: Ask) -> list[str]:
    """The names of all features this kernel knows, the same for every link: asked once."""
    if not _known:
        _known.extend(_ask_names(ask))
    return _known


def _ask_names(ask: Ask) -> list[str]:
    """A feature's number is its place, unnamed ones included."""
    count = struct.unpack_from("=I", ask(struct.pack("=IIQI", _GET_SET_INFO, 0, 1 << _FEATURE_STRINGS, 0)), 16)[0]
    answer = ask(struct.pack("=III", _GET_STRINGS, _FEATURE_STRINGS, count) + bytes(_STRING * count))
    octets = (answer[at : at + _STRING] for at in range(12, 12 + _STRING * count, _STRING))
    return [one.split(b"\0", 1)[0].decode() for one in octets]


def _switch(names: list[str], wanted: Mapping[str, bool]) -> bytes:
    known = {name: on for name, on in wanted.items() if name in names}
    valid = sum(1 << names.index(name) for name in known)
    asked = sum(1 << names.index(name) for name, on in known.items() if on)
    blocks = range(-(-len(names) // 32))
    words = ((valid >> 32 * block & 0xFFFFFFFF, asked >> 32 * block & 0xFFFFFFFF) for block in blocks)
    return struct.pack("=II", _SET_FEATURES, len(blocks)) + b"".join(struct.pack("=II", *pair) for pair in words)
