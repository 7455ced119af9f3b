# SPDX-License-Identifier: Apache-2.0
"""What a described frame carries: ARP, or a packet of any protocol of IP. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address

from openfex.errors import InputError
from openfex.model.layout import Profile
from openfex.model.protocols import (
    FLAGS,
    ICMP,
    ICMP_TYPES,
    ICMPV6,
    LAST_PORT,
    TCP,
    WITH_PORTS,
    parse_ethertype,
    parse_icmp_type,
    parse_protocol,
)
from openfex.model.values import Mac
from openfex.model.wording import choose, shown
from openfex.wire import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    arp_request,
    ip_packet,
    ipv4_icmp,
    ipv4_tcp,
    ipv4_udp,
    ipv6_icmp,
    ipv6_tcp,
    ipv6_udp,
)

STRANGER = Mac(b"\x02\0\0\0\0\x01")
"""Who sends from the network, if nobody is named."""
UDP = WITH_PORTS["udp"]
USUAL_PORT = {TCP: 80, UDP: 53}
SOURCE_PORT = 50_000
Address = IPv4Address | IPv6Address
_NOBODY4 = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
_NOBODY6 = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")
"""Addresses of documentation (RFC 5737, 3849), from and to, where the lab knows none."""
_EVERYBODY4, _EVERYBODY6 = IPv4Address("255.255.255.255"), IPv6Address("ff02::1")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody has said of a frame; empty and None: nothing."""

    to: str = ""
    protocol: str = ""
    port: str = ""
    sender: str = ""
    sender_mac: str = ""
    to_mac: str = ""
    vlan: str = ""
    source_port: int = SOURCE_PORT
    flags: str = "syn"
    size: int = 0
    ipv6: bool = False


@dataclass(frozen=True, slots=True)
class Party:
    """Who sends a frame, or who it is for; `addresses` in the order in which they are liked."""

    mac: Mac | None = None
    addresses: tuple[Address, ...] = ()
    profile: Profile | None = None

    @property
    def ipv4(self) -> IPv4Address | None:
        """The first of them."""
        return next((one for one in self.addresses if isinstance(one, IPv4Address)), None)

    @property
    def ipv6(self) -> IPv6Address | None:
        """The first of them."""
        return next((one for one in self.addresses if isinstance(one, IPv6Address)), None)


@dataclass(frozen=True)
class Content:
    """What a frame carries."""

    sender: Party
    receiver: Party
    version: int
    wish: Wish

    @property
    def word(self) -> str:
        """What it is, as people say it."""
        return self.wish.protocol or ("icmp" if self.wish.to else "arp")

    @property
    def ethertype(self) -> int:
        """The frame's own."""
        if self.word == "arp" or self.word.startswith("0x"):
            return parse_ethertype(self.word)
        return ETHERTYPE_IPV4 if self.version == 4 else ETHERTYPE_IPV6

    @cached_property
    def protocol(self) -> int:
        """That of IP; ICMP is that of the version."""
        number = parse_protocol(self.word)
        return (ICMP if self.version == 4 else ICMPV6) if number in (ICMP, ICMPV6) else number

    def payload(self, data: bytes) -> bytes:
        """What follows the EtherType, with these octets at its end."""
        if self.ethertype == ETHERTYPE_ARP:
            return self._arp() + data
        if self.word.startswith("0x"):
            return data
        return self._ipv4(data) if self.version == 4 else self._ipv6(data)

    def _arp(self) -> bytes:
        """Who has the receiver's address? To nobody: this one is mine (RFC 5227, an announcement)."""
        source = self.sender.ipv4 or _NOBODY4[0]
        target = self.receiver.ipv4 or (_NOBODY4[1] if self.wish.to else source)
        return arp_request(self.sender.mac or STRANGER, source, Mac(bytes(6)), target)

    def _ipv4(self, data: bytes) -> bytes:
        source = self.sender.ipv4 or _NOBODY4[0]
        target = self.receiver.ipv4 or (_NOBODY4[1] if self.wish.to else _EVERYBODY4)
        if self.protocol == ICMP:
            return ipv4_icmp(source, target, self._icmp_type(), 0, bytes(4) + data)
        if self.protocol == TCP:
            return ipv4_tcp(source, target, *self._ports(), 0, 0, self._flags(), data)
        if self.protocol == UDP:
            return ipv4_udp(source, target, *self._ports(), data)
        return ip_packet(source, target, self.protocol, self._other(data))

    def _ipv6(self, data: bytes) -> bytes:
        source = self.sender.ipv6 or _NOBODY6[0]
        target = self.receiver.ipv6 or (_NOBODY6[1] if self.wish.to else _EVERYBODY6)
        if self.protocol == ICMPV6:
            return ipv6_icmp(source, target, self._icmp_type(), 0, bytes(4) + data)
        if self.protocol == TCP:
            return ipv6_tcp(source, target, *self._ports(), 0, 0, self._flags(), data)
        if self.protocol == UDP:
            return ipv6_udp(source, target, *self._ports(), data)
        return ip_packet(source, target, self.protocol, self._other(data))

    def _other(self, data: bytes) -> bytes:
        """A protocol of which no more is known than where its ports are, if it has any."""
        ports = b"".join(port.to_bytes(2, "big") for port in self._ports())
        return (ports if self.protocol in WITH_PORTS.values() else b"") + bytes(8) + data

    def _ports(self) -> tuple[int, int]:
        if self.protocol not in WITH_PORTS.values():
            if self.wish.port and self.protocol not in (ICMP, ICMPV6):
                message = f"{shown(self.wish.protocol)} has no ports"
                raise InputError(message, code="bad-port", remedy=f"leave out {shown(self.wish.port)}")
            return 0, 0
        text = self.wish.port
        number = int(text) if text.isdecimal() else -1 if text else USUAL_PORT.get(self.protocol, 0)
        if not 0 <= number <= LAST_PORT:
            raise InputError(f"{shown(text)} is not a port from 0 to {LAST_PORT}", code="bad-port")
        return self.wish.source_port, number

    def _icmp_type(self) -> int:
        found = parse_icmp_type(self.wish.port or "echo-request")
        words = ICMP_TYPES[self.protocol]
        if isinstance(found, str) and found not in words:
            message = f"{found} is no type of ICMP{'v6' if self.protocol == ICMPV6 else ''}"
            raise InputError(message, code="bad-icmp-type", remedy=choose(found, words, "words"))
        return words[found] if isinstance(found, str) else found

    def _flags(self) -> int:
        names = [one for one in self.wish.flags.lower().replace("+", ",").split(",") if one]
        unknown = [one for one in names if one not in FLAGS]
        if unknown:
            message = f"{shown(unknown[0])} is no flag of TCP"
            raise InputError(message, code="bad-tcp-flags", remedy=choose(unknown[0], FLAGS, "flags"))
        return sum(FLAGS[one] for one in set(names))
