# SPDX-License-Identifier: Apache-2.0
"""From what an NVMe adapter is to what it is to be: the steps, in an order that controllers and the kernel accept.

Down: take the driver, detach namespaces, put offline (which takes all flexible resources), no functions any more. Then
the primary's own share, which holds from its next reset on; the functions anew; and up: interrupts, queues, online,
namespaces, driver. A step is left out where its work is done already, so a second run has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from openfex.model.storage import FunctionGoal, Resource, StorageAdapter, StorageFunction, StorageGoal


class Verb(Enum):
    """What a step does; the value is how it reads."""

    UNBIND = "take the driver of function {function} ({driver})"
    DETACH = "detach namespace {number} from function {function}"
    OFFLINE = "put function {function} offline"
    COUNT = "carve {number} functions"
    OWN = "let the primary keep {number} flexible {resource}"
    RESET = "reset the primary"
    AUTOPROBE = "let the kernel bind new functions by itself: {number}"
    ASSIGN = "give function {function} {number} {resource}"
    ONLINE = "put function {function} online"
    ATTACH = "attach namespace {number} to function {function}"
    BIND = "bind function {function} to {driver}"


@dataclass(frozen=True, slots=True)
class StorageStep:
    """One step; what a verb has no use for is empty. `controller` is that of the function."""

    verb: Verb
    function: int = -1
    controller: int = -1
    number: int = 0
    resource: Resource = Resource.QUEUES
    driver: str = ""

    @property
    def disturbs(self) -> tuple[str, ...]:
        """What stops working by it, for a moment or for good."""
        if self.verb in {Verb.UNBIND, Verb.DETACH}:
            return (f"function {self.function}",)
        return ("the PF's own disks, for a moment",) if self.verb is Verb.RESET else ()

    def __str__(self) -> str:
        return self.verb.value.format(
            function=self.function, number=self.number, resource=self.resource.value, driver=self.driver
        )


def steps(goal: StorageGoal, found: StorageAdapter) -> list[StorageStep]:
    """What is to be done, in order; nothing if the adapter is what it is to be."""
    goals = {one.number: one for one in goal.functions}
    own = [resource for resource in Resource if goal.own(resource) != found.share(resource).own]
    anew = goal.count != found.count or bool(own)
    down = [one for one in found.carved if anew or _differs(one, goals.get(one.number))]
    rebound = [one for one in found.carved if _changes_hands(one, goals.get(one.number))]
    done: list[StorageStep] = []
    done += [_of(one, Verb.UNBIND, driver=one.driver) for one in found.carved if one.driver and one in down + rebound]
    for one in found.functions:
        done += _detachments(one, goals.get(one.number))
    done += [_of(one, Verb.OFFLINE) for one in down if one.online or one.queues or one.interrupts]
    probing = found.autoprobe
    if anew:
        done += _recount(goal, found, own)
        probing = probing and not goal.count
    if probing != goal.autoprobe:
        done.append(StorageStep(Verb.AUTOPROBE, number=int(goal.autoprobe)))
    fresh = {one.number for one in (found.functions if anew else down)}
    carved = [one for one in found.functions if one.number < goal.count and one.number in goals]
    for one in carved:
        done += _raise(one, goals[one.number], fresh=one.number in fresh)
    for one in found.functions:
        done += _attachments(one, goals.get(one.number))
    for one in carved:
        wanted = goals[one.number].driver
        if wanted and (one.number in fresh or one.driver != wanted):
            done.append(_of(one, Verb.BIND, driver=wanted))
    return done


def _differs(one: StorageFunction, goal: FunctionGoal | None) -> bool:
    """Whether a function must be taken down to become what it is to be; namespaces come and go without that."""
    if goal is None:
        return False
    shares = (one.queues, one.interrupts) != (goal.queues, goal.interrupts)
    return shares or one.online != bool(goal.queues)


def _changes_hands(one: StorageFunction, goal: FunctionGoal | None) -> bool:
    return goal is not None and bool(one.driver) and one.driver != goal.driver


def _of(one: StorageFunction, verb: Verb, *, number: int = 0, driver: str = "") -> StorageStep:
    return StorageStep(verb, one.number, one.controller, number, driver=driver)


def _detachments(one: StorageFunction, goal: FunctionGoal | None) -> Iterator[StorageStep]:
    if goal is not None and goal.namespaces is not None:
        for nsid in sorted(set(one.namespaces) - set(goal.namespaces)):
            yield _of(one, Verb.DETACH, number=nsid)


def _attachments(one: StorageFunction, goal: FunctionGoal | None) -> Iterator[StorageStep]:
    if goal is not None and goal.namespaces is not None:
        for nsid in sorted(set(goal.namespaces) - set(one.namespaces)):
            yield _of(one, Verb.ATTACH, number=nsid)


def _recount(goal: StorageGoal, found: StorageAdapter, own: list[Resource]) -> Iterator[StorageStep]:
    """Another number of functions goes through none (sriov_numvfs), and a primary's reset takes them down as well.

    They are not bound by the kernel when they appear: the driver would wait for a controller that is offline, in vain.
    """
    if found.count:
        yield StorageStep(Verb.COUNT)
    for resource in reversed(own):
        yield StorageStep(Verb.OWN, number=goal.own(resource), resource=resource)
    if own:
        yield StorageStep(Verb.RESET)
    if goal.count:
        if found.autoprobe:
            yield StorageStep(Verb.AUTOPROBE, number=0)
        yield StorageStep(Verb.COUNT, number=goal.count)


def _raise(one: StorageFunction, goal: FunctionGoal, *, fresh: bool) -> Iterator[StorageStep]:
    """Interrupts before queues, as QEMU's and nvme-cli's documentation have it."""
    if not goal.queues:
        return
    for resource in (Resource.INTERRUPTS, Resource.QUEUES):
        if fresh or one.has(resource) != goal.has(resource):
            yield StorageStep(Verb.ASSIGN, one.number, one.controller, goal.has(resource), resource)
    if fresh or not one.online:
        yield _of(one, Verb.ONLINE)
