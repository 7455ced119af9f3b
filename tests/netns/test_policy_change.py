# SPDX-License-Identifier: Apache-2.0
"""A profile is changed while frames pass: each frame is judged by the one version or the other, and none is lost.

The two versions permit frames that differ in everything that they ask about. So a frame that takes one thing from each
gets through only where somebody has mixed them: none of those may ever arrive. What both permit must all arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import cycle, islice, product

import pytest

from openfex.lab import lab
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.model.layout import Layout
from openfex.model.values import BROADCAST, Mac
from openfex.proof.bed import MARK, Seen, numbers
from openfex.proof.kernel_bed import DEADLINE_S, nic_place
from openfex.wire import VlanTag, ipv4_udp
from tests.netns.labs import running
from tests.netns.policed import binding_of, documents

pytestmark = [pytest.mark.root, pytest.mark.slow]
OLD, NEW, BOTH = "old", "new", "both"
"""Which version a thing belongs to that a frame has."""
VLANS = {OLD: 10, NEW: 20, BOTH: 30}
PORTS = {OLD: 1001, NEW: 2002, BOTH: 3003}
ADDRESSES = {OLD: "10.1.0.1", NEW: "10.2.0.2", BOTH: "10.3.0.3"}
THERE = IPv4Address("192.0.2.2")
KINDS = list(product(VLANS, repeat=4))
"""Whose VLAN, source, source port and destination port a frame has."""
ALL = ("vlan", "source", "source-port", "port")
CHANGES = 40
BURST = 50
PAUSE_S = 0.0005
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


def never(seen: Seen) -> bool:
    return False


def exchanged(layout: Layout, setting: Setting, action: Callable[[], None]) -> tuple[int, list[int]]:
    """Send while an action goes on; how many, and the numbers that arrived in order."""
    one, two = (binding_of(layout, name) for name in ("one", "two"))
    here, there = nic_place(layout, one), nic_place(layout, two)
    source = frames(BROADCAST if setting.flood else two.mac, one.mac)
    with (
        PacketSocket(here.device, netns=here.netns) as out,
        PacketSocket(there.device, netns=there.netns) as into,
        ThreadPoolExecutor(1) as pool,
    ):
        capture = PacketCapture({"into": into})
        done, sent = None, 0
        while done is None or not done.done():
            out.send_many(list(islice(source, BURST)))
            sent += BURST
            capture.collect(never, PAUSE_S)
            done = done or pool.submit(action)
        done.result()
        rest = len(KINDS) - sent % len(KINDS)
        out.send_many(list(islice(source, rest)))  # the last one is of both
        sent += rest
        capture.collect(lambda seen: sent - 1 in numbers(seen["into"][-BURST:]), DEADLINE_S)
        assert into.dropped == 0
    return sent, numbers(capture.frames["into"])


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_no_frame_meets_some_of_both_versions_and_none_is_lost(setting: Setting) -> None:
    def change_again_and_again() -> None:
        for number in range(CHANGES):
            lab.up(text_of(NEW if number % 2 == 0 else OLD, setting))

    with running(text_of(OLD, setting)) as layout:
        sent, arrived = exchanged(layout, setting, change_again_and_again)
    by_version = {version: {kind for kind in KINDS if is_permitted(kind, version, setting)} for version in (OLD, NEW)}
    mixed = [number for number in arrived if KINDS[number % len(KINDS)] not in by_version[OLD] | by_version[NEW]]
    always = by_version[OLD] & by_version[NEW]
    must = {number for number in range(sent) if KINDS[number % len(KINDS)] in always}
    assert mixed == []
    assert sorted(must - set(arrived)) == []
    assert arrived == sorted(set(arrived)), "each once, in order"
    seen = {KINDS[number % len(KINDS)] for number in arrived}
    assert seen & (by_version[OLD] - always), "the old one was there"
    assert seen & (by_version[NEW] - always), "and the new one"
