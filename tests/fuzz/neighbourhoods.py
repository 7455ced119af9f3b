# SPDX-License-Identifier: Apache-2.0
"""The agents that octets are thrown at: a bridge's or a host's, in each neighbourhood that such an agent can have."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from openfex.bridge.agent import BridgeAgent
from openfex.bridge.register import Held, Station
from openfex.bridge.vsi_manager import DocumentManager
from openfex.host.agent import HostAgent
from openfex.host.announcement import entries_of, vsiid_of
from openfex.model.layout import Layout
from openfex.model.reader import read_documents
from openfex.model.values import ChannelKind, Mac
from openfex.plan.layout import lay_out
from openfex.protocol.evb import EvbSettings
from openfex.protocol.uplink import UplinkSettings, bridge_end, station_end
from openfex.rules.tables import BridgeTables
from openfex.wire.evb import EvbMode

OURS = Mac(b"\2\0\0\0\0\1")
_PROFILE = """
---
kind: profile
name: web
spec: {vlan: {access: 10}}
"""
_NETWORK = f"""
kind: network
name: lab
spec: {{bridges: {{sw: {{ports: [up0]}}}}}}
{_PROFILE}
"""
_HOST = """
---
kind: host
name: h1
spec: {channel: KIND, uplinks: {a: {device: up-a, bridge: sw}}}
---
kind: adapter
name: n1
spec: {host: h1, model: bcm-8, functions: 4}
---
kind: machine
name: m1
spec: {host: h1, nics: {eth0: {profile: web}, eth1: {profile: web}}}
---
kind: host
"""
_OTHERS_BRIDGE = """
kind: network
name: lab
spec: {bridges: {sw: {remote: true}}}
"""
TEXTS: Mapping[str, str] = {
    "extenders": _NETWORK
    + _HOST.replace("KIND", "etag")
    + """
name: h2
spec: {channel: etag, uplinks: {a: {device: up-a, bridge: sw}}}
""",
    "another's station": _NETWORK
    + _HOST.replace("KIND", "vepa")
    + """
name: plain
spec: {channel: vepa, remote: true, uplinks: {a: {device: eno1, bridge: sw, port: enp2s0}}}
""",
    "S-channels, and one that nobody signals at": _NETWORK
    + _HOST.replace("KIND", "schannel")
    + """
name: silent
spec: {channel: schannel-q, remote: true, agent: false, uplinks: {a: {device: eno1, bridge: sw, port: enp2s0}}}
---
kind: adapter
name: nic0
spec: {host: silent, model: "82576", functions: 2}
---
kind: machine
name: m2
spec: {host: silent, nics: {eth0: {profile: web}}}
""",
    "another's bridge": _OTHERS_BRIDGE
    + _PROFILE
    + _HOST.replace("KIND", "vepa").replace("bridge: sw", "bridge: sw, port: enp2s0").removesuffix("---\nkind: host\n"),
}
"""By who is there; the uplink of `h1` is first."""


@cache
def layout_at(place: str) -> Layout:
    """The layout of a neighbourhood."""
    return lay_out(read_documents(TEXTS[place]))


PLACES = tuple(TEXTS)
BRIDGES = tuple(one for one in PLACES if layout_at(one).bridges)
"""Where a bridge of ours is."""


def make_bridge(place: str) -> BridgeAgent:
    """The agent of a bridge that has not begun."""
    layout = layout_at(place)
    (bridge,) = layout.bridges
    speaking = [one for one in layout.uplinks_of(bridge.name) if layout.host(one.host).has_agent]
    ends = {
        one.bridge_link: bridge_end(
            _settings(EvbMode.BRIDGE, one.bridge_link, one.kind), s_channels=one.kind.is_schannel
        )
        for one in speaking
    }
    plain = {one.bridge_link: one.host for one in speaking if layout.is_plain(layout.host(one.host))}
    agent = BridgeAgent(bridge, DocumentManager(layout.profiles, layout.bindings), ends, BridgeTables(), None, plain)
    agent.stand_in(_silent(layout, bridge.name))
    return agent


def _silent(layout: Layout, bridge: str) -> list[Station]:
    """The stations at which nobody signals: they hold what documents say."""
    found = []
    for uplink in layout.uplinks_of(bridge):
        host, bindings = layout.host(uplink.host), layout.bindings_on(uplink.host)
        if not host.has_agent:
            held = {vsiid_of(one): Held(one.profile, one.mac, generation=one.generation) for one in bindings}
            found.append(Station(uplink.bridge_link, held=held))
            for key, value in entries_of(host, bindings).items():
                found[-1].hear(key, value)
    return found


def make_host(place: str) -> HostAgent:
    """The agent of `h1` that has not begun."""
    layout = layout_at(place)
    host = layout.host("h1")
    (uplink,) = host.uplinks
    settings = _settings(EvbMode.STATION, uplink.host_link, uplink.kind)
    ends = {uplink.host_link: station_end(settings, s_channels=uplink.kind.is_schannel)}
    return HostAgent(host, layout.bindings_on(host.name), ends)


def _settings(role: EvbMode, link: int, kind: ChannelKind) -> UplinkSettings:
    evb = EvbSettings(role, kind is ChannelKind.VEPA)
    return UplinkSettings(OURS, OURS, f"up{link}", "ours", evb, session=1)
