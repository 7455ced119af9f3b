# SPDX-License-Identifier: Apache-2.0
"""Changes of this machine's real adapters: apply, release, adopt, and clearing up.

Each reads as promise P6: validate, read, plan, journal, apply, read back, and either all is as wanted or it is put
back. Whatever ends the process: the journal is ahead of the kernel by what was about to be done, so the next run sees
what is left to do, and a release what there was before us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from openfex.adapter.host import Host
from openfex.adapter.journal import Journal
from openfex.adapter.worker import Progress, perform
from openfex.errors import NotFoundError, OpenfexError, RefusedError, VerificationError
from openfex.linux.signals import undisturbed
from openfex.model.adapters import Owner, RealAdapter
from openfex.model.functions import AdapterWish
from openfex.model.quirks import quirks_of
from openfex.model.wording import choose, many
from openfex.plan.functions import FunctionPlan, disturbed, plan_functions, refuse
from openfex.plan.records import Pending, Record, noted, settled, target_of
from openfex.plan.steps import Carve, Step, Target, steps

PATIENCE_S = 10.0
MOST_PASSES = 3
"""One does it; the second is for what a driver had set in fresh functions otherwise than most do."""


def silent(done: int, total: int, what: object) -> None:
    """Progress for nobody."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done: the steps, and the records of the adapters that were changed, by their addresses."""

    steps: tuple[Step, ...]
    records: Mapping[str, Record]


@dataclass(frozen=True, slots=True)
class _Aim:
    """One adapter, what it is to be, and what is done for it."""

    adapter: RealAdapter
    target: Target
    steps: tuple[Step, ...]


def plan(host: Host, journal: Journal, wishes: Sequence[AdapterWish], *, force: bool = False) -> FunctionPlan:
    """What `apply` would do, or why it would not."""
    return plan_functions(host.observe(), wishes, journal.read(), force=force)


def whole(host: Host, records: Mapping[str, Record]) -> tuple[RealAdapter, ...]:
    """All adapters, when what a killed run has set off is there: functions come late, and their devices later still."""

    def holds() -> bool:
        return not any(_is_partial(one, records.get(one.address)) for one in host.observe())

    host.wait(holds, PATIENCE_S)
    return host.observe()


def _is_partial(adapter: RealAdapter, record: Record | None) -> bool:
    if adapter.count != len(adapter.functions):
        return True
    if record is None or record.pending is None:
        return False
    dark = adapter.net is not None and adapter.net.up and not adapter.net.carrier
    waits = dark and quirks_of(adapter.driver).rate_needs_link  # it was reset, and will soon have its link again
    return waits or any(one.owner is Owner.LOST for one in adapter.functions)


def apply(
    host: Host, journal: Journal, wishes: Sequence[AdapterWish], *, force: bool = False, progress: Progress = silent
) -> Outcome:
    """Make adapters what wishes say. Idempotent; put back whole if it fails. Raises RefusedError."""
    with journal.locked():
        records = journal.read()
        made = plan_functions(whole(host, records), wishes, records, force=force)
        refuse(made)
        aims: list[_Aim] = []
        kept: dict[str, Record] = {}
        for job in made.jobs:
            old = records.get(job.adapter.address, Record(job.adapter.address))
            same = old.pending is None and job.purposes.items() <= old.purposes.items()
            if not job.steps and (same or old.adapter not in records):
                continue
            new = noted(old, job.adapter, job.steps)
            if any(isinstance(step, Carve) for step in job.steps):  # forced: whoever had functions has none any more
                new = replace(new, gifts={})
            pending = Pending(job.target.autoprobe, job.target.drivers)
            kept[old.adapter] = replace(
                new, generation=old.generation + 1, pending=pending, purposes={**old.purposes, **job.purposes}
            )
            aims.append(_Aim(job.adapter, job.target, job.steps))
        outcome = _change(host, journal, aims, (records, kept), progress)
        journal.note_places(host.observe())
        return outcome


def _change(
    host: Host,
    journal: Journal,
    aims: Sequence[_Aim],
    records: tuple[Mapping[str, Record], Mapping[str, Record]],
    progress: Progress,
) -> Outcome:
    """Journal, perform, verify; `records` before and while."""
    before, kept = records
    try:
        for record in kept.values():
            journal.write(record)
        done = _reach(host, aims, progress)
    except BaseException as cause:
        with undisturbed():
            _put_back(host, journal, aims, before, cause)
        raise
    after = {aim.adapter.address: _one(host, aim.adapter.address) for aim in aims}
    ended = {address: settled(kept[address], adapter) for address, adapter in after.items()}
    for record in ended.values():
        if record.is_empty:
            journal.remove(record.adapter)
        else:
            journal.write(record)
    return Outcome(tuple(done), ended)


def _reach(host: Host, aims: Sequence[_Aim], progress: Progress) -> list[Step]:
    """Perform what is to be done until nothing is left. Raises VerificationError if something always is."""
    left = [(aim, aim.steps) for aim in aims]
    done: list[Step] = []
    for _ in range(MOST_PASSES):
        total = len(done) + sum(len(made) for _, made in left)
        for _, made in left:
            perform(host, made, progress, len(done), total)
            done += made
        left = [(aim, tuple(steps(_one(host, aim.adapter.address), aim.target))) for aim, _ in left]
        left = [(aim, made) for aim, made in left if made]
        if not left:
            return done
    words = "; ".join(str(step) for _, made in left for step in made[:3])
    raise VerificationError(f"read back different, still to be done: {words}")


def _put_back(
    host: Host, journal: Journal, aims: Sequence[_Aim], before: Mapping[str, Record], cause: BaseException
) -> None:
    """What adapters were when this run began, and then the records that there were; each for itself."""
    for aim in aims:
        try:
            run = noted(Record(aim.adapter.address), aim.adapter, aim.steps)
            now = _one(host, aim.adapter.address)
            drivers = {one.index: one.bound for one in aim.adapter.functions}
            target = replace(target_of(run, now), drivers=drivers, autoprobe=aim.adapter.autoprobe)
            _reach(host, [_Aim(now, target, tuple(steps(now, target)))], silent)
            old = before.get(aim.adapter.address)
            if old is None:
                journal.remove(aim.adapter.address)
            else:
                journal.write(old)
        except OpenfexError as second:
            cause.add_note(f"{aim.adapter.address} could not all be put back: {second}; `fex release` tries again")


def _one(host: Host, address: str) -> RealAdapter:
    found = host.observe(address)
    if not found:
        raise NotFoundError(f"adapter {address} has gone", code="adapter-gone", remedy="`fex gc` forgets it")
    return found[0]


def release(
    host: Host, journal: Journal, addresses: Sequence[str], *, force: bool = False, progress: Progress = silent
) -> Outcome:
    """Give adapters back as they were before us, and forget them. What is not ours any more is left alone."""
    with journal.locked():
        records = journal.read()
        wanted = [records[one] for one in dict.fromkeys(addresses) if one in records]
        whole(host, {one.adapter: one for one in wanted})
        aims = [_aim_back(_one(host, one.adapter), one) for one in wanted]
        if given := [f"{index} of {one.adapter}" for one in wanted for index in one.gifts]:
            remedy = "release these first"
            raise RefusedError(f"function {', '.join(given)} is given away", code="function-given", remedy=remedy)
        busy = [one for aim in aims for one in disturbed(aim.adapter, aim.steps, "release")]
        if not force:
            refuse(FunctionPlan(refusals=tuple(busy)))
        kept = {one.adapter: replace(one, pending=_end_of(aim.target)) for one, aim in zip(wanted, aims, strict=True)}
        outcome = _change(host, journal, aims, (records, kept), progress)
        for one in wanted:
            journal.remove(one.adapter)
        return replace(outcome, records={})


def _aim_back(adapter: RealAdapter, record: Record) -> _Aim:
    target = target_of(record, adapter)
    return _Aim(adapter, target, tuple(steps(adapter, target)))


def _end_of(target: Target) -> Pending:
    return Pending(target.autoprobe, target.drivers)


def adopt(host: Host, journal: Journal, address: str) -> Record:
    """Take an adapter over as it is: from now on it is ours to change, and nothing is changed by that."""
    with journal.locked():
        found = {one.address: one for one in host.observe()}
        if address not in found:
            remedy = choose(address, found, "PFs")
            raise NotFoundError(f"no PF here is {address}", code="no-such-pf", remedy=remedy)
        old = journal.read().get(address)
        if old is not None:
            return old
        record = Record(address, generation=1, adopted=True)
        journal.write(record)
        journal.note_places(list(found.values()))
        return record


def clear_up(host: Host, journal: Journal) -> list[str]:
    """Forget what is gone: adapters that are not here any more, and gifts of functions that are not. What it was."""
    with journal.locked():
        here = {one.address: one for one in host.observe()}
        removed: list[str] = []
        for address, record in journal.read().items():
            adapter = here.get(address)
            if adapter is None:
                journal.remove(address)
                removed.append(f"record of {address}, which is not here any more")
                continue
            gone = [index for index in record.gifts if adapter.function(index) is None]
            if gone:
                left = {index: gift for index, gift in record.gifts.items() if index not in gone}
                journal.write(replace(record, gifts=left))
                removed.append(f"gifts of {many(len(gone), 'function')} of {address} that are not there any more")
        journal.note_places(list(here.values()))
        return removed
