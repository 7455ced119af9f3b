# SPDX-License-Identifier: Apache-2.0
"""Bindings laid out: each NIC of a machine gets its function, its uplink, its MAC and the network port of its vEth.

NICs that name their function come first, then those that have one already, then the others: nobody is moved for who
came later, unless it was asked for.
"""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Iterator

from openfex.model.documents import MachineSpec, NicSpec
from openfex.model.layout import Binding, Bridge, Function, Host, Machine, NetworkPort, Profile, Purpose, Uplink
from openfex.model.limits import VLAN_ROOM
from openfex.model.reader import Document, of_kind
from openfex.model.values import Mac
from openfex.plan.allotment import Seat
from openfex.plan.carving import Refusal
from openfex.plan.draft import Draft

_NAMESPACE = uuid.UUID("6f70656e-6665-5800-8000-000000000000")


def lay_machines(draft: Draft) -> None:
    """All machines, and the bindings of their NICs in the order they are written."""
    for document in of_kind(draft.documents, "machine"):
        spec = _machine(document)
        if spec.host in draft.hosts:
            draft.machines[document.name] = Machine(document.name, spec.host, spec.type == "host")
        else:
            draft.refuse(document, "unknown-host", f"there is no host {spec.host}", "", "host")
    nics = list(_nics(draft))
    for document, name, nic in sorted(nics, key=lambda one: _rank(draft, f"{one[0].name}/{one[1]}", one[2])):
        _bind(draft, document, name, nic)
    written = [f"{document.name}/{name}" for document, name, _ in nics]
    draft.bindings = {name: draft.bindings[name] for name in written if name in draft.bindings}
    _check_host_names(draft)


def _machine(document: Document) -> MachineSpec:
    assert isinstance(document.spec, MachineSpec)
    return document.spec


def _nics(draft: Draft) -> Iterator[tuple[Document, str, NicSpec]]:
    for document in of_kind(draft.documents, "machine"):
        if document.name in draft.machines:
            for name, nic in _machine(document).nics.items():
                yield document, name, nic


def _rank(draft: Draft, name: str, nic: NicSpec) -> int:
    if nic.function is not None:
        return 0
    return 1 if name in draft.held.nics else 2


def _choose_function(draft: Draft, machine: Machine, name: str, nic: NicSpec) -> Function | Refusal:
    host = draft.hosts[machine.host]
    if nic.function is not None:
        return _asked_function(draft, host, machine.in_host, nic.function)
    backing = {adapter.name: adapter.backing for adapter in host.adapters}
    free = [
        function
        for function in host.functions
        if function.purpose is Purpose.NIC
        and function.name not in draft.taken
        and (machine.in_host or backing[function.adapter] == "veth")
    ]
    seat = draft.held.nics.get(name)
    held = next((one for one in free if seat and one.name == seat.function), None)
    if held or free:
        return held or free[0]
    message = f"host {host.name} has no free NIC function"
    return Refusal("no-free-function", "function", message, "carve more functions, or use another host")


def _asked_function(draft: Draft, host: Host, in_host: bool, name: str) -> Function | Refusal:
    found = next((one for one in host.functions if one.name == name), None)
    if found is None:
        return Refusal("unknown-function", "function", f"host {host.name} has no function {name}")
    if found.purpose is Purpose.STORAGE:
        remedy = "bind a NIC function, or a storage function of a real NVMe adapter"
        message = f"{name} is a storage function of a soft adapter, which has no storage behind it"
        return Refusal("soft-storage-not-bindable", "function", message, remedy)
    if name in draft.taken:
        message = f"function {name} is bound to another NIC"
        return Refusal("function-taken", "function", message, "choose another one")
    backing = {adapter.name: adapter.backing for adapter in host.adapters}
    if backing[found.adapter] == "tap" and not in_host:
        message = f"function {name} is a TAP of its host, it cannot move into a name space"
        return Refusal("tap-needs-host", "function", message, "give the machine type: host")
    return found


def _choose_uplink(draft: Draft, host: Host, name: str, nic: NicSpec) -> Uplink | Refusal:
    """The one asked for, else the one it has, else the first."""
    usable = [one for one in host.uplinks if nic.fabric in (None, one.fabric)]
    seat = draft.held.nics.get(name)
    held = next((one for one in usable if seat and one.fabric == seat.fabric), None)
    if held or usable:
        return held or usable[0]
    return Refusal("unknown-fabric", "fabric", f"host {host.name} has no uplink to fabric {nic.fabric}")


def _choose_pin(draft: Draft, bridge: Bridge, name: str, nic: NicSpec, profile: Profile) -> NetworkPort | None:
    """The one asked for, else the one it has, else one that carries its VLANs, spread evenly. A peer is for all."""
    ports = [port for port in bridge.ports if not port.peer]
    if nic.pin is not None:
        return next((port for port in ports if port.name == nic.pin), None)
    usable = [port for port in ports if port.profile.vlans & profile.vlans]
    seat = draft.held.nics.get(name)
    held = next((port for port in usable if seat and port.name == seat.pin), None)
    if held or not usable:
        return held
    return usable[zlib.crc32(name.encode()) % len(usable)]


def _choose_mac(lab: str, name: str) -> Mac:
    digest = hashlib.sha256(f"{lab}/{name}".encode()).digest()
    return Mac(b"\x52\x54\x01" + digest[:3])


def _claim_mac(draft: Draft, name: str, given: Mac | None) -> Mac | Refusal:
    mac = given or _choose_mac(draft.lab, name)
    owner = draft.macs.setdefault(mac, name)
    if owner == name:
        return mac
    return Refusal("duplicate-mac", "mac", f"{mac} is already the MAC of {owner}", "give each NIC its own")


def _check_mtu(uplink: Uplink, nic: NicSpec) -> Refusal | None:
    room = uplink.mtu - uplink.kind.overhead - VLAN_ROOM
    if nic.mtu <= room:
        return None
    message = f"MTU {nic.mtu} does not fit: uplink {uplink.device} of host {uplink.host} has MTU {uplink.mtu}"
    return Refusal("mtu-too-large", "mtu", message, f"at most {room} fits, or make the uplink's MTU larger")


def _bind(draft: Draft, document: Document, nic_name: str, nic: NicSpec) -> None:
    machine, name = draft.machines[document.name], f"{document.name}/{nic_name}"
    profile = draft.profile(document, nic.profile, "nics", nic_name, "profile")
    function = _choose_function(draft, machine, name, nic)
    uplink = _choose_uplink(draft, draft.hosts[machine.host], name, nic)
    mac = _claim_mac(draft, name, nic.mac)
    mtu = _check_mtu(uplink, nic) if isinstance(uplink, Uplink) else None
    for one in (function, uplink, mac, mtu):
        if isinstance(one, Refusal):
            draft.refuse(document, one.code, one.message, one.remedy, "nics", nic_name, one.key)
    if profile is None or isinstance(function, Refusal) or isinstance(uplink, Refusal) or isinstance(mac, Refusal):
        return
    draft.taken.add(function.name)
    pin = _choose_pin(draft, draft.bridges[uplink.bridge], name, nic, profile)
    if nic.pin is not None and pin is None:
        known = ", ".join(port.name for port in draft.bridges[uplink.bridge].ports if not port.peer) or "none"
        message = f"bridge {uplink.bridge} has no network port {nic.pin} that a vEth can be pinned to"
        draft.refuse(document, "unknown-port", message, f"those are: {known}", "nics", nic_name, "pin")
    identity = str(uuid.uuid5(_NAMESPACE, f"{draft.lab}/{name}"))
    generation = _next_generation(draft.held.nics.get(name), function, uplink)
    draft.bindings[name] = Binding(
        identity, generation, machine.name, nic_name, function, profile, mac, nic.addresses, nic.mtu, uplink, pin
    )


def _next_generation(seat: Seat | None, function: Function, uplink: Uplink) -> int:
    if seat is None:
        return 1
    return seat.generation + ((function.name, uplink.fabric) != (seat.function, seat.fabric))


def _check_host_names(draft: Draft) -> None:
    """NICs that stay in one host's name space must not have the same name."""
    names: dict[tuple[str, str], str] = {}
    documents = {document.name: document for document in of_kind(draft.documents, "machine")}
    for binding in draft.bindings.values():
        if not draft.machines[binding.machine].in_host:
            continue
        key = (binding.uplink.host, binding.nic)
        devices = {uplink.device for uplink in draft.hosts[binding.uplink.host].uplinks}
        if key in names or binding.nic in devices:
            other = names.get(key, "an uplink")
            message = f"{binding.nic} is already the name of {other} in host {binding.uplink.host}"
            draft.refuse(documents[binding.machine], "duplicate-device", message, "", "nics", binding.nic)
        names[key] = binding.name
