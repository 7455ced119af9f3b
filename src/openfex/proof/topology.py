# SPDX-License-Identifier: Apache-2.0
"""The demo's lab: two hosts with a vic-1280 each, one bridge, six machines in two VLANs; told twice.

`documents` is what a person would write, and what the kernel engine is given. `layout` is the same laid out by hand
with the standard library alone, so that the reference engine runs on a bare machine; a test holds the two equal.
"""

from __future__ import annotations

import uuid

from openfex.model.layout import (
    AUTO,
    Adapter,
    Binding,
    Bridge,
    Function,
    Host,
    Layout,
    Machine,
    NetworkPort,
    Profile,
    Purpose,
    Signalling,
    Uplink,
)
from openfex.model.limits import FIRST_UPLINK
from openfex.model.values import LAST_VLAN, ChannelKind, Mac

LAB = "demo"
BRIDGE = "sw-a"
MODEL = "vic-1280"
FUNCTIONS = 16
UPLINK_MTU = 9216
PORTS = ("up0", "loop0", "loop1")
"""loop0 and loop1 are cabled to each other: what no other switch may be without spanning tree."""
VLANS = {"web": 10, "data": 20}
MACHINES = (
    ("vm1", "h1", "web", "loop0"),
    ("vm2", "h1", "web", "up0"),
    ("vm3", "h1", "data", "up0"),
    ("vm4", "h2", "web", "up0"),
    ("vm5", "h2", "data", "up0"),
    ("h2-own", "h2", "web", "up0"),
)
"""Name, host, profile, network port. The last is the host itself, holding one of its own functions."""
LOOPED_BY_VEPA = "vm5"
"""By VEPA NICs of one host and VLAN have the same network port: another one is pinned to the loop, alone there."""
TIMES = "  signalling: {retransmission: 20ms, resource-wait: 1s, keep-alive: 1s}\n"
SIGNALLING = Signalling(rte=11, rwd=17, rka=17)
"""The same as agents say it: 10 us x 2^n. Short, so that a proof need not wait for a host to be given up."""
_NAMESPACE = uuid.UUID("6f70656e-6665-5800-8000-000000000000")


def machines_of(kind: ChannelKind) -> list[tuple[str, str, str, str]]:
    """The machines, as MACHINES has them, of a lab whose hosts have that channel."""
    if kind is not ChannelKind.VEPA:
        return [*MACHINES]
    return [(name, host, profile, "loop0" if name == LOOPED_BY_VEPA else "up0") for name, host, profile, _ in MACHINES]


def mac_of(number: int) -> Mac:
    """The MAC of the machine of that number."""
    return Mac(b"\x52\x54\x00\x00\x00" + bytes([number]))


def _address(number: int, profile: str) -> str:
    return f"10.0.{VLANS[profile]}.{number}/24"


def host_of(name: str, ordinal: int, kind: ChannelKind, attachment: str) -> Host:
    """A host with one adapter, carved; `ordinal` is that of its uplink at the bridge."""
    first = kind.first_channel
    uplink = Uplink(name, "a", "up-a", BRIDGE, kind, UPLINK_MTU, 1, FIRST_UPLINK + ordinal, attachment)
    functions = tuple(Function(f"{name}-nic0", index, first + index, Purpose.NIC, 0) for index in range(FUNCTIONS))
    return Host(name, kind, (uplink,), (Adapter(f"{name}-nic0", name, MODEL, "veth", functions),))


def uuid_of(machine: str, nic: str) -> str:
    """The UUID of a binding of the lab."""
    return str(uuid.uuid5(_NAMESPACE, f"{LAB}/{machine}/{nic}"))


def host_documents(name: str, kind: ChannelKind, attachment: str, functions: int = FUNCTIONS) -> list[str]:
    """The same host as a person would write it."""
    uplink = f"{{device: up-a, bridge: {BRIDGE}, attachment: {attachment}}}"
    spec = f"{{host: {name}, driver: soft, model: {MODEL}, functions: {functions}}}"
    return [
        f"kind: host\nname: {name}\nspec: {{channel: {kind.value}, uplinks: {{a: {uplink}}}}}\n",
        f"kind: adapter\nname: {name}-nic0\nspec: {spec}\n",
    ]


def documents(kind: ChannelKind, *, bound: bool = True, functions: int = FUNCTIONS, attachment: str = AUTO) -> str:
    """The lab as documents; without its machines where not `bound`."""
    bridges = f"{{{BRIDGE}: {{fabric: a, ports: [{', '.join(PORTS)}]}}}}"
    wires = f"[[{BRIDGE}/loop0, {BRIDGE}/loop1]]"
    parts = [f"kind: network\nname: {LAB}\nspec:\n  bridges: {bridges}\n  wires: {wires}\n{TIMES}"]
    parts += [f"kind: profile\nname: {name}\nspec: {{vlan: {{access: {vlan}}}}}\n" for name, vlan in VLANS.items()]
    for host in ("h1", "h2"):
        parts += host_documents(host, kind, attachment, functions)
    for number, (name, host, profile, pin) in enumerate(machines_of(kind) if bound else (), start=1):
        where = "host" if name.endswith("-own") else "namespace"
        nic = f'{{profile: {profile}, mac: "{mac_of(number)}", address: {_address(number, profile)}, pin: {pin}}}'
        device = "own0" if where == "host" else "eth0"
        parts.append(f"kind: machine\nname: {name}\nspec: {{host: {host}, type: {where}, nics: {{{device}: {nic}}}}}\n")
    return "---\n".join(parts)


def layout(kind: ChannelKind, *, bound: bool = True, attachment: str = AUTO) -> Layout:
    """The lab laid out; without its machines where not `bound`."""
    profiles = {name: Profile(name, vlan, number=row) for row, (name, vlan) in enumerate(VLANS.items(), start=2)}
    open_trunk = Profile("open-trunk", 0, frozenset(range(1, LAST_VLAN + 1)), number=1)
    ports = {name: NetworkPort(BRIDGE, name, link, open_trunk) for link, name in enumerate(PORTS, start=1)}
    hosts = {name: host_of(name, ordinal, kind, attachment) for ordinal, name in enumerate(("h1", "h2"))}
    machines, bindings = [], []
    free = {host.name: iter(host.functions) for host in hosts.values()}
    for number, (name, host, profile, pin) in enumerate(machines_of(kind) if bound else (), start=1):
        in_host = name.endswith("-own")
        nic = "own0" if in_host else "eth0"
        machines.append(Machine(name, host, in_host))
        bindings.append(
            Binding(
                uuid_of(name, nic),
                1,
                name,
                nic,
                next(free[host]),
                profiles[profile],
                mac_of(number),
                (_address(number, profile),),
                1500,
                hosts[host].uplinks[0],
                ports[pin],
            )
        )
    bridge = Bridge(BRIDGE, "a", tuple(ports.values()), 300_000)
    wires = ((ports["loop0"], ports["loop1"]),)
    found = (tuple(hosts.values()), tuple(machines), tuple(bindings), tuple(profiles.values()), wires)
    return Layout(LAB, (bridge,), *found, SIGNALLING)
