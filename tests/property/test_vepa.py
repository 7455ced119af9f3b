# SPDX-License-Identifier: Apache-2.0
"""What machines and the network get is the same by VEPA as in E-Tags: only the uplinks look otherwise."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from openfex.model.layout import Binding, Layout
from openfex.model.policy import FREE
from openfex.model.values import BROADCAST, ChannelKind, Mac
from openfex.testing.chance import Chance, one_in
from openfex.testing.fabric import Fabric, Spot
from openfex.testing.layouts import VLANS, make_layout
from openfex.testing.strategies import by_chance
from openfex.wire import Frame, VlanTag

FRAMES = 12
STATIONS = tuple(Mac(bytes((2, 0, 0, 0, 0, number))) for number in range(3))


def make_twins(chance: Chance) -> tuple[Layout, Layout, list[tuple[int, bytes]]]:
    """A layout by E-Tag, the same by VEPA, and frames: whose function or network port sends, and what."""
    layout = make_layout(chance, policies=lambda _: FREE)
    layout = replace(layout, bindings=tuple(_pinned_alike(layout)))
    twins = [_of_kind(layout, kind) for kind in (ChannelKind.ETAG, ChannelKind.VEPA)]
    frames = [_send(chance, layout) for _ in range(FRAMES)]
    return twins[0], twins[1], frames


def _pinned_alike(layout: Layout) -> list[Binding]:
    """By VEPA all NICs of an uplink have one network port, and a trunk has more than its native VLAN."""
    pins = {one.uplink: one.pin for one in layout.bindings}
    alike = (replace(one, pin=pins[one.uplink]) for one in layout.bindings)
    return [one for one in alike if one.profile.allowed is None or one.profile.vlans - {one.profile.vlan}]


def _of_kind(layout: Layout, kind: ChannelKind) -> Layout:
    hosts = tuple(
        replace(one, kind=kind, uplinks=tuple(replace(up, kind=kind) for up in one.uplinks)) for one in layout.hosts
    )
    bindings = tuple(replace(one, uplink=replace(one.uplink, kind=kind)) for one in layout.bindings)
    return replace(layout, hosts=hosts, bindings=bindings)


def _send(chance: Chance, layout: Layout) -> tuple[int, bytes]:
    """Two VLAN tags at most, and behind a service tag none: VEPA has room for one more of its own."""
    tags = chance.choice(
        (
            (),
            (VlanTag(0, pcp=5),),
            (VlanTag(chance.choice(VLANS), pcp=3),),
            (VlanTag(chance.choice(VLANS)), VlanTag(7)),
            (VlanTag(0), VlanTag(7)),
            (VlanTag(20, tpid=VlanTag.S_TPID),),
        )
    )
    known = [one.mac for one in layout.bindings] or [*STATIONS]
    who = chance.randint(0, len(layout.bindings) + len(layout.bridges[0].ports) - 1)
    own = layout.bindings[who].mac if who < len(layout.bindings) else chance.choice(STATIONS)
    src = chance.choice((*known, *STATIONS)) if one_in(chance, 6) else own
    dst = chance.choice((BROADCAST, STATIONS[0], chance.choice(known), chance.choice(known)))
    return who, Frame(dst, src, 0x1234, bytes(46), tags).encode()


def carry(layout: Layout, frames: list[tuple[int, bytes]]) -> list[dict[Spot, bytes]]:
    """What came out of a layout, frame by frame."""
    fabric, found = Fabric(layout), []
    for who, octets in frames:
        fabric.delivered.clear()
        if who < len(layout.bindings):
            one = layout.bindings[who]
            fabric.from_function(one.uplink.host, one.host_port, octets)
        else:
            fabric.from_network(layout.bridges[0].ports[who - len(layout.bindings)], octets)
        found.append(dict(fabric.delivered))
        assert len(found[-1]) == len(fabric.delivered), "once each"
    return found


@given(by_chance(make_twins))
def test_by_vepa_everybody_gets_what_he_gets_in_e_tags(twins: tuple[Layout, Layout, list[tuple[int, bytes]]]) -> None:
    etag, vepa, frames = twins
    assert carry(vepa, frames) == carry(etag, frames)
