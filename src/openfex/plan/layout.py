# SPDX-License-Identifier: Apache-2.0
"""From documents to a layout: references resolved, functions carved and chosen, numbers given, or every reason why not.

Numbers are stable: an adapter keeps the channels of all functions its model could have, so that carving more of them,
or binding one, renumbers nobody.
"""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from openfex.errors import DocumentError, Problem
from openfex.model.catalogue import CATALOGUE
from openfex.model.documents import (
    AdapterSpec,
    BridgeSpec,
    HostSpec,
    MachineSpec,
    NetworkSpec,
    NicSpec,
    ProfileSpec,
)
from openfex.model.layout import (
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
    Uplink,
)
from openfex.model.limits import FIRST_UPLINK, MAX_NETWORK_PORTS, MAX_UPLINKS, VLAN_ROOM
from openfex.model.reader import Document, of_kind
from openfex.model.values import LAST_CHANNEL, LAST_VLAN, ChannelKind, Mac
from openfex.plan.carving import check_carving

ALL_VLANS = frozenset(range(1, LAST_VLAN + 1))
OPEN_TRUNK = Profile("open-trunk", 0, ALL_VLANS)
"""What a network port has that no profile was given to: all VLANs tagged, nothing untagged."""
_NAMESPACE = uuid.UUID("6f70656e-6665-5800-8000-000000000000")


@dataclass
class _Draft:
    """What is known so far, by name, and what is wrong so far."""

    documents: Sequence[Document]
    lab: str
    problems: list[Problem] = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)
    bridges: dict[str, Bridge] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    bindings: list[Binding] = field(default_factory=list)
    macs: dict[Mac, str] = field(default_factory=dict)


def _lay_profile(draft: _Draft, document: Document) -> None:
    spec = document.spec
    assert isinstance(spec, ProfileSpec)
    if spec.rate is not None:
        draft.problems.append(
            document.problem(
                "rate-not-supported", "rates are not enforced by this version", "take the key out", ("rate",)
            )
        )
    trunk = spec.vlan.trunk
    if trunk is None:
        profile = Profile(document.name, spec.vlan.access or 0)
    else:
        native = trunk.native or 0
        profile = Profile(document.name, native, trunk.allowed | ({native} if native else set()))
    draft.profiles[document.name] = profile


def _profile(draft: _Draft, document: Document, name: str, path: tuple[str, ...]) -> Profile | None:
    profile = draft.profiles.get(name)
    if profile is None:
        known = ", ".join(draft.profiles) or "none"
        draft.problems.append(
            document.problem("unknown-profile", f"there is no profile {name}", f"the profiles are: {known}", path)
        )
    return profile


def _lay_bridge(draft: _Draft, document: Document, name: str, spec: BridgeSpec) -> None:
    if len(spec.ports) > MAX_NETWORK_PORTS:
        draft.problems.append(
            document.problem(
                "too-many-network-ports",
                f"bridge {name} has {len(spec.ports)} network ports, the most is {MAX_NETWORK_PORTS}",
                path=("bridges", name, "ports"),
            )
        )
    ports = []
    for link, (port, port_spec) in enumerate(spec.ports.items(), start=1):
        path = ("bridges", name, "ports", port, "profile")
        given = port_spec.profile
        profile = OPEN_TRUNK if given is None else _profile(draft, document, given, path) or OPEN_TRUNK
        ports.append(NetworkPort(name, port, link, profile))
    draft.bridges[name] = Bridge(name, spec.fabric, tuple(ports), spec.ageing)


def _lay_wires(draft: _Draft, document: Document) -> tuple[tuple[NetworkPort, NetworkPort], ...]:
    spec = document.spec
    assert isinstance(spec, NetworkSpec)
    known = {f"{port.bridge}/{port.name}": port for bridge in draft.bridges.values() for port in bridge.ports}
    wires, used = [], set()
    for index, wire in enumerate(spec.wires):
        for end in wire:
            if end not in known or end in used:
                what = "is cabled twice" if end in used else "is not a network port"
                remedy = f"write BRIDGE/PORT, one of: {', '.join(known) or 'none'}"
                draft.problems.append(document.problem("bad-wire", f"{end} {what}", remedy, ("wires", str(index))))
            used.add(end)
        if wire[0] in known and wire[1] in known:
            wires.append((known[wire[0]], known[wire[1]]))
    return tuple(wires)


def _lay_uplinks(draft: _Draft, document: Document, spec: HostSpec) -> list[Uplink]:
    uplinks = []
    for host_link, (fabric, uplink) in enumerate(sorted(spec.uplinks.items()), start=1):
        bridge = draft.bridges.get(uplink.bridge)
        path = ("uplinks", fabric, "bridge")
        if bridge is None:
            known = ", ".join(draft.bridges) or "none"
            remedy = f"the bridges are: {known}"
            message = f"there is no bridge {uplink.bridge}"
            draft.problems.append(document.problem("unknown-bridge", message, remedy, path))
            continue
        if bridge.fabric != fabric:
            message = f"bridge {bridge.name} is fabric {bridge.fabric}, the uplink is fabric {fabric}"
            draft.problems.append(document.problem("wrong-fabric", message, path=path))
        ends = [one for host in draft.hosts.values() for one in host.uplinks if one.bridge == bridge.name]
        if len(ends) >= MAX_UPLINKS:
            message = f"bridge {bridge.name} has no room for another uplink, the most is {MAX_UPLINKS}"
            draft.problems.append(document.problem("too-many-uplinks", message, path=path))
        kind = ChannelKind(spec.channel)
        link = FIRST_UPLINK + len(ends)
        uplinks.append(Uplink(document.name, fabric, uplink.device, bridge.name, kind, uplink.mtu, host_link, link))
    return uplinks


def _lay_host(draft: _Draft, document: Document) -> None:
    spec = document.spec
    assert isinstance(spec, HostSpec)
    if spec.channel not in {kind.value for kind in ChannelKind}:
        message = f"channel {spec.channel} is not built by this version"
        remedy = "use vntag or etag"
        draft.problems.append(document.problem("channel-not-supported", message, remedy, ("channel",)))
        return
    uplinks = tuple(_lay_uplinks(draft, document, spec))
    draft.hosts[document.name] = Host(document.name, ChannelKind(spec.channel), uplinks, ())


def _carve(document: Document, spec: AdapterSpec, base: int, slot: int) -> tuple[Function, ...]:
    purposes = [Purpose.NIC] * spec.functions + [Purpose.STORAGE] * spec.storage
    return tuple(
        Function(document.name, index, base + index + 1, purpose, slot) for index, purpose in enumerate(purposes)
    )


def _lay_adapter(draft: _Draft, document: Document) -> None:
    spec = document.spec
    assert isinstance(spec, AdapterSpec)
    refusal = check_carving(spec.model, spec.functions, spec.storage)
    if refusal:
        draft.problems.append(document.problem(refusal.code, refusal.message, refusal.remedy, (refusal.key,)))
    host = draft.hosts.get(spec.host)
    if host is None:
        draft.problems.append(document.problem("unknown-host", f"there is no host {spec.host}", path=("host",)))
    if host is None or refusal:
        return
    model = CATALOGUE[spec.model]
    base = sum(CATALOGUE[adapter.model].functions for adapter in host.adapters)
    if base + model.functions > LAST_CHANNEL:
        message = f"the adapters of host {host.name} need more than {LAST_CHANNEL} channels"
        draft.problems.append(document.problem("too-many-channels", message, "put it into another host", ("model",)))
        return
    functions = _carve(document, spec, base, len(host.adapters))
    adapter = Adapter(document.name, host.name, model.name, spec.backing, functions)
    draft.hosts[host.name] = Host(host.name, host.kind, host.uplinks, (*host.adapters, adapter))


def _choose_function(draft: _Draft, host: Host, in_host: bool, nic: NicSpec) -> tuple[Function | None, str, str, str]:
    """A function for the NIC, or code, message and remedy of the refusal."""
    backing = {adapter.name: adapter.backing for adapter in host.adapters}
    if nic.function is not None:
        found = next((one for one in host.functions if one.name == nic.function), None)
        if found is None:
            return None, "unknown-function", f"host {host.name} has no function {nic.function}", ""
        if found.purpose is Purpose.STORAGE:
            remedy = "bind a NIC function, or a storage function of a real NVMe adapter"
            message = f"{found.name} is a storage function of a soft adapter, which has no storage behind it"
            return None, "soft-storage-not-bindable", message, remedy
        if found.name in draft.taken:
            return None, "function-taken", f"function {found.name} is bound to another NIC", "choose another one"
        if backing[found.adapter] == "tap" and not in_host:
            message = f"function {found.name} is a TAP of its host, it cannot move into a name space"
            return None, "tap-needs-host", message, "give the machine type: host"
        return found, "", "", ""
    for function in host.functions:
        usable = in_host or backing[function.adapter] == "veth"
        if function.purpose is Purpose.NIC and function.name not in draft.taken and usable:
            return function, "", "", ""
    message = f"host {host.name} has no free NIC function"
    return None, "no-free-function", message, "carve more functions, or use another host"


def _choose_pin(bridge: Bridge, nic: NicSpec, profile: Profile, function: Function) -> tuple[NetworkPort | None, bool]:
    """The network port of a vEth: the one asked for, else one that carries its VLANs, spread evenly and for good."""
    if nic.pin is not None:
        port = next((port for port in bridge.ports if port.name == nic.pin), None)
        return port, port is not None
    usable = [port for port in bridge.ports if port.profile.vlans & profile.vlans]
    return (usable[zlib.crc32(function.name.encode()) % len(usable)] if usable else None), True


def _choose_mac(draft: _Draft, document: Document, nic: str, given: Mac | None) -> Mac:
    if given is not None:
        return given
    digest = hashlib.sha256(f"{draft.lab}/{document.name}/{nic}".encode()).digest()
    return Mac(b"\x52\x54\x01" + digest[:3])


def _bind(draft: _Draft, document: Document, machine: Machine, name: str, nic: NicSpec) -> None:
    def refuse(code: str, message: str, remedy: str = "", *path: str) -> None:
        draft.problems.append(document.problem(code, message, remedy, ("nics", name, *path)))

    host = draft.hosts[machine.host]
    profile = _profile(draft, document, nic.profile, ("nics", name, "profile"))
    function, *why = _choose_function(draft, host, machine.in_host, nic)
    if function is None:
        refuse(*why, "function")
    uplink = next((one for one in host.uplinks if nic.fabric in (None, one.fabric)), None)
    if uplink is None:
        refuse("unknown-fabric", f"host {host.name} has no uplink to fabric {nic.fabric}", "", "fabric")
    mac = _choose_mac(draft, document, name, nic.mac)
    if mac in draft.macs:
        refuse("duplicate-mac", f"{mac} is already the MAC of {draft.macs[mac]}", "give each NIC its own", "mac")
    draft.macs[mac] = f"{machine.name}/{name}"
    if uplink and nic.mtu + uplink.kind.overhead + VLAN_ROOM > uplink.mtu:
        room = uplink.mtu - uplink.kind.overhead - VLAN_ROOM
        message = f"MTU {nic.mtu} does not fit: uplink {uplink.device} of host {host.name} has MTU {uplink.mtu}"
        refuse("mtu-too-large", message, f"at most {room} fits, or make the uplink's MTU larger", "mtu")
    if function is None or uplink is None or profile is None:
        return
    pin, known = _choose_pin(draft.bridges[uplink.bridge], nic, profile, function)
    if not known:
        refuse("unknown-port", f"bridge {uplink.bridge} has no network port {nic.pin}", "", "pin")
    draft.taken.add(function.name)
    identity = str(uuid.uuid5(_NAMESPACE, f"{draft.lab}/{machine.name}/{name}"))
    draft.bindings.append(
        Binding(identity, 1, machine.name, name, function, profile, mac, nic.addresses, nic.mtu, uplink, pin)
    )


def _lay_machine(draft: _Draft, document: Document, fixed: bool) -> Machine | None:
    """Bind the NICs that name their function (`fixed`), or in a second pass those that do not."""
    spec = document.spec
    assert isinstance(spec, MachineSpec)
    if spec.host not in draft.hosts:
        if fixed:
            draft.problems.append(document.problem("unknown-host", f"there is no host {spec.host}", path=("host",)))
        return None
    machine = Machine(document.name, spec.host, spec.type == "host")
    for name, nic in spec.nics.items():
        if (nic.function is not None) == fixed:
            _bind(draft, document, machine, name, nic)
    return machine


def _check_host_names(draft: _Draft, machines: Sequence[Machine]) -> None:
    """NICs that stay in one host's name space must not have the same name."""
    names: dict[tuple[str, str], str] = {}
    in_host = {machine.name for machine in machines if machine.in_host}
    documents = {document.name: document for document in of_kind(draft.documents, "machine")}
    for binding in draft.bindings:
        if binding.machine not in in_host:
            continue
        key = (binding.uplink.host, binding.nic)
        devices = {uplink.device for uplink in draft.hosts[binding.uplink.host].uplinks}
        if key in names or binding.nic in devices:
            other = names.get(key, "an uplink")
            message = f"{binding.nic} is already the name of {other} in host {binding.uplink.host}"
            draft.problems.append(
                documents[binding.machine].problem("duplicate-device", message, path=("nics", binding.nic))
            )
        names[key] = binding.name


def lay_out(documents: Sequence[Document]) -> Layout:
    """Resolve documents into a layout. Raises DocumentError with everything that is wrong with them together."""
    networks = of_kind(documents, "network")
    draft = _Draft(documents, networks[0].name if networks else "")
    if len(networks) != 1:
        message = f"there are {len(networks)} network documents, one is needed"
        raise DocumentError([Problem("one-network", "documents", message)])
    network = networks[0].spec
    assert isinstance(network, NetworkSpec)
    for document in of_kind(documents, "profile"):
        _lay_profile(draft, document)
    for name, bridge in network.bridges.items():
        _lay_bridge(draft, networks[0], name, bridge)
    wires = _lay_wires(draft, networks[0])
    steps: tuple[tuple[str, Callable[[_Draft, Document], None]], ...] = (
        ("host", _lay_host),
        ("adapter", _lay_adapter),
    )
    for kind, lay in steps:
        for document in of_kind(documents, kind):
            lay(draft, document)
    fixed = [_lay_machine(draft, document, True) for document in of_kind(documents, "machine")]
    for document in of_kind(documents, "machine"):
        _lay_machine(draft, document, False)
    machines = [machine for machine in fixed if machine]
    _check_host_names(draft, machines)
    if draft.problems:
        raise DocumentError(draft.problems)
    return Layout(
        draft.lab,
        tuple(draft.bridges.values()),
        tuple(draft.hosts.values()),
        tuple(machines),
        tuple(draft.bindings),
        tuple(draft.profiles.values()),
        wires,
    )
