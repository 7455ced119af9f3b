# SPDX-License-Identifier: Apache-2.0
"""Frames by chance for given tables, so biased that every verdict and every drop reason comes often.

A scene is made once for some tables and then gives arrivals: a frame, and the port it arrives at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from openfex.model.values import BROADCAST, LAST_CHANNEL, ChannelKind, Mac, port_channel, port_link, port_number
from openfex.rules.head import ECP, LLDP
from openfex.rules.schannel import schannel_tag
from openfex.rules.tables import BridgeTables, ExtenderTables, Port, Terms
from openfex.testing.chance import Chance, any_of, one_in
from openfex.testing.layouts import CHANNELS, VLANS
from openfex.testing.packets import cut_body, make_arp, make_body, make_dhcp, make_neighbour
from openfex.testing.policies import make_packet
from openfex.testing.tables import STATIONS
from openfex.wire import ETag, VlanTag, VnTag

SHORTEST = 14
"""The kernel's test runs take no shorter frame; the reference is given shorter ones in tests/unit/rules."""
LONGEST_HEAD = 46
_GROUPS = tuple(
    Mac.parse(text)
    for text in (
        *("ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01"),
        *("01:80:c2:00:00:00", "01:00:0c:cc:cc:cd", "01:80:c2:00:00:0e", "01:80:c2:00:00:03"),
        *("01:80:c2:00:00:10", "01:80:c2:00:01:00", "01:00:0c:cc:cc:cc"),
    )
)
_STRANGERS = tuple(Mac.parse(text) for text in ("02:00:00:00:00:99", "00:00:00:00:00:00", "52:54:00:10:00:99"))
_GUESTS = tuple(Mac(bytes((2, 0, 0, 0, 1, number))) for number in range(6))
"""What a machine behind a vEth may have behind it."""
_BAD_SOURCES = (BROADCAST, Mac(bytes(6)), Mac.parse("03:00:00:00:00:01"), *_STRANGERS)
_TYPES = (0x0800, 0x0806, 0x86DD, 0x88CC, 0x8940, 0x0026, 0x1234, 0x0000)
_NEVER_SHORT = (b"\x08\x00", b"\x86\xdd")
"""Nor do they take IP without its own header."""
_PRIORITIES = (0, 0x2000, 0xE000, 0x1000, 0xF000)
_PAYLOAD = bytes(i * 7 + 3 & 0xFF for i in range(1600))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame at a port: of a function at its extender, else (channel 0) of a link."""

    at: int
    octets: bytes

    def __repr__(self) -> str:
        return f"Arrival(at=port_number({port_link(self.at)}, {port_channel(self.at)}), octets={self.octets!r})"


def vlan_tag(chance: Chance, vid: int, tpid: int = VlanTag.C_TPID) -> bytes:
    """A VLAN tag of any priority."""
    return tpid.to_bytes(2, "big") + (chance.choice(_PRIORITIES) | vid).to_bytes(2, "big")


def _any_vid(chance: Chance) -> int:
    return chance.choice((*VLANS, 0, 4095, 5))


def _forged(chance: Chance) -> bytes:
    """A channel tag where none may be, whole or only its ethertype."""
    whole = chance.choice((VnTag(svif=1).encode(), ETag(ecid=1).encode(), VnTag(direction=1, dvif=1).encode()))
    return whole[: chance.choice((len(whole), 2))]


def _odd_tags(chance: Chance) -> bytes:
    """Any tags: up to four VLAN tags, of both kinds, and a forged channel tag behind any of them."""
    shapes = ("c", "s", "", "sc", "cc", "cs", "ccc", "scs", "cccc", "f", "cf", "sf", "scf", "cccf")
    pieces = {
        "c": lambda: vlan_tag(chance, _any_vid(chance)),
        "s": lambda: vlan_tag(chance, _any_vid(chance), VlanTag.S_TPID),
        "f": lambda: _forged(chance),
    }
    return b"".join(pieces[one]() for one in chance.choice(shapes))


def _proper_tags(chance: Chance, vlan: int, vlans: Sequence[int] | None) -> bytes:
    """What a port that keeps the rules sends: untagged or a priority tag, or on a trunk a VLAN that it may use."""
    if vlans and not (vlan and one_in(chance, 3)):
        inner = vlan_tag(chance, 7) if one_in(chance, 4) else b""
        return vlan_tag(chance, chance.choice(vlans)) + inner
    return vlan_tag(chance, 0) if one_in(chance, 4) else b""


def _frame(chance: Chance, dst: Mac, src: Mac, tags: bytes, body: bytes = b"") -> bytes:
    """A frame of 60 to 1,514 octets, and its tags; or one that carries `body`, from its EtherType on."""
    if body:
        return dst.octets + src.octets + tags + body
    size = chance.choice((60, 61, 64, 128, 1514, 60 + chance.randint(0, 1454)))
    ethertype = chance.choice(_TYPES).to_bytes(2, "big")
    return dst.octets + src.octets + tags + ethertype + _PAYLOAD[: size - SHORTEST]


def _vntag_flaw(chance: Chance, tag: VnTag) -> VnTag:
    """One field that is not as it should be; some of them do no harm."""
    values = {f: getattr(tag, f) for f in ("direction", "pointer", "dvif", "looped", "svif", "reserved", "version")}
    name, value = chance.choice(
        (
            ("direction", 1 - tag.direction),
            ("pointer", 1 - tag.pointer),
            ("version", chance.randint(1, 3)),
            ("reserved", 1),
            ("looped", 1 - tag.looped),
            ("svif", chance.choice((0, 4095, 5, *CHANNELS))),
            ("dvif", chance.choice((0, 4095, 0x3FFF, 0x1001, *CHANNELS))),
        )
    )
    return VnTag(**{**values, name: value})


def _etag_flaw(chance: Chance, tag: ETag) -> ETag:
    values = {f: getattr(tag, f) for f in ("ecid", "grp", "ingress", "pcp", "dei", "reserved")}
    name, value = chance.choice(
        (
            ("ecid", tag.ecid | chance.choice((0x1000, 0xFF000))),
            ("ingress", tag.ingress | chance.choice((0x1000, 0x80000))),
            ("grp", chance.randint(0, 3)),
            ("reserved", chance.randint(1, 3)),
            ("ingress", chance.choice((0, 4095, *CHANNELS))),
            ("ecid", chance.choice((0, 4095, 5, *CHANNELS))),
            ("pcp", 7),
            ("dei", 1),
        )
    )
    return ETag(**{**values, name: value})


def _perhaps_flawed(chance: Chance, tag: VnTag | ETag) -> bytes:
    """A channel tag as it should be; once in five with a flaw, once in twenty of the other kind or none at all."""
    if one_in(chance, 20):
        other = ETag(ecid=1) if isinstance(tag, VnTag) else VnTag(svif=1)
        return chance.choice((b"", other.encode()))
    if one_in(chance, 5):
        tag = _vntag_flaw(chance, tag) if isinstance(tag, VnTag) else _etag_flaw(chance, tag)
    return tag.encode()


def _schannel(chance: Chance, kind: ChannelKind, channel: int) -> bytes:
    """The tag of an S-channel; once in five another channel's, of the other kind, or none at all."""
    if not one_in(chance, 5):
        return schannel_tag(kind, channel, chance.choice((0, 0, 0xE000, 0x1000)))
    tag = vlan_tag(chance, chance.choice((0, 1, 4095, 5, *CHANNELS)), chance.choice((VlanTag.C_TPID, VlanTag.S_TPID)))
    return chance.choice((b"", tag, _forged(chance)))


def _vepa(chance: Chance, vlans: Sequence[int]) -> bytes:
    """The C-tag of one of the VLANs; once in eight of another, of none, an S-tag, a forged tag, or nothing."""
    if not one_in(chance, 8):
        return vlan_tag(chance, any_of(chance, vlans, VLANS[0]))
    tag = vlan_tag(chance, _any_vid(chance), chance.choice((VlanTag.C_TPID, VlanTag.S_TPID)))
    return chance.choice((b"", tag, _forged(chance)))


def _arrival(chance: Chance, at: int, inner: bytes, tag: bytes) -> Arrival:
    """A frame with a channel's tag; once in sixteen cut inside its head, or a little behind it."""
    octets = inner[:12] + tag + inner[12:]
    if one_in(chance, 16) and octets[12:14] not in _NEVER_SHORT:
        octets = octets[: chance.randint(SHORTEST, LONGEST_HEAD)]
    return Arrival(at, octets)


def _control(chance: Chance, at: int) -> Arrival:
    """Signalling, or what is almost that: to another address, or with a tag."""
    dst = Mac.parse(chance.choice((*("01:80:c2:00:00:00", "01:80:c2:00:00:0e") * 3, "01:80:c2:00:00:10")))
    tag = chance.choice((*(b"",) * 6, vlan_tag(chance, 0), vlan_tag(chance, 1), _forged(chance)))
    body = chance.choice((LLDP, ECP)).to_bytes(2, "big") + _PAYLOAD[:46]
    return _arrival(chance, at, dst.octets + chance.choice(STATIONS).octets + body, tag)


class ExtenderScene:
    """Arrivals at a port extender, from functions and from uplinks."""

    def __init__(self, tables: ExtenderTables) -> None:
        self._links = dict(tables.links)
        self._ports = sorted(tables.functions)
        self._lists: dict[int, list[int]] = {}
        for link, number in sorted(tables.lists):
            self._lists.setdefault(link, []).append(number)
        self._functions = dict(tables.functions)
        self._macs: dict[int, list[Mac]] = {}
        for (_, mac), port in sorted(tables.owners.items()):
            self._macs.setdefault(port, []).append(mac)
        self._owners = sorted(mac for _, mac in tables.owners)

    def arrival(self, chance: Chance) -> Arrival:
        """One frame."""
        return self._from_uplink(chance) if one_in(chance, 2) else self._from_function(chance)

    def _inner(self, chance: Chance, sources: Sequence[Mac] = (), *, tags: bytes | None = None) -> bytes:
        if tags is None:
            proper = _proper_tags(chance, 0, VLANS if one_in(chance, 2) else None)
            tags = _odd_tags(chance) if one_in(chance, 3) else proper
        to = chance.choice((STATIONS[:2], _GROUPS, _GROUPS, self._owners or STATIONS))
        src = any_of(chance, sources, STATIONS[0]) if not one_in(chance, 8) else chance.choice(STATIONS)
        return _frame(chance, chance.choice(to), src, tags)

    def _from_function(self, chance: Chance) -> Arrival:
        stray = port_number(chance.choice((1, 2, 3)), chance.choice((5, 4095, *CHANNELS)))
        at = stray if one_in(chance, 12) else any_of(chance, self._ports, stray)
        function, tags = self._functions.get(at), None
        if function and function.vepa and not one_in(chance, 3):
            tags = _proper_tags(chance, function.vlan, VLANS if function.trunk else None)
        inner = self._inner(chance, self._macs.get(at, STATIONS), tags=tags)
        return _arrival(chance, at, inner, _forged(chance) if one_in(chance, 16) else b"")

    def _from_uplink(self, chance: Chance) -> Arrival:
        link = chance.choice((1, 2, 5)) if one_in(chance, 16) else any_of(chance, sorted(self._links), 1)
        if one_in(chance, 24):
            return _control(chance, port_number(link))
        kind = self._links.get(link) or chance.choice(tuple(ChannelKind))
        channels = [port_channel(port) for port in self._ports if port_link(port) == link]
        channel = any_of(chance, channels, 1)
        lists = self._lists.get(link, [])
        is_list = one_in(chance, 2)
        target = (0x1FFE if one_in(chance, 8) else any_of(chance, lists, 0x1001)) if is_list else channel
        source = chance.choice((0, channel, *channels[:3]))
        if kind is ChannelKind.VEPA:
            tags = b"" if one_in(chance, 2) else None
            inner = self._inner(chance, (*STATIONS, *self._owners), tags=tags)
            return _arrival(chance, port_number(link), inner, _vepa(chance, lists))
        if kind.is_schannel:
            return _arrival(chance, port_number(link), self._inner(chance), _schannel(chance, kind, channel))
        tag: VnTag | ETag
        if kind is ChannelKind.VNTAG:
            looped = source > 0
            tag = VnTag(direction=1, pointer=int(is_list), dvif=target, looped=int(looped), svif=source)
        else:
            tag = ETag(ecid=target & 0xFFF, grp=target >> 12, ingress=source)
        return _arrival(chance, port_number(link), self._inner(chance), _perhaps_flawed(chance, tag))


class BridgeScene:
    """Arrivals at a controlling bridge, from vEths and from the network."""

    def __init__(self, tables: BridgeTables) -> None:
        self._links = dict(tables.links)
        self._ports: Mapping[int, Port] = dict(tables.ports)
        self._allowed = {number: sorted(tables.terms_of(port).vlans or ())[:8] for number, port in tables.ports.items()}
        self._terms = {number: tables.terms_of(port) for number, port in tables.ports.items()}
        self._channels: dict[int, list[int]] = {}
        for number in sorted(tables.ports):
            self._channels.setdefault(port_link(number), []).append(port_channel(number))
        self._veths = (sorted(tables.veths) or [STATIONS[0]])[:12]
        self._stations = sorted({*STATIONS, *(mac for mac, _ in tables.stations)})

    def arrival(self, chance: Chance) -> Arrival:
        """One frame."""
        link = chance.choice((9, 15, 18, 19)) if one_in(chance, 40) else any_of(chance, sorted(self._links), 9)
        if one_in(chance, 40):
            return _control(chance, port_number(link))
        kind = self._links.get(link)
        if kind is None:
            forged = _forged(chance) if one_in(chance, 24) else b""
            return _arrival(chance, port_number(link), self._inner(chance, port_number(link)), forged)
        channel = any_of(chance, self._channels.get(link, []), 1)
        if one_in(chance, 16):
            channel = chance.choice((0, LAST_CHANNEL, 4095, 5))
        inner = self._inner(chance, port_number(link, channel))
        if kind is ChannelKind.VEPA:
            return _arrival(chance, port_number(link), *self._in_vlan(chance, inner, port_number(link, channel)))
        if kind.is_schannel:
            return _arrival(chance, port_number(link), inner, _schannel(chance, kind, channel))
        tag = VnTag(svif=channel) if kind is ChannelKind.VNTAG else ETag(ecid=channel)
        return _arrival(chance, port_number(link), inner, _perhaps_flawed(chance, tag))

    def _in_vlan(self, chance: Chance, inner: bytes, number: int) -> tuple[bytes, bytes]:
        """What a vEth sends, and the tag that its host puts on it, or would: once in three it is sent untagged."""
        terms = self._terms.get(number, Terms())
        if one_in(chance, 3):
            return inner, b""
        if inner[12:14] in {one.to_bytes(2, "big") for one in (VlanTag.C_TPID, VlanTag.S_TPID)} and one_in(chance, 2):
            inner = inner[:12] + inner[16:]
        return inner, _vepa(chance, [terms.vlan] if terms.vlan else self._allowed.get(number, []))

    def _inner(self, chance: Chance, number: int) -> bytes:
        proper = not one_in(chance, 4)
        tags = (
            _proper_tags(chance, self._terms.get(number, Terms()).vlan, self._allowed.get(number))
            if proper
            else _odd_tags(chance)
        )
        service = self._terms.get(number, Terms()).service
        if service and not one_in(chance, 6):
            tags = vlan_tag(chance, 5 if one_in(chance, 10) else service, VlanTag.S_TPID) + tags
        src = self._source(chance, number)
        dst = src if one_in(chance, 40) else self._destination(chance)
        return _frame(chance, dst, src, tags, self._body(chance, number, src) if one_in(chance, 2) else b"")

    def _body(self, chance: Chance, number: int, src: Mac) -> bytes:
        """What the port's rules look at; from its own address, as they may be guarded, or from any."""
        policy, own = self._terms.get(number, Terms()).policy, sorted(self._ports.get(number, Port()).addresses)
        packet = make_packet(chance, (*(policy.acl_in or ()), *(policy.acl_out or ())))
        fitting = [one for one in own if len(one) == len(packet.source)]
        if fitting and not one_in(chance, 4):
            packet = replace(packet, source=chance.choice(fitting))
        target = any_of(chance, own, bytes(16)) if not one_in(chance, 4) else bytes(16)
        kind = chance.choice(("packet",) * 6 + ("arp", "neighbour", "dhcp"))
        if kind == "arp":
            return make_arp(chance, src, target)
        if kind == "neighbour" and len(packet.source) == 16:
            nobody = replace(packet, source=bytes(16)) if one_in(chance, 3) else packet
            return make_neighbour(chance, src, nobody, target)
        if kind == "dhcp":
            return make_dhcp(chance)
        body = make_body(chance, packet)
        return cut_body(chance, body) if len(packet.source) and one_in(chance, 8) else body

    def _source(self, chance: Chance, number: int) -> Mac:
        """A vEth's own address, or one that it may learn; on the network a station of that port, seldom a moved one."""
        port, link = self._ports.get(number, Port()), port_link(number)
        if self._terms.get(number, Terms()).policy.source.learn and one_in(chance, 2):
            return chance.choice(_GUESTS)
        if one_in(chance, 8):
            return chance.choice((*_BAD_SOURCES, *self._veths, *self._stations))
        if not port.network and port.mac is not None:
            return port.mac
        return chance.choice(self._stations[link % 2 :: 2] or self._stations)

    def _destination(self, chance: Chance) -> Mac:
        pools: tuple[Callable[[], Sequence[Mac]], ...] = (
            lambda: self._veths,
            lambda: self._veths,
            lambda: self._stations,
            lambda: _GROUPS[:3],
            lambda: _GROUPS,
            lambda: _STRANGERS,
        )
        return chance.choice(chance.choice(pools)())
