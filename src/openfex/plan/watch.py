# SPDX-License-Identifier: Apache-2.0
"""Keeping adapters as their documents say: from what was known and what is seen now to what is told and repaired. Pure.

`decide` is asked after every event. It repairs only what disturbs nobody: more carefully than `fex apply`, which people
start, it spares functions whose device is up. An adapter is repaired again only after a while that doubles each time,
so that two who want different things of it, or a device that fails, do not keep it busy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from openfex.model.adapters import NetDevice, RealAdapter
from openfex.model.functions import AdapterWish, FunctionDriver
from openfex.model.wording import many
from openfex.plan.functions import FunctionPlan, Job
from openfex.plan.records import Pending, Record
from openfex.plan.refusals import Refusal
from openfex.plan.steps import Carve, Unbind
from openfex.plan.wishes import matches

GOOD, REMOVED = ("good",), ("removed",)
MOST_PAUSE_S = 60.0
FORGOTTEN_S = 120.0
"""An adapter that was left alone for so long is repaired at once again."""
WAITS_FOR_UP = frozenset({"pf-down", "rate-needs-link"})
PASSING = frozenset({"no-such-pf", "pf-without-driver", "no-hwmode"}) | WAITS_FOR_UP
"""Refusals that time may mend while a machine starts: devices are found, get their drivers and names, and carrier."""

Errors = tuple[int, int, int]
Driven = Mapping[str, frozenset[int]]
"""By adapter the numbers of the functions that had the driver of their device when they were last seen with any."""


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the log: `event` is what kind, `about` a PCI address or empty, `words` what it says to people."""

    event: str
    about: str
    words: str
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """How something was when it was last looked at: stable words, and the errors of PCIe that it had counted."""

    name: str
    words: tuple[str, ...]
    errors: Errors | None


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known from before. `members`: the adapters of each wish, by its name, when it was applied."""

    members: Mapping[str, frozenset[str]]
    health: Mapping[str, Health] = field(default_factory=dict)
    tries: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    """How often each adapter was repaired of late, and when it was the last time."""
    held: frozenset[str] = frozenset()
    """What has been told and still stands in the way."""
    driven: Driven = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done: tell, repair these adapters, look again by then. `whole`: all is as the documents say."""

    told: tuple[Told, ...]
    repair: tuple[str, ...]
    again_at: float | None
    status: str
    whole: bool


def members_of(wishes: Sequence[AdapterWish], adapters: Sequence[RealAdapter]) -> dict[str, frozenset[str]]:
    """The adapters of each wish."""
    found: dict[str, frozenset[str]] = {}
    for wish in wishes:
        here = {one.address for one in adapters if any(matches(selector, one) for selector in wish.pfs)}
        found[wish.name] = found.get(wish.name, frozenset()) | here
    return found


def is_passing(plan: FunctionPlan) -> bool:
    """Whether a plan is refused, and only for what time may mend."""
    found = plan.all_refusals
    return bool(found) and all(one.code in PASSING for one in found)


def to_be_raised(plan: FunctionPlan) -> list[NetDevice]:
    """The PFs that are down and have to be up for what is asked for: nobody raises them before the network is there."""
    return [
        job.adapter.net
        for job in plan.jobs
        if job.adapter.net and not job.adapter.net.up and any(one.code in WAITS_FOR_UP for one in job.refusals)
    ]


def remembering(records: Mapping[str, Record], adapters: Sequence[RealAdapter], driven: Driven) -> dict[str, Record]:
    """The records, for a plan that gives a function its driver back although no document says which it has.

    A plan leaves alone what is not said, and cannot know that a driver has gone. Who has an override is left alone: it
    is on its way to somebody.
    """
    found = dict(records)
    for one in adapters:
        record = records.get(one.address)
        if record is None or record.pending is not None:
            continue
        bare = {vf.index for vf in one.functions if vf.bound is FunctionDriver.NONE and not vf.override}
        drivers = dict.fromkeys(sorted(bare & driven.get(one.address, frozenset())), FunctionDriver.DEVICE)
        if drivers:
            found[one.address] = replace(record, pending=Pending(one.autoprobe, drivers))
    return found


def driven_of(adapters: Sequence[RealAdapter], before: Driven) -> dict[str, frozenset[int]]:
    """Those that have the driver of their device, and those that had it and have none now."""
    found = {}
    for one in adapters:
        has = {vf.index for vf in one.functions if vf.bound is FunctionDriver.DEVICE}
        bare = {vf.index for vf in one.functions if vf.bound is FunctionDriver.NONE}
        found[one.address] = frozenset(has | bare & before.get(one.address, frozenset()))
    return found


def spared(job: Job) -> Iterator[Refusal]:
    """Functions that the steps of a job would take from a device that is up, which only people may ask for."""
    carve = any(isinstance(step, Carve) for step in job.steps)
    hit = {step.number for step in job.steps if isinstance(step, Unbind)}
    for one in job.adapter.functions:
        if one.net and one.net.up and (carve or one.index in hit):
            message = f"{one.address} is not as asked for, and its device {one.net.name} is up"
            yield Refusal("function-in-use", job.wish.name, message, "set it down, or run `fex apply`", key="pfs")


def decide(
    watch: Watch, adapters: Sequence[RealAdapter], wishes: Sequence[AdapterWish], plan: FunctionPlan, now: float
) -> tuple[Watch, Verdict]:
    """What follows from how the adapters are now. `plan` is that of the wishes for these adapters."""
    barred, wanting = _sorted_out(plan, _moved(watch, members_of(wishes, adapters)))
    due = {job.adapter.address: _due(watch.tries.get(job.adapter.address), now) for job in wanting}
    repair = tuple(job for job in wanting if due[job.adapter.address] <= now)
    health = health_of(adapters, plan)
    told = [*_transitions(watch.health, health), *(one for words, one in barred.items() if words not in watch.held)]
    told += [_differs(job) for job in repair]
    tries = dict(watch.tries)
    for job in repair:
        tries[job.adapter.address] = (_recent(tries.get(job.adapter.address), now) + 1, now)
    verdict = Verdict(
        told=tuple(told),
        repair=tuple(job.adapter.address for job in repair),
        again_at=min((moment for moment in due.values() if moment > now), default=None),
        status=_status(plan, [job.adapter.address for job in wanting], list(barred)),
        whole=not wanting and not barred and all(one.adapter.count == len(one.adapter.functions) for one in plan.jobs),
    )
    driven = driven_of(adapters, watch.driven)
    return replace(watch, health=health, tries=tries, held=frozenset(barred), driven=driven), verdict


def _sorted_out(plan: FunctionPlan, others: Mapping[str, frozenset[str]]) -> tuple[dict[str, Told], list[Job]]:
    """What stands in the way, by its words, and the jobs that nothing stands in the way of.

    `others`: the adapters of each wish that does not match those that it was applied to.
    """
    untouched = frozenset().union(*others.values())
    refused = {one.wish for one in plan.refusals}
    barred: dict[str, Told] = {}
    for name, members in sorted(others.items()):
        if name not in refused:
            words = f"{name} is left alone: its adapters are not those that it was applied to"
            barred[words] = Told("held", "", words, {"code": "adapters-changed", "adapters": sorted(members)})
    for refusal in plan.refusals:
        barred |= _bar(refusal, "")
    wanting: list[Job] = []
    for job in plan.jobs:
        reasons = [*job.refusals, *spared(job)]
        for reason in reasons:
            barred |= _bar(reason, job.adapter.address)
        if job.steps and not reasons and job.adapter.address not in untouched and job.wish.name not in refused:
            wanting.append(job)
    return barred, wanting


def _moved(watch: Watch, members: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Wishes that now match other adapters: numbers and pools of MACs are counted over all of them, and would shift."""
    found = {name: (watch.members.get(name, now), now) for name, now in members.items()}
    return {name: before | now for name, (before, now) in found.items() if before != now}


def _bar(refusal: Refusal, about: str) -> dict[str, Told]:
    words = f"{refusal.message}; {refusal.remedy}" if refusal.remedy else refusal.message
    return {words: Told("held", about, words, {"code": refusal.code})}


def _recent(tries: tuple[int, float] | None, now: float) -> int:
    return 0 if tries is None or now - tries[1] >= FORGOTTEN_S else tries[0]


def _due(tries: tuple[int, float] | None, now: float) -> float:
    """When an adapter may be repaired again: after 1 s, then 2 s, 4 s ..."""
    count = _recent(tries, now)
    return now if tries is None or not count else tries[1] + min(2.0 ** (count - 1), MOST_PAUSE_S)


def rested(watch: Watch, address: str, now: float) -> Watch:
    """The pause after a repair begins when that has ended, however long it took."""
    count, _ = watch.tries[address]
    return replace(watch, tries={**watch.tries, address: (count, now)})


def _differs(job: Job) -> Told:
    words = [str(step) for step in job.steps]
    return Told("differs", job.adapter.address, "; ".join(words), {"steps": words})


def _status(plan: FunctionPlan, wanting: Sequence[str], barred: Sequence[str]) -> str:
    if barred:
        return f"held: {barred[0]}"
    if wanting:
        return f"to be repaired: {', '.join(wanting)}"
    count = sum(job.target.count for job in plan.jobs)
    return f"{many(count, 'function')} of {many(len(plan.jobs), 'adapter')} as asked for"


def health_of(adapters: Sequence[RealAdapter], plan: FunctionPlan) -> dict[str, Health]:
    """The health of the plan's adapters and of their functions, by address. Without a driver may be as asked for."""
    jobs = {job.adapter.address: job for job in plan.jobs}
    found: dict[str, Health] = {}
    for adapter in adapters:
        job = jobs.get(adapter.address)
        if job is None:
            continue
        found[adapter.address] = Health(adapter.name, adapter.health or GOOD, adapter.errors)
        for one in adapter.functions:
            unbound = job.target.drivers.get(one.index) is FunctionDriver.NONE
            words = tuple(word for word in one.health if not (unbound and word == "no-driver"))
            found[one.address] = Health(f"function {one.index} of {adapter.name}", words or GOOD, one.errors)
    return found


def _transitions(before: Mapping[str, Health], after: Mapping[str, Health]) -> Iterator[Told]:
    """What has become of each; of what is seen for the first time only what is wrong."""
    for address in sorted(before.keys() | after.keys()):
        old, new = before.get(address), after.get(address)
        was = old.words if old else (REMOVED if before else GOOD)
        now = new.words if new else REMOVED
        name = new.name if new else old.name if old else ""
        if was != now:
            words = f"{name} was {', '.join(was)} and is {', '.join(now)}"
            yield Told("health", address, words, {"was": list(was), "is": list(now)})
        if old and new and new.errors and new.errors != old.errors:
            counted = dict(zip(("corrected", "nonfatal", "fatal"), new.errors, strict=True))
            words = ", ".join(f"{count} {kind}" for kind, count in counted.items())
            yield Told("errors", address, f"{name} has counted errors: {words}", counted)
