# SPDX-License-Identifier: Apache-2.0
"""What is asked of an NVMe adapter beside what it has: a goal with nothing left open, or all that is against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from openfex.errors import DocumentError, Problem
from openfex.model.functions import FunctionDriver
from openfex.model.storage import (
    FEWEST_INTERRUPTS,
    FEWEST_QUEUES,
    FunctionGoal,
    Resource,
    StorageAdapter,
    StorageFunction,
    StorageGoal,
    StorageSettings,
    StorageWish,
)
from openfex.model.wording import many

FEWEST = {Resource.QUEUES: FEWEST_QUEUES, Resource.INTERRUPTS: FEWEST_INTERRUPTS}
DRIVERS = {FunctionDriver.DEVICE: "nvme", FunctionDriver.VFIO: "vfio-pci", FunctionDriver.NONE: ""}
"""Whom a function is bound to, by the word in documents."""
Shared = dict[int, int]
"""How many resources of one kind each function is to have, by its number."""


def settle(wish: StorageWish, found: StorageAdapter) -> StorageGoal:
    """The goal. Raises DocumentError with every problem there is."""
    count = found.count if wish.functions is None else wish.functions
    settings = {number: wish.setting(number) for number in range(count)}
    problems = [*_check_count(wish, found, count), *_check_namespaces(wish, found, settings)]
    shares: dict[Resource, Shared] = {}
    for resource in Resource:
        asked = {number: _asked(one, resource) for number, one in settings.items()}
        refused = [*_check_each(wish, found, resource, asked), *_check_sum(wish, found, resource, asked)]
        problems += refused
        shares[resource] = {} if refused else _share_out(wish, found, resource, asked)
    if problems:
        raise DocumentError(problems)
    functions = tuple(_function(number, settings[number], shares, found) for number in range(count))
    gone = tuple(FunctionGoal(one.number, namespaces=()) for one in found.carved if one.number >= count)
    own = {resource: _own(wish, found, resource, shares[resource]) for resource in Resource}
    return StorageGoal(count, own[Resource.QUEUES], own[Resource.INTERRUPTS], found.autoprobe, functions + gone)


def goal_of(before: StorageAdapter) -> StorageGoal:
    """The way back: an adapter is to be what it was."""
    functions = tuple(
        FunctionGoal(one.number, one.queues, one.interrupts, one.namespaces, one.driver) for one in before.functions
    )
    return StorageGoal(before.count, before.queues.own, before.interrupts.own, before.autoprobe, functions)


def limit(found: StorageAdapter) -> int:
    """How many functions an adapter can have: PCI says how many VFs, the controller how many secondaries."""
    return min(found.total, len(found.functions))


def _function(
    number: int, said: StorageSettings, shares: Mapping[Resource, Shared], found: StorageAdapter
) -> FunctionGoal:
    driver = DRIVERS[said.driver or FunctionDriver.DEVICE]
    now = next((one for one in found.carved if one.number == number), None)
    if said.driver is None and now is not None and now.online:
        driver = now.driver
    queues, interrupts = (shares[resource][number] for resource in Resource)
    return FunctionGoal(number, queues, interrupts, said.namespaces, driver)


def _asked(said: StorageSettings, resource: Resource) -> int | None:
    return said.queues if resource is Resource.QUEUES else said.interrupts


def _available(wish: StorageWish, found: StorageAdapter, resource: Resource) -> int:
    """What the functions may have between them: the primary lets go of its own unless it is to keep them."""
    return max(0, found.share(resource).flexible - (wish.own(resource) or 0))


def _share_out(wish: StorageWish, found: StorageAdapter, resource: Resource, asked: Mapping[int, int | None]) -> Shared:
    silent = [number for number, wanted in asked.items() if wanted is None]
    share = found.share(resource)
    equal = 0
    if silent:
        left = _available(wish, found, resource) - sum(wanted or 0 for wanted in asked.values())
        equal = share.floor(min(share.most, left // len(silent)))
    return {number: equal if wanted is None else wanted for number, wanted in asked.items()}


def _own(wish: StorageWish, found: StorageAdapter, resource: Resource, given: Shared) -> int:
    """What the primary has stays, as far as there is room beside the functions."""
    share, wanted = found.share(resource), wish.own(resource)
    return min(share.own, share.floor(share.flexible - sum(given.values()))) if wanted is None else wanted


def _problem(wish: StorageWish, found: StorageAdapter, code: str, message: str, remedy: str) -> Problem:
    return Problem(code, f"adapter {wish.name} ({found.address})", message, remedy)


def _check_count(wish: StorageWish, found: StorageAdapter, count: int) -> Iterator[Problem]:
    most = limit(found)
    if count > most:
        message = f"{many(count, 'storage function')}, and it can have {most}"
        yield _problem(wish, found, "too-many-functions", message, f"carve at most {most}")
    for first, last, _ in wish.settings:
        if last >= count:
            message = f"settings for functions {first} to {last}, and {many(count, 'function')} from 0 on"
            yield _problem(wish, found, "unknown-function", message, "carve more, or end the range sooner")


def _check_each(
    wish: StorageWish, found: StorageAdapter, resource: Resource, asked: Mapping[int, int | None]
) -> Iterator[Problem]:
    share, what = found.share(resource), resource.value
    for number, wanted in asked.items():
        if wanted is None:
            continue
        if wanted < FEWEST[resource]:
            message = f"function {number} with {wanted} {what} could not work"
            yield _problem(wish, found, "storage-share-too-small", message, f"give it at least {FEWEST[resource]}")
        elif wanted > share.most:
            message = f"function {number} asks for {wanted} {what}, and one function can have {share.most}"
            yield _problem(wish, found, "storage-share-too-large", message, f"ask for at most {share.most}")
        elif share.floor(wanted) != wanted:
            message = f"function {number} asks for {wanted} {what}, which come in steps of {share.step}"
            remedy = f"ask for {share.floor(wanted)} or {share.floor(wanted) + share.step}"
            yield _problem(wish, found, "storage-share-step", message, remedy)


def _check_sum(
    wish: StorageWish, found: StorageAdapter, resource: Resource, asked: Mapping[int, int | None]
) -> Iterator[Problem]:
    """Whether there is enough for all, those that have not said how much getting no less than they need."""
    share, what = found.share(resource), resource.value
    step = max(1, share.step)
    fewest = -(-FEWEST[resource] // step) * step
    available = _available(wish, found, resource)
    needed = sum(fewest if wanted is None else wanted for wanted in asked.values())
    if needed > available or (None in asked.values() and share.most < fewest):
        kept = wish.own(resource)
        own = f" beside the {kept} that the primary keeps" if kept else ""
        message = f"{many(len(asked), 'function')} need {needed} {what}, and there are {available} to share out{own}"
        remedy = f"give them fewer {what}, or carve at most {available // fewest} functions"
        yield _problem(wish, found, "storage-overcommitted", message, remedy)
    elif (kept := wish.own(resource)) is not None and not 0 <= kept <= share.flexible:
        message = f"the primary is to keep {kept} {what}, and {share.flexible} can be shared out"
        yield _problem(wish, found, "storage-overcommitted", message, f"let it keep at most {share.flexible}")


def _check_namespaces(
    wish: StorageWish, found: StorageAdapter, settings: Mapping[int, StorageSettings]
) -> Iterator[Problem]:
    known = {one.nsid: one for one in found.namespaces}
    holders: dict[int, list[int]] = {}
    for number, said in settings.items():
        for nsid in said.namespaces or ():
            holders.setdefault(nsid, []).append(number)
    for nsid, numbers in holders.items():
        if nsid not in known:
            there = ", ".join(str(one) for one in known) or "none"
            message = f"function {numbers[0]} asks for namespace {nsid}, and the subsystem has: {there}"
            yield _problem(wish, found, "no-such-namespace", message, "name one of them, or make it first")
        elif not known[nsid].shared:
            yield from _check_private(wish, found, nsid, numbers, settings)


def _check_private(
    wish: StorageWish,
    found: StorageAdapter,
    nsid: int,
    numbers: list[int],
    settings: Mapping[int, StorageSettings],
) -> Iterator[Problem]:
    """A namespace that is not shared has one controller; we take it from our own functions, and from nobody else."""
    if len(numbers) > 1:
        who = " and ".join(str(number) for number in numbers)
        message = f"namespace {nsid} is private, and functions {who} ask for it"
        yield _problem(wish, found, "namespace-private", message, "give it to one of them")
        return
    for holder in next(one.controllers for one in found.namespaces if one.nsid == nsid):
        function = next((one for one in found.functions if one.controller == holder), None)
        if function is None or not _lets_go(function, numbers[0], settings):
            who = f"function {function.number}" if function else f"controller {holder}"
            message = f"namespace {nsid} is private, and {who} has it"
            yield _problem(wish, found, "namespace-taken", message, "detach it there first")


def _lets_go(function: StorageFunction, number: int, settings: Mapping[int, StorageSettings]) -> bool:
    """Whether what is asked takes a namespace from the function that has it, or leaves it where it is wanted."""
    said = settings.get(function.number)
    return function.number == number or (said is not None and said.namespaces is not None)
