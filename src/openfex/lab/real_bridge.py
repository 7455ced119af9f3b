# SPDX-License-Identifier: Apache-2.0
"""A real bridge: of a network's documents the one node that this machine is, with the cables that end at its devices.

It is a lab of that bridge alone, called as the bridge, whose hosts and network ports are at the far ends of cables: so
all that looks into labs looks into it, and it is built, and its agent lives, as a lab's. Its documents are FILE, read
anew when it is asked to; its tables are its agent's, and stay when that ends (P5).
"""

from __future__ import annotations

import os
from collections.abc import Callable

from openfex.errors import OpenfexError, RefusedError, VerificationError
from openfex.lab import duty, kept, lab, staffing
from openfex.lab.workshop import Workshop
from openfex.linux.signals import undisturbed
from openfex.model.layout import Layout
from openfex.model.reader import read_documents
from openfex.plan.allotment import allotment_of
from openfex.plan.difference import Operation, difference
from openfex.plan.ledger import within
from openfex.plan.objects import State, TablesKey
from openfex.plan.parts import bridges_of, choose_node, lay_out_bridge

Read = Callable[[], tuple[str, str]]
"""The text of the documents as they are now, and what messages call it."""


def name_of(text: str, file: str, name: str | None) -> str:
    """Which bridge of these documents this machine is. Raises DocumentError, NotFoundError, RefusedError."""
    return choose_node("bridge", bridges_of(read_documents(text, file)), name, os.uname().nodename)


def serve(read: Read, name: str | None) -> None:
    """Be a bridge until SIGTERM or SIGINT; then end, and change nothing. SIGHUP: read the documents again.

    Raises OpenfexError where it cannot begin; then all is as it was.
    """
    text, file = read()
    bridge = name_of(text, file, name)
    lay_out_bridge(read_documents(text, file), bridge)  # better refused before anything is kept of it

    def load() -> tuple[str, Layout, Callable[[Workshop], State]]:
        now, called = read()
        layout = build(now, called, bridge)
        return staffing.digest_of(now), layout, lambda workshop: lab.want_now(workshop, layout)

    with kept.locked(bridge):
        _kept(bridge)
    duty.serve(bridge, load, None)


def build(text: str, file: str, bridge: str) -> Layout:
    """Have the bridge's datapath here, and its devices lent to it. Idempotent; undone whole if it fails."""
    with kept.locked(bridge):
        older = _kept(bridge)
        layout = lay_out_bridge(read_documents(text, file), bridge, older.held if older else None)
        ledger = within(older.ledger, layout) if older else {}
        with Workshop(bridge) as workshop:
            try:
                kept.write(bridge, kept.Kept(text, allotment_of(layout), ledger, bridge))
                _make(workshop, layout)
            except BaseException:
                with undisturbed():
                    kept.write(bridge, older)
                raise
    return layout


def _kept(bridge: str) -> kept.Kept | None:
    """What is kept of it. Raises RefusedError where that is a lab's."""
    older = kept.read(bridge)
    if older and not older.bridge:
        remedy = f"name the bridge otherwise, or take the lab down with `fex lab down {bridge}`"
        raise RefusedError(f"a lab named {bridge} is up", code="lab-exists", remedy=remedy)
    return older


def _make(workshop: Workshop, layout: Layout) -> None:
    """All but tables, which its agent writes when it knows who is there."""
    wanted = lab.want_now(workshop, layout)
    observed = before = workshop.observe(wanted)
    try:
        for _ in range(lab.MOST_PASSES):
            if not _perform(workshop, _left(wanted, observed)):
                return
            observed = workshop.observe(wanted)
        if left := _left(wanted, observed):
            raise VerificationError(f"read back different: {'; '.join(map(str, left[:5]))}")
    except BaseException as cause:
        with undisturbed():
            try:
                lab.roll_back(workshop, before)
            except OpenfexError as second:
                cause.add_note(f"and it could not all be put back: {second}")
        raise


def _left(wanted: State, observed: State) -> list[Operation]:
    return [one for one in difference(wanted, observed) if not isinstance(one.key, TablesKey)]


def _perform(workshop: Workshop, operations: list[Operation]) -> bool:
    workshop.loads.begin(operations)
    for operation in operations:
        workshop.perform(operation)
    return bool(operations)


def take_down(text: str, file: str, name: str | None) -> tuple[str, list[str]]:
    """End the bridge, and give its devices back: its name, and what was removed. Idempotent. Raises RefusedError."""
    bridge = name_of(text, file, name)
    _kept(bridge)
    return bridge, lab.down(bridge)
