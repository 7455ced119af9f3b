# SPDX-License-Identifier: Apache-2.0
"""The verbs of a lab: up, down, and what there is.

`up` reads as its own specification: validate, read, plan, apply, read again, and either it is as wanted or everything
is put back (promise P6).
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from openfex.datapath.node import pin_folder
from openfex.datapath.objects import PROGRAMS, build_of
from openfex.datapath.tables import held_tables
from openfex.errors import DocumentError, NotFoundError, OpenfexError, RefusedError, VerificationError
from openfex.lab import guests, kept, staffing
from openfex.lab.names import PREFIX, lab_of, netns_of, prefix_of
from openfex.lab.wanted import want
from openfex.lab.workshop import Workshop
from openfex.linux import netns
from openfex.linux.signals import undisturbed
from openfex.model.editor import replace_host
from openfex.model.layout import Layout
from openfex.model.reader import Reading, of_kind, read_documents
from openfex.plan.allotment import allotment_of
from openfex.plan.difference import Operation, difference
from openfex.plan.layout import lay_out
from openfex.plan.ledger import follow, moves, within
from openfex.plan.objects import DeviceSpec, State, TablesKey, is_whole
from openfex.plan.parts import lay_out_bridge

READY_S = 10.0
MOST_PASSES = 3
"""One does it all; more are for what somebody else has changed meanwhile."""
Progress = Callable[[int, int, object], None]
"""How many are done, of how many, and what is being done."""


def _silent(done: int, total: int, what: object) -> None:
    """Progress for nobody."""


@dataclass(frozen=True)
class Report:
    """What `up` did, or would do. `absent`: nodes that had no agent, or one that nobody watched; each is given one."""

    layout: Layout
    operations: tuple[Operation, ...]
    absent: tuple[str, ...] = ()


def labs() -> list[str]:
    """The labs that anything is left of."""
    pinned = [one.name for one in pin_folder().glob(f"{PREFIX}*")]
    left = {lab_of(name) for name in [*netns.names(PREFIX), *pinned]}
    return sorted(name for name in left | set(kept.labs()) if kept.is_lab_name(name))


def the_lab(name: str | None = None) -> str:
    """The lab of that name, or the only one. Raises NotFoundError, RefusedError."""
    found = labs()
    if name is not None and name not in found:
        raise NotFoundError(f"no lab {name} is up", code="no-such-lab", remedy="start it with `fex lab up FILE`")
    if name is None and not found:
        raise NotFoundError("no lab is up", code="no-lab", remedy="start one with `fex lab up FILE`")
    if name is None and len(found) > 1:
        remedy = f"say which with --lab: {', '.join(found)}"
        raise RefusedError(f"{len(found)} labs are up", code="which-lab", remedy=remedy)
    return name or found[0]


def layout_of(lab: str) -> Layout:
    """The layout of a lab that is up. Raises NotFoundError."""
    return _with_stations(_layout_kept(lab, _kept(lab)))


def _with_stations(layout: Layout) -> Layout:
    """The layout, with what others' stations have where there are any."""
    if not any(layout.is_plain(host) for host in layout.hosts):
        return layout
    from openfex.lab.stations import with_stations  # agents: 100 ms that other labs need not spend

    return with_stations(layout)


def _kept(lab: str) -> kept.Kept:
    found = kept.read(lab)
    if found is None:
        remedy = f"remove what is left of it with `fex lab down {lab}`"
        raise NotFoundError(f"the documents of lab {lab} are gone", code="lab-incomplete", remedy=remedy)
    return found


def _layout_kept(lab: str, found: kept.Kept) -> Layout:
    reading = read_documents(found.text, str(kept.document_file(lab)))
    return lay_out_bridge(reading, found.bridge, found.held) if found.bridge else lay_out(reading, found.held)


def _lay_out(reading: Reading) -> Layout:
    """The layout of documents, as an edit of what the lab is now."""
    found = [kept.read(one.name) for one in of_kind(reading, "network")]
    return lay_out(reading, found[0].held if len(found) == 1 and found[0] else None)


def want_now(workshop: Workshop, layout: Layout) -> State:
    """What a kernel would hold by a layout; lists keep the ids that bridges have given them."""
    layout = _with_stations(layout)
    builds = {role: build_of(role) for role in PROGRAMS}
    names = {one.name: netns_of(layout.lab, "bridge", one.name) for one in layout.bridges}
    held = {name: held_tables(workshop.node(space)) for name, space in names.items()}
    return want(layout, builds, held)


def plan(text: str, file: str = "") -> Report:
    """What `up` would do with these documents."""
    return _compare(_lay_out(read_documents(text, file)))


def drift(lab: str) -> Report:
    """What would have to be done for a lab to be again what its own documents say. Raises NotFoundError."""
    return _compare(layout_of(lab))


def _compare(layout: Layout) -> Report:
    with Workshop(layout.lab) as workshop:
        wanted = want_now(workshop, layout)
        return Report(layout, tuple(difference(wanted, workshop.observe(wanted))), _absent(layout))


def _apply(
    workshop: Workshop, wanted: State, observed: State, progress: Progress, *, by_agents: bool = False
) -> list[Operation]:
    """Do what is to be done. `by_agents`: they write the tables of nodes, when it is time to; else it is done here."""
    operations = difference(wanted, observed)
    workshop.loads.begin(operations)
    needed = by_agents and any(isinstance(one.key, TablesKey) for one in operations)
    crew = staffing.call(workshop.lab) if needed else None
    try:
        for done, operation in enumerate(operations):
            progress(done, len(operations), operation)
            if not by_agents or not isinstance(operation.key, TablesKey):
                workshop.perform(operation)
            elif crew:
                crew.begin()
                crew = None
    finally:
        if crew:
            crew.dismiss()
    return operations


def roll_back(workshop: Workshop, before: State) -> None:
    """Put back what there was, the same way. What was not whole then stays as it is now: nobody wants it back."""
    workshop.loads.settle()
    now = workshop.observe(before)
    target = {key: spec if is_whole(spec) else now.get(key, spec) for key, spec in before.items()}
    _apply(workshop, {key: spec for key, spec in target.items() if is_whole(spec)}, now, _silent)


def _change(workshop: Workshop, layout: Layout, progress: Progress) -> list[Operation]:
    wanted = want_now(workshop, layout)
    guests.prepare(wanted)
    before = workshop.observe(wanted)
    operations: list[Operation] = []
    observed = before
    try:
        for _ in range(MOST_PASSES):
            done = _apply(workshop, wanted, observed, progress, by_agents=True)
            if not done:
                break
            operations += done
            wanted = want_now(workshop, layout)  # bridges have given lists their ids
            observed = workshop.observe(wanted)
        if left := difference(wanted, observed):
            raise VerificationError(f"read back different: {'; '.join(map(str, left[:5]))}")
        if idle := workshop.wait_ready(wanted, READY_S):
            raise VerificationError(f"without carrier after {READY_S:.0f} s: {', '.join(map(str, idle[:5]))}")
        guests.wait_ready(layout.lab, wanted, progress)
        _staff(layout)
    except BaseException as cause:
        with undisturbed():
            try:
                staffing.stop(layout.lab)
                roll_back(workshop, before)
            except OpenfexError as second:
                cause.add_note(f"and it could not all be put back: {second}")
        raise
    return operations


def _staff(layout: Layout | None) -> None:
    """Agents that go by the documents that are kept."""
    if layout is None:
        return
    found = staffing.find(layout.lab)
    goes_by = staffing.digest_of(_kept(layout.lab).text)
    if found is None or found.digest != goes_by or not _is_watched(layout.lab):
        staffing.start(layout.lab)


def _absent(layout: Layout) -> tuple[str, ...]:
    """The nodes whose agents do not run, or would not be followed by others."""
    nodes = (*(one.name for one in layout.own_hosts), *(one.name for one in layout.bridges))
    if staffing.find(layout.lab):
        return () if _is_watched(layout.lab) else nodes
    return tuple(name for name in nodes if staffing.find(layout.lab, name) is None)


def _is_watched(lab: str) -> bool:
    """Whether others follow agents that end; a real bridge's are the service manager's to watch."""
    found = kept.read(lab)
    return staffing.find_watcher(lab) is not None or (found is not None and bool(found.bridge))


def prepare() -> None:
    """Have all that `serve` needs at hand: it takes longer to read than ports take to come up."""
    import_module("openfex.lab.duty")


def serve(lab: str, ready: int | None, node: str = "") -> None:
    """Be the agents of a lab that is up, or of one node of it, until SIGTERM. Raises NotFoundError, RefusedError."""
    from openfex.lab import duty  # asyncio: 20 ms that other commands need not spend

    def load() -> tuple[str, Layout, Callable[[Workshop], State]]:
        found = _kept(lab)
        layout = _layout_kept(lab, found)
        return staffing.digest_of(found.text), layout, lambda workshop: want_now(workshop, layout)

    duty.serve(lab, load, ready, node)


def up(text: str, file: str = "", progress: Progress = _silent) -> Report:
    """Bring a lab to what the documents say, from whatever there is of it. Idempotent; undone whole if it fails."""
    reading = read_documents(text, file)
    lab = _lay_out(reading).lab
    with kept.locked(lab):
        return _up(lab, text, reading, progress)


def _up(lab: str, text: str, reading: Reading, progress: Progress) -> Report:
    older = kept.read(lab)
    if older and older.bridge:
        remedy = f"name the network otherwise, or take the bridge down with `fex lab down {lab}`"
        raise RefusedError(f"{lab} is a real bridge here", code="lab-exists", remedy=remedy)
    layout = _lay_out(reading)
    absent = _absent(layout)
    ledger = within(older.ledger, layout) if older else {}
    before_it = _laid_out(lab, older)
    moved = moves(before_it, layout) if before_it and older and older.text != text else {}
    with Workshop(lab, before_it) as workshop:
        before = workshop.tallies() if moved else {}
        try:
            kept.write(lab, kept.Kept(text, allotment_of(layout), ledger))
            operations = _change(workshop, layout, progress)
        except BaseException as cause:
            with undisturbed():
                kept.write(lab, older)
                try:
                    _staff(before_it)
                except OpenfexError as second:
                    cause.add_note(f"and its agents are not back: {second}")
            raise
        if moved:
            with undisturbed():
                ledger = follow(ledger, moved, before, workshop.tallies())
                kept.write(lab, kept.Kept(text, allotment_of(layout), ledger))
    return Report(layout, tuple(operations), absent)


def _laid_out(lab: str, older: kept.Kept | None) -> Layout | None:
    """What the lab was until now; None where an older version's documents are refused by now."""
    try:
        return _layout_kept(lab, older) if older else None
    except DocumentError:
        return None


def migrate(lab: str, machine: str, host: str, progress: Progress = _silent) -> Report:
    """Put a machine on another host: its NICs get functions there, and keep MAC, profile and numbers.

    The kept documents are changed, not the file they came from. Raises NotFoundError, RefusedError, DocumentError.
    """
    with kept.locked(lab):
        found = _kept(lab)
        known = [one.name for one in _layout_kept(lab, found).hosts]
        if host not in known:
            message, remedy = f"there is no host {host} in lab {lab}", f"the hosts are: {', '.join(known)}"
            raise NotFoundError(message, code="no-such-host", remedy=remedy)
        text = replace_host(found.text, machine, host)
        return _up(lab, text, read_documents(text, str(kept.document_file(lab))), progress)


def down(lab: str) -> list[str]:
    """Remove everything of a lab, whatever state it is in; returns what was removed. Idempotent."""
    with kept.locked(lab):
        removed = [f"documents of {lab}"] if kept.document_file(lab).exists() else []
        removed += [f"agents of {lab}"] if staffing.stop(lab) else []
        removed += guests.stop_all(lab)
        removed += _give_back(lab)
        for name in netns.names(prefix_of(lab)):
            _end_processes(name)
            netns.delete(name)
            removed.append(f"name space {name}")
        for pins in sorted(pin_folder().glob(f"{prefix_of(lab)}*")):
            shutil.rmtree(pins)
            removed.append(f"pins {pins.name}")
        kept.write(lab, None)
    return removed


def _give_back(lab: str) -> list[str]:
    """Bring home what is lent to bridges; a name space that is deleted would keep what it is not."""
    with Workshop(lab) as workshop:
        lent = workshop.lent()
        for spec in lent.values():
            if isinstance(spec, DeviceSpec):
                workshop.give_back(spec)
    return [f"the loan of {key}" for key in lent]


def _end_processes(name: str) -> None:
    """End what was started inside a name space of ours; a name space lives as long as a process in it does."""
    for pid in netns.processes(name):
        if pid != os.getpid():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
