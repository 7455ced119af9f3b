# SPDX-License-Identifier: Apache-2.0
"""Which of this machine's NVMe adapters wishes are about, and what is shown of them: plain rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from openfex.adapter.nvme import Workplace
from openfex.adapter.nvme_reading import Doors, disks, observe
from openfex.errors import Problem, UnsupportedError
from openfex.linux.pci import PciFunction
from openfex.model.functions import Selector
from openfex.model.storage import StorageAdapter, StorageWish
from openfex.plan.storage_steps import StorageStep
from openfex.plan.wishes import words_of

NVME_CLASS = "010802"
Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Job:
    """A wish, and the PF of one adapter that it is about."""

    wish: StorageWish
    address: str


def pfs(doors: Doors) -> list[PciFunction]:
    """The physical functions of all NVMe adapters with SR-IOV, by address."""
    found = (doors.bus.function(address) for address in doors.bus.carvable())
    return [one for one in found if one.kind == NVME_CLASS]


def find_jobs(doors: Doors, wishes: Sequence[StorageWish]) -> tuple[list[Job], list[tuple[StorageWish, Problem]]]:
    """What is to be done, adapter by adapter, and what of the wishes fits none or another one's."""
    there = pfs(doors)
    jobs: dict[str, Job] = {}
    problems: list[tuple[StorageWish, Problem]] = []
    for wish in wishes:
        for selector in wish.pfs:
            meant = [one for one in there if _matches(doors, selector, one)]
            if not meant:
                names = ", ".join(one.address for one in there) or "none"
                message = f"no NVMe adapter with SR-IOV is {words_of(selector)}; there are: {names}"
                problems.append((wish, Problem("no-such-pf", wish.name, message, "name one of them", path="pfs")))
            for one in meant:
                first = jobs.setdefault(one.address, Job(wish, one.address))
                if first.wish is not wish:
                    message = f"adapter {one.address} is in {first.wish.name}, too"
                    problem = Problem("function-claimed-twice", wish.name, message, "take it out of one", path="pfs")
                    problems.append((wish, problem))
    return [jobs[address] for address in sorted(jobs)], problems


def _matches(doors: Doors, selector: Selector, one: PciFunction) -> bool:
    """Whether a PF has all that a selector says. Its name is that of its controller, `nvme0`."""
    there = (one.address, one.vendor, one.device, one.driver)
    asked = (selector.address, selector.vendor, selector.device, selector.driver)
    named = not selector.name or selector.name == doors.controllers.controller(one.address)
    return named and all(not word or word == found for word, found in zip(asked, there, strict=True))


def step_rows(address: str, made: Sequence[StorageStep]) -> list[Row]:
    """A row a step."""
    return [
        {
            "step": number,
            "adapter": address,
            "function": one.function if one.function >= 0 else None,
            "what": f"{address}: {one}",
            "disturbs": list(one.disturbs),
        }
        for number, one in enumerate(made, 1)
    ]


def storage_rows(place: Workplace) -> Iterator[Row]:
    """A row an adapter, and one each of its functions."""
    for pf in pfs(place.doors):
        try:
            found = observe(place.doors, pf.address)
        except UnsupportedError as cause:
            yield {**_row(pf.address, pf.address, pf.driver), "note": cause.message}
            continue
        ours = place.journal.read(pf.address) is not None
        yield from _rows(place.doors, found, pf.driver, ours=ours)


def _rows(doors: Doors, found: StorageAdapter, driver: str, *, ours: bool) -> Iterator[Row]:
    queues, interrupts = (
        f"{one.private + one.own}, {one.free} of {one.flexible} free" for one in (found.queues, found.interrupts)
    )
    managed = "ours" if ours else "by others" if found.count else "-"
    yield {
        **_row(found.address, found.address, driver),
        "state": f"{found.count} of {found.total} carved",
        "queues": queues,
        "interrupts": interrupts,
        "namespaces": [one.nsid for one in found.namespaces if found.controller in one.controllers],
        "disks": [one.name for one in doors.controllers.disks(doors.controllers.controller(found.address))],
        "note": managed,
    }
    shown = disks(doors, found.address)
    for one in found.carved:
        yield {
            **_row(one.address, found.address, one.driver),
            "number": one.number,
            "state": "online" if one.online else "offline",
            "queues": one.queues,
            "interrupts": one.interrupts,
            "namespaces": list(one.namespaces),
            "disks": [disk.name for disk in shown.get(one.number, ())],
        }


def _row(address: str, adapter: str, driver: str) -> Row:
    empty: Row = dict.fromkeys(("number", "state", "queues", "interrupts"))
    return {
        "address": address,
        "adapter": adapter,
        "driver": driver or None,
        **empty,
        "namespaces": [],
        "disks": [],
    } | {"note": ""}
