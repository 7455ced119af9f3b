# SPDX-License-Identifier: Apache-2.0
"""What is claimed of storage functions, claim by claim, on the machine that has the adapter: the twin of a proof.

One argument: the PF's PCI address. Prints one JSON object a line for each claim, `{name, ok, measured}`, and with them
what the adapter's media must hold. The adapter is left as it was found.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from openfex.adapter import nvme
from openfex.adapter.nvme import Workplace
from openfex.adapter.nvme_reading import disks, observe
from openfex.adapter.nvme_steps import perform
from openfex.errors import DocumentError, NotFoundError, OpenfexError
from openfex.linux.block import PIECE, read_direct, write_direct
from openfex.model.functions import FunctionDriver, Selector
from openfex.model.storage import Resource, StorageAdapter, StorageSettings, StorageWish
from openfex.plan.storage_steps import StorageStep, Verb

FUNCTIONS = 4
FIRST_NAMESPACE = 2
"""Of the private ones, of which each function gets one."""
LARGE, SMALL = 64, 4
"""So many MiB are written to the first function's disk, and to each other one's."""
GREEDY = 3
"""Queues for each function, of which there are not enough."""


@dataclass
class Trial:
    """An adapter, as it was before, and what has been written to it."""

    place: Workplace
    address: str
    before: StorageAdapter
    digests: dict[int, tuple[int, str]] = field(default_factory=dict)
    """By namespace: how many octets, and their SHA-256."""

    @property
    def wish(self) -> StorageWish:
        """A private namespace for each function, and a fair share."""
        each = (
            (number, number, StorageSettings(namespaces=(FIRST_NAMESPACE + number,))) for number in range(FUNCTIONS)
        )
        return StorageWish("ssd0", (Selector(address=self.address),), FUNCTIONS, tuple(each))

    def disk(self, number: int) -> str:
        """The device of the private namespace of a function."""
        for one in disks(self.place.doors, self.address).get(number, ()):
            if one.nsid == FIRST_NAMESPACE + number:
                return f"/dev/{one.name}"
        raise NotFoundError(f"the host has no disk of function {number}", code="no-such-disk")


def online(trial: Trial) -> tuple[bool, str]:
    """All functions online, with a share each, a namespace attached and a block device on the host; twice is once."""
    start = time.monotonic()
    steps = nvme.apply(trial.place, trial.address, trial.wish)
    took = time.monotonic() - start
    again = nvme.apply(trial.place, trial.address, trial.wish)
    found = observe(trial.place.doors, trial.address)
    up = [one for one in found.carved if one.online and one.driver == "nvme"]
    shares = sorted({f"{one.queues} queues and {one.interrupts} interrupts" for one in up})
    names = ", ".join(trial.disk(number) for number in range(FUNCTIONS))
    measured = f"{len(up)} of {FUNCTIONS} functions online with {', '.join(shares)} each, in {took:.1f} s: {names}"
    return len(up) == FUNCTIONS and bool(steps) and not again, measured


def data(trial: Trial) -> tuple[bool, str]:
    """What is written to a function's disk is read back from it, and no other function's disk has changed by it."""
    start = time.monotonic()
    for number in range(FUNCTIONS):
        octets = (LARGE if number == 0 else SMALL) * PIECE
        digest = hashlib.sha256()
        write_direct(trial.disk(number), _random(number, octets, digest.update))
        trial.digests[FIRST_NAMESPACE + number] = octets, digest.hexdigest()
    same = 0
    for number in range(FUNCTIONS):
        octets, written = trial.digests[FIRST_NAMESPACE + number]
        digest = hashlib.sha256()
        for piece in read_direct(trial.disk(number), octets):
            digest.update(piece)
        same += digest.hexdigest() == written
    sizes = f"{LARGE} MiB to function 0 and {SMALL} MiB to each other one"
    measured = f"{sizes}, read back past the cache in {time.monotonic() - start:.1f} s: {same} of {FUNCTIONS} the same"
    return same == FUNCTIONS, measured


def _random(seed: int, octets: int, tell: Callable[[bytes], object]) -> Iterator[bytes]:
    chance = random.Random(seed)
    for _ in range(octets // PIECE):
        piece = chance.randbytes(PIECE)
        tell(piece)
        yield piece


def overcommit(trial: Trial) -> tuple[bool, str]:
    """More queues than there are: refused by the plan, with the numbers, and by the controller; nothing has changed."""
    before = observe(trial.place.doors, trial.address)
    greedy = replace(trial.wish, settings=((0, FUNCTIONS - 1, StorageSettings(queues=GREEDY)),))
    planned = _refusal(lambda: nvme.apply(trial.place, trial.address, greedy))
    more = _refusal(lambda: nvme.apply(trial.place, trial.address, replace(trial.wish, functions=FUNCTIONS + 1)))
    left = before.share(Resource.QUEUES).free + 1
    too_many = StorageStep(Verb.OWN, number=left)
    controller = _refusal(lambda: perform(trial.place.doors, trial.address, too_many))
    same = observe(trial.place.doors, trial.address) == before
    code, message = planned[0]
    codes = [name for name, _ in (*planned, *more, *controller)]
    measured = f"{message}: {', '.join(codes)}; the adapter is {'as' if same else 'not as'} before"
    refused = code == controller[0][0] == "storage-overcommitted" and more[0][0] == "too-many-functions"
    return same and refused, measured


def _refusal(change: Callable[[], object]) -> list[tuple[str, str]]:
    """The codes and messages by which a change is refused."""
    try:
        change()
    except DocumentError as refused:
        return [(one.code, one.message) for one in refused.problems]
    except OpenfexError as refused:
        return [(refused.code, refused.message)]
    return [("not-refused", "it was not refused")]


def vfio(trial: Trial) -> tuple[bool, str]:
    """A function is left to vfio-pci, for a virtual machine to take; the disks of the others stay."""
    last = FUNCTIONS - 1
    given = (last, last, StorageSettings(driver=FunctionDriver.VFIO))
    steps = nvme.apply(trial.place, trial.address, replace(trial.wish, settings=(*trial.wish.settings, given)))
    place = observe(trial.place.doors, trial.address).functions[last]
    group = trial.place.doors.bus.function(place.address).iommu_group
    shown = sorted(disks(trial.place.doors, trial.address))
    measured = f"function {last} is {place.driver}'s, in IOMMU group {group}, after {len(steps)} steps"
    ok = place.driver == "vfio-pci" and bool(group) and place.online and shown == list(range(last))
    return ok, measured


def taken_back(trial: Trial) -> tuple[bool, str]:
    """Everything is taken back, and reads back as it was; not while somebody has a disk open."""
    with Path(trial.disk(0)).open("rb"):
        refused = _refusal(lambda: nvme.release(trial.place, trial.address))[0][0]
    steps = nvme.release(trial.place, trial.address)
    same = observe(trial.place.doors, trial.address) == trial.before
    measured = f"{refused} while a disk is open; then in {len(steps)} steps, and the adapter reads back"
    return same and refused == "function-in-use", f"{measured} {'the same' if same else 'different'}"


CLAIMS: dict[str, Callable[[Trial], tuple[bool, str]]] = {
    "functions-online": online,
    "written-and-read-back": data,
    "overcommit-refused": overcommit,
    "left-to-vfio": vfio,
    "taken-back": taken_back,
}


def main() -> None:
    """Try every claim, though one before it does not hold."""
    place, address = Workplace(), sys.argv[1]
    trial = Trial(place, address, observe(place.doors, address))
    for name, claim in CLAIMS.items():
        try:
            ok, measured = claim(trial)
        except OpenfexError as error:
            ok, measured = False, f"{error} [{error.code}]"
        print(json.dumps({"name": name, "ok": ok, "measured": measured}), flush=True)
    print(json.dumps({"digests": trial.digests}), flush=True)


if __name__ == "__main__":
    main()
