# SPDX-License-Identifier: Apache-2.0
"""An NVMe adapter in memory that keeps the rules of a real one, for tests without a kernel.

Its commands are answered in octets, and refused where QEMU's controller refuses them; its functions come and go by the
same calls as those of `linux.pci` and `linux.nvme`. `calls` holds what was asked of it that changes something.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from openfex.adapter.nvme import Workplace
from openfex.adapter.nvme_journal import Journal
from openfex.adapter.nvme_reading import Doors
from openfex.errors import KernelError
from openfex.linux.nvme import Answer, Disk, Nvme, refusal
from openfex.linux.pci import Pci, PciFunction, Sriov
from openfex.linux.uevent import Events
from openfex.model.storage import Resource, Share, StorageAdapter
from openfex.plan.storage_records import from_json, to_json
from openfex.wire import nvme as wire
from openfex.wire.nvme import Action, AdminCommand, Cns, NamespaceIdentity, Status, VirtualizationManagement

ADDRESS = "0000:01:00.0"
PRIMARY = 0
QUEUES, INTERRUPTS = Share(8, most=4), Share(4, most=2)


@dataclass(eq=False)
class Secondary:
    """A secondary controller's state."""

    online: bool = False
    resources: dict[Resource, int] = field(default_factory=lambda: dict.fromkeys(Resource, 0))
    driver: str = ""
    override: str = ""


@dataclass
class FakeAdapter:
    """The state of an adapter. `shares` is what there is of each resource; `shared` says of each namespace if it is."""

    shares: dict[Resource, Share]
    secondaries: list[Secondary]
    shared: dict[int, bool] = field(default_factory=dict)
    attached: dict[int, set[int]] = field(default_factory=dict)
    eager: set[int] = field(default_factory=set)
    count: int = 0
    autoprobe: bool = True
    own: dict[Resource, int] = field(default_factory=dict)
    """What the primary will have after its next reset."""
    users: dict[int, str] = field(default_factory=dict)
    """Who has the disk of a namespace."""
    holders: dict[str, int] = field(default_factory=dict)
    """Who has an IOMMU group: function N is in group N."""
    calls: list[str] = field(default_factory=list)
    fails: str = ""
    """The call that fails, once."""

    def doors(self) -> Doors:
        """The doors to it."""
        return Doors(FakeBus(self), FakeControllers(self), FakeEvents, lambda: self.holders)

    def workplace(self) -> Workplace:
        """The doors to it, with a journal in memory."""
        return Workplace(self.doors(), FakeJournal())

    def called(self, what: str) -> None:
        """Note a call, or fail it."""
        if what == self.fails:
            self.fails = ""
            raise KernelError(f"cannot {what}", code="made-to-fail")
        self.calls.append(what)

    def assigned(self, resource: Resource) -> int:
        """How many of a resource the secondaries have."""
        return sum(one.resources[resource] for one in self.secondaries)


def make_adapter(
    functions: int = 4, queues: Share = QUEUES, interrupts: Share = INTERRUPTS, namespaces: str = "ppps"
) -> FakeAdapter:
    """An adapter with so many secondaries and private (`p`) and shared (`s`) namespaces, numbered from 1.

    A namespace that is eager (`e`) is a shared one that functions have whenever they are enabled, as with QEMU.
    """
    shared = {number: kind in "se" for number, kind in enumerate(namespaces, 1)}
    eager = {number for number, kind in enumerate(namespaces, 1) if kind == "e"}
    shares = {Resource.QUEUES: queues, Resource.INTERRUPTS: interrupts}
    return FakeAdapter(shares, [Secondary() for _ in range(functions)], shared, {nsid: set() for nsid in shared}, eager)


def address_of(number: int) -> str:
    """The PCI address of a function."""
    return f"0000:01:{(number + 1) >> 3:02x}.{(number + 1) & 7}"


class FakeBus(Pci):
    """Its PCI functions."""

    def __init__(self, adapter: FakeAdapter) -> None:
        super().__init__()
        self._adapter = adapter

    def carvable(self) -> list[str]:
        """The PF."""
        return [ADDRESS]

    def function(self, address: str) -> PciFunction:
        """The PF, or a function that there is."""
        adapter = self._adapter
        if address == ADDRESS:
            found = tuple((number, address_of(number)) for number in range(adapter.count))
            total = len(adapter.secondaries)
            sriov = Sriov(total, adapter.count, 1, 1, "0010", adapter.autoprobe, None, found)
            return _pci(address, "nvme", "", "pf", sriov)
        one = self._secondary(address)
        return _pci(address, one.driver, one.override, str(adapter.secondaries.index(one)), None)

    def set_count(self, address: str, count: int) -> None:
        """As the kernel: only from none, or to none."""
        self._adapter.called(f"count {count}")
        if count and self._adapter.count:
            raise KernelError("device or resource busy", 16)
        for one in self._adapter.secondaries:
            one.driver, one.override, one.online = "", "", False
            one.resources = dict.fromkeys(Resource, 0)
        self._adapter.count = count

    def set_autoprobe(self, address: str, on: bool) -> None:
        """Note it."""
        self._adapter.called(f"autoprobe {int(on)}")
        self._adapter.autoprobe = on

    def set_override(self, address: str, driver: str) -> None:
        """Note it."""
        self._secondary(address).override = driver

    def unbind(self, address: str) -> None:
        """Take the driver away."""
        self._adapter.called(f"unbind {address}")
        self._secondary(address).driver = ""

    def probe(self, address: str) -> None:
        """NVMe's driver wants a controller that is online."""
        one = self._secondary(address)
        self._adapter.called(f"bind {address} {one.override}")
        if one.override != "nvme" or one.online:
            one.driver = one.override
            for nsid in self._adapter.eager if one.driver == "nvme" else ():
                self._adapter.attached[nsid].add(self._adapter.secondaries.index(one) + 1)

    def _secondary(self, address: str) -> Secondary:
        there = {address_of(number): number for number in range(self._adapter.count)}
        return self._adapter.secondaries[there[address]]


def _pci(address: str, driver: str, override: str, group: str, sriov: Sriov | None) -> PciFunction:
    physfn = "" if sriov else ADDRESS
    return PciFunction(address, "1b36", "0010", "010802", driver, override, None, group, physfn, (), None, sriov)


class FakeControllers(Nvme):
    """Its NVMe controllers: `nvme0` is the primary's, `nvmeN` that of the secondary with identifier N."""

    def __init__(self, adapter: FakeAdapter) -> None:
        super().__init__()
        self._adapter = adapter

    def controller(self, address: str) -> str:
        """The controller of the PF, or of a function that the host has."""
        if address == ADDRESS:
            return "nvme0"
        for number in range(self._adapter.count):
            if address_of(number) == address and self._adapter.secondaries[number].driver == "nvme":
                return f"nvme{number + 1}"
        return ""

    def state(self, name: str) -> str:
        """Always the same."""
        return "live"

    def disks(self, name: str) -> tuple[Disk, ...]:
        """One a namespace."""
        holder = int(name.removeprefix("nvme"))
        return tuple(
            Disk(f"nvme0n{nsid}", nsid, 1 << 20) for nsid, held in self._adapter.attached.items() if holder in held
        )

    def user(self, disk: Disk) -> str:
        """Whoever the adapter says has it."""
        return self._adapter.users.get(disk.nsid, "")

    def rescan(self, name: str) -> None:
        """Nothing to be done."""

    def reset(self, address: str) -> None:
        """The primary's own share changes."""
        self._adapter.called("reset")
        for resource, number in self._adapter.own.items():
            share = self._adapter.shares[resource]
            self._adapter.shares[resource] = Share(share.flexible, 0, number, share.private, share.most, share.step)

    def submit(self, name: str, command: AdminCommand) -> Answer:
        """Answer a command, in octets."""
        result = 0
        if command.opcode == wire.IDENTIFY:
            return Answer(0, self._identify(name, Cns(command.cdw10 & 0xFF), command.nsid, command.cdw10 >> 16))
        if command.opcode == wire.NAMESPACE_ATTACHMENT:
            status = self._attach(command)
        else:
            managed = VirtualizationManagement.read(command)
            status, result = self._manage(managed), managed.number
        if status:
            raise refusal(name, status, command)
        return Answer(result, command.data)

    def _identify(self, name: str, cns: Cns, nsid: int, first: int) -> bytes:
        adapter = self._adapter
        asking = int(name.removeprefix("nvme"))
        lists: dict[Cns, Callable[[], bytes]] = {
            Cns.CONTROLLER: lambda: wire.ControllerIdentity(asking, "fake", "openfex", True, True).encode(),
            Cns.PRIMARY: lambda: wire.PrimaryCapabilities(PRIMARY, *(self._share(one) for one in Resource)).encode(),
            Cns.SECONDARIES: lambda: wire.encode_secondaries(self._entries(first)[:2]),
            Cns.ALLOCATED_NAMESPACES: lambda: wire.encode_namespaces(_behind(list(adapter.shared), nsid)[:2]),
            Cns.ALLOCATED_NAMESPACE: lambda: NamespaceIdentity(2048, 512, adapter.shared[nsid]).encode(),
            Cns.ATTACHED_CONTROLLERS: lambda: wire.encode_controllers(_behind(adapter.attached[nsid], first - 1)[:2]),
            Cns.ACTIVE_NAMESPACES: lambda: wire.encode_namespaces(one.nsid for one in self.disks(name)),
        }
        return lists[cns]()

    def _entries(self, first: int) -> list[wire.Secondary]:
        return [
            wire.Secondary(number, PRIMARY, one.online, number, *(one.resources[kind] for kind in Resource))
            for number, one in enumerate(self._adapter.secondaries, 1)
            if number >= first
        ]

    def _share(self, resource: Resource) -> Share:
        share = self._adapter.shares[resource]
        return Share(share.flexible, self._adapter.assigned(resource), share.own, share.private, share.most, share.step)

    def _attach(self, command: AdminCommand) -> int:
        held, shared = self._adapter.attached[command.nsid], self._adapter.shared[command.nsid]
        for one in wire.decode_controllers(command.data):
            if command.cdw10:
                self._adapter.called(f"detach {command.nsid} {one}")
                if one not in held:
                    return Status.NAMESPACE_NOT_ATTACHED
                held.remove(one)
            else:
                self._adapter.called(f"attach {command.nsid} {one}")
                if held and not shared:
                    return Status.NAMESPACE_PRIVATE
                held.add(one)
        return 0

    def _manage(self, command: VirtualizationManagement) -> int:
        action, resource, number = command.action, command.resource, command.number
        self._adapter.called(f"{action.name.lower()} {command.controller} {number} {resource.value}")
        share = self._share(resource)
        if action is Action.PRIMARY_FLEXIBLE:
            self._adapter.own[resource] = number
            return Status.BAD_RESOURCE if number > share.flexible - share.assigned else 0
        if not 1 <= command.controller <= len(self._adapter.secondaries):
            return Status.BAD_CONTROLLER
        one = self._adapter.secondaries[command.controller - 1]
        if action is Action.ASSIGN:
            if one.online:
                return Status.BAD_SECONDARY_STATE
            if number > share.most or number % share.step:
                return Status.BAD_NUMBER_OF_RESOURCES
            if number - one.resources[resource] > share.free:
                return Status.BAD_RESOURCE
            one.resources[resource] = number
        elif action is Action.OFFLINE:
            one.online, one.resources = False, dict.fromkeys(Resource, 0)
        elif command.controller > self._adapter.count or min(one.resources.values()) < 1:
            return Status.BAD_SECONDARY_STATE
        else:
            one.online = True
        return 0


def _behind(numbers: Sequence[int] | set[int], last: int) -> list[int]:
    return [one for one in sorted(numbers) if one > last]


class FakeJournal(Journal):
    """Records in memory, as they would be on disk."""

    def __init__(self) -> None:
        super().__init__(Path("/dev/null"))
        self.records: dict[str, str] = {}

    def read(self, address: str) -> StorageAdapter | None:
        """The record, or none."""
        return from_json(json.loads(self.records[address])) if address in self.records else None

    def addresses(self) -> list[str]:
        """Of whom there are records."""
        return sorted(self.records)

    def write(self, before: StorageAdapter) -> None:
        """Keep it."""
        self.records[before.address] = json.dumps(to_json(before))

    def remove(self, address: str) -> None:
        """Forget it."""
        self.records.pop(address, None)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else is here."""
        yield


class FakeEvents(Events):
    """Nothing happens by itself here."""

    def __init__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def wait(self, holds: Callable[[], bool], deadline_s: float) -> bool:
        """Whether something holds."""
        return holds()
