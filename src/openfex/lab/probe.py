# SPDX-License-Identifier: Apache-2.0
"""A frame from a short description: to `vm2/eth0`, `tcp 443`. What is not said is what would be sent. Pure."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

from openfex.errors import InputError, NotFoundError
from openfex.lab.payload import STRANGER, Content, Party, Wish
from openfex.lab.points import Point
from openfex.model.layout import Binding, Layout, Profile
from openfex.model.values import BROADCAST, Mac
from openfex.model.wording import choose, shown
from openfex.wire import ETHERTYPE_ARP, ETHERTYPE_IPV6, Frame, VlanTag

SHORTEST = 60
"""Of a frame on a real wire, without its check."""
ALL_NODES = Mac(b"\x33\x33\0\0\0\x01")
UNTAGGED = "none"


def make_frame(layout: Layout, point: Point, wish: Wish) -> bytes:
    """The frame that was described. Raises InputError, NotFoundError."""
    sender, receiver = _sender(layout, point, wish), _receiver(layout, wish)
    version = _version(sender, receiver, wish)
    content = Content(sender, receiver, version, wish)
    src = sender.mac or STRANGER
    dst = _destination(content)
    tags = (*_service(sender.profile), *_tags(sender.profile, receiver.profile, wish))
    frame = Frame(dst, src, content.ethertype, content.payload(b""), tags)
    octets = frame.encode()
    if not wish.size:
        return octets.ljust(SHORTEST, b"\0")
    if wish.size < len(octets):
        message = f"the frame has {len(octets)} octets, and {wish.size} were asked for"
        raise InputError(message, code="too-short", remedy=f"ask for {len(octets)} or more")
    return Frame(dst, src, content.ethertype, content.payload(bytes(wish.size - len(octets))), tags).encode()


# Who


def _of(binding: Binding) -> Party:
    addresses = tuple(ip_interface(one).ip for one in binding.addresses)
    return Party(binding.mac, addresses, binding.profile)


def _sender(layout: Layout, point: Point, wish: Wish) -> Party:
    """Whose port it is, unless another is named."""
    here = _at(layout, point)
    named = _party(layout, wish.sender) if wish.sender else here
    mac = Mac.parse(wish.sender_mac) if wish.sender_mac else named.mac or here.mac
    return Party(mac, named.addresses, here.profile)


def _at(layout: Layout, point: Point) -> Party:
    for binding in layout.bindings:
        owner = ("bridge", binding.uplink.bridge, binding.bridge_port)
        function = ("host", binding.uplink.host, binding.host_port)
        if (point.kind, point.node, point.number) in (owner, function):
            return _of(binding)
    ports = layout.bridge(point.node).ports if point.kind == "bridge" else ()
    return Party(profile=next((one.profile for one in ports if one.number == point.number), None))


def _receiver(layout: Layout, wish: Wish) -> Party:
    party = _party(layout, wish.to) if wish.to else Party()
    return Party(Mac.parse(wish.to_mac), party.addresses, party.profile) if wish.to_mac else party


def _party(layout: Layout, text: str) -> Party:
    """A NIC, a MAC or an IP address; one of the lab's with all that the lab knows of it."""
    if ":" in text and len(text) == 17:
        mac = Mac.parse(text)
        return next((_of(one) for one in layout.bindings if one.mac == mac), Party(mac))
    try:
        address = ip_address(text)
    except ValueError:
        return _nic(layout, text)
    for binding in layout.bindings:
        party = _of(binding)
        if address in party.addresses:
            return Party(party.mac, (address,), party.profile)
    return Party(None, (address,))


def _nic(layout: Layout, name: str) -> Party:
    known = {one.name: one for one in layout.bindings}
    if name not in known:
        message = f"{shown(name)} is no NIC of lab {layout.lab}, no MAC and no IP address"
        raise NotFoundError(message, code="no-such-nic", remedy=choose(name, known, "NICs"))
    return _of(known[name])


def _version(sender: Party, receiver: Party, wish: Wish) -> int:
    """Of IP: what was named, else one that both have, IPv4 rather; else one that anybody has."""
    if wish.ipv6 or wish.protocol == "icmpv6":
        return 6
    for both in ({one.version for one in receiver.addresses}, {one.version for one in sender.addresses}):
        if len(both) == 1:
            return both.pop()
    return 4


def _destination(content: Content) -> Mac:
    """A question by ARP is for all. An address of somebody whose MAC nobody knows needs it to be said."""
    receiver, wish = content.receiver, content.wish
    if wish.to_mac and receiver.mac:
        return receiver.mac
    if content.ethertype == ETHERTYPE_ARP or not wish.to:
        return ALL_NODES if content.version == 6 and content.ethertype == ETHERTYPE_IPV6 else BROADCAST
    if receiver.mac is None:
        message = f"{wish.to} is the address of no NIC here, so its MAC is not known"
        raise InputError(message, code="no-mac", remedy="say it with --to-mac; for a router's, that of the router")
    return receiver.mac


# VLAN


def _service(sender: Profile | None) -> tuple[VlanTag, ...]:
    """What all frames of a provider are in."""
    return (VlanTag(sender.service, tpid=VlanTag.S_TPID),) if sender and sender.service else ()


def _tags(sender: Profile | None, receiver: Profile | None, wish: Wish) -> tuple[VlanTag, ...]:
    """As asked; else what gets the frame to the receiver: a trunk tags what is not its native VLAN."""
    if wish.vlan == UNTAGGED:
        return ()
    if wish.vlan:
        if not wish.vlan.isdecimal() or int(wish.vlan) > 0xFFF:
            message = f"{shown(wish.vlan)} is not a VLAN id from 0 to 4095"
            raise InputError(message, code="bad-vlan", remedy=f"0 is a priority tag, {UNTAGGED} is no tag")
        return (VlanTag(int(wish.vlan)),)
    if sender is None or sender.allowed is None:
        return ()
    common = sorted(sender.allowed & receiver.vlans if receiver else ()) or sorted(sender.allowed)
    if not common or sender.vlan in common or (receiver is None and sender.vlan):
        return ()
    liked = receiver.vlan if receiver and receiver.vlan in common else common[0]
    return (VlanTag(liked),)
