# SPDX-License-Identifier: Apache-2.0
"""Two versions of a profile that share nothing, and frames that have something of each: only a mix lets these pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import cycle, product

from openfex.model.values import Mac
from openfex.proof.bed import MARK
from openfex.wire import VlanTag, ipv4_udp
from tests.netns.policed import documents

OLD, NEW, BOTH = "old", "new", "both"
"""Which version a thing belongs to that a frame has."""
VLANS = {OLD: 10, NEW: 20, BOTH: 30}
PORTS = {OLD: 1001, NEW: 2002, BOTH: 3003}
ADDRESSES = {OLD: "10.1.0.1", NEW: "10.2.0.2", BOTH: "10.3.0.3"}
THERE = IPv4Address("192.0.2.2")
KINDS = list(product(VLANS, repeat=4))
"""Whose VLAN, source, source port and destination port a frame has."""
ALL = ("vlan", "source", "source-port", "port")
OPEN = "kind: profile\nname: open\nspec: {vlan: {trunk: {allowed: '10,20,30'}}}\n"


@dataclass(frozen=True)
class Setting:
    """Who has the profile that changes, what its lists ask of frames in each direction, and to whom frames go."""

    sender: str
    receiver: str
    asks: dict[str, tuple[str, ...]]
    flood: bool = False
    attachment: str = "tc"
    vlans: bool = True
    """Whether the versions have different VLANs."""


SETTINGS = {
    "in": Setting("changing", "open", {"in": ALL}),
    "in, flood": Setting("changing", "open", {"in": ALL}, flood=True),
    "out": Setting("open", "changing", {"out": ALL}),
    "out, flood": Setting("open", "changing", {"out": ALL}, flood=True),
    "in, xdp": Setting("changing", "open", {"in": ALL}, attachment="xdp"),
    "both ends": Setting("changing", "changing", {"in": ("source", "source-port"), "out": ("port",)}, vlans=False),
    "both ends, flood": Setting("changing", "changing", {"in": ("source",), "out": ("port",)}, flood=True, vlans=False),
}


def rule(version: str, asks: tuple[str, ...]) -> str:
    """Everything that is asked of a frame has to be of the version."""
    vlan, address, port = VLANS[version], ADDRESSES[version], PORTS[version]
    said = {"vlan": vlan, "source": address, "source-port": port, "port": port}
    keys = ", ".join(f"{key}: {said[key]}" for key in asks)
    return f"{{permit: {{protocol: udp, {keys}}}}}"


def changing(version: str, setting: Setting) -> str:
    """The profile in one of its versions. The lists differ in length, too, so that nothing stays where it was."""
    filler = [f"{{deny: {{source: 198.51.100.{last}}}}}" for last in range(1, 40 if version == OLD else 4)]
    acl = []
    for way, asks in setting.asks.items():
        rules = ", ".join([*filler, rule(version, asks), rule(BOTH, asks)])
        acl.append(f"{way}: [{rules}]")
    vlans = f"{VLANS[version]},{VLANS[BOTH]}" if setting.vlans else ",".join(map(str, VLANS.values()))
    said = f"{{vlan: {{trunk: {{allowed: '{vlans}'}}}}, acl: {{{', '.join(acl)}}}}}"
    return f"kind: profile\nname: changing\nspec: {said}\n"


def text_of(version: str, setting: Setting) -> str:
    machines = {"one": f"profile: {setting.sender}", "two": f"profile: {setting.receiver}"}
    profiles = f"{OPEN}---\n{changing(version, setting)}"
    return documents("test-change", profiles, machines, attachment=setting.attachment)


def is_permitted(kind: tuple[str, ...], version: str, setting: Setting) -> bool:
    """Whether a version lets a frame through, by what it asks in whatever direction."""
    whose = dict(zip(ALL, kind, strict=True))
    ways = setting.asks.values()
    lists = all(any(all(whose[key] == one for key in asks) for one in (version, BOTH)) for asks in ways)
    return lists and (not setting.vlans or whose["vlan"] in (version, BOTH))


def frames(dst: Mac, src: Mac) -> Iterator[bytes]:
    """Of every kind, again and again; the number says which kind it is."""
    heads = []
    for vlan, source, sport, dport in KINDS:
        packet = ipv4_udp(IPv4Address(ADDRESSES[source]), THERE, PORTS[sport], PORTS[dport], MARK + bytes(8))
        heads.append(dst.octets + src.octets + VlanTag(VLANS[vlan]).encode() + b"\x08\x00" + packet[:-8])
    for number, head in enumerate(cycle(heads)):
        yield head + number.to_bytes(8, "big")
