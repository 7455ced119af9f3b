# SPDX-License-Identifier: Apache-2.0
"""An NVMe adapter is read, changed, and put back when a change fails; against an adapter in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from openfex.adapter.nvme import apply, plan, restore
from openfex.adapter.nvme_reading import Doors, disks, observe
from openfex.adapter.nvme_steps import perform
from openfex.errors import OpenfexError, RefusedError, UnsupportedError, VerificationError
from openfex.linux.nvme import Disk
from openfex.linux.pci import PciFunction
from openfex.model.functions import FunctionDriver
from openfex.model.storage import Resource, Share, StorageSettings, StorageWish
from openfex.plan.storage_steps import StorageStep, Verb
from openfex.testing.nvme import ADDRESS, FakeAdapter, FakeBus, FakeControllers, make_adapter

EACH = tuple((number, number, StorageSettings(namespaces=(number + 1,))) for number in range(3))
WISH = StorageWish("disks", (), 4, EACH)


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


def test_functions_come_online_with_disks() -> None:
    adapter = make_adapter()
    doors = adapter.doors()
    told: list[StorageStep] = []
    assert apply(doors, ADDRESS, WISH, say=told.append) == told
    found = observe(doors, ADDRESS)
    assert [(one.online, one.queues, one.interrupts, one.driver) for one in found.carved] == [(True, 2, 1, "nvme")] * 4
    assert {number: [one.nsid for one in there] for number, there in disks(doors, ADDRESS).items()} == {
        0: [1],
        1: [2],
        2: [3],
        3: [],
    }
    assert adapter.autoprobe


def test_what_is_there_is_left_alone() -> None:
    adapter = make_adapter()
    apply(adapter.doors(), ADDRESS, WISH)
    before = list(adapter.calls)
    assert apply(adapter.doors(), ADDRESS, WISH) == []
    assert adapter.calls == before


def test_a_function_is_left_to_vfio() -> None:
    adapter = make_adapter()
    settings = (
        (0, 0, StorageSettings(driver=FunctionDriver.VFIO)),
        (1, 1, StorageSettings(driver=FunctionDriver.NONE)),
    )
    apply(adapter.doors(), ADDRESS, replace(WISH, settings=settings))
    assert [one.driver for one in adapter.secondaries] == ["vfio-pci", "", "nvme", "nvme"]


def test_functions_that_somebody_has_stay() -> None:
    adapter = make_adapter()
    doors = adapter.doors()
    apply(doors, ADDRESS, WISH)
    before = observe(doors, ADDRESS)
    with pytest.raises(RefusedError) as refused:
        apply(doors, ADDRESS, replace(WISH, functions=3))
    assert refused.value.code == "functions-in-use"
    assert "function 3 (nvme)" in refused.value.message
    assert observe(doors, ADDRESS) == before
    apply(doors, ADDRESS, replace(WISH, functions=3), force=True)
    assert adapter.count == 3


def test_a_namespace_that_came_by_itself_is_taken_away_where_others_are_asked_for() -> None:
    adapter = make_adapter(namespaces="pppe")
    apply(adapter.doors(), ADDRESS, WISH)
    assert adapter.attached == {1: {1}, 2: {2}, 3: {3}, 4: {4}}


class Mounted(FakeControllers):
    def in_use(self, disk: Disk) -> bool:
        return disk.nsid == 2


def test_a_disk_that_is_mounted_stays() -> None:
    adapter = make_adapter()
    doors = Doors(FakeBus(adapter), Mounted(adapter), adapter.doors().listen)
    apply(doors, ADDRESS, WISH)
    for change in (StorageSettings(namespaces=()), StorageSettings(driver=FunctionDriver.VFIO)):
        apply(doors, ADDRESS, replace(WISH, settings=(*EACH, (0, 0, change))))
        with pytest.raises(RefusedError) as refused:
            apply(doors, ADDRESS, replace(WISH, settings=(*EACH, (1, 1, change))))
        assert refused.value.code == "disk-in-use"
        assert "disk nvme0n2 of function 1" in refused.value.message


@pytest.mark.parametrize("failing", ["count 4", "online 2 0 queues", "attach 2 2", "bind 0000:01:00.3 nvme"])
def test_p6_a_change_that_fails_is_put_back(failing: str) -> None:
    adapter = make_adapter()
    before = observe(adapter.doors(), ADDRESS)
    adapter.fails = failing
    with pytest.raises(OpenfexError) as failed:
        apply(adapter.doors(), ADDRESS, WISH)
    assert failed.value.code == "made-to-fail"
    assert observe(adapter.doors(), ADDRESS) == before


def test_the_primary_gives_of_its_own_at_a_reset() -> None:
    adapter = make_adapter(queues=Share(8, own=3, most=4))
    doors = adapter.doors()
    before = observe(doors, ADDRESS)
    apply(doors, ADDRESS, WISH)
    assert adapter.calls.index("primary_flexible 0 0 queues") < adapter.calls.index("reset")
    assert adapter.calls.index("reset") < adapter.calls.index("count 4")
    restore(doors, before, force=True)
    assert observe(doors, ADDRESS) == before
    assert adapter.shares[Resource.QUEUES].own == 3


class Deaf(FakeControllers):
    """Its reset changes nothing."""

    def reset(self, address: str) -> None:
        pass


def test_p6_what_reads_back_different_is_put_back() -> None:
    adapter = make_adapter(queues=Share(9, own=1, most=4))
    doors = Doors(FakeBus(adapter), Deaf(adapter), adapter.doors().listen)
    before = observe(doors, ADDRESS)
    with pytest.raises(VerificationError) as failed:
        apply(doors, ADDRESS, replace(WISH, own_queues=0))
    assert failed.value.code == "not-verified"
    assert observe(doors, ADDRESS) == before


def test_a_driver_that_does_not_come_is_told() -> None:
    adapter = make_adapter()
    doors = adapter.doors()
    perform(doors, ADDRESS, StorageStep(Verb.COUNT, number=1))
    with pytest.raises(VerificationError) as failed:
        perform(doors, ADDRESS, StorageStep(Verb.BIND, 0, 1, driver="nvme"))
    assert failed.value.code == "storage-timeout"


class Plain(FakeBus):
    """A PF without SR-IOV."""

    def function(self, address: str) -> PciFunction:
        return replace(super().function(address), sriov=None)


class Driverless(FakeControllers):
    def controller(self, address: str) -> str:
        return ""


@pytest.mark.parametrize("code", ["no-storage-functions", "no-nvme-driver"])
def test_an_adapter_that_cannot_is_told(code: str) -> None:
    adapter: FakeAdapter = make_adapter()
    bus = Plain(adapter) if code == "no-storage-functions" else FakeBus(adapter)
    controllers = Driverless(adapter) if code == "no-nvme-driver" else FakeControllers(adapter)
    with pytest.raises(UnsupportedError) as refused:
        plan(Doors(bus, controllers, adapter.doors().listen), ADDRESS, WISH)
    assert refused.value.code == code


def test_what_the_controller_refuses_has_a_code() -> None:
    adapter = make_adapter()
    doors = adapter.doors()
    perform(doors, ADDRESS, StorageStep(Verb.COUNT, number=4))
    refusals: Sequence[tuple[StorageStep, str]] = (
        (StorageStep(Verb.ASSIGN, 0, 1, 5), "storage-share-too-large"),
        (StorageStep(Verb.ASSIGN, 0, 9, 1), "no-such-controller"),
        (StorageStep(Verb.ONLINE, 0, 1), "wrong-controller-state"),
        (StorageStep(Verb.OWN, number=9), "storage-overcommitted"),
        (StorageStep(Verb.DETACH, 0, 1, 1), "namespace-not-attached"),
    )
    for step, code in refusals:
        with pytest.raises(RefusedError) as refused:
            perform(doors, ADDRESS, step)
        assert refused.value.code == code
