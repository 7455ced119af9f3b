# SPDX-License-Identifier: Apache-2.0
"""The ports of a layout by which frames come in, and the law of what may come out elsewhere.

The law is told from the profiles and the octets alone, not from any decision: what it says twice is said in two ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openfex.errors import WireError
from openfex.model.layout import Binding, Host, Layout, NetworkPort, Profile, Uplink
from openfex.model.values import ChannelKind, port_number
from openfex.testing.fabric import Fabric, Spot
from openfex.wire import ETag, Frame, VlanTag, VnTag


@dataclass(frozen=True, slots=True)
class FunctionWay:
    """A function of a host, bound or not: its machine sends."""

    host: Host
    channel: int
    binding: Binding | None

    def send(self, fabric: Fabric, octets: bytes) -> None:
        link = self.binding.uplink.host_link if self.binding else 1
        fabric.from_function(self.host.name, port_number(link, self.channel), octets)

    def vlan(self, octets: bytes) -> int | None:
        """The VLAN that the frame is in; None if it may go nowhere."""
        return _vlan(self.binding.profile, octets) if self.binding else None


@dataclass(frozen=True, slots=True)
class NetworkWay:
    """A network port: whoever is behind it sends."""

    port: NetworkPort

    def send(self, fabric: Fabric, octets: bytes) -> None:
        fabric.from_network(self.port, octets)

    def vlan(self, octets: bytes) -> int | None:
        return _vlan(self.port.profile, octets)


@dataclass(frozen=True, slots=True)
class UplinkWay:
    """The bridge's end of an uplink: a host sends that keeps no rule."""

    uplink: Uplink
    bindings: tuple[Binding, ...]

    def send(self, fabric: Fabric, octets: bytes) -> None:
        fabric.from_uplink(self.uplink, octets)

    def vlan(self, octets: bytes) -> int | None:
        if self.uplink.kind is ChannelKind.VEPA:
            vid, src = int.from_bytes(octets[14:16], "big") & 0xFFF, octets[6:12]
            mine = [one for one in self.bindings if one.mac.octets == src and vid in one.profile.vlans]
            return vid if mine and octets[12:14] == VlanTag.C_TPID.to_bytes(2, "big") else None
        if self.uplink.kind.is_schannel:
            tpid = VlanTag.S_TPID if self.uplink.kind is ChannelKind.SCHANNEL else VlanTag.C_TPID
            vid = int.from_bytes(octets[14:16], "big") & 0xFFF
            named = octets[12:14] == tpid.to_bytes(2, "big") and vid
            if not named:
                return self._vlan_of(1, octets)
            return self._vlan_of(vid, octets[:12] + octets[16:]) if vid > 1 else None
        try:
            tag, frame = Frame.decode(octets).pop()
        except WireError:
            return None
        channel = tag.svif if isinstance(tag, VnTag) else tag.ecid if isinstance(tag, ETag) else 0
        return self._vlan_of(channel, frame.encode())

    def _vlan_of(self, channel: int, octets: bytes) -> int | None:
        found = [one for one in self.bindings if one.function.channel == channel]
        return _vlan(found[0].profile, octets) if found else None


Way = FunctionWay | NetworkWay | UplinkWay


def ways_in(layout: Layout) -> tuple[Way, ...]:
    """All ports of a layout."""
    ways: list[Way] = [NetworkWay(port) for bridge in layout.bridges for port in bridge.ports]
    for host in layout.hosts:
        bound = {one.function: one for one in layout.bindings}
        ways += [FunctionWay(host, function.channel, bound.get(function)) for function in host.functions]
        for uplink in host.uplinks:
            ways.append(UplinkWay(uplink, tuple(one for one in layout.bindings if one.uplink == uplink)))
    return tuple(ways)


def _vlan(profile: Profile, octets: bytes) -> int | None:
    """The VLAN that a port's profile puts a frame in."""
    if profile.service:
        if _service(octets) != profile.service:
            return None
        octets = octets[:12] + octets[16:]
    tag = octets[12:16]
    tpid, vid = int.from_bytes(tag[:2], "big"), int.from_bytes(tag[2:], "big") & 0xFFF
    if tpid == VlanTag.C_TPID and vid:
        return vid if profile.allowed is not None and vid in profile.allowed else None
    if tpid == VlanTag.S_TPID and profile.allowed is None:
        return None
    return profile.vlan or None


def _service(octets: bytes) -> int:
    """The VLAN of the service tag that a frame begins with; 0 for none."""
    tpid, vid = int.from_bytes(octets[12:14], "big"), int.from_bytes(octets[14:16], "big") & 0xFFF
    return vid if tpid == VlanTag.S_TPID else 0


def check_delivered(layout: Layout, way: Way, octets: bytes, delivered: Sequence[tuple[Spot, bytes]]) -> None:
    """What came out of a layout is in the VLAN of what went in, at ports that have that VLAN, once each."""
    vlan = way.vlan(octets)
    for spot, sent in delivered:
        frame = sent
        profile = _profile_at(layout, spot)
        assert vlan in profile.vlans, f"a frame of VLAN {vlan} came out at {spot}"
        if profile.service:
            assert _service(frame) == profile.service
            frame = frame[:12] + frame[16:]
        if profile.allowed is not None and profile.vlan != vlan:
            assert int.from_bytes(frame[12:14], "big") == VlanTag.C_TPID
            assert int.from_bytes(frame[14:16], "big") & 0xFFF == vlan
    assert len({spot for spot, _ in delivered}) == len(delivered)


def _profile_at(layout: Layout, spot: Spot) -> Profile:
    """The profile of a port by which a frame left; only a port that has one may be left by."""
    ports = {Spot(port.bridge, port.number): port.profile for bridge in layout.bridges for port in bridge.ports}
    ports |= {Spot(one.uplink.host, one.host_port): one.profile for one in layout.bindings}
    return ports[spot]
