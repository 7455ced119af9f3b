# SPDX-License-Identifier: Apache-2.0
"""Layouts without documents: written out port by port, or made by chance."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from openfex.model.layout import Adapter, Binding, Bridge, Function, Host, Layout, NetworkPort, Profile, Purpose, Uplink
from openfex.model.limits import FIRST_UPLINK, MAX_PROFILES
from openfex.model.policy import FREE, Policy
from openfex.model.values import ChannelKind, Mac
from openfex.testing.chance import Chance, one_in, some
from openfex.testing.policies import make_policy

CHANNELS = (1, 2, 3, 63, 64, 65, 128, 2047, 4093, 4094)
"""Some at each end, and where a list's words meet."""
ADDRESSES = ("10.1.2.3/24", "fd00::1/64")
"""What every NIC of these has: nobody here routes."""
VLANS = (10, 1, 20, 63, 64, 127, 4093, 4094)
SERVICES = (1, 10, 100, 4094)


def numbered(profile: Profile) -> Profile:
    """The same profile with a row of its own in the tables: equal ones have the same."""
    allowed = None if profile.allowed is None else sorted(profile.allowed)
    said = repr((profile.vlan, allowed, profile.policy, profile.service)).encode()
    return replace(profile, number=2 + zlib.crc32(said) % (MAX_PROFILES - 2))


def access(vlan: int, policy: Policy = FREE) -> Profile:
    """The profile of an access port."""
    return numbered(Profile(f"access-{vlan}", vlan, policy=policy))


def trunk(vlans: Iterable[int], native: int = 0, policy: Policy = FREE) -> Profile:
    """The profile of a trunk, whose native VLAN is allowed as in documents."""
    allowed = frozenset(vlans) | ({native} if native else frozenset())
    return numbered(Profile(f"trunk-{native}", native, allowed, policy))


def with_service(profile: Profile, service: int) -> Profile:
    """The same with a service tag towards the network."""
    return numbered(replace(profile, name=f"{profile.name}-{service}", service=service))


def veth_mac(bridge_link: int, channel: int) -> Mac:
    """The MAC that LayoutBuilder gives the vEth of a channel."""
    return Mac(bytes((0x52, 0x54, 0, bridge_link, channel >> 8, channel & 0xFF)))


class LayoutBuilder:
    """A layout, said piece by piece; each piece is given back as the layout will hold it."""

    def __init__(self) -> None:
        self._bridges: dict[str, list[NetworkPort]] = {}
        self._hosts: dict[str, Host] = {}
        self._bindings: list[Binding] = []
        self._wires: list[tuple[NetworkPort, NetworkPort]] = []
        self._rows: dict[int, Profile] = {}

    def bridge(self, name: str) -> str:
        """A bridge without ports."""
        self._bridges[name] = []
        return name

    def port(self, bridge: str, profile: Profile, *, peer: bool = False) -> NetworkPort:
        """The bridge's next network port."""
        link = len(self._bridges[bridge]) + 1
        port = NetworkPort(bridge, f"net{link}", link, self._alone(profile), peer)
        self._bridges[bridge].append(port)
        return port

    def wire(self, one: NetworkPort, other: NetworkPort) -> None:
        """A cable between two network ports."""
        self._wires.append((one, other))

    def host(self, name: str, kind: ChannelKind, bridges: Sequence[str], channels: Iterable[int]) -> Host:
        """A host with an uplink to each of the bridges, and a function for each of the channels."""
        uplinks = []
        for host_link, bridge in enumerate(bridges, start=1):
            ends = sum(one.bridge == bridge for host in self._hosts.values() for one in host.uplinks)
            link = FIRST_UPLINK + ends
            uplinks.append(Uplink(name, "ab"[host_link - 1], f"up{host_link}", bridge, kind, 1600, host_link, link))
        adapter = f"{name}-nic0"
        functions = tuple(Function(adapter, index, one, Purpose.NIC, 0) for index, one in enumerate(channels))
        host = Host(name, kind, tuple(uplinks), (Adapter(adapter, name, "vic-1280", "veth", functions),))
        self._hosts[name] = host
        return host

    def bind(
        self, host: Host, channel: int, profile: Profile, pin: NetworkPort | None = None, uplink: int = 0
    ) -> Binding:
        """A NIC at the host's function of that channel, on the host's nth uplink."""
        function = next(one for one in host.functions if one.channel == channel)
        cable = host.uplinks[uplink]
        name, mac = f"vm-{host.name}-{channel}", veth_mac(cable.bridge_link, channel)
        binding = Binding(name, 1, name, "eth0", function, self._alone(profile), mac, ADDRESSES, 1500, cable, pin)
        self._bindings.append(binding)
        return binding

    def _alone(self, profile: Profile) -> Profile:
        """The profile with a row that is no other's: two may have been numbered alike."""
        while self._rows.setdefault(profile.number, profile) != profile:
            profile = replace(profile, number=profile.number % (MAX_PROFILES - 1) + 1)
        return profile

    def layout(self) -> Layout:
        """All of it."""
        bridges = tuple(
            Bridge(name, "ab"[index % 2], tuple(ports), 300_000)
            for index, (name, ports) in enumerate(self._bridges.items())
        )
        profiles = tuple({binding.profile.name: binding.profile for binding in self._bindings}.values())
        return Layout(
            "test", bridges, tuple(self._hosts.values()), (), tuple(self._bindings), profiles, tuple(self._wires)
        )


PolicyMaker = Callable[[Chance], Policy]


def make_profile(chance: Chance, policies: PolicyMaker = make_policy) -> Profile:
    """An access port, or a trunk with a native VLAN or without."""
    policy = policies(chance) if one_in(chance, 2) else FREE
    if not one_in(chance, 3):
        return access(chance.choice((*VLANS[:3], VLANS[0])), policy)
    allowed = some(chance, VLANS, 1, len(VLANS))
    return trunk(allowed, chance.choice((allowed[0], 0)), policy)


def make_port_profile(chance: Chance, policies: PolicyMaker) -> Profile:
    """That of a network port: some of them have a service tag."""
    profile = make_profile(chance, policies)
    return with_service(profile, chance.choice(SERVICES)) if one_in(chance, 3) else profile


def make_layout(
    chance: Chance, *, most_hosts: int = 4, two_fabrics: bool = False, policies: PolicyMaker = make_policy
) -> Layout:
    """A bridge (or two, and then every host at both) with network ports, hosts, functions, and NICs at most of them."""
    builder = LayoutBuilder()
    bridges = [builder.bridge(name) for name in (("sw-a", "sw-b") if two_fabrics else ("sw-a",))]
    pins = {
        bridge: [builder.port(bridge, make_port_profile(chance, policies)) for _ in range(chance.randint(1, 3))]
        for bridge in bridges
    }
    for bridge in bridges:
        for _ in range(chance.choice((0, 0, 1, 2))):
            profile = trunk(some(chance, VLANS, 1, len(VLANS)))
            builder.port(bridge, with_service(profile, 100) if one_in(chance, 3) else profile, peer=True)
    for number in range(chance.randint(1, most_hosts)):
        kind = chance.choice(tuple(ChannelKind))
        channels = some(chance, CHANNELS, 1, 6)
        host = builder.host(f"h{number}", kind, bridges, channels)
        ways = {bridge: chance.choice(pins[bridge]) for bridge in bridges}  # by VEPA one is for all NICs of an uplink
        for channel in channels:
            if one_in(chance, 4):
                continue
            uplink = chance.randint(0, len(bridges) - 1)
            pin = None if one_in(chance, 8) else chance.choice(pins[bridges[uplink]])
            if kind is ChannelKind.VEPA:
                pin = ways[bridges[uplink]]
            builder.bind(host, channel, make_profile(chance, policies), pin, uplink)
    return builder.layout()
