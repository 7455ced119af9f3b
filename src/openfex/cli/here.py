# SPDX-License-Identifier: Apache-2.0
"""What commands do with this machine's real adapters: `show … --here`, `plan`, `apply`, and their own four."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from openfex.cli import columns, storage
from openfex.cli.arguments import Flag, Json, read_text
from openfex.cli.failure import Misuse
from openfex.cli.paper import print_json, print_rows, progress, table

if TYPE_CHECKING:
    from openfex.adapter.journal import Journal
    from openfex.adapter.sriov import KernelHost
    from openfex.model.functions import AdapterWish
    from openfex.model.reader import Reading
    from openfex.plan.functions import FunctionPlan

Address = Annotated[str, Parameter(help="The PCI address of a physical function, 0000:01:00.0.")]
Function = Annotated[str, Parameter(help="The PCI address of a function, 0000:02:10.0.")]
What = Annotated[
    str, Parameter(help="The PCI address of a function or of a physical one, or the file that was applied.")
]
To = Annotated[str, Parameter(help="`host`, `vm` (vfio-pci), or the name of a name space.")]
Device = Annotated[str, Parameter(name="--name", help="The name of its device there; else it keeps its own.")]
Generation = Annotated[int | None, Parameter(help="Only if it is still this gift; a later one is left alone.")]
Force = Annotated[Flag, Parameter(help="Also where a function is in use: its holder loses it.")]


@contextmanager
def machine() -> Iterator[tuple[KernelHost, Journal]]:
    """This machine's adapters, and their journal."""
    from openfex.adapter.journal import Journal
    from openfex.adapter.sriov import KernelHost

    host = KernelHost()
    try:
        yield host, Journal()
    finally:
        host.close()


def show_adapters(*, json: bool) -> None:
    """`show adapters --here`."""
    from openfex.adapter.view import adapter_rows

    with machine() as (host, journal):
        rows = adapter_rows(host.observe(), journal.read())
    print_rows(rows, columns.REAL_ADAPTERS, "no adapters with SR-IOV", as_json=json)


def show_functions(*, json: bool) -> None:
    """`show functions --here`."""
    from openfex.adapter.view import function_rows

    with machine() as (host, journal):
        rows = function_rows(host.observe(), journal.read(), journal.seen())
    print_rows(rows, columns.REAL_FUNCTIONS, "no functions", as_json=json, narrow=columns.REAL_FUNCTIONS_NARROW)


def is_about_here(reading: Reading) -> bool:
    """Whether a file is about this machine's real adapters: it holds nothing else."""
    from openfex.model.real import SriovSpec

    others = [one for one in reading if not isinstance(one.spec, SriovSpec)]
    if others or not (reading.good or reading.unread):
        return False
    return {kind for kind, _ in reading.unread} <= {"adapter"} if not reading.good else True


def _wishes(reading: Reading) -> list[AdapterWish]:
    """What the documents ask for. Raises DocumentError with all that is wrong with them."""
    from openfex.errors import DocumentError
    from openfex.model.reader import of_spec
    from openfex.model.real import SriovSpec
    from openfex.plan.wishes import wishes_of

    own = os.uname().nodename
    problems = list(reading.problems)
    for document, spec in of_spec(reading, SriovSpec):
        if spec.host not in (None, own):
            message = f"{spec.host} is not this machine, and no host of a lab in this file"
            remedy = "take the key out, or apply the file there"
            problems.append(document.problem("host-not-here", message, remedy, ("host",)))
    if problems:
        raise DocumentError(sorted(problems, key=lambda one: (one.line, one.column)))
    return [wish for document, spec in of_spec(reading, SriovSpec) for wish in wishes_of(document.name, spec)]


def _refuse(plan: FunctionPlan, reading: Reading) -> None:
    """Raise DocumentError with every refusal and its line."""
    from openfex.errors import DocumentError
    from openfex.model.reader import of_spec
    from openfex.model.real import SriovSpec
    from openfex.plan.wishes import place_of

    documents = {document.name: (document, spec) for document, spec in of_spec(reading, SriovSpec)}
    problems = []
    for one in plan.all_refusals:
        document, spec = documents[one.wish]
        problems.append(document.problem(one.code, one.message, one.remedy, place_of(spec, one.by, one.key)))
    if problems:
        raise DocumentError(sorted(problems, key=lambda one: (one.line, one.column)))


def plan_here(reading: Reading, *, force: bool, json: bool) -> None:
    """`plan FILE` of real adapters."""
    from openfex.adapter import changes
    from openfex.adapter.view import plan_view, step_rows

    wishes = _wishes(reading)
    with machine() as (host, journal):
        made = changes.plan(host, journal, wishes, force=force)
    _refuse(made, reading)
    if json:
        print_json(plan_view(made))
        return
    for one in made.forced:
        print(f"forced: {one.message}")
    print(table(step_rows(made.steps), columns.STEPS) if made.steps else "all is as wanted: nothing to do")


def apply_here(reading: Reading, *, force: bool, json: bool) -> None:
    """`apply FILE` of real adapters."""
    from openfex.adapter import changes

    wishes = _wishes(reading)
    with machine() as (host, journal), progress(quiet=json) as step:
        _refuse(changes.plan(host, journal, wishes, force=force), reading)
        done = changes.apply(host, journal, wishes, force=force, progress=step)
    _report(done.steps, "all is as wanted: nothing to do", json)


def _report(made: Sequence[object], nothing: str, json: bool) -> None:
    from openfex.plan.steps import Step

    steps = [one for one in made if isinstance(one, Step)]
    if json:
        from openfex.adapter.view import step_rows

        print_json({"steps": step_rows(steps)})
    elif steps:
        print(f"{len(steps)} steps done, and read back as wanted")
    else:
        print(nothing)


def adopt(address: Address, /, *, json: Json = False) -> None:
    """Take over an adapter that others have carved, as it is.

    Nothing is changed by that; from then on `fex apply` may, and `fex release`
    gives it back as it is now.

    Example: fex adopt 0000:01:00.0
    """
    from openfex.adapter import changes

    if storage.adopt_storage(_address(address), json=json):
        return
    with machine() as (host, journal):
        record = changes.adopt(host, journal, _address(address) or address)
    if json:
        print_json({"adapter": record.adapter, "generation": record.generation, "adopted": record.adopted})
    else:
        print(f"{address} is {'adopted' if record.adopted else 'ours already'}")


def give(function: Function, to: To, /, *, name: Device = "", force: Force = False, json: Json = False) -> None:
    """Give a function of a real adapter to somebody.

    To a name space its device is moved, down; to a virtual machine it is bound to
    vfio-pci, so that QEMU can open it. `fex release` takes it back, as it was.

    Examples: fex give 0000:02:10.0 blue --name eth0; fex give 0000:02:10.2 vm
    """
    from openfex.adapter import giving

    with machine() as (host, journal):
        gift = giving.give(host, journal, _address(function) or function, giving.Wanted(to, name), force=force)
    if json:
        print_json({"function": function, "to": gift.to, "name": gift.name or None, "generation": gift.generation})
    else:
        print(f"{function} is given to {to}{f' as {gift.name}' if gift.space else ''}, generation {gift.generation}")


def release(what: What, /, *, generation: Generation = None, force: Force = False, json: Json = False) -> None:
    """Give back what was changed: a function that was given, or an adapter.

    An adapter is again what it was before the first change; what others have set
    meanwhile is left alone.

    Examples: fex release 0000:02:10.0; fex release 0000:01:00.0; fex release FILE
    """
    from openfex.adapter import changes, giving

    if storage.release_storage(what, _address(what), force=force, json=json):
        return
    with machine() as (host, journal):
        adapters, address = host.observe(), _address(what)
        if any(one.address == address for adapter in adapters for one in adapter.functions):
            gift = giving.take_back(host, journal, address, generation=generation, force=force)
            _tell_back(address, gift.to if gift else None, json=json)
            return
        if generation is not None:
            raise Misuse("only a function has a generation", "fex release")
        if address and address not in {one.address for one in adapters} | journal.read().keys():
            giving.find(host, address)
        wanted = [address] if address else _of_file(what, host)
        with progress(quiet=json) as step:
            done = changes.release(host, journal, wanted, force=force, progress=step)
    _report(done.steps, "nothing there is ours to give back, or it is as it was", json)


def _address(text: str) -> str:
    """A PCI address as sysfs has it; empty for what is none."""
    from openfex.model.written_functions import PCI_ADDRESS, full_address

    return full_address(text) if re.fullmatch(PCI_ADDRESS, text) else ""


def _of_file(file: str, host: KernelHost) -> list[str]:
    """The adapters that the documents of a file are about."""
    from openfex.model.reader import read_documents
    from openfex.plan.wishes import matches

    wishes = _wishes(read_documents(*read_text(file)))
    selectors = [one for wish in wishes for one in wish.pfs]
    return [one.address for one in host.observe() if any(matches(selector, one) for selector in selectors)]


def _tell_back(address: str, giver: str | None, *, json: bool) -> None:
    if json:
        print_json({"function": address, "taken_from": giver})
    elif giver:
        print(f"{address} is back from {giver}")
    else:
        print(f"{address} is not given, or by a later gift: nothing to do")


def gc(*, json: Json = False) -> None:
    """Forget what is kept of adapters and functions that are gone.

    Example: fex gc
    """
    from openfex.adapter import changes

    with machine() as (host, journal):
        removed = [*changes.clear_up(host, journal), *storage.clear_up()]
    if json:
        print_json({"removed": removed})
    else:
        print(*(removed or ["nothing to forget"]), sep="\n")
