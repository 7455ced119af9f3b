# SPDX-License-Identifier: Apache-2.0
"""All that stands against what is asked of an NVMe adapter, with the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from openfex.errors import Problem
from openfex.model.functions import ALL_FUNCTIONS
from openfex.model.storage import (
    FEWEST_INTERRUPTS,
    FEWEST_QUEUES,
    Namespace,
    Resource,
    StorageAdapter,
    StorageFunction,
    StorageSettings,
    StorageWish,
)
from openfex.model.wording import many

FEWEST = {Resource.QUEUES: FEWEST_QUEUES, Resource.INTERRUPTS: FEWEST_INTERRUPTS}


@dataclass(frozen=True, slots=True)
class Bench:
    """A wish beside the adapter; `said` is what the wish says of each function it asks for."""

    wish: StorageWish
    found: StorageAdapter
    said: Mapping[int, StorageSettings]

    def asked(self, resource: Resource) -> dict[int, int | None]:
        """How many of a resource each function asks for; None: it does not say."""
        queues = resource is Resource.QUEUES
        return {number: one.queues if queues else one.interrupts for number, one in self.said.items()}

    def available(self, resource: Resource) -> int:
        """What the functions may have between them: the primary lets go of its own unless it is to keep it."""
        return max(0, self.found.share(resource).flexible - (self.wish.own(resource) or 0))

    def problem(self, code: str, message: str, remedy: str, path: str = "functions") -> Problem:
        """A problem; `path` is a key, or `settings.N` for what is said of function N."""
        subject = f"adapter {self.wish.name} ({self.found.address})"
        return Problem(code, subject, message, remedy, path=path)


def limit(found: StorageAdapter) -> int:
    """How many functions an adapter can have: PCI says how many VFs, the controller how many secondaries."""
    return min(found.total, len(found.functions))


def check_count(bench: Bench) -> Iterator[Problem]:
    """Whether there can be so many functions, and whether there are those that settings are for."""
    most, count = limit(bench.found), len(bench.said)
    if count > most:
        message = f"{many(count, 'storage function')}, and it can have {most}"
        yield bench.problem("too-many-functions", message, f"carve at most {most}")
    for first, last, _ in bench.wish.settings:
        if last >= count and (first, last) != ALL_FUNCTIONS:
            message = f"settings for functions {first} to {last}, and {many(count, 'function')} from 0 on"
            yield bench.problem("unknown-function", message, "carve more, or end the range sooner", f"settings.{last}")


def check_each(bench: Bench, resource: Resource) -> Iterator[Problem]:
    """Whether each function asks for what one function can have."""
    share, what = bench.found.share(resource), resource.value
    for number, wanted in bench.asked(resource).items():
        path = f"settings.{number}"
        if wanted is None:
            continue
        if wanted < FEWEST[resource]:
            message = f"function {number} with {wanted} {what} could not work"
            yield bench.problem("storage-share-too-small", message, f"give it at least {FEWEST[resource]} {what}", path)
        elif wanted > share.most:
            message = f"function {number} asks for {wanted} {what}, and one function can have {share.most}"
            yield bench.problem("storage-share-too-large", message, f"ask for at most {share.most}", path)
        elif share.floor(wanted) != wanted:
            message = f"function {number} asks for {wanted} {what}, which come in steps of {share.step}"
            remedy = f"ask for {share.floor(wanted)} or {share.floor(wanted) + share.step}"
            yield bench.problem("storage-share-step", message, remedy, path)


def check_sum(bench: Bench, resource: Resource) -> Iterator[Problem]:
    """Whether there is enough for all, those that have not said how much getting no less than they need."""
    share, what, asked = bench.found.share(resource), resource.value, bench.asked(resource)
    step = max(1, share.step)
    fewest = -(-FEWEST[resource] // step) * step
    available, kept = bench.available(resource), bench.wish.own(resource)
    needed = sum(fewest if wanted is None else wanted for wanted in asked.values())
    if needed > available or (None in asked.values() and share.most < fewest):
        own = f" beside the {kept} that the primary keeps" if kept else ""
        message = f"{many(len(asked), 'function')} need {needed} {what}, and there are {available} to share out{own}"
        remedy = f"give them fewer {what}, or carve at most {min(available // fewest, limit(bench.found))} functions"
        yield bench.problem("storage-overcommitted", message, remedy)
    elif kept is not None and kept > share.flexible:
        message = f"the primary is to keep {kept} {what}, and {share.flexible} can be shared out"
        yield bench.problem("storage-overcommitted", message, f"let it keep at most {share.flexible}", "keep")


def check_namespaces(bench: Bench) -> Iterator[Problem]:
    """Whether each namespace is there, and free to be attached to those that ask for it."""
    known = {one.nsid: one for one in bench.found.namespaces}
    holders: dict[int, list[int]] = {}
    for number, said in bench.said.items():
        for nsid in said.namespaces or ():
            holders.setdefault(nsid, []).append(number)
    for nsid, numbers in holders.items():
        if nsid not in known:
            there = ", ".join(str(one) for one in known) or "none"
            message = f"function {numbers[0]} asks for namespace {nsid}, and the subsystem has: {there}"
            remedy = "name one of them, or make it first"
            yield bench.problem("no-such-namespace", message, remedy, f"settings.{numbers[0]}")
        elif not known[nsid].shared:
            yield from _check_private(bench, known[nsid], numbers)


def _check_private(bench: Bench, namespace: Namespace, numbers: Sequence[int]) -> Iterator[Problem]:
    """A namespace that is not shared has one controller; we take it from our own functions, and from nobody else."""
    path = f"settings.{numbers[-1]}"
    if len(numbers) > 1:
        who = " and ".join(str(number) for number in numbers)
        message = f"namespace {namespace.nsid} is private, and functions {who} ask for it"
        yield bench.problem("namespace-private", message, "give it to one of them", path)
        return
    for holder in namespace.controllers:
        function = next((one for one in bench.found.functions if one.controller == holder), None)
        if function is None or not _lets_go(bench, function, numbers[0]):
            who = f"function {function.number}" if function else f"controller {holder}"
            message = f"namespace {namespace.nsid} is private, and {who} has it"
            yield bench.problem("namespace-taken", message, "detach it there first", path)


def _lets_go(bench: Bench, function: StorageFunction, number: int) -> bool:
    """Whether what is asked takes a namespace from the function that has it, or leaves it where it is wanted."""
    said = bench.said.get(function.number)
    going = said is None and bool(function.address)
    return function.number == number or going or (said is not None and said.namespaces is not None)
