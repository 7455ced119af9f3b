# SPDX-License-Identifier: Apache-2.0
"""An NVMe adapter is read, changed, given back, and put back when a change fails; against an adapter in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from openfex.adapter.nvme import Workplace, adopt, apply, plan, release
from openfex.adapter.nvme_reading import Doors, disks, observe
from openfex.adapter.nvme_steps import perform
from openfex.errors import NotFoundError, OpenfexError, RefusedError, UnsupportedError, VerificationError, WireError
from openfex.linux.nvme import Answer
from openfex.linux.pci import PciFunction
from openfex.model.functions import FunctionDriver
from openfex.model.storage import Resource, Share, StorageSettings, StorageWish
from openfex.plan.storage_steps import StorageStep, Verb
from openfex.testing.nvme import ADDRESS, FakeAdapter, FakeBus, FakeControllers, FakeJournal, make_adapter
from openfex.wire import nvme as wire
from openfex.wire.nvme import AdminCommand, Cns

EACH = tuple((number, number, StorageSettings(namespaces=(number + 1,))) for number in range(3))
WISH = StorageWish("disks", (), 4, EACH)


@pytest.fixture
def adapter() -> FakeAdapter:
    return make_adapter()


@pytest.fixture
def place(adapter: FakeAdapter) -> Workplace:
    return adapter.workplace()


def test_it_is_read_page_by_page() -> None:
    """The adapter in memory has two entries a page."""
    adapter = make_adapter(functions=5, namespaces="pspsp")
    adapter.attached[4] = {1, 2, 3, 4, 5}
    found = observe(adapter.doors(), ADDRESS)
    assert [one.controller for one in found.functions] == [1, 2, 3, 4, 5]
    assert [one.nsid for one in found.namespaces] == [1, 2, 3, 4, 5]
    assert found.namespaces[3].controllers == (1, 2, 3, 4, 5)
    assert all(one.namespaces == (4,) for one in found.functions)
    assert found.carved == ()


def test_functions_come_online_with_disks(adapter: FakeAdapter, place: Workplace) -> None:
    told: list[StorageStep] = []
    assert apply(replace(place, say=told.append), ADDRESS, WISH) == told
    found = observe(place.doors, ADDRESS)
    assert [(one.online, one.queues, one.interrupts, one.driver) for one in found.carved] == [(True, 2, 1, "nvme")] * 4
    shown = {number: [one.nsid for one in there] for number, there in disks(place.doors, ADDRESS).items()}
    assert shown == {0: [1], 1: [2], 2: [3], 3: []}
    assert adapter.autoprobe


def test_what_is_there_is_left_alone(adapter: FakeAdapter, place: Workplace) -> None:
    apply(place, ADDRESS, WISH)
    before = list(adapter.calls)
    assert apply(place, ADDRESS, WISH) == []
    assert adapter.calls == before


def test_a_function_is_left_to_vfio(adapter: FakeAdapter, place: Workplace) -> None:
    vfio, none = (StorageSettings(driver=driver) for driver in (FunctionDriver.VFIO, FunctionDriver.NONE))
    apply(place, ADDRESS, replace(WISH, settings=((0, 0, vfio), (1, 1, none))))
    assert [one.driver for one in adapter.secondaries] == ["vfio-pci", "", "nvme", "nvme"]


def test_a_namespace_that_came_by_itself_is_taken_away_where_others_are_asked_for() -> None:
    adapter = make_adapter(namespaces="pppe")
    apply(adapter.workplace(), ADDRESS, WISH)
    assert adapter.attached == {1: {1}, 2: {2}, 3: {3}, 4: {4}}


class Doubled(FakeControllers):
    """Two of its secondaries are of one function."""

    def submit(self, name: str, command: AdminCommand) -> Answer:
        if command.cdw10 & 0xFF != Cns.SECONDARIES:
            return super().submit(name, command)
        entries = [wire.Secondary(number, 0, online=False, vf=1, queues=0, interrupts=0) for number in (1, 2)]
        return Answer(0, wire.encode_secondaries(entries if not command.cdw10 >> 16 else []))


def test_a_controller_that_contradicts_itself_is_told(adapter: FakeAdapter) -> None:
    with pytest.raises(WireError, match="two secondary controllers of one function"):
        observe(replace(adapter.doors(), controllers=Doubled(adapter)), ADDRESS)


# Whose it is


def test_functions_of_others_are_changed_only_when_they_are_adopted(adapter: FakeAdapter, place: Workplace) -> None:
    apply(replace(place, journal=FakeJournal()), ADDRESS, replace(WISH, functions=2, settings=EACH[:2]))
    before = observe(place.doors, ADDRESS)
    with pytest.raises(RefusedError) as refused:
        apply(place, ADDRESS, WISH)
    assert refused.value.code == "not-ours"
    assert adopt(place, ADDRESS)
    assert not adopt(place, ADDRESS)
    apply(place, ADDRESS, WISH)
    release(place, ADDRESS)
    assert observe(place.doors, ADDRESS) == before


def test_what_was_there_is_given_back_and_forgotten(place: Workplace) -> None:
    before = observe(place.doors, ADDRESS)
    apply(place, ADDRESS, WISH)
    apply(place, ADDRESS, replace(WISH, functions=3))
    release(place, ADDRESS)
    assert observe(place.doors, ADDRESS) == before
    with pytest.raises(NotFoundError) as refused:
        release(place, ADDRESS)
    assert refused.value.code == "nothing-to-release"


def test_a_disk_that_somebody_has_stays(adapter: FakeAdapter, place: Workplace) -> None:
    apply(place, ADDRESS, WISH)
    before = observe(place.doors, ADDRESS)
    adapter.users[2] = "it is mounted"
    for change in (StorageSettings(namespaces=()), StorageSettings(driver=FunctionDriver.VFIO)):
        with pytest.raises(RefusedError) as refused:
            apply(place, ADDRESS, replace(WISH, settings=(*EACH, (1, 1, change))))
        assert refused.value.code == "function-in-use"
        assert "function 1" in refused.value.message
        assert "disk nvme0n2: it is mounted" in refused.value.message
    with pytest.raises(RefusedError):
        apply(place, ADDRESS, replace(WISH, functions=3))
    assert observe(place.doors, ADDRESS) == before
    apply(place, ADDRESS, replace(WISH, settings=(*EACH, (0, 0, StorageSettings(namespaces=())))))
    apply(place, ADDRESS, replace(WISH, functions=3), force=True)
    assert adapter.count == 3


def test_a_function_that_a_virtual_machine_has_stays(adapter: FakeAdapter, place: Workplace) -> None:
    apply(place, ADDRESS, replace(WISH, settings=((1, 1, StorageSettings(driver=FunctionDriver.VFIO)),)))
    adapter.holders["1"] = 4711
    with pytest.raises(RefusedError) as refused:
        release(place, ADDRESS)
    assert refused.value.code == "function-in-use"
    assert "process 4711 has it by VFIO" in refused.value.message


# What fails


@pytest.mark.parametrize("failing", ["count 4", "online 2 0 queues", "attach 2 2", "bind 0000:01:00.3 nvme"])
def test_p6_a_change_that_fails_is_put_back(adapter: FakeAdapter, place: Workplace, failing: str) -> None:
    before = observe(place.doors, ADDRESS)
    adapter.fails = failing
    with pytest.raises(OpenfexError) as failed:
        apply(place, ADDRESS, WISH)
    assert failed.value.code == "made-to-fail"
    assert observe(place.doors, ADDRESS) == before
    assert place.journal.read(ADDRESS) is None


def test_p6_what_a_killed_run_has_left_is_in_the_journal(place: Workplace) -> None:
    """Even that the kernel binds functions by itself, which is off for a moment only."""
    before = observe(place.doors, ADDRESS)
    place.journal.write(before)
    for step in plan(place, ADDRESS, WISH)[:2]:
        perform(place.doors, ADDRESS, step)
    assert observe(place.doors, ADDRESS).autoprobe is False
    apply(place, ADDRESS, WISH)
    assert observe(place.doors, ADDRESS).autoprobe
    release(place, ADDRESS)
    assert observe(place.doors, ADDRESS) == before


def test_the_primary_gives_of_its_own_at_a_reset() -> None:
    adapter = make_adapter(queues=Share(8, own=3, most=4))
    place = adapter.workplace()
    before = observe(place.doors, ADDRESS)
    apply(place, ADDRESS, WISH)
    assert adapter.calls.index("primary_flexible 0 0 queues") < adapter.calls.index("reset")
    assert adapter.calls.index("reset") < adapter.calls.index("count 4")
    release(place, ADDRESS)
    assert observe(place.doors, ADDRESS) == before
    assert adapter.shares[Resource.QUEUES].own == 3


class Deaf(FakeControllers):
    """Its reset changes nothing."""

    def reset(self, address: str) -> None:
        pass


def test_p6_what_reads_back_different_is_put_back() -> None:
    adapter = make_adapter(queues=Share(9, own=1, most=4))
    doors = Doors(FakeBus(adapter), Deaf(adapter), adapter.doors().listen, dict)
    before = observe(doors, ADDRESS)
    with pytest.raises(VerificationError) as failed:
        apply(Workplace(doors, FakeJournal()), ADDRESS, replace(WISH, own_queues=0))
    assert failed.value.code == "not-verified"
    assert observe(doors, ADDRESS) == before


def test_a_driver_that_does_not_come_is_told(place: Workplace) -> None:
    perform(place.doors, ADDRESS, StorageStep(Verb.COUNT, number=1))
    with pytest.raises(VerificationError) as failed:
        perform(place.doors, ADDRESS, StorageStep(Verb.BIND, 0, 1, driver="nvme"))
    assert failed.value.code == "functions-late"


def test_a_function_that_is_not_there_is_told(place: Workplace) -> None:
    with pytest.raises(NotFoundError) as failed:
        perform(place.doors, ADDRESS, StorageStep(Verb.BIND, 0, 1, driver="nvme"))
    assert failed.value.code == "no-such-function"


class Plain(FakeBus):
    """A PF without SR-IOV."""

    def function(self, address: str) -> PciFunction:
        return replace(super().function(address), sriov=None)


class Driverless(FakeControllers):
    def controller(self, address: str) -> str:
        return ""


@pytest.mark.parametrize("code", ["no-storage-functions", "no-nvme-driver"])
def test_an_adapter_that_cannot_is_told(adapter: FakeAdapter, code: str) -> None:
    bus = Plain(adapter) if code == "no-storage-functions" else FakeBus(adapter)
    controllers = Driverless(adapter) if code == "no-nvme-driver" else FakeControllers(adapter)
    with pytest.raises(UnsupportedError) as refused:
        observe(Doors(bus, controllers, adapter.doors().listen), ADDRESS)
    assert refused.value.code == code


def test_what_the_controller_refuses_has_a_code(place: Workplace) -> None:
    perform(place.doors, ADDRESS, StorageStep(Verb.COUNT, number=4))
    refusals: Sequence[tuple[StorageStep, str]] = (
        (StorageStep(Verb.ASSIGN, 0, 1, 5), "storage-share-too-large"),
        (StorageStep(Verb.ASSIGN, 0, 9, 1), "no-such-controller"),
        (StorageStep(Verb.ONLINE, 0, 1), "wrong-controller-state"),
        (StorageStep(Verb.OWN, number=9), "storage-overcommitted"),
        (StorageStep(Verb.DETACH, 0, 1, 1), "namespace-not-attached"),
    )
    for step, code in refusals:
        with pytest.raises(RefusedError) as refused:
            perform(place.doors, ADDRESS, step)
        assert refused.value.code == code
