# SPDX-License-Identifier: Apache-2.0
"""What commands do with this machine's NVMe adapters: `show storage`, and `plan`, `apply` and `release` of theirs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from openfex.cli import columns
from openfex.cli.paper import print_json, print_rows, progress, table

if TYPE_CHECKING:
    from openfex.adapter.nvme import Workplace
    from openfex.adapter.nvme_jobs import Job
    from openfex.errors import Problem
    from openfex.model.reader import Document, Reading
    from openfex.model.real_storage import NvmeSpec
    from openfex.plan.storage_steps import StorageStep

NOTHING = "all is as wanted: nothing to do"


def workplace() -> Workplace:
    """This machine's NVMe adapters, and their journal."""
    from openfex.adapter import nvme

    return nvme.Workplace()


def show_storage(*, json: bool) -> None:
    """`show storage`."""
    from openfex.adapter.nvme_jobs import storage_rows

    rows = list(storage_rows(workplace()))
    print_rows(rows, columns.STORAGE, "no NVMe adapters with SR-IOV", as_json=json)


def is_about_storage(reading: Reading) -> bool:
    """Whether a file holds documents of NVMe adapters, and nothing else that could be read."""
    from openfex.model.real_storage import NvmeSpec

    return bool(reading.good) and all(isinstance(one.spec, NvmeSpec) for one in reading)


def _documents(reading: Reading) -> list[tuple[Document, NvmeSpec]]:
    """The documents, if nothing is wrong with them or with others beside them. Raises DocumentError."""
    from openfex.model.reader import of_spec
    from openfex.model.real_storage import NvmeSpec

    problems = list(reading.problems)
    documents = of_spec(reading, NvmeSpec)
    for document, spec in documents:
        if spec.host not in (None, os.uname().nodename):
            message, remedy = f"{spec.host} is not this machine", "take the key out, or apply the file there"
            problems.append(document.problem("host-not-here", message, remedy, ("host",)))
    _raise(problems)
    return documents


def _raise(problems: list[Problem]) -> None:
    from openfex.errors import DocumentError

    if problems:
        raise DocumentError(sorted(problems, key=lambda one: (one.line, one.column)))


@contextmanager
def _told(reading: Reading) -> Iterator[list[Job]]:
    """The jobs of a file; problems of theirs that the block raises get their lines."""
    from openfex.adapter.nvme_jobs import find_jobs
    from openfex.errors import DocumentError
    from openfex.plan.storage_wishes import place_of, wish_of

    documents = _documents(reading)
    by_name = {document.name: (document, spec) for document, spec in documents}

    def told(name: str, one: Problem) -> Problem:
        document, spec = by_name[name]
        return document.problem(one.code, one.message, one.remedy, place_of(spec, one))

    jobs, problems = find_jobs(workplace().doors, [wish_of(document.name, spec) for document, spec in documents])
    _raise([told(wish.name, one) for wish, one in problems])
    try:
        yield jobs
    except DocumentError as cause:
        names = {job.address: job.wish.name for job in jobs}
        found = [(next(names[address] for address in names if address in one.subject), one) for one in cause.problems]
        lines = [told(name, one) for name, one in found]
        raise DocumentError(sorted(lines, key=lambda one: (one.line, one.column))) from cause


def _plans(
    place: Workplace, jobs: list[Job], *, force: bool
) -> tuple[list[tuple[Job, list[StorageStep]]], list[Problem]]:
    """What is to be done, and what of it only because of `force`.

    Raises DocumentError with what is against it, of all adapters at once.
    """
    from openfex.adapter import nvme
    from openfex.errors import DocumentError

    found: list[tuple[Job, list[StorageStep]]] = []
    problems: list[Problem] = []
    forced: list[Problem] = []
    for job in jobs:
        try:
            found.append((job, nvme.plan(place, job.address, job.wish)))
        except DocumentError as refused:
            problems += refused.problems
            continue
        for one in nvme.objections(place, job.address, job.wish):
            (forced if force and one.code == nvme.IN_USE else problems).append(one)
    _raise(problems)
    return found, forced


def plan_storage(reading: Reading, *, force: bool, json: bool) -> None:
    """`plan FILE` of NVMe adapters."""
    from openfex.adapter.nvme_jobs import step_rows

    with _told(reading) as jobs:
        made, forced = _plans(workplace(), jobs, force=force)
    rows = [row for job, steps in made for row in step_rows(job.address, steps)]
    if json:
        told = [{"code": one.code, "message": one.message} for one in forced]
        print_json({"adapters": [job.address for job in jobs], "steps": rows, "forced": told})
        return
    for one in forced:
        print(f"forced: {one.message}")
    print(table(rows, columns.STEPS) if rows else NOTHING)


def apply_storage(reading: Reading, *, force: bool, json: bool) -> None:
    """`apply FILE` of NVMe adapters, one after another; all of them are planned before the first is changed."""
    from openfex.adapter import nvme
    from openfex.adapter.nvme_jobs import step_rows

    rows: list[dict[str, object]] = []
    with _told(reading) as jobs, progress(quiet=json) as tell:
        made, _ = _plans(workplace(), jobs, force=force)
        total = sum(len(steps) for _, steps in made)
        told: list[StorageStep] = []

        def say(step: StorageStep) -> None:
            tell(min(len(told), total), total, step)
            told.append(step)

        for job, _ in made:
            done = nvme.apply(replace(workplace(), say=say), job.address, job.wish, force=force)
            rows += step_rows(job.address, done)
    _report(rows, NOTHING, json=json)


def adopt_storage(address: str, *, json: bool) -> bool:
    """`adopt` of an NVMe adapter; whether it is one."""
    from openfex.adapter import nvme
    from openfex.adapter.nvme_jobs import pfs

    place = workplace()
    if address not in {one.address for one in pfs(place.doors)}:
        return False
    adopted = nvme.adopt(place, address)
    if json:
        print_json({"adapter": address, "adopted": adopted})
    else:
        print(f"{address} is {'adopted' if adopted else 'ours already'}")
    return True


def release_storage(what: str, address: str, *, force: bool, json: bool) -> bool:
    """`release` of an NVMe adapter, by its address or by the file that was applied; whether it is one of ours."""
    from openfex.adapter import nvme
    from openfex.adapter.nvme_jobs import step_rows

    place = workplace()
    wanted = [address] if address else _of_file(what)
    ours = [one for one in wanted if place.journal.read(one) is not None]
    if not ours:
        return False
    rows = [row for one in ours for row in step_rows(one, nvme.release(place, one, force=force))]
    _report(rows, "it is as it was", json=json)
    return True


def clear_up() -> list[str]:
    """`gc`: forget NVMe adapters that are gone; what was forgotten, in words."""
    from openfex.adapter.nvme_jobs import pfs

    place = workplace()
    with place.journal.locked():
        there = {one.address for one in pfs(place.doors)}
        gone = [address for address in place.journal.addresses() if address not in there]
        for address in gone:
            place.journal.remove(address)
    return [f"the record of NVMe adapter {address}, which is gone" for address in gone]


def _of_file(file: str) -> list[str]:
    from openfex.cli.arguments import read_text
    from openfex.model.reader import read_documents

    reading = read_documents(*read_text(file))
    if not is_about_storage(reading):
        return []
    with _told(reading) as jobs:
        return [job.address for job in jobs]


def _report(rows: list[dict[str, object]], nothing: str, *, json: bool) -> None:
    if json:
        print_json({"steps": rows})
    else:
        print(f"{len(rows)} steps done, and read back as wanted" if rows else nothing)
