# SPDX-License-Identifier: Apache-2.0
"""Real adapters as they are + what is asked of them -> the steps, what each disturbs, and every refusal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from openfex.errors import RefusedError
from openfex.model.adapters import RealAdapter
from openfex.model.functions import ALL_FUNCTIONS, AdapterWish, FunctionDriver
from openfex.model.quirks import quirks_of
from openfex.model.wording import choose, many
from openfex.plan.function_checks import check_functions, check_macs
from openfex.plan.records import Record
from openfex.plan.refusals import Refusal
from openfex.plan.steps import Carve, Step, Target, Unbind, steps
from openfex.plan.wishes import Asked, asked_of, matches, words_of


@dataclass(frozen=True, slots=True)
class Job:
    """What one adapter is, what it is to be, what is done for it, and why it is not."""

    adapter: RealAdapter
    target: Target
    asked: Mapping[int, Asked]
    wish: AdapterWish
    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    forced: tuple[Refusal, ...] = ()
    """What would be refused without --force."""

    @property
    def purposes(self) -> dict[int, str]:
        """What its functions are for."""
        return {index: one.settings.purpose for index, one in self.asked.items() if one.settings.purpose}


@dataclass(frozen=True, slots=True)
class FunctionPlan:
    """Everything that is to be done, adapter by adapter, or why not."""

    jobs: tuple[Job, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in their order."""
        return tuple(step for job in self.jobs for step in job.steps)

    @property
    def all_refusals(self) -> tuple[Refusal, ...]:
        """Every refusal, those of the whole first."""
        return (*self.refusals, *(one for job in self.jobs for one in job.refusals))

    @property
    def forced(self) -> tuple[Refusal, ...]:
        """What --force goes over."""
        return tuple(one for job in self.jobs for one in job.forced)


def plan_functions(
    adapters: Sequence[RealAdapter],
    wishes: Sequence[AdapterWish],
    records: Mapping[str, Record],
    *,
    force: bool = False,
) -> FunctionPlan:
    """What would make the adapters what the wishes ask for. `records` by address: what is ours."""
    refusals: list[Refusal] = []
    groups: dict[str, list[tuple[AdapterWish, int]]] = {}
    turns: dict[str, int] = {}
    for wish in wishes:
        refusals += _unknown(wish, adapters)
        for adapter in adapters:
            if any(matches(one, adapter) for one in wish.pfs):
                turn = turns[wish.name] = turns.get(wish.name, -1) + 1
                groups.setdefault(adapter.address, []).append((wish, turn))
    jobs: list[Job] = []
    for adapter in adapters:
        if adapter.address in groups:
            job, found = _job(adapter, groups[adapter.address], records.get(adapter.address))
            refusals += found
            jobs.append(_decided(job, records.get(adapter.address), force=force))
    refusals += check_macs([(job.adapter, job.asked, job.wish.name) for job in jobs], adapters)
    return FunctionPlan(tuple(jobs), tuple(refusals))


def _unknown(wish: AdapterWish, adapters: Sequence[RealAdapter]) -> Iterator[Refusal]:
    for selector in wish.pfs:
        if not any(matches(selector, adapter) for adapter in adapters):
            known = [name for one in adapters for name in (one.name, one.address)]
            message = f"no PF here is {words_of(selector)}"
            yield Refusal("no-such-pf", wish.name, message, choose(words_of(selector), known, "PFs"), key="pfs")


def _job(
    adapter: RealAdapter, group: Sequence[tuple[AdapterWish, int]], record: Record | None
) -> tuple[Job, list[Refusal]]:
    """What all wishes together ask of one adapter."""
    first = group[0][0]
    refusals: list[Refusal] = []
    for what, key in (("functions", "functions"), ("hwmode", "hwmode"), ("autoprobe", "autoprobe")):
        values = {value for wish, _ in group if (value := getattr(wish, what)) is not None}
        if len(values) > 1:
            names = ", ".join(sorted({wish.name for wish, _ in group}))
            message = f"{adapter.name} is asked for different {key} by {names}"
            refusals.append(Refusal("asked-twice", first.name, message, "say it once", key=key))
    counts = [wish.functions for wish, _ in group if wish.functions is not None]
    count = counts[0] if counts else adapter.count
    asked: dict[int, Asked] = {}
    for wish, turn in group:
        for index, one in asked_of(wish, turn, count):
            if index in asked:
                message = f"function {index} of {adapter.name} is asked for twice"
                refusals.append(Refusal("function-claimed-twice", wish.name, message, "leave it in one", key="pfs"))
                break
            asked[index] = one
    wish = replace(
        first,
        functions=counts[0] if counts else None,
        hwmode=next((one.hwmode for one, _ in group if one.hwmode is not None), None),
        autoprobe=next((one.autoprobe for one, _ in group if one.autoprobe is not None), None),
    )
    return Job(adapter, _target(adapter, wish, count, asked, record), asked, wish), refusals


def _target(
    adapter: RealAdapter, wish: AdapterWish, count: int, asked: Mapping[int, Asked], record: Record | None
) -> Target:
    pending = record.pending if record else None
    autoprobe = pending.autoprobe if pending else adapter.autoprobe
    if wish.autoprobe is not None:
        autoprobe = wish.autoprobe
    fresh = FunctionDriver.DEVICE if autoprobe else FunctionDriver.NONE
    drivers = dict.fromkeys(range(count), fresh)
    if count == adapter.count:
        drivers |= {one.index: one.bound for one in adapter.functions}
        drivers |= {index: driver for index, driver in (pending.drivers if pending else {}).items() if index < count}
    drivers |= {index: one.settings.driver for index, one in asked.items() if one.settings.driver is not None}
    if count == adapter.count and record:  # what has been given stays so, until it is taken back
        drivers |= {one.index: one.bound for one in adapter.functions if one.index in record.gifts}
    settings = {index: one.settings for index, one in asked.items()}
    return Target(count, autoprobe, wish.hwmode, settings, drivers)


def _decided(job: Job, record: Record | None, *, force: bool) -> Job:
    refusals = [*_check_adapter(job, record), *check_functions(job.adapter, job.target, job.asked, job.wish.name)]
    made = tuple(steps(job.adapter, job.target))
    if made and not _is_ours(job.adapter, record):
        message = f"{many(job.adapter.count, 'function')} of {job.adapter.name} were made or are managed by others"
        remedy = f"take them over as they are with `fex adopt {job.adapter.address}`"
        refusals.append(Refusal("not-ours", job.wish.name, message, remedy, key="pfs"))
    busy = tuple(disturbed(job.adapter, made, job.wish.name, record))
    if not force:
        refusals += busy
    return replace(job, steps=() if refusals else made, refusals=tuple(refusals), forced=busy if force else ())


def _is_ours(adapter: RealAdapter, record: Record | None) -> bool:
    return record is not None or adapter.count == 0


def _check_adapter(job: Job, record: Record | None) -> Iterator[Refusal]:
    adapter, wish, quirks = job.adapter, job.wish, quirks_of(job.adapter.driver)
    count = job.target.count
    most = min(adapter.total, adapter.total if quirks.most is None else quirks.most)
    if count > most and wish.functions is not None:
        message = f"{count} functions asked for, {adapter.name} can have {most}"
        yield Refusal("too-many-functions", wish.name, message, f"carve at most {most}", key="functions")
    if count != adapter.count and not adapter.driver:
        message = f"{adapter.name} has no driver, so nobody can carve it"
        yield Refusal("pf-without-driver", wish.name, message, "load the driver of its device", key="pfs")
    if wish.hwmode is not None and adapter.hwmode is None:
        message = f"the embedded switch of {adapter.name} has no mode that {adapter.driver or 'its driver'} can set"
        yield Refusal("no-hwmode", wish.name, message, "take the key out", key="hwmode")
    for number, (first, last, _) in enumerate(wish.settings):
        if (first, last) != ALL_FUNCTIONS and last >= count and last < ALL_FUNCTIONS[1]:
            message = f"{adapter.name} has {many(count, 'function')}, none with number {last}"
            remedy = f"carve {last + 1}, or write a smaller range"
            yield Refusal("no-such-function", wish.name, message, remedy, by=number)


def disturbed(adapter: RealAdapter, made: Sequence[Step], name: str, record: Record | None = None) -> Iterator[Refusal]:
    """The functions that steps would take from whoever uses them, and what --force would do to these."""
    carve = next((step for step in made if isinstance(step, Carve)), None)
    hit = {step.number for step in made if isinstance(step, Unbind)}
    gifts = record.gifts if record else {}
    for function in adapter.functions:
        gift = gifts.get(function.index)
        use = function.in_use or (f"it has been given to {gift.to}" if gift else "")
        if not use or not (carve or function.index in hit):
            continue
        if carve:
            what, key = f"destroys function {function.index} of {adapter.name}", "functions"
            effect = "it goes from there, and its holder loses it"
        else:
            what, key = f"takes function {function.index} of {adapter.name} from its driver", "settings"
            effect = "its device goes from there, and a new one comes in this name space"
        if function.open:
            effect = "its process is asked to let go, and the kernel waits until it has"
        message = f"this {what} ({function.address}), but {use}; with --force {effect}"
        yield Refusal("function-in-use", name, message, "end its use first, or say --force", key=key)


def refuse(plan: FunctionPlan) -> None:
    """Raise RefusedError with all refusals of a plan, if there are any."""
    found = plan.all_refusals
    if not found:
        return
    if len(found) == 1:
        raise RefusedError(found[0].message, code=found[0].code, remedy=found[0].remedy)
    raise RefusedError("\n".join(f"{one.message}; {one.remedy} [{one.code}]" for one in found), code="refused")
