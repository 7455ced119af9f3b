# SPDX-License-Identifier: Apache-2.0
"""What the adapter of a real host must be, so that the bridge finds each function in its S-channel. Pure.

Each function's port VLAN is its channel, and its MAC that of the NIC that it is: so the adapter tags, keeps functions
apart, and gives each what is sent to it. Where the host has an agent the channel is what CDCP gives, and the function
has a link as long as its port is up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from openfex.errors import NotFoundError, RefusedError
from openfex.model.adapters import RealAdapter
from openfex.model.functions import AdapterWish, LinkState, Selector, Settings, TagProtocol
from openfex.model.layout import Adapter, Host, Layout, Purpose
from openfex.model.quirks import quirks_of
from openfex.model.values import DEFAULT_CHANNEL, LAST_VLAN, ChannelKind

PROTOCOLS = {ChannelKind.SCHANNEL: TagProtocol.DOT1AD, ChannelKind.SCHANNEL_Q: TagProtocol.DOT1Q}


@dataclass(frozen=True, slots=True)
class FunctionPort:
    """What is agreed on with the bridge: the VID of a function's S-channel, if it has one; whether its port is up."""

    vid: int | None = None
    up: bool = False


Ports = Mapping[int, FunctionPort]
"""By the number of the function: its channel in the layout, its SCID."""


def wishes_for(layout: Layout, name: str, ports: Ports | None = None, *, links: bool = False) -> Iterator[AdapterWish]:
    """One for each adapter of a real host, whose PF the host calls its uplink. Raises NotFoundError, RefusedError.

    `ports`: what its agent has agreed on; None: it has none, and each function's channel is its number. `links`: the
    adapter can take the link from a function.
    """
    known = {one.name: one for one in layout.hosts if one.remote}
    if name not in known:
        told = ", ".join(known) or "none"
        message = f"there is no real host {name} in lab {layout.lab}"
        raise NotFoundError(message, code="no-such-host", remedy=f"the hosts with `remote: true` are: {told}")
    host = known[name]
    if host.kind not in PROTOCOLS:
        message = (
            f"the functions of host {name} are told apart by MAC and VLAN, and no adapter is to do anything for it"
        )
        remedy = f"write `channel: {ChannelKind.SCHANNEL_Q.value}` for an adapter with port VLANs"
        raise RefusedError(message, code="remote-needs-schannel", remedy=remedy)
    for adapter in host.adapters:
        yield _wish(layout, host, adapter, ports, links=links)


def _wish(layout: Layout, host: Host, adapter: Adapter, ports: Ports | None, *, links: bool) -> AdapterWish:
    macs = {binding.function: binding.mac for binding in layout.bindings_on(host.name)}
    functions = [one for one in adapter.functions if one.purpose is Purpose.NIC]
    vids, protocol = vids_of([one.channel for one in functions], ports or {}), PROTOCOLS[host.kind]
    settings = []
    for one in functions:
        up = (ports or {}).get(one.channel, FunctionPort()).up
        link = (LinkState.UP if up else LinkState.DOWN) if links else None
        asked = Settings(macs.get(one), vids[one.channel], protocol=protocol, spoof_check=True, link=link)
        settings.append((one.index, one.index, asked))
    pf = Selector(name=host.uplinks[0].device)
    return AdapterWish(adapter.name, (pf,), len(functions), settings=tuple(settings))


def vids_of(numbers: Iterable[int], ports: Ports) -> dict[int, int]:
    """The port VLAN of each function: that of its S-channel.

    One that has none yet must not be in another's: it has its number, or if that is taken the highest that is free.
    """
    given = {number: port.vid for number, port in ports.items() if port.vid is not None}
    taken, found = set(given.values()), dict(given)
    for number in numbers:
        if number not in given:
            spare = (one for one in (number, *range(LAST_VLAN, DEFAULT_CHANNEL, -1)) if one not in taken)
            found[number] = next(spare)
            taken.add(found[number])
    return found


def ports_found(host: Host, adapter: RealAdapter | None) -> dict[int, FunctionPort]:
    """What functions are set to, by number: that is right until a bridge says otherwise.

    One that cannot be without a link counts as up where it is in a channel.
    """
    has_links = adapter is not None and can_take_links(adapter)
    found: dict[int, FunctionPort] = {}
    for one in host.functions:
        there = adapter.function(one.index) if adapter and one.purpose is Purpose.NIC else None
        vid = there.settings.vlan or None if there else None
        is_up = vid is not None and there is not None and (not has_links or there.settings.link is LinkState.UP)
        found[one.channel] = FunctionPort(DEFAULT_CHANNEL, up=True) if one.is_pf else FunctionPort(vid, is_up)
    return found


def links_found(host: Host, adapter: RealAdapter) -> dict[int, bool]:
    """Whether functions' devices have a link, by number, as far as this machine can see them.

    What it cannot see counts as one: a function that a virtual machine has, or that is not there at all.
    """
    there = {one.channel: adapter.function(one.index) for one in host.functions if one.purpose is Purpose.NIC}
    nets = {number: function.net if function else None for number, function in there.items()}
    return {number: net is None or (net.up and net.carrier) for number, net in nets.items()}


def can_take_links(adapter: RealAdapter) -> bool:
    """Whether a PF's driver is known to set whether functions have a link."""
    return "link" not in quirks_of(adapter.driver).lacks and all(one.settings.link for one in adapter.functions)
