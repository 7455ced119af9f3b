# SPDX-License-Identifier: Apache-2.0
"""Links and addresses as rtnetlink shows and takes them: values, and the octets of its messages (linux/if_link.h)."""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass, replace

from openfex.errors import InputError
from openfex.linux.rtnetlink import Answer, attribute, attributes, nested, number, string, text, u32
from openfex.model.values import Mac

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
IFNAME_ROOM = 15

_IFF_UP, _IFF_PROMISC = 1, 1 << 8
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_QDISC, _IFLA_TXQLEN, _IFLA_LINKINFO = 1, 3, 4, 5, 6, 13, 18
_IFLA_IFALIAS, _IFLA_STATS64, _IFLA_GROUP, _IFLA_NET_NS_FD, _IFLA_EXT_MASK, _IFLA_CARRIER = 20, 23, 27, 28, 29, 33
_IFLA_MASTER, _IFLA_LINK_NETNSID, _IFLA_MAX_MTU = 10, 37, 51
_IFLA_PARENT_NAME, _IFLA_PARENT_BUS = 56, 57
NLMSG_HDRLEN = 16
_IFLA_OPERSTATE, _UNKNOWN, _UP = 16, 0, 6
_IFLA_XDP, _XDP_FD, _XDP_FLAGS, _XDP_NATIVE_ID, _XDP_EXPECTED_FD = 43, 1, 3, 5, 8
_XDP_NATIVE, _XDP_REPLACE = 1 << 2, 1 << 4
_SAYS_UP = frozenset({"veth", "tun"})
"""Kinds that go from unknown to up (RFC 2863), and until then drop; a loopback stays unknown for ever.

Since Linux 6.8 asking for a link makes the kernel act on its carrier first; before, unknown may mean not yet.
"""
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_SKIP_STATISTICS = 8
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS, _IFA_F_NODAD = 1, 2, 8, 2

IFINFO = struct.Struct("=BxHiII")
"""`struct ifinfomsg`: family, type, number, flags, change."""
_IFADDR = struct.Struct("=BBBBI")
_STATISTICS = struct.Struct("=8Q")


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface as the kernel shows it."""

    index: int
    name: str
    kind: str
    mtu: int
    mac: Mac
    up: bool
    alias: str
    peer_index: int | None
    """For a veth: the number of its other end, in that end's name space."""
    carrier: bool
    group: int = 0
    peer_here: bool = False
    """Whether that other end is in this name space, too."""
    ready: bool = False
    """Up, and the kernel has acted on its carrier: what is sent before that is dropped without a trace."""
    xdp: int = 0
    """The id of the native XDP program; 0 for none."""
    promiscuous: bool = False
    """Whether it was told to take frames for others, too."""
    master: int = 0
    """The number of the bridge or bond that it belongs to; 0 for none."""
    max_mtu: int = 0
    """The largest that its driver takes; 0 where it does not say."""
    queue: str = ""
    """What kind of queue its way out has: `noqueue`, `htb`, ..."""
    pci: str = ""
    """The address of the PCI function that it is the network device of."""


@dataclass(frozen=True, slots=True)
class LinkStatistics:
    """What a link has counted since it was made."""

    rx_packets: int
    tx_packets: int
    rx_dropped: int
    tx_dropped: int
    rx_bytes: int
    tx_bytes: int


@dataclass(frozen=True, slots=True)
class LinkChange:
    """What is to be set on a link; None leaves a thing as it is."""

    mtu: int | None = None
    mac: Mac | None = None
    up: bool | None = None
    alias: str | None = None
    new_name: str | None = None
    group: int | None = None
    txqueuelen: int | None = None
    netns_fd: int | None = None
    promiscuous: bool | None = None

    def attributes(self) -> bytes:
        """The attributes of an RTM_SETLINK; `up` and `promiscuous` are none of them but flags."""
        parts = [
            b"" if self.new_name is None else text(_IFLA_IFNAME, name_of_link(self.new_name)),
            b"" if self.mtu is None else u32(_IFLA_MTU, self.mtu),
            b"" if self.mac is None else attribute(_IFLA_ADDRESS, self.mac.octets),
            b"" if self.alias is None else attribute(_IFLA_IFALIAS, self.alias.encode()),
            b"" if self.group is None else u32(_IFLA_GROUP, self.group),
            b"" if self.txqueuelen is None else u32(_IFLA_TXQLEN, self.txqueuelen),
            b"" if self.netns_fd is None else u32(_IFLA_NET_NS_FD, self.netns_fd),
        ]
        return b"".join(parts)

    def body(self, *, index: int = 0, name: str = "") -> bytes:
        """The message that changes a link, named by its number or by its name."""
        told = {_IFF_UP: self.up, _IFF_PROMISC: self.promiscuous}
        flags, mask = sum(bit for bit, on in told.items() if on), sum(bit for bit, on in told.items() if on is not None)
        return _ifinfo(index, flags, mask) + (text(_IFLA_IFNAME, name) if name else b"") + self.attributes()


def name_of_link(name: str) -> str:
    """The name if the kernel could take it. Raises InputError."""
    octets = name.encode()
    if not 0 < len(octets) <= IFNAME_ROOM or name in (".", "..") or any(c in "/:" or c.isspace() for c in name):
        message = f"{name!r} cannot name a link: 1 to {IFNAME_ROOM} octets without '/', ':' or spaces"
        raise InputError(message, code="bad-link-name")
    return name


def named(name: str) -> bytes:
    """The message that only names a link, to get or delete it."""
    return _ifinfo() + text(_IFLA_IFNAME, name)


def in_group(group: int) -> bytes:
    """The message that names every link of a group."""
    return _ifinfo() + u32(_IFLA_GROUP, group)


def veth(end: LinkChange, peer: LinkChange) -> bytes:
    """The message that makes a veth pair, both ends named, placed and set up in one step."""
    info = nested(_INFO_DATA, nested(_VETH_PEER, peer.body()))
    return end.body() + nested(_IFLA_LINKINFO, text(_INFO_KIND, "veth"), info)


def xdp_program(index: int, fd: int, expected_fd: int) -> bytes:
    """The message that puts a program where the expected one is; -1 stands for none, in either place."""
    parts = ((_XDP_FD, fd), (_XDP_FLAGS, _XDP_NATIVE | _XDP_REPLACE), (_XDP_EXPECTED_FD, expected_fd))
    return _ifinfo(index) + nested(_IFLA_XDP, *(attribute(kind, struct.pack("=i", value)) for kind, value in parts))


def all_links(*, statistics: bool) -> bytes:
    """The message that asks for all links; without their counters it is answered twice as fast."""
    return _ifinfo() + u32(_IFLA_EXT_MASK, 0 if statistics else _SKIP_STATISTICS)


def read_link(answer: Answer) -> Link:
    """An RTM_NEWLINK."""
    _, _, index, flags, _ = IFINFO.unpack_from(answer.body)
    found = attributes(answer.body, IFINFO.size)
    mac = found.get(_IFLA_ADDRESS, b"")
    peer = found.get(_IFLA_LINK)
    kind = string(attributes(found.get(_IFLA_LINKINFO, b"")).get(_INFO_KIND, b""))
    state = number(found.get(_IFLA_OPERSTATE, b""))
    return Link(
        index=index,
        name=string(found[_IFLA_IFNAME]),
        kind=kind,
        mtu=number(found.get(_IFLA_MTU, b"")),
        mac=Mac(mac if len(mac) == 6 else bytes(6)),
        up=bool(flags & _IFF_UP),
        promiscuous=bool(flags & _IFF_PROMISC),
        master=number(found.get(_IFLA_MASTER, b"")),
        max_mtu=number(found.get(_IFLA_MAX_MTU, b"")),
        alias=string(found.get(_IFLA_IFALIAS, b"")),
        peer_index=None if peer is None else number(peer),
        carrier=bool(number(found.get(_IFLA_CARRIER, b""))),
        group=number(found.get(_IFLA_GROUP, b"")),
        peer_here=peer is not None and _IFLA_LINK_NETNSID not in found,
        ready=bool(flags & _IFF_UP) and (state == _UP or (state == _UNKNOWN and kind not in _SAYS_UP)),
        queue=string(found.get(_IFLA_QDISC, b"")),
        xdp=number(attributes(found.get(_IFLA_XDP, b"")).get(_XDP_NATIVE_ID, b"")),
        pci=string(found[_IFLA_PARENT_NAME]) if found.get(_IFLA_PARENT_BUS) == b"pci\0" else "",
    )


def event_is_of_pci(octets: bytes) -> bool:
    """Whether an event (RTM_NEWLINK, RTM_DELLINK, with its header) is of a PCI function's network device."""
    return attributes(octets, NLMSG_HDRLEN + IFINFO.size).get(_IFLA_PARENT_BUS) == b"pci\0"


def read_event_of_link(octets: bytes) -> Link | None:
    """The link that an event (with its header) is about, down where it is no more; None: it is about none."""
    kind = struct.unpack_from("=4xH", octets)[0]
    if kind not in (RTM_NEWLINK, RTM_DELLINK) or octets[NLMSG_HDRLEN] != socket.AF_UNSPEC:
        return None
    link = read_link(Answer(kind, octets[NLMSG_HDRLEN:]))
    return link if kind == RTM_NEWLINK else replace(link, up=False, carrier=False)


def read_statistics(answer: Answer) -> tuple[str, LinkStatistics]:
    """The name and the counters in an RTM_NEWLINK."""
    found = attributes(answer.body, IFINFO.size)
    rx, tx, rx_octets, tx_octets, _, _, rx_lost, tx_lost = _STATISTICS.unpack_from(found[_IFLA_STATS64])
    return string(found[_IFLA_IFNAME]), LinkStatistics(rx, tx, rx_lost, tx_lost, rx_octets, tx_octets)


def address(index: int, cidr: str) -> bytes:
    """The message that gives a link an address; IPv6 addresses skip duplicate detection, so they work at once."""
    try:
        interface = ipaddress.ip_interface(cidr)
    except ValueError as cause:
        raise InputError(f"{cidr!r} is not an address like 10.0.0.1/24", code="bad-address") from cause
    family = socket.AF_INET if interface.version == 4 else socket.AF_INET6
    flags = 0 if interface.version == 4 else _IFA_F_NODAD
    packed = interface.packed
    fixed = _IFADDR.pack(family, interface.network.prefixlen, flags, 0, index)
    return fixed + attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed) + u32(_IFA_FLAGS, flags)


def addresses_of(index: int) -> bytes:
    """The message that asks for the addresses of one link."""
    return _IFADDR.pack(socket.AF_UNSPEC, 0, 0, 0, index)


def read_address(answer: Answer) -> tuple[int, str]:
    """The link's number and the address with its prefix length in an RTM_NEWADDR."""
    _, prefix, _, _, index = _IFADDR.unpack_from(answer.body)
    found = attributes(answer.body, _IFADDR.size)
    return index, f"{ipaddress.ip_address(found.get(_IFA_LOCAL, found[_IFA_ADDRESS]))}/{prefix}"


def _ifinfo(index: int = 0, flags: int = 0, mask: int = 0) -> bytes:
    return IFINFO.pack(socket.AF_UNSPEC, 0, index, flags, mask)
