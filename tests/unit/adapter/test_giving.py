# SPDX-License-Identifier: Apache-2.0
"""Functions given away and taken back, on a machine that keeps the kernel's rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from openfex.adapter import changes, giving
from openfex.adapter.giving import Wanted
from openfex.adapter.journal import Journal
from openfex.errors import KernelError, NotFoundError, RefusedError
from openfex.model.functions import AdapterWish, FunctionDriver, Selector, Settings
from openfex.model.values import Mac
from openfex.testing.adapters import FakeAdapter, FakeHost, vf_address
from tests.unit.adapter.test_changes import KilledWithIt, killing, state

PF = "0000:01:00.0"
FIRST, SECOND = vf_address(PF, 0), vf_address(PF, 1)
WISH = AdapterWish("nic0", (Selector(address=PF),), 3, settings=((0, 2, Settings(spoof_check=True)),))


@pytest.fixture(autouse=True)
def without_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)


def start(folder: Path, **more: object) -> tuple[FakeHost, Journal]:
    host, journal = FakeHost(FakeAdapter(**more)), Journal(folder)  # type: ignore[arg-type]
    changes.apply(host, journal, [WISH])
    return host, journal


WANTED = {
    "name space": Wanted("blue", "eth0", Settings(mac=Mac.parse("52:54:00:00:00:09"), vlan=7)),
    "machine": Wanted("vm", settings=Settings(trust=True)),
    "host": Wanted("host", "lan0"),
}


@pytest.mark.parametrize("name", WANTED)
def test_what_is_given_is_there_and_what_comes_back_is_as_before(name: str, tmp_path: Path) -> None:
    host, journal = start(tmp_path)
    before, wanted = state(host), WANTED[name]
    gift = giving.give(host, journal, FIRST, wanted)
    one = giving.find(host, FIRST)[1]
    assert one.bound is (FunctionDriver.VFIO if wanted.to == "vm" else FunctionDriver.DEVICE)
    if wanted.to != "vm":
        assert one.net
        assert (one.net.space, one.net.name) == (wanted.space, wanted.name)
    assert giving.give(host, journal, FIRST, wanted) == gift, "given already"
    assert giving.take_back(host, journal, FIRST) == gift
    assert state(host) == before
    assert giving.take_back(host, journal, FIRST) is None


@pytest.mark.parametrize("after", [False, True], ids=["before it is done", "when it is done"])
@pytest.mark.parametrize("name", WANTED)
def test_giving_and_taking_back_can_be_killed_anywhere(name: str, after: bool, tmp_path: Path) -> None:
    wanted = WANTED[name]
    host, _ = start(tmp_path / "count")
    done = len(host.changes)
    giving.give(host, KilledWithIt(tmp_path / "count", host), FIRST, wanted)
    gives = len(host.changes) - done
    giving.take_back(host, KilledWithIt(tmp_path / "count", host), FIRST)
    backs = len(host.changes) - done - gives
    assert gives > 1
    assert backs > 1
    for point in range(1, gives + backs + 1):
        folder = tmp_path / str(point)
        host, journal = start(folder)
        before = state(host)
        if point > gives:
            giving.give(host, journal, FIRST, wanted)
        mortal = KilledWithIt(folder, host)
        with killing(host, point if point <= gives else point - gives, after):
            if point <= gives:
                giving.give(host, mortal, FIRST, wanted)
            else:
                giving.take_back(host, mortal, FIRST)
        giving.take_back(host, journal, FIRST)
        assert state(host) == before, point
        assert not journal.read()[PF].gifts


def test_a_late_return_of_an_older_gift_does_nothing_to_the_new_holder(tmp_path: Path) -> None:
    host, journal = start(tmp_path)
    older = giving.give(host, journal, FIRST, Wanted("blue", "eth0"))
    giving.take_back(host, journal, FIRST)
    newer = giving.give(host, journal, FIRST, Wanted("green", "eth0"))
    assert newer.generation > older.generation
    there = state(host)
    assert giving.take_back(host, journal, FIRST, generation=older.generation) is None
    assert state(host) == there
    assert giving.take_back(host, journal, FIRST, generation=newer.generation) == newer


def test_generations_rise_over_all_functions_of_an_adapter(tmp_path: Path) -> None:
    host, journal = start(tmp_path)
    gifts = [giving.give(host, journal, one, Wanted("blue", name)) for one, name in ((FIRST, "a"), (SECOND, "b"))]
    assert [one.generation for one in gifts] == [2, 3]


def test_what_has_been_given_is_not_given_to_another(tmp_path: Path) -> None:
    host, journal = start(tmp_path)
    giving.give(host, journal, FIRST, Wanted("blue", "eth0"))
    for wanted in (Wanted("green", "eth0"), Wanted("vm"), Wanted("blue", "eth1")):
        with pytest.raises(RefusedError) as refused:
            giving.give(host, journal, FIRST, wanted, force=True)
        assert refused.value.code == "function-given"
    with pytest.raises(RefusedError) as refused:
        changes.release(host, journal, [PF])
    assert refused.value.code == "function-given"


def test_what_others_use_or_manage_is_not_given(tmp_path: Path) -> None:
    host, journal = start(tmp_path)
    host.function(FIRST).space = "blue"
    with pytest.raises(RefusedError, match="in name space blue") as refused:
        giving.give(host, journal, FIRST, Wanted("green"))
    assert refused.value.code == "function-in-use"
    with pytest.raises(RefusedError, match="fex adopt"):
        giving.give(host, Journal(tmp_path / "none"), SECOND, Wanted("green"))
    with pytest.raises(NotFoundError):
        giving.give(host, journal, "0000:09:00.0", Wanted("green"))


def test_a_machine_needs_an_iommu(tmp_path: Path) -> None:
    host, journal = start(tmp_path, iommu=False)
    before = state(host)
    with pytest.raises(RefusedError) as refused:
        giving.give(host, journal, FIRST, Wanted("vm"))
    assert refused.value.code == "no-iommu"
    assert state(host) == before


def test_a_name_space_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    host, journal = start(tmp_path)
    before = state(host)
    with pytest.raises(NotFoundError):
        giving.give(host, journal, FIRST, Wanted("nowhere", settings=Settings(trust=True)))
    assert state(host) == before
    assert not journal.read()[PF].gifts


def test_what_a_machine_still_holds_is_not_taken_back(tmp_path: Path) -> None:
    host, journal = start(tmp_path)
    giving.give(host, journal, FIRST, Wanted("vm"))
    host.function(FIRST).open = True
    with pytest.raises(RefusedError) as refused:
        giving.take_back(host, journal, FIRST)
    assert refused.value.code == "function-in-use"
    host.function(FIRST).open = False
    assert giving.take_back(host, journal, FIRST)


@pytest.mark.parametrize("fate", ["lost", "renamed", "gone home"])
def test_it_comes_home_from_wherever_it_is(fate: str, tmp_path: Path) -> None:
    host, journal = start(tmp_path)
    before = state(host)
    giving.give(host, journal, FIRST, Wanted("blue", "eth0"))
    function = host.function(FIRST)
    if fate == "lost":
        function.space, host.hidden = "unseen", {"unseen"}
    elif fate == "renamed":
        function.name = "wan7"
    else:
        function.space, function.name = "", "dev12"
    assert giving.take_back(host, journal, FIRST)
    assert state(host) == before


def test_a_gift_of_a_function_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    host, journal = start(tmp_path)
    giving.give(host, journal, FIRST, Wanted("vm"))
    host.set_count(PF, 0)
    assert changes.clear_up(host, journal) == [f"gifts of 1 function of {PF} that are not there any more"]
    assert not journal.read()[PF].gifts


def test_what_has_been_given_stays_so_when_a_file_is_applied_again(tmp_path: Path) -> None:
    host, journal = start(tmp_path)
    gift = giving.give(host, journal, FIRST, Wanted("vm"))
    asked = replace(WISH, settings=((0, 2, Settings(driver=FunctionDriver.DEVICE, trust=True)),))
    changes.apply(host, journal, [asked])
    assert giving.find(host, FIRST)[1].bound is FunctionDriver.VFIO
    assert giving.find(host, FIRST)[1].settings.trust
    with pytest.raises(RefusedError, match="it has been given to vm") as refused:
        changes.apply(host, journal, [replace(WISH, functions=5)])
    assert refused.value.code == "function-in-use"
    changes.apply(host, journal, [replace(WISH, functions=5)], force=True)
    assert giving.take_back(host, journal, FIRST, generation=gift.generation) is None, "it is another function now"
    assert giving.find(host, FIRST)[1].bound is FunctionDriver.DEVICE


def test_one_adapter_that_cannot_be_put_back_does_not_keep_the_other_from_it(tmp_path: Path) -> None:
    other = "0000:03:00.0"
    host, journal = FakeHost(FakeAdapter(), FakeAdapter(other, "eno2")), Journal(tmp_path)
    both = replace(WISH, pfs=(Selector(driver="igb"),), settings=((2, 2, Settings(trust=True)),))
    host.refuses = lambda change: change in (f"set_trust {other} 2", f"set_count {PF} 0")
    with pytest.raises(KernelError) as failed:
        changes.apply(host, journal, [both])
    assert [f"{PF} could not all be put back" in note for note in failed.value.__notes__] == [True]
    assert host.adapters[other].numvfs == 0
    assert list(journal.read()) == [PF], "what is not as it was has a record"
    host.refuses = lambda change: False
    changes.release(host, journal, [PF])
    assert host.adapters[PF].numvfs == 0
