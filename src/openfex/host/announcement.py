# SPDX-License-Identifier: Apache-2.0
"""What a host says of itself in channel control. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import ip_interface
from uuid import UUID

from openfex.model.layout import Binding, Host
from openfex.wire.control import FunctionEntry, HostEntry, Key, Kind, NicEntry, encode_addresses, function_key
from openfex.wire.vsi import Vsiid


def vsiid_of(binding: Binding) -> Vsiid:
    """What VDP calls a binding."""
    return Vsiid.uuid(UUID(binding.uuid))


def entries_of(host: Host, bindings: Iterable[Binding], cut: Collection[int] = ()) -> dict[Key, bytes]:
    """Who it is, its functions, and which VSIs they are bound to at one uplink (`bindings`).

    `cut`: the numbers of functions whose devices have no link.
    """
    entries = {HostEntry.KEY: HostEntry(host.kind, host.name).encode()}
    bound = {one.function.channel: one for one in bindings}
    for function in host.functions:
        number, binding = function.channel, bound.get(function.channel)
        vsi, generation = (UUID(binding.uuid), binding.generation) if binding else (None, 0)
        entry = FunctionEntry(function.name, binding is not None and number not in cut, vsi, generation)
        entries[function_key(number)] = entry.encode()
        if binding:
            nic = NicEntry(binding.name, binding.pin.name if binding.pin else "")
            entries[function_key(number, Kind.NIC)] = nic.encode()
        if binding and binding.addresses:
            addresses = (ip_interface(one).ip.packed for one in binding.addresses)
            entries[function_key(number, Kind.ADDRESSES)] = encode_addresses(addresses)
    return entries
