# SPDX-License-Identifier: Apache-2.0
"""From a layout to the flat tables of each node. Pure: the same layout and the same list ids give the same tables.

A replication list is named by its scope and VLAN: scope 0 is what any vEth may reach, scope n what the network port
of link n may reach, that is the vEths pinned to it. The bridge and the hosts change at different moments. So a list
keeps its id for as long as it exists (`held`), and gets another when a vEth that goes on is put on it, or taken off, to
be judged alone: the hosts have both lists until the bridge has changed from the one to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from ipaddress import ip_interface

from openfex.errors import RefusedError
from openfex.model.layout import Binding, Host, Layout, NetworkPort, Profile, Uplink
from openfex.model.limits import MAX_LISTS
from openfex.model.values import ChannelKind, Mac, port_number
from openfex.rules.tables import BridgeTables, ExtenderTables, Flood, Function, Members, Port, Terms

Scope = tuple[int, int]
"""(0 or the link of a network port, VLAN)."""

_BASES = 4095


def list_number(ordinal: int) -> int:
    """The 14-bit id of the nth list: GRP 1..3 and a base from 1, so that both kinds of tag can name it."""
    return (1 + ordinal // _BASES) << 12 | (1 + ordinal % _BASES)


def allot_lists(
    scopes: Iterable[Scope],
    held: Mapping[Scope, int],
    changed: Set[Scope] = frozenset(),
    known: Set[int] = frozenset(),
) -> dict[Scope, int]:
    """An id for each scope; all but `changed` keep theirs. Raises RefusedError when there are too many.

    `known`: ids by which hosts may know another list. They are given again only when there are no others left.
    """
    wanted = sorted(scopes)
    if len(wanted) > MAX_LISTS:
        raise RefusedError(
            f"{len(wanted)} replication lists are needed, there are {MAX_LISTS}",
            code="too-many-lists",
            remedy="allow fewer VLANs on trunks, or use fewer network ports",
        )
    kept = {scope: held[scope] for scope in wanted if scope in held and scope not in changed}
    used = set(held.values())
    free = (number for number in map(list_number, range(MAX_LISTS)) if number not in used and number not in known)
    spare = iter([*sorted(known - used), *sorted(used - set(kept.values()))])
    return {scope: kept[scope] if scope in kept else next(free, None) or next(spare) for scope in wanted}


def _scopes(binding: Binding) -> Iterable[Scope]:
    pin = binding.pin
    for vlan in binding.profile.vlans:
        yield 0, vlan
        if pin and vlan in pin.profile.vlans:
            yield pin.link, vlan


def _members(layout: Layout, bridge: str) -> dict[Scope, dict[int, list[Binding]]]:
    """Who is on which list, by the uplink's link at the bridge."""
    scopes: dict[Scope, dict[int, list[Binding]]] = {}
    for binding in layout.bindings:
        if binding.uplink.bridge == bridge:
            for scope in _scopes(binding):
                scopes.setdefault(scope, {}).setdefault(binding.uplink.bridge_link, []).append(binding)
    return scopes


def terms_of(profile: Profile) -> Terms:
    """What a profile asks of a port."""
    return Terms(profile.vlan, profile.allowed, profile.policy, profile.service)


def _network_row(port: NetworkPort) -> Port:
    return Port(up=True, network=True, peer=port.peer, profile=port.profile.number)


def own_addresses(binding: Binding) -> frozenset[bytes]:
    """What a guard takes as a NIC's own: what it was given, and the link-local address of its MAC (RFC 4291, A)."""
    given = {ip_interface(one).ip.packed for one in binding.addresses}
    octets = binding.mac.octets
    tail = bytes((octets[0] ^ 2,)) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return frozenset(given | {b"\xfe\x80" + bytes(6) + tail})


def _veth_row(binding: Binding) -> Port:
    pin = binding.pin.number if binding.pin else 0
    addresses = own_addresses(binding) if binding.profile.policy.source.guard else frozenset()
    vepa, profile = binding.uplink.kind is ChannelKind.VEPA, binding.profile.number
    return Port(up=True, profile=profile, mac=binding.mac, pin=pin, addresses=addresses, vepa=vepa)


def _lay_ports(tables: BridgeTables, layout: Layout, name: str) -> None:
    """Every network port is up; every carved function is a port, down; every bound one is up."""
    for port in layout.bridge(name).ports:
        tables.links[port.link] = None
        tables.ports[port.number] = _network_row(port)
        tables.profiles[port.profile.number] = terms_of(port.profile)
    for uplink in layout.uplinks_of(name):
        tables.links[uplink.bridge_link] = uplink.kind
        for function in layout.host(uplink.host).functions:
            tables.ports[port_number(uplink.bridge_link, function.channel)] = Port()


def _lay_veths(tables: BridgeTables, layout: Layout, name: str) -> None:
    for binding in layout.bindings:
        if binding.uplink.bridge == name:
            tables.ports[binding.bridge_port] = _veth_row(binding)
            tables.profiles[binding.profile.number] = terms_of(binding.profile)
            for mac in (binding.mac, *binding.profile.policy.source.macs):
                tables.veths[mac] = binding.bridge_port


def _changed(members: Mapping[Scope, Mapping[int, list[Binding]]], held: BridgeTables) -> set[Scope]:
    """The lists that a vEth comes to, or leaves, that is up before and after."""
    bound = {one.bridge_port for by_link in members.values() for many in by_link.values() for one in many}
    going_on = {number for number in bound if number in held.ports and held.ports[number].up}
    return {
        scope
        for scope, by_link in members.items()
        if scope in held.floods and not going_on.isdisjoint({*_judged(by_link)} ^ {*held.floods[scope].judged})
    }


def compile_bridge(
    layout: Layout, name: str, held: BridgeTables | None = None, known: Set[int] = frozenset()
) -> BridgeTables:
    """The tables of a bridge: its ports, what their profiles ask, and where floods go.

    `held`: those that it has; `known`: ids of lists that hosts may have beside these.
    """
    bridge = layout.bridge(name)
    tables = BridgeTables(ageing_ns=bridge.ageing_ms * 1_000_000)
    _lay_ports(tables, layout, name)
    _lay_veths(tables, layout, name)
    members = _members(layout, name)
    held = held or BridgeTables()
    numbers = {scope: flood.list_id for scope, flood in held.floods.items()}
    ids = allot_lists(members, numbers, _changed(members, held), known)
    for scope, by_link in members.items():
        peers = frozenset(port.link for port in bridge.ports if port.peer and scope[1] in port.profile.vlans)
        tables.floods[scope] = _flood(by_link, ids[scope], frozenset() if scope[0] else peers)
    return tables


def _is_alone(binding: Binding) -> bool:
    """Whether it gets copies of its own: it is judged for what leaves by it, or its channel's tag can name no list."""
    return binding.profile.policy.judges_out or binding.uplink.kind.is_schannel


def _judged(by_link: Mapping[int, list[Binding]]) -> tuple[int, ...]:
    """Those that get copies of their own: they are on no list."""
    return tuple(sorted(one.bridge_port for bound in by_link.values() for one in bound if _is_alone(one)))


def _flood(by_link: Mapping[int, list[Binding]], list_id: int, peers: frozenset[int]) -> Flood:
    listed = {link: sum(not _is_alone(one) for one in bound) for link, bound in by_link.items()}
    some = frozenset(link for link, count in listed.items() if count)
    many = frozenset(link for link, count in listed.items() if count > 1)
    return Flood(some, many, list_id, peers, _judged(by_link))


def _list(bound: Iterable[Binding], vlan: int) -> Members:
    tagged: set[int] = set()
    untagged: set[int] = set()
    for binding in bound:
        if _is_alone(binding):
            continue
        trunk = binding.profile.allowed is not None and binding.profile.vlan != vlan
        (tagged if trunk else untagged).add(binding.function.channel)
    return Members(frozenset(tagged), frozenset(untagged))


def compile_extender(layout: Layout, host: Host, bridges: Mapping[str, BridgeTables]) -> ExtenderTables:
    """The tables of a host's port extender; the lists' ids are those of the bridges at the other end."""
    tables = ExtenderTables()
    for uplink in host.uplinks:
        tables.links[uplink.host_link] = uplink.kind
        for scope, by_link in _members(layout, uplink.bridge).items():
            number = _list_at(uplink, scope, bridges)
            if number and uplink.bridge_link in by_link:
                tables.lists[uplink.host_link, number] = _list(by_link[uplink.bridge_link], scope[1])
    bound = {one.host_port: one for one in layout.bindings_on(host.name)}
    for port in (port_number(uplink.host_link, one.channel) for uplink in host.uplinks for one in host.functions):
        tables.functions[port] = function_of(bound.get(port), tables.lists)
    tables.owners = owners_of(bound.values())
    return tables


def _list_at(uplink: Uplink, scope: Scope, bridges: Mapping[str, BridgeTables]) -> int:
    """How an uplink names a list; 0: it does not. By VEPA there is one a VLAN, and that is its name."""
    if uplink.kind is not ChannelKind.VEPA:
        return bridges[uplink.bridge].floods[scope].list_id
    return 0 if scope[0] else scope[1]


def function_of(binding: Binding | None, lists: Mapping[tuple[int, int], Members]) -> Function:
    """A function, up if it is bound.

    By VEPA it sends in the VLANs whose lists it is on: untagged in that which it takes so.
    """
    if binding is None or binding.uplink.kind is not ChannelKind.VEPA:
        return Function(binding is not None)
    link, channel = binding.uplink.host_link, binding.function.channel
    mine = {vlan: one for (at, vlan), one in lists.items() if at == link}
    untagged = [vlan for vlan, one in mine.items() if channel in one.untagged]
    trunk = any(channel in one.tagged for one in mine.values())
    return Function(up=True, vepa=True, vlan=min(untagged, default=0), trunk=trunk)


def vepa_lists(bindings: Iterable[Binding]) -> dict[tuple[int, int], Members]:
    """Who is in which VLAN on a host's VEPA uplinks, as the NICs' profiles say: nobody tells it of another's bridge."""
    members: dict[tuple[int, int], list[Binding]] = {}
    for one in bindings:
        for vlan in one.profile.vlans:
            members.setdefault((one.uplink.host_link, vlan), []).append(one)
    return {(link, vlan): _list(bound, vlan) for (link, vlan), bound in members.items()}


def owners_of(bindings: Iterable[Binding]) -> dict[tuple[int, Mac], int]:
    """Whose an address is, on the VEPA uplinks of a host: a NIC's own, and what its profile lets it have."""
    return {
        (one.uplink.host_link, mac): one.host_port
        for one in bindings
        if one.uplink.kind is ChannelKind.VEPA
        for mac in (one.mac, *one.profile.policy.source.macs)
    }
