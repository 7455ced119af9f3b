# SPDX-License-Identifier: Apache-2.0
"""An NVMe adapter: its storage functions are carved, given queues and namespaces, and handed out, or taken back.

Everything is read from the controller and from sysfs, so a later process finds what an earlier one has left undone.
What an adapter was is in the journal before it is changed. A change is verified by reading it back; where it fails, or
is interrupted, the adapter is put back as it was before that change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from openfex.adapter.nvme_journal import Journal
from openfex.adapter.nvme_reading import Doors, observe, users
from openfex.adapter.nvme_steps import perform
from openfex.errors import NotFoundError, OpenfexError, Problem, RefusedError, VerificationError
from openfex.linux.signals import undisturbed
from openfex.model.storage import StorageAdapter, StorageGoal, StorageWish
from openfex.plan.storage import goal_of, settle
from openfex.plan.storage_steps import StorageStep, Verb, steps

IN_USE = "function-in-use"
ROUNDS = 3
"""A controller may change by itself what was planned: QEMU's gives itself shared namespaces when it is enabled."""


def _silent(step: StorageStep) -> None:
    """Progress for nobody."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where adapters are changed: the doors to them, the journal, and who is told of each step before it is taken."""

    doors: Doors = field(default_factory=Doors)
    journal: Journal = field(default_factory=Journal)
    say: Callable[[StorageStep], None] = _silent


def plan(place: Workplace, address: str, wish: StorageWish) -> list[StorageStep]:
    """What `apply` would do. Raises DocumentError with all that is against it."""
    found = observe(place.doors, address)
    return steps(_goal(wish, found, place.journal.read(address)), found)


def objections(place: Workplace, address: str, wish: StorageWish) -> list[Problem]:
    """Why `apply` would refuse what is in the plan. Of those with the code `function-in-use` it would not by force."""
    found, record = observe(place.doors, address), place.journal.read(address)
    return list(_objections(place.doors, _goal(wish, found, record), found, record))


def apply(place: Workplace, address: str, wish: StorageWish, *, force: bool = False) -> list[StorageStep]:
    """Make an adapter what is asked for; gives the steps that were done.

    Raises DocumentError for what cannot be, RefusedError where others made the functions there are
    (`not-ours`), or where functions or disks that somebody uses would have to go, unless `force`
    (`function-in-use`), and VerificationError if it reads back different.
    """
    with place.journal.locked():
        found, record = observe(place.doors, address), place.journal.read(address)
        goal = _goal(wish, found, record)
        if not steps(goal, found):
            return []
        _refuse(_objections(place.doors, goal, found, record), force=force)
        if record is None:
            place.journal.write(found)
        try:
            return _bring(place, found, goal)
        except BaseException:
            if record is None and _is_still(place.doors, found):
                place.journal.remove(address)
            raise


def adopt(place: Workplace, address: str) -> bool:
    """Take over an adapter as it is: nothing is changed, and release gives it back so. False if it is ours already."""
    with place.journal.locked():
        if place.journal.read(address) is not None:
            return False
        place.journal.write(observe(place.doors, address))
        return True


def release(place: Workplace, address: str, *, force: bool = False) -> list[StorageStep]:
    """Make an adapter what it was before our first change, and forget it. Raises NotFoundError, else as `apply`."""
    with place.journal.locked():
        record = place.journal.read(address)
        if record is None:
            raise NotFoundError(f"adapter {address} was not changed by us", code="nothing-to-release")
        found, goal = observe(place.doors, address), goal_of(record)
        _refuse(_objections(place.doors, goal, found, record), force=force)
        done = _bring(place, found, goal)
        place.journal.remove(address)
        return done


def _goal(wish: StorageWish, found: StorageAdapter, record: StorageAdapter | None) -> StorageGoal:
    """Autoprobe is to be what it was, though a run that was killed has left it off."""
    goal = settle(wish, found)
    return goal if record is None else replace(goal, autoprobe=record.autoprobe)


def _bring(place: Workplace, found: StorageAdapter, goal: StorageGoal) -> list[StorageStep]:
    done: list[StorageStep] = []
    left = steps(goal, found)
    try:
        for _ in range(ROUNDS):
            for step in left:
                place.say(step)
                perform(place.doors, found.address, step)
                done.append(step)
            left = steps(goal, observe(place.doors, found.address))
            if not left:
                return done
        message = f"adapter {found.address} reads back different; still to do: {left[0]}"
        raise VerificationError(message, code="not-verified")
    except BaseException:
        with undisturbed():
            _put_back(place.doors, found)
        raise


def _objections(
    doors: Doors, goal: StorageGoal, found: StorageAdapter, record: StorageAdapter | None
) -> Iterator[Problem]:
    """Why what could be done is not: the functions are somebody else's, or somebody uses what would go."""
    subject, left = f"adapter {found.address}", steps(goal, found)
    if record is None and found.count and left:
        message = f"{found.address} has {found.count} functions that others have made"
        yield Problem("not-ours", subject, message, f"`fex adopt {found.address}` takes them over", path="pfs")
    unbound = {step.function for step in left if step.verb is Verb.UNBIND}
    detached = {(step.function, step.number) for step in left if step.verb is Verb.DETACH}
    for number, nsid, who in users(doors, found.address) if unbound or detached else ():
        if number in unbound or (number, nsid) in detached:
            message = f"function {number} of {found.address} would be taken away ({who})"
            remedy = "take it from its user first, or use --force"
            yield Problem(IN_USE, subject, message, remedy, path=f"settings.{number}")


def _refuse(objections: Iterable[Problem], *, force: bool) -> None:
    for one in objections:
        if not (force and one.code == IN_USE):
            raise RefusedError(one.message, code=one.code, remedy=one.remedy)


def _put_back(doors: Doors, before: StorageAdapter) -> None:
    """As far as it goes: what stopped the change is what is told, and the journal has what it was."""
    try:
        for step in steps(goal_of(before), observe(doors, before.address)):
            perform(doors, before.address, step)
    except OpenfexError:
        return


def _is_still(doors: Doors, before: StorageAdapter) -> bool:
    try:
        return observe(doors, before.address) == before
    except OpenfexError:
        return False
