# SPDX-License-Identifier: Apache-2.0
"""An NVMe adapter: its storage functions are carved, given queues and namespaces, and handed out, or taken back.

Everything is read from the controller and from sysfs, so a later process finds what an earlier one has left undone.
A change is verified by reading it back; where it fails, or is interrupted, the adapter is put back as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from openfex.adapter.nvme_reading import Doors, disks, observe
from openfex.adapter.nvme_steps import perform
from openfex.errors import OpenfexError, RefusedError, VerificationError
from openfex.model.storage import StorageAdapter, StorageGoal, StorageWish
from openfex.plan.storage import goal_of, settle
from openfex.plan.storage_steps import StorageStep, Verb, steps, victims


ROUNDS = 3
"""A controller may change by itself what was planned: QEMU's gives itself shared namespaces when it is enabled."""


def _silent(step: StorageStep) -> None:
    """Progress for nobody."""


def plan(doors: Doors, address: str, wish: StorageWish) -> list[StorageStep]:
    """What `apply` would do. Raises DocumentError with all that is against it."""
    found = observe(doors, address)
    return steps(settle(wish, found), found)


def apply(
    doors: Doors,
    address: str,
    wish: StorageWish,
    *,
    force: bool = False,
    say: Callable[[StorageStep], None] = _silent,
) -> list[StorageStep]:
    """Make an adapter what is asked for; gives the steps that were done.

    Raises DocumentError for what cannot be, RefusedError (`functions-in-use`) where functions that somebody has would
    have to go, unless `force`, and VerificationError if it reads back different.
    """
    found = observe(doors, address)
    return bring(doors, found, settle(wish, found), force=force, say=say)


def restore(
    doors: Doors,
    before: StorageAdapter,
    *,
    force: bool = False,
    say: Callable[[StorageStep], None] = _silent,
) -> list[StorageStep]:
    """Make an adapter what it was when it was observed; errors as for `apply`."""
    return bring(doors, observe(doors, before.address), goal_of(before), force=force, say=say)


def bring(
    doors: Doors,
    found: StorageAdapter,
    goal: StorageGoal,
    *,
    force: bool = False,
    say: Callable[[StorageStep], None] = _silent,
) -> list[StorageStep]:
    """Bring an adapter from what it is to a goal, or leave it as it was; errors as for `apply`."""
    left = steps(goal, found)
    if not force:
        _refuse_to_disturb(doors, goal, found, left)
    done: list[StorageStep] = []
    try:
        for _ in range(ROUNDS):
            for step in left:
                say(step)
                perform(doors, found.address, step)
                done.append(step)
            left = steps(goal, observe(doors, found.address))
            if not left:
                return done
        message = f"adapter {found.address} reads back different; still to do: {left[0]}"
        raise VerificationError(message, code="not-verified")
    except BaseException:
        _put_back(doors, found)
        raise


def _refuse_to_disturb(doors: Doors, goal: StorageGoal, found: StorageAdapter, done: Sequence[StorageStep]) -> None:
    """Functions that somebody has stay, unless something else is asked of themselves; and disks that are mounted do."""
    remedy = "take them from their users first, or use --force"
    if disturbed := victims(goal, found):
        who = ", ".join(f"function {one.number} ({one.driver})" for one in disturbed)
        message = f"adapter {found.address}: this would take away {who}"
        raise RefusedError(message, code="functions-in-use", remedy=remedy)
    for number, there in disks(doors, found.address).items():
        mine = [step for step in done if step.function == number]
        gone = {step.number for step in mine if step.verb is Verb.DETACH}
        whole = any(step.verb is Verb.UNBIND for step in mine)
        for disk in there:
            if (whole or disk.nsid in gone) and doors.controllers.in_use(disk):
                message = f"adapter {found.address}: disk {disk.name} of function {number} is in use"
                raise RefusedError(message, code="disk-in-use", remedy=remedy)


def _put_back(doors: Doors, before: StorageAdapter) -> None:
    """As far as it goes: what stopped the change is what is told."""
    try:
        for step in steps(goal_of(before), observe(doors, before.address)):
            perform(doors, before.address, step)
    except OpenfexError:
        return
