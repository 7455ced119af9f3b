# SPDX-License-Identifier: Apache-2.0
"""The documents of a lab by name, for those who check them together. What could not be read is missing in it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from openfex.errors import Problem
from openfex.model.documents import (
    AdapterSpec,
    HostSpec,
    MachineSpec,
    NicSpec,
    ProfileSpec,
    UplinkSpec,
)
from openfex.model.layout import Profile
from openfex.model.networks import BridgeSpec, NetworkPortSpec, NetworkSpec
from openfex.model.reader import Document, Reading, of_spec
from openfex.model.source import Place
from openfex.model.values import LAST_VLAN
from openfex.model.wording import choose
from openfex.plan.adapters import adapters_in
from openfex.plan.allotment import Allotment
from openfex.plan.policy import policy_of

ALL_VLANS = frozenset(range(1, LAST_VLAN + 1))
OPEN_TRUNK = Profile("open-trunk", 0, ALL_VLANS, number=1)
"""What a network port has that no profile was given to: all VLANs tagged, nothing untagged."""


def profile_of(name: str, spec: ProfileSpec) -> Profile:
    """A profile as its port has it. The native VLAN of a trunk is allowed there."""
    trunk, policy, service = spec.vlan.trunk, policy_of(spec), spec.vlan.service or 0
    if trunk is None:
        return Profile(name, spec.vlan.access or 0, policy=policy, service=service)
    native = trunk.native or 0
    return Profile(name, native, trunk.allowed | ({native} if native else set()), policy, service=service)


@dataclass(frozen=True)
class Nic:
    """A NIC of a machine, and where it is written."""

    document: Document
    machine: MachineSpec
    name: str
    spec: NicSpec

    @property
    def label(self) -> str:
        """`vm1/eth0`."""
        return f"{self.document.name}/{self.name}"

    @property
    def in_host(self) -> bool:
        """Whether it stays in its host's own name space, under its own name."""
        return self.machine.type == "host"

    @property
    def backing(self) -> str:
        """What its function has to be made of: `veth`, `tap`, or `any` where both will do."""
        return {"namespace": "veth", "qemu": "tap"}.get(self.machine.type, "any")

    def problem(self, code: str, message: str, remedy: str = "", *path: str | int) -> Problem:
        """A problem of this NIC; `path` is below it."""
        return self.document.problem(code, message, remedy, ("nics", self.name, *path))


class Inventory:
    """What there is, by name. `held` is what the lab gave when it was laid out before.

    `here`: the bridges that are on this machine; None: all, as those of a lab are.
    """

    def __init__(self, reading: Reading, held: Allotment, here: Collection[str] | None = None) -> None:
        self.reading, self.held, self.here = reading, held, here
        self.networks = of_spec(reading, NetworkSpec)
        self.hosts = of_spec(reading, HostSpec)
        self.adapters = adapters_in(reading)
        self.machines = of_spec(reading, MachineSpec)

    def is_here(self, bridge: str) -> bool:
        """Whether a bridge is on this machine."""
        return self.here is None or bridge in self.here

    @cached_property
    def lab(self) -> str:
        """The name of the lab, if there is one."""
        return self.networks[0][0].name if self.networks else ""

    @cached_property
    def profiles(self) -> Mapping[str, Profile]:
        """Profiles by name."""
        return {one.name: profile_of(one.name, spec) for one, spec in of_spec(self.reading, ProfileSpec)}

    @cached_property
    def bridges(self) -> Mapping[str, BridgeSpec]:
        """Bridges by name."""
        return {name: bridge for _, network in self.networks for name, bridge in network.bridges.items()}

    @cached_property
    def host_of(self) -> Mapping[str, HostSpec]:
        """Hosts by name."""
        return {one.name: spec for one, spec in self.hosts}

    @cached_property
    def adapter_of(self) -> Mapping[str, AdapterSpec]:
        """Adapters by name."""
        return {one.name: spec for one, spec in self.adapters}

    @cached_property
    def nics(self) -> list[Nic]:
        """The NICs of all machines, in the order they are written."""
        return [Nic(one, spec, name, nic) for one, spec in self.machines for name, nic in spec.nics.items()]

    @cached_property
    def _adapters_by_host(self) -> Mapping[str, dict[str, AdapterSpec]]:
        found: dict[str, dict[str, AdapterSpec]] = {}
        for document, spec in self.adapters:
            found.setdefault(spec.host, {})[document.name] = spec
        return found

    def adapters_of(self, host: str) -> Mapping[str, AdapterSpec]:
        """The adapters of a host by name."""
        return self._adapters_by_host.get(host, {})

    @cached_property
    def _nics_by_host(self) -> Mapping[str, list[Nic]]:
        found: dict[str, list[Nic]] = {}
        for nic in self.nics:
            found.setdefault(nic.machine.host, []).append(nic)
        return found

    def nics_of(self, host: str) -> Sequence[Nic]:
        """The NICs of a host's machines."""
        return self._nics_by_host.get(host, [])

    def nics_on(self, host: str, fabric: str) -> Sequence[Nic]:
        """The NICs that are bound on an uplink of a host."""
        return [nic for nic in self.nics_of(host) if self.fabric_of(nic) == fabric]

    def fabric_of(self, nic: Nic) -> str | None:
        """The fabric that a NIC is bound on: what it says, else the one it has, else the first of its host."""
        host, seat = self.host_of.get(nic.machine.host), self.held.nics.get(nic.label)
        if nic.spec.fabric is not None or host is None:
            return nic.spec.fabric
        return seat.fabric if seat and seat.fabric in host.uplinks else min(host.uplinks)

    def uplink_of(self, nic: Nic) -> UplinkSpec | None:
        """The uplink that a NIC is bound on; None while that is not certain."""
        host, wanted = self.host_of.get(nic.machine.host), self.fabric_of(nic)
        uplinks = host.uplinks.items() if host else ()
        return next((uplink for fabric, uplink in uplinks if fabric == wanted), None)

    def port_profile(self, port: NetworkPortSpec) -> Profile | None:
        """The profile of a network port; None while that is not certain."""
        return OPEN_TRUNK if port.profile is None else self.profiles.get(port.profile)

    def lost(self, document: Document, kind: str, name: str, known: Collection[str], path: Place) -> Iterator[Problem]:
        """The problem that there is no such document, unless it is one that could not be read."""
        if name not in known and not self.reading.may_hold(kind, name):
            remedy = choose(name, known, f"{kind}s")
            yield document.problem(f"unknown-{kind}", f"there is no {kind} {name}", remedy, path)
