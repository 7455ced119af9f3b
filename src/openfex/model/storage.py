# SPDX-License-Identifier: Apache-2.0
"""NVMe adapters that are carved into storage functions: what is asked of them, and how they are found.

The words are those of the NVMe Base Specification, "Virtualization Enhancements". The PF is a *primary controller*,
each function a *secondary controller*. Queues (VQ resources: a submission and a completion queue each, the admin queues
being one of them) and interrupts (VI resources: MSI-X vectors) are *private* to a controller or *flexible*: shared out
among the primary and its secondaries. A secondary works when it has some of both and has been put *online*.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from openfex.model.functions import FunctionDriver, Selector

FEWEST_QUEUES = 2
"""The admin queues, and one pair for I/O."""
FEWEST_INTERRUPTS = 1


class Resource(Enum):
    """What is shared out among controllers; the value is the word in documents."""

    QUEUES = "queues"
    INTERRUPTS = "interrupts"


@dataclass(frozen=True, slots=True)
class Share:
    """How a primary controller's resources of one kind are shared out.

    `flexible` is how many there are to share out, `assigned` how many of these the secondaries have, `own` how many
    the primary has taken for itself, beside the `private` ones that nobody else can have. A secondary gets at most
    `most`, in steps of `step`.
    """

    flexible: int
    assigned: int = 0
    own: int = 0
    private: int = 0
    most: int = 0
    step: int = 1

    @property
    def free(self) -> int:
        """What nobody has."""
        return max(0, self.flexible - self.assigned - self.own)

    def floor(self, number: int) -> int:
        """The most that can be given of a number of them: whole steps."""
        return number - number % max(1, self.step)


@dataclass(frozen=True, slots=True)
class StorageFunction:
    """A secondary controller as it is found; `number` is the N of virtfnN, from 0.

    `address` is empty while the function is not carved, `driver` while nobody drives it.
    """

    number: int
    controller: int
    online: bool = False
    queues: int = 0
    interrupts: int = 0
    namespaces: tuple[int, ...] = ()
    address: str = ""
    driver: str = ""

    def has(self, resource: Resource) -> int:
        """How many flexible resources of a kind it has."""
        return self.queues if resource is Resource.QUEUES else self.interrupts


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace of the subsystem; one that is not `shared` is attached to one controller at most."""

    nsid: int
    shared: bool
    octets: int
    controllers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class StorageAdapter:
    """A primary controller as it is found, with all secondaries that it could have, sorted by number."""

    address: str
    controller: int
    total: int
    count: int
    autoprobe: bool
    queues: Share
    interrupts: Share
    functions: tuple[StorageFunction, ...] = ()
    namespaces: tuple[Namespace, ...] = ()

    def share(self, resource: Resource) -> Share:
        """Its resources of a kind."""
        return self.queues if resource is Resource.QUEUES else self.interrupts

    @property
    def carved(self) -> tuple[StorageFunction, ...]:
        """The functions that there are."""
        return tuple(one for one in self.functions if one.address)


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """What a storage function is to be. `None` is: not said.

    Then its queues and interrupts are an equal share of what is left, its namespaces stay, and the host gets it.
    """

    queues: int | None = None
    interrupts: int | None = None
    namespaces: tuple[int, ...] | None = None
    driver: FunctionDriver | None = None


@dataclass(frozen=True, slots=True)
class StorageWish:
    """What a document of kind `adapter` with `driver: nvme` asks for.

    `settings`: first and last function of a range, and what these are to be; where ranges overlap the later one wins,
    setting by setting. `functions` None: as many as there are. `own_queues` and `own_interrupts`: how many flexible
    ones the primary is to have; None: what it has, as far as the functions leave it.
    """

    name: str
    pfs: tuple[Selector, ...]
    functions: int | None = None
    settings: tuple[tuple[int, int, StorageSettings], ...] = ()
    own_queues: int | None = None
    own_interrupts: int | None = None

    def own(self, resource: Resource) -> int | None:
        """How many flexible resources of a kind the primary is to have."""
        return self.own_queues if resource is Resource.QUEUES else self.own_interrupts

    def setting(self, number: int) -> StorageSettings:
        """What is said of one function, of all ranges that it is in."""
        said: dict[str, object] = {}
        for first, last, settings in self.settings:
            if first <= number <= last:
                found = {name: getattr(settings, name) for name in StorageSettings.__slots__}
                said.update({name: value for name, value in found.items() if value is not None})
        return StorageSettings(**said)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class FunctionGoal:
    """What one function is to be, with nothing left open. It is online if it has queues.

    `namespaces` None: they stay as they are.
    """

    number: int
    queues: int = 0
    interrupts: int = 0
    namespaces: tuple[int, ...] | None = None
    driver: str = ""

    def has(self, resource: Resource) -> int:
        """How many flexible resources of a kind it is to have."""
        return self.queues if resource is Resource.QUEUES else self.interrupts


@dataclass(frozen=True, slots=True)
class StorageGoal:
    """What one adapter is to be: how many functions, what each is, and what the primary keeps.

    `autoprobe`: whether the kernel is to bind new functions by itself when all is done.
    """

    count: int
    own_queues: int
    own_interrupts: int
    autoprobe: bool
    functions: tuple[FunctionGoal, ...] = ()

    def own(self, resource: Resource) -> int:
        """How many flexible resources of a kind the primary is to have."""
        return self.own_queues if resource is Resource.QUEUES else self.own_interrupts
