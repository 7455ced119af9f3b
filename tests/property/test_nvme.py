# SPDX-License-Identifier: Apache-2.0
"""NVMe's values and octets stand for each other; and whatever is asked of an adapter, it gets there and back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfex.adapter.nvme import Workplace, adopt, apply, plan, release
from openfex.adapter.nvme_reading import observe
from openfex.adapter.nvme_steps import perform
from openfex.errors import DocumentError, KernelError, NotFoundError, OpenfexError, WireError
from openfex.linux.nvme import Answer
from openfex.model.functions import FunctionDriver
from openfex.model.storage import Resource, Share, StorageAdapter, StorageSettings, StorageWish
from openfex.plan.storage_records import from_json, to_json
from openfex.plan.storage_steps import StorageStep
from openfex.testing.nvme import ADDRESS, FakeAdapter, FakeControllers, FakeJournal, make_adapter
from openfex.wire import nvme as wire
from openfex.wire.nvme import (
    Action,
    AdminCommand,
    Cns,
    NamespaceIdentity,
    PrimaryCapabilities,
    VirtualizationManagement,
)

T = TypeVar("T")


def bits(width: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << width) - 1)


commands = st.builds(AdminCommand, bits(8), bits(32), bits(32), bits(32))
managements = st.builds(
    VirtualizationManagement, st.sampled_from(Action), bits(16), st.sampled_from(Resource), bits(16)
)
shares = st.builds(Share, bits(32), bits(32), bits(16), bits(16), bits(16), bits(16))
capabilities = st.builds(PrimaryCapabilities, bits(16), shares, shares)
identities = st.builds(NamespaceIdentity, bits(64), st.integers(0, 32).map(lambda shift: 1 << shift), st.booleans())
secondaries = st.builds(wire.Secondary, bits(16), bits(16), st.booleans(), bits(16), bits(16), bits(16))
DECODERS: tuple[Callable[[bytes], object], ...] = (
    AdminCommand.decode,
    wire.ControllerIdentity.decode,
    NamespaceIdentity.decode,
    PrimaryCapabilities.decode,
    wire.decode_controllers,
    wire.decode_namespaces,
    wire.decode_secondaries,
)


@given(commands)
def test_commands_come_back(command: AdminCommand) -> None:
    assert AdminCommand.decode(command.encode(1 << 60, 1 << 40)) == command


@given(managements)
def test_virtualization_management_comes_back(command: VirtualizationManagement) -> None:
    assert VirtualizationManagement.read(command.command()) == command


@given(capabilities)
def test_capabilities_come_back(value: PrimaryCapabilities) -> None:
    assert PrimaryCapabilities.decode(value.encode()) == value


@given(identities)
def test_namespaces_identities_come_back(value: NamespaceIdentity) -> None:
    assert NamespaceIdentity.decode(value.encode()) == value


@given(st.lists(secondaries, max_size=127, unique_by=lambda one: one.controller))
def test_secondary_lists_come_back(entries: list[wire.Secondary]) -> None:
    entries.sort(key=lambda one: one.controller)
    assert wire.decode_secondaries(wire.encode_secondaries(entries)) == entries


@given(st.sets(bits(16), max_size=2047))
def test_controller_lists_come_back(controllers: set[int]) -> None:
    assert wire.decode_controllers(wire.encode_controllers(controllers)) == sorted(controllers)


@given(st.sets(st.integers(1, 0xFFFFFFFE), max_size=1024))
def test_namespace_lists_come_back(nsids: set[int]) -> None:
    assert wire.decode_namespaces(wire.encode_namespaces(nsids)) == sorted(nsids)


@given(st.sampled_from(DECODERS), st.binary(max_size=64), st.integers(0, wire.PAGE), bits(8))
def test_any_octets_are_read_or_refused(
    decode: Callable[[bytes], object], octets: bytes, length: int, filler: int
) -> None:
    with suppress(WireError):
        decode(octets.ljust(length, bytes([filler])))


class Odd(FakeControllers):
    """A controller that answers with any octets."""

    def __init__(self, adapter: FakeAdapter, octets: dict[Cns, bytes]) -> None:
        super().__init__(adapter)
        self._octets = octets

    def submit(self, name: str, command: AdminCommand) -> Answer:
        found = self._octets.get(Cns(command.cdw10 & 0xFF)) if command.opcode == wire.IDENTIFY else None
        if found is not None:
            return Answer(0, found.ljust(wire.PAGE, b"\0"))
        try:
            return super().submit(name, command)
        except KeyError:  # a namespace that there is not
            return Answer(0, bytes(wire.PAGE))


# Few small numbers, so that lists are often short and their identifiers often those that there are.
pages = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 127, 255]), max_size=160).map(bytes)


@given(st.dictionaries(st.sampled_from(Cns), pages, max_size=3))
def test_whatever_a_controller_answers_there_is_a_plan_or_an_error_of_ours(octets: dict[Cns, bytes]) -> None:
    adapter = make_adapter()
    doors = replace(adapter.doors(), controllers=Odd(adapter, octets))
    place = Workplace(doors, FakeJournal())
    try:
        steps = plan(place, ADDRESS, StorageWish("disks", (), 2, ((0, 1, StorageSettings(namespaces=(1,))),)))
    except OpenfexError as error:
        assert error.code not in {"error", "internal"}  # noqa: PT017 -- that there is no other is what is tried
    else:
        assert all(str(step) for step in steps)


# What is asked of an adapter, and what comes of it

settings = st.builds(
    StorageSettings,
    queues=st.none() | st.integers(0, 5),
    interrupts=st.none() | st.integers(0, 3),
    namespaces=st.none() | st.sets(st.integers(1, 5), max_size=3).map(lambda found: tuple(sorted(found))),
    driver=st.none() | st.sampled_from(FunctionDriver),
)
ranges = st.tuples(st.integers(0, 3), st.integers(0, 2), settings).map(lambda one: (one[0], one[0] + one[1], one[2]))
wishes = st.builds(
    StorageWish,
    st.just("disks"),
    st.just(()),
    st.none() | st.integers(0, 5),
    st.lists(ranges, max_size=4).map(tuple),
    st.none() | st.integers(0, 3),
    st.none() | st.integers(0, 2),
)
adapters = st.builds(
    make_adapter,
    st.integers(0, 5),
    st.builds(Share, st.integers(0, 12), own=st.just(0), most=st.integers(0, 5), step=st.integers(1, 2)),
    st.builds(Share, st.integers(0, 8), own=st.just(0), most=st.integers(0, 4)),
    st.text("pse", max_size=5),
)


@given(adapters, st.lists(wishes, min_size=1, max_size=4))
def test_an_adapter_becomes_what_is_asked_and_then_what_it_was(adapter: FakeAdapter, asked: list[StorageWish]) -> None:
    """The controller in memory refuses what is out of order; `apply` reads back itself. No plan is left afterwards."""
    place = adapter.workplace()
    before = observe(place.doors, ADDRESS)
    for wish in asked:
        with suppress(DocumentError):
            apply(place, ADDRESS, wish)
            assert plan(place, ADDRESS, wish) == []
        for resource in Resource:
            share = observe(place.doors, ADDRESS).share(resource)
            assert share.assigned + share.own <= share.flexible
    with suppress(NotFoundError):
        release(place, ADDRESS)
    assert observe(place.doors, ADDRESS) == before
    assert place.journal.read(ADDRESS) is None


@given(adapters, wishes, wishes, st.integers(0, 40))
def test_p6_a_change_that_fails_leaves_what_was_there(
    adapter: FakeAdapter, first: StorageWish, second: StorageWish, number: int
) -> None:
    place = adapter.workplace()
    try:
        apply(place, ADDRESS, first)
        before = observe(place.doors, ADDRESS)
        adapter.calls.clear()
        apply(place, ADDRESS, second)
    except DocumentError:
        return
    made = list(adapter.calls)
    again = Workplace(place.doors, FakeJournal())
    _go_back(again, before)
    if not made:
        return
    adapter.fails = made[number % len(made)]
    with pytest.raises(KernelError, match="cannot"):
        apply(again, ADDRESS, second)
    assert observe(place.doors, ADDRESS) == before


def _go_back(place: Workplace, before: StorageAdapter) -> None:
    """To a state that is not the first one, which the journal has then."""
    place.journal.write(before)
    release(place, ADDRESS)
    assert observe(place.doors, ADDRESS) == before
    adopt(place, ADDRESS)


@given(adapters, wishes, wishes, st.integers(0, 40))
def test_p6_after_a_run_that_was_killed_the_next_converges(
    adapter: FakeAdapter, first: StorageWish, second: StorageWish, number: int
) -> None:
    """Killed before any step: nothing is put back, and what was there first is given back in the end."""
    place = adapter.workplace()
    before = observe(place.doors, ADDRESS)
    done: list[StorageStep] = []
    try:
        with suppress(DocumentError):
            left = plan(place, ADDRESS, first)
            if left:
                place.journal.write(before)
            for step in left[: number % (len(left) + 1)]:
                perform(place.doors, ADDRESS, step)
                done.append(step)
        apply(place, ADDRESS, second)
    except DocumentError:
        pass
    else:
        assert plan(place, ADDRESS, second) == []
    if place.journal.read(ADDRESS) is not None:
        release(place, ADDRESS)
    assert observe(place.doors, ADDRESS) == before


@given(adapters, wishes, st.integers(0, 40))
def test_p6_after_a_run_that_was_killed_the_same_run_does_what_it_would_have_done(
    adapter: FakeAdapter, wish: StorageWish, number: int
) -> None:
    undisturbed, place = copy.deepcopy(adapter).workplace(), adapter.workplace()
    try:
        left = plan(place, ADDRESS, wish)
    except DocumentError:
        return
    if left:
        place.journal.write(observe(place.doors, ADDRESS))
    for step in left[: number % (len(left) + 1)]:
        perform(place.doors, ADDRESS, step)
    for one in (place, undisturbed):
        apply(one, ADDRESS, wish)
    found, wanted = (observe(one.doors, ADDRESS) for one in (place, undisturbed))
    assert found == wanted


@given(adapters, wishes)
def test_a_record_comes_back(adapter: FakeAdapter, wish: StorageWish) -> None:
    place = adapter.workplace()
    with suppress(DocumentError):
        apply(place, ADDRESS, wish)
    found = observe(place.doors, ADDRESS)
    assert from_json(json.loads(json.dumps(to_json(found)))) == found
