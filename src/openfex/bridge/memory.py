# SPDX-License-Identifier: Apache-2.0
"""What another agent needs to take up from one that has ended, however it ended. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from openfex.bridge.change import Grant, Memory, StationMemory
from openfex.bridge.register import Station
from openfex.protocol.uplink import Uplink
from openfex.protocol.vdp_bridge import Bridge as VdpBridge
from openfex.wire.control import Key
from openfex.wire.vdp import Vdpdu


def memory_of(
    stations: Mapping[int, Station],
    ends: Mapping[int, Uplink[VdpBridge]],
    grants: Iterable[Grant],
    said: Mapping[int, Mapping[Key, bytes]],
) -> Memory:
    """What is known of stations, by link, once these grants are answered and this is said."""
    held = {link: {vsi.vsiid: (vsi, mode) for vsi, mode in end.vdp.holdings} for link, end in ends.items()}
    for one in grants:
        vsi = replace(one.asked.vsi, filters=one.granted.verdict.filters)
        held[one.link][one.asked.key] = (vsi, one.asked.mode)
    return {
        link: StationMemory(
            dict(station.told),
            said.get(link, {}),
            tuple(Vdpdu(vsi.manager, (vsi.request(mode),)).encode() for vsi, mode in held[link].values()),
        )
        for link, station in stations.items()
        if link in ends
    }
