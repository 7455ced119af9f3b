# SPDX-License-Identifier: Apache-2.0
"""What is asked of an NVMe adapter beside what it has: a goal with nothing left open, or all that is against it."""

from __future__ import annotations

from collections.abc import Mapping

from openfex.errors import DocumentError
from openfex.model.functions import FunctionDriver
from openfex.model.storage import FunctionGoal, Resource, StorageAdapter, StorageGoal, StorageWish
from openfex.plan.storage_checks import Bench, check_count, check_each, check_namespaces, check_sum

DRIVERS = {FunctionDriver.DEVICE: "nvme", FunctionDriver.VFIO: "vfio-pci", FunctionDriver.NONE: ""}
"""Whom a function is bound to, by the word in documents."""
Shared = dict[int, int]
"""How many resources of one kind each function is to have, by its number."""


def settle(wish: StorageWish, found: StorageAdapter) -> StorageGoal:
    """The goal. Raises DocumentError with every problem there is."""
    count = found.count if wish.functions is None else wish.functions
    bench = Bench(wish, found, {number: wish.setting(number) for number in range(count)})
    problems = [*check_count(bench), *check_namespaces(bench)]
    shares: dict[Resource, Shared] = {}
    for resource in Resource:
        refused = [*check_each(bench, resource), *check_sum(bench, resource)]
        problems += refused
        shares[resource] = {} if refused else _share_out(bench, resource)
    if problems:
        raise DocumentError(problems)
    functions = tuple(_function(bench, number, shares) for number in range(count))
    gone = tuple(FunctionGoal(one.number, namespaces=()) for one in found.carved if one.number >= count)
    queues, interrupts = (_own(bench, resource, shares[resource]) for resource in Resource)
    return StorageGoal(count, queues, interrupts, found.autoprobe, functions + gone)


def goal_of(before: StorageAdapter) -> StorageGoal:
    """The way back: an adapter is to be what it was."""
    functions = tuple(
        FunctionGoal(one.number, one.queues, one.interrupts, one.namespaces, one.driver) for one in before.functions
    )
    return StorageGoal(before.count, before.queues.own, before.interrupts.own, before.autoprobe, functions)


def _function(bench: Bench, number: int, shares: Mapping[Resource, Shared]) -> FunctionGoal:
    said = bench.said[number]
    driver = DRIVERS[said.driver or FunctionDriver.DEVICE]
    now = next((one for one in bench.found.carved if one.number == number), None)
    if said.driver is None and now is not None and now.driver:
        driver = now.driver
    queues, interrupts = (shares[resource][number] for resource in Resource)
    return FunctionGoal(number, queues, interrupts, said.namespaces, driver)


def _share_out(bench: Bench, resource: Resource) -> Shared:
    """Whoever has not said how much gets an equal share of what the others leave."""
    share, asked = bench.found.share(resource), bench.asked(resource)
    silent = [number for number, wanted in asked.items() if wanted is None]
    equal = 0
    if silent:
        left = bench.available(resource) - sum(wanted or 0 for wanted in asked.values())
        equal = share.floor(min(share.most, left // len(silent)))
    return {number: equal if wanted is None else wanted for number, wanted in asked.items()}


def _own(bench: Bench, resource: Resource, given: Shared) -> int:
    """What the primary has stays, as far as there is room beside the functions."""
    share, wanted = bench.found.share(resource), bench.wish.own(resource)
    return min(share.own, share.floor(share.flexible - sum(given.values()))) if wanted is None else wanted
