# SPDX-License-Identifier: Apache-2.0
"""Bindings laid out: each NIC of a machine gets its function, its uplink, its MAC and the network port of its vEth.

NICs that name their function come first, then those that have one already, then the others: nobody is moved for who
came later, unless it was asked for.
"""

from __future__ import annotations

import zlib

from openfex.model.documents import MachineSpec, NicSpec
from openfex.model.layout import Binding, Function, Guest, Host, Machine, NetworkPort, Profile, Purpose, Uplink
from openfex.model.reader import Document, of_spec
from openfex.model.values import ChannelKind
from openfex.plan.allotment import Seat
from openfex.plan.draft import Draft
from openfex.plan.identity import mac_of, uuid_of


def lay_machines(draft: Draft) -> None:
    """All machines, and the bindings of their NICs in the order they are written."""
    machines = of_spec(draft.documents, MachineSpec)
    draft.machines = {
        one.name: Machine(one.name, spec.host, spec.type != "namespace", _guest(spec)) for one, spec in machines
    }
    draft.free = {
        host.name: {one.name: one for one in host.functions if one.purpose is not Purpose.STORAGE}
        for host in draft.hosts.values()
    }
    nics = [(one, name, nic) for one, spec in machines for name, nic in spec.nics.items()]
    for document, name, nic in sorted(nics, key=lambda one: _rank(draft, one[0].name, one[1], one[2])):
        _bind(draft, document, name, nic)
    written = [f"{document.name}/{name}" for document, name, _ in nics]
    draft.bindings = {name: draft.bindings[name] for name in written if name in draft.bindings}


def _guest(spec: MachineSpec) -> Guest | None:
    if spec.type != "qemu":
        return None
    return Guest(spec.memory, spec.cpus, spec.kernel or "", spec.image or "")


def _rank(draft: Draft, machine: str, name: str, nic: NicSpec) -> int:
    """A NIC that comes from another host has no function here, and comes last."""
    if nic.function is not None:
        return 0
    seat = draft.held.nics.get(f"{machine}/{name}")
    return 1 if seat and seat.function in draft.free[draft.machines[machine].host] else 2


def _can_hold(machine: Machine, backing: str) -> bool:
    """A TAP cannot leave its host, and QEMU opens nothing else."""
    return backing == "tap" if machine.guest else machine.in_host or backing == "veth"


def _choose_function(draft: Draft, host: Host, machine: Machine, name: str, nic: NicSpec) -> Function | None:
    """The one asked for, else the one it has, else the first that is free and can go where the machine is."""
    free = draft.free[host.name]
    if nic.function is not None:
        return free[nic.function]
    fitting = {adapter.name for adapter in host.adapters if _can_hold(machine, adapter.backing)}
    seat = draft.held.nics.get(name)
    held = free.get(seat.function) if seat else None
    if held and held.adapter in fitting:
        return held
    return next((one for one in free.values() if one.adapter in fitting and not one.is_pf), None)


def _choose_uplink(draft: Draft, host: Host, name: str, nic: NicSpec) -> Uplink:
    """The one asked for, else the one it has, else the first."""
    usable = [one for one in host.uplinks if nic.fabric in (None, one.fabric)]
    seat = draft.held.nics.get(name)
    return next((one for one in usable if seat and one.fabric == seat.fabric), usable[0])


def _choose_pin(draft: Draft, uplink: Uplink, name: str, nic: NicSpec, profile: Profile) -> NetworkPort | None:
    """The one asked for, else the one it has, else one that carries its VLANs, spread evenly. A peer is for all.

    By VEPA it is not spread over the NICs of an uplink, but over uplinks; and first that of those in one of its VLANs.
    """
    bridge, seat = draft.bridges[uplink.bridge], draft.held.nics.get(name)
    if nic.pin is not None:
        return next(port for port in bridge.ports if port.name == nic.pin)
    usable = [port for port in bridge.ports if not port.peer and port.profile.vlans & profile.vlans]
    vepa = uplink.kind is ChannelKind.VEPA
    taken = {one.pin for one in draft.bindings.values() if _shares(one, uplink, profile)} if vepa else ()
    shared = next((port for port in usable if port in taken), None)
    held = next((port for port in usable if seat and port.name == seat.pin), None)
    if shared or held or not usable:
        return shared or held
    return usable[zlib.crc32((uplink.host if vepa else name).encode()) % len(usable)]


def _shares(one: Binding, uplink: Uplink, profile: Profile) -> bool:
    return one.uplink == uplink and bool(one.profile.vlans & profile.vlans)


def _bind(draft: Draft, document: Document, nic_name: str, nic: NicSpec) -> None:
    machine, name = draft.machines[document.name], f"{document.name}/{nic_name}"
    host, profile = draft.hosts[machine.host], draft.profiles[nic.profile]
    function = _choose_function(draft, host, machine, name, nic)
    if function is None:  # there are enough, but NICs of the host's own have those that this machine could hold
        holder = "virtual machine" if machine.guest else "name space"
        message = f"host {host.name} has no free NIC function that a {holder} can hold"
        remedy = "carve more, or name the functions of the host's own NICs"
        draft.problems.append(document.problem("no-free-function", message, remedy, ("nics", nic_name)))
        return
    del draft.free[host.name][function.name]
    uplink = _choose_uplink(draft, host, name, nic)
    pin = _choose_pin(draft, uplink, name, nic, profile)
    mac = nic.mac or mac_of(draft.lab, machine.name, nic_name)
    identity = uuid_of(draft.lab, machine.name, nic_name)
    generation = _next_generation(draft.held.nics.get(name), function, uplink)
    draft.bindings[name] = Binding(
        identity, generation, machine.name, nic_name, function, profile, mac, nic.addresses, nic.mtu, uplink, pin
    )


def _next_generation(seat: Seat | None, function: Function, uplink: Uplink) -> int:
    if seat is None:
        return 1
    return seat.generation + ((function.name, uplink.fabric) != (seat.function, seat.fabric))
