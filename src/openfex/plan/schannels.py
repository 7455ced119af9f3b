# SPDX-License-Identifier: Apache-2.0
"""What the adapter of a real host must be, so that the bridge finds each function in its S-channel. Pure.

Each function's port VLAN is its channel, and its MAC that of the NIC that it is: so the adapter tags, keeps functions
apart, and gives each what is sent to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from openfex.errors import NotFoundError, RefusedError
from openfex.model.functions import AdapterWish, Selector, Settings, TagProtocol
from openfex.model.layout import Adapter, Host, Layout, Purpose
from openfex.model.values import ChannelKind

PROTOCOLS = {ChannelKind.SCHANNEL: TagProtocol.DOT1AD, ChannelKind.SCHANNEL_Q: TagProtocol.DOT1Q}


def wishes_for(layout: Layout, name: str) -> Iterator[AdapterWish]:
    """One for each adapter of a real host; its PF is what the host calls its uplink. Raises NotFoundError."""
    known = {one.name: one for one in layout.hosts if one.remote}
    if name not in known:
        told = ", ".join(known) or "none"
        message = f"there is no real host {name} in lab {layout.lab}"
        raise NotFoundError(message, code="no-such-host", remedy=f"the hosts with `remote: true` are: {told}")
    host = known[name]
    if host.kind not in PROTOCOLS:
        message = f"by {host.kind.value} the functions of host {name} need no port VLAN"
        raise RefusedError(message, code="no-port-vlans", remedy="each frame has its VLAN's tag, and its own MAC")
    for adapter in host.adapters:
        yield _wish(layout, host, adapter, Selector(name=host.uplinks[0].device))


def _wish(layout: Layout, host: Host, adapter: Adapter, pf: Selector) -> AdapterWish:
    macs = {binding.function: binding.mac for binding in layout.bindings_on(host.name)}
    functions = [one for one in adapter.functions if one.purpose is Purpose.NIC]
    protocol = PROTOCOLS[host.kind]
    settings = tuple(
        (one.index, one.index, Settings(macs.get(one), one.channel, protocol=protocol, spoof_check=True))
        for one in functions
    )
    return AdapterWish(adapter.name, (pf,), len(functions), settings=settings)
