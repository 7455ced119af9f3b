# SPDX-License-Identifier: Apache-2.0
"""Changing real adapters, on a machine that keeps the kernel's rules: done, verified, put back, and killed anywhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from openfex.adapter import changes
from openfex.adapter.journal import Journal
from openfex.errors import InputError, KernelError, NotFoundError, OpenfexError, RefusedError, VerificationError
from openfex.model.adapters import RealAdapter
from openfex.model.functions import (
    ALL_FUNCTIONS,
    AdapterWish,
    FunctionDriver,
    HwMode,
    Selector,
    Settings,
    TagProtocol,
)
from openfex.model.values import Mac
from openfex.plan.records import Record
from openfex.testing.adapters import CARVED, FakeAdapter, FakeHost, Killed, vf_address

PF = "0000:01:00.0"
MAC = Mac.parse("52:54:00:00:00:01")
TAGGED = Settings(vlan=10, qos=3, protocol=TagProtocol.DOT1Q)


@pytest.fixture(autouse=True)
def without_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed loses nothing that it has written; disks are for machines that are."""
    monkeypatch.setattr("os.fsync", lambda handle: None)


class KilledWithIt(Journal):
    """A journal of the process that the host kills."""

    def __init__(self, folder: Path, host: FakeHost) -> None:
        super().__init__(folder)
        self.host = host

    def write(self, record: Record) -> None:
        self.host.count(f"journal {record.adapter}", lambda: Journal.write(self, record))

    def remove(self, adapter: str) -> None:
        self.host.count(f"forget {adapter}", lambda: Journal.remove(self, adapter))


def wish(functions: int | None = 4, *settings: tuple[int, int, Settings], **more: object) -> AdapterWish:
    return AdapterWish("nic0", (Selector(address=PF),), functions, settings=settings, **more)  # type: ignore[arg-type]


def carved(count: int = 4, **more: object) -> FakeAdapter:
    """An adapter whose functions somebody else has carved."""
    pf = FakeAdapter(**more)  # type: ignore[arg-type]
    host = FakeHost(pf)
    host.set_count(pf.address, count)
    pf.late = pf.dark = 0
    return pf


def state(host: FakeHost) -> tuple[RealAdapter, ...]:
    for adapter in host.adapters.values():
        adapter.late = adapter.dark = 0
    return host.observe()


WISHES: dict[str, AdapterWish] = {
    "carve": wish(4),
    "carve and set": wish(4, (*ALL_FUNCTIONS, Settings(spoof_check=False, trust=True)), (1, 2, TAGGED)),
    "mac and drivers": wish(
        3, (0, 0, Settings(mac=MAC)), (1, 1, Settings(driver=FunctionDriver.VFIO)),
        (2, 2, Settings(driver=FunctionDriver.NONE, max_rate=200)),
    ),
    "no autoprobe": wish(2, (0, 0, Settings(mac=MAC, driver=FunctionDriver.DEVICE)), autoprobe=False),
    "vepa": wish(2, hwmode=HwMode.VEPA),
}  # fmt: skip


@pytest.mark.parametrize("name", WISHES)
def test_applied_is_as_asked_and_released_as_before(name: str, tmp_path: Path) -> None:
    host, journal = FakeHost(FakeAdapter(hwmode=HwMode.VEB)), Journal(tmp_path)
    before = state(host)
    changes.apply(host, journal, [WISHES[name]])
    assert state(host)[0].count == WISHES[name].functions
    assert changes.plan(host, journal, [WISHES[name]]).steps == ()
    assert changes.apply(host, journal, [WISHES[name]]).steps == ()
    changes.release(host, journal, [PF])
    assert state(host) == before
    assert journal.read() == {}


def test_each_function_is_what_its_range_says(tmp_path: Path) -> None:
    host = FakeHost(FakeAdapter())
    changes.apply(host, Journal(tmp_path), [WISHES["mac and drivers"]])
    first, second, third = state(host)[0].functions
    assert (first.settings.mac, first.bound) == (MAC, FunctionDriver.DEVICE)
    assert first.net
    assert first.net.mac == MAC
    assert (second.bound, second.override) == (FunctionDriver.VFIO, "vfio-pci")
    assert (third.bound, third.settings.max_rate) == (FunctionDriver.NONE, 200)


def test_no_function_is_seen_by_its_driver_before_it_is_what_it_should_be(tmp_path: Path) -> None:
    host = FakeHost(FakeAdapter())
    changes.apply(host, Journal(tmp_path), [wish(1, (0, 0, Settings(mac=MAC)))])
    kinds = [change.split()[0] for change in host.changes]
    assert kinds == ["set_autoprobe", "set_count", "set_mac", "set_autoprobe", "probe"]


def test_an_mac_that_changes_starts_the_driver_anew_where_it_would_not_see_it(tmp_path: Path) -> None:
    pf = carved(2)
    host, journal = FakeHost(pf), Journal(tmp_path)
    changes.adopt(host, journal, PF)
    changes.apply(host, journal, [wish(None, (1, 1, Settings(mac=MAC)))])
    assert pf.functions[1].mac_in_use == MAC
    assert [change.split()[0] for change in host.changes] == ["unbind", "set_mac", "probe"]


# Whose it is


def test_what_others_have_carved_is_left_alone_until_it_is_adopted(tmp_path: Path) -> None:
    host, journal = FakeHost(carved(4)), Journal(tmp_path)
    asked = wish(None, (0, 1, TAGGED))
    before = state(host)
    with pytest.raises(RefusedError, match="fex adopt") as refused:
        changes.apply(host, journal, [asked])
    assert refused.value.code == "not-ours"
    assert state(host) == before
    assert changes.adopt(host, journal, PF).adopted
    assert host.changes == []
    changes.apply(host, journal, [asked])
    changes.release(host, journal, [PF])
    assert state(host) == before


def test_what_is_as_asked_already_is_nobody_s_loss(tmp_path: Path) -> None:
    host, journal = FakeHost(carved(4)), Journal(tmp_path)
    assert changes.apply(host, journal, [wish(4, (0, 0, Settings(spoof_check=True, purpose="db")))]).steps == ()
    assert journal.read() == {}


def test_adopted_functions_come_back_with_all_they_had(tmp_path: Path) -> None:
    pf = carved(3)
    pf.functions[1].settings = replace(CARVED, mac=MAC, vlan=7, trust=True)
    host, journal = FakeHost(pf), Journal(tmp_path)
    changes.adopt(host, journal, PF)
    before = [one.settings for one in state(host)[0].functions]
    changes.apply(host, journal, [wish(6)])
    assert state(host)[0].count == 6
    changes.release(host, journal, [PF])
    assert [one.settings for one in state(host)[0].functions] == before


def test_what_is_not_ours_is_untouched_by_a_release(tmp_path: Path) -> None:
    pf = carved(2)
    host, journal = FakeHost(pf), Journal(tmp_path)
    changes.adopt(host, journal, PF)
    changes.apply(host, journal, [wish(None, (0, 0, TAGGED))])
    pf.functions[0].settings = replace(pf.functions[0].settings, trust=True, max_rate=50)
    changes.release(host, journal, [PF])
    assert pf.functions[0].settings == replace(CARVED, trust=True, max_rate=50)


def test_releasing_what_is_not_ours_does_nothing(tmp_path: Path) -> None:
    host = FakeHost(carved(2))
    assert changes.release(host, Journal(tmp_path), [PF, PF]).steps == ()
    assert host.changes == []


def test_adopting_twice_is_adopting_once(tmp_path: Path) -> None:
    host, journal = FakeHost(carved(2)), Journal(tmp_path)
    assert changes.adopt(host, journal, PF) == changes.adopt(host, journal, PF)
    with pytest.raises(NotFoundError, match="no PF here"):
        changes.adopt(host, journal, "0000:09:00.0")


# In use


@pytest.mark.parametrize("use", ["elsewhere", "open", "lost"])
def test_a_count_is_not_changed_under_a_function_in_use(use: str, tmp_path: Path) -> None:
    pf = FakeAdapter()
    host, journal = FakeHost(pf), Journal(tmp_path)
    changes.apply(host, journal, [wish(4)])
    function = pf.functions[2]
    if use == "elsewhere":
        function.space = "blue"
    elif use == "open":
        function.driver, function.space, function.open = "vfio-pci", None, True
    else:
        function.space = "unseen"
        host.hidden = {"unseen"}
    before, done = state(host), len(host.changes)
    with pytest.raises(RefusedError, match="with --force") as refused:
        changes.apply(host, journal, [wish(5)])
    assert refused.value.code == "function-in-use"
    assert (state(host), len(host.changes)) == (before, done)
    told = changes.plan(host, journal, [wish(5)], force=True)
    assert [one.code for one in told.forced] == ["function-in-use"]
    assert changes.apply(host, journal, [wish(5)], force=True).steps
    assert state(host)[0].count == 5


def test_attributes_are_set_under_a_function_in_use(tmp_path: Path) -> None:
    pf = FakeAdapter()
    host, journal = FakeHost(pf), Journal(tmp_path)
    changes.apply(host, journal, [wish(2)])
    pf.functions[0].space = "blue"
    changes.apply(host, journal, [wish(2, (0, 0, TAGGED))])
    assert pf.functions[0].settings.vlan == 10
    assert pf.functions[0].space == "blue"


# Put back


def test_what_fails_in_the_middle_is_put_back(tmp_path: Path) -> None:
    host, journal = FakeHost(FakeAdapter()), Journal(tmp_path)
    before = state(host)
    host.refuses = lambda change: change.startswith("set_vlan")
    with pytest.raises(KernelError):
        changes.apply(host, journal, [wish(4, (3, 3, TAGGED))])
    assert state(host) == before
    assert journal.read() == {}


def test_what_is_read_back_different_is_put_back(tmp_path: Path) -> None:
    pf = FakeAdapter()
    host, journal = FakeHost(pf), Journal(tmp_path)
    changes.apply(host, journal, [wish(2)])
    before, record = state(host), journal.read()
    deaf = host.set_attributes
    host.set_attributes = lambda adapter, index, change: None  # type: ignore[method-assign]
    with pytest.raises(VerificationError, match="still to be done: set trust on of function 1"):
        changes.apply(host, journal, [wish(2, (1, 1, Settings(trust=True)))])
    host.set_attributes = deaf  # type: ignore[method-assign]
    assert (state(host), journal.read()) == (before, record)


def test_functions_that_never_come_are_told(tmp_path: Path) -> None:
    host, journal = FakeHost(FakeAdapter()), Journal(tmp_path)
    host.wait = lambda holds, deadline_s: False  # type: ignore[method-assign]
    with pytest.raises(VerificationError) as refused:
        changes.apply(host, journal, [wish(4)])
    assert refused.value.code == "functions-late"


# Killed


def crash_points(start: Callable[[], FakeHost], verb: Callable[[FakeHost, Journal], object], folder: Path) -> int:
    """How many changes a verb makes, those of its journal among them."""
    host = start()
    done = len(host.changes)
    verb(host, KilledWithIt(folder, host))
    return len(host.changes) - done


@contextmanager
def killing(host: FakeHost, point: int, after: bool):  # type: ignore[no-untyped-def]
    host.dies_at, host.dies_after, host.dead = len(host.changes) + point, after, False
    with pytest.raises(Killed):
        yield
    host.dead, host.dies_at = False, 0


def begin(count: int, **more: object) -> FakeHost:
    return FakeHost(carved(count, **more) if count else FakeAdapter(**more))  # type: ignore[arg-type]


@pytest.mark.parametrize("after", [False, True], ids=["before it is done", "when it is done"])
@pytest.mark.parametrize("name", WISHES)
def test_an_apply_that_is_killed_anywhere_is_ended_by_the_next_and_can_be_released(
    name: str, after: bool, tmp_path: Path
) -> None:
    asked = WISHES[name]

    def start() -> FakeHost:
        return FakeHost(FakeAdapter(hwmode=HwMode.VEB))

    def verb(host: FakeHost, journal: Journal) -> object:
        return changes.apply(host, journal, [asked])

    points = crash_points(start, verb, tmp_path / "count")
    reference = start()
    verb(reference, Journal(tmp_path / "reference"))
    assert points > 3
    for point in range(1, points + 1):
        for ending in ("apply", "release"):
            host = start()
            before = state(host)
            folder = tmp_path / f"{point}{ending}"
            with killing(host, point, after):
                verb(host, KilledWithIt(folder, host))
            if ending == "apply":
                verb(host, Journal(folder))
                assert state(host) == state(reference), point
            changes.release(host, Journal(folder), [PF])
            assert state(host) == before, (point, ending)
            assert Journal(folder).read() == {}


@pytest.mark.parametrize("after", [False, True], ids=["before it is done", "when it is done"])
@pytest.mark.parametrize("functions", [None, 6], ids=["settings", "another count"])
def test_adopted_functions_come_back_however_often_and_wherever_it_is_killed(
    functions: int | None, after: bool, tmp_path: Path
) -> None:
    asked = wish(functions, (0, 2, TAGGED), (1, 1, Settings(mac=MAC, driver=FunctionDriver.DEVICE)), autoprobe=False)

    def start(folder: Path) -> FakeHost:
        pf = carved(4)
        pf.functions[2].settings = replace(CARVED, vlan=99, trust=True)
        host = FakeHost(pf)
        changes.adopt(host, Journal(folder), PF)
        changes.apply(host, Journal(folder), [asked])
        return host

    def release(host: FakeHost, journal: Journal) -> object:
        return changes.release(host, journal, [PF])

    untouched = carved(4)
    untouched.functions[2].settings = replace(CARVED, vlan=99, trust=True)
    before = state(FakeHost(untouched))
    points = crash_points(lambda: start(tmp_path / "count"), release, tmp_path / "count")
    assert points > 3
    for point in range(1, points + 1):
        host = start(tmp_path / str(point))
        with killing(host, point, after):
            release(host, KilledWithIt(tmp_path / str(point), host))
        release(host, Journal(tmp_path / str(point)))
        assert state(host) == before, point


# The journal


def test_the_record_is_there_before_anything_is_changed(tmp_path: Path) -> None:
    host = FakeHost(FakeAdapter(), dies_at=2)
    with pytest.raises(Killed):
        changes.apply(host, KilledWithIt(tmp_path, host), [wish(4)])
    assert host.changes[0] == f"journal {PF}"
    assert Journal(tmp_path).read()[PF].count == 0


def test_what_is_in_the_journal_folder_and_no_record_is_told(tmp_path: Path) -> None:
    (tmp_path / f"{PF}.json").write_text('{"version": 99}')
    (tmp_path / "notes.json").write_text("{}")
    with pytest.raises(VerificationError) as refused:
        Journal(tmp_path).read()
    assert refused.value.code == "record-unreadable"


def test_two_commands_do_not_change_adapters_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openfex.adapter.journal.PATIENCE_S", 0.0)
    with Journal(tmp_path).locked(), pytest.raises(RefusedError) as refused:
        changes.apply(FakeHost(FakeAdapter()), Journal(tmp_path), [wish(1)])
    assert refused.value.code == "adapters-busy"


def test_records_of_what_is_gone_are_forgotten(tmp_path: Path) -> None:
    host, journal = FakeHost(FakeAdapter()), Journal(tmp_path)
    changes.apply(host, journal, [wish(2)])
    assert changes.clear_up(host, journal) == []
    assert changes.clear_up(FakeHost(), journal) == [f"record of {PF}, which is not here any more"]
    assert journal.read() == {}


def test_where_a_device_was_seen_last_is_remembered_when_it_is_lost(tmp_path: Path) -> None:
    pf = FakeAdapter()
    host, journal = FakeHost(pf), Journal(tmp_path)
    changes.apply(host, journal, [wish(2)])
    pf.functions[1].space, pf.functions[1].name = "blue", "eth7"
    changes.clear_up(host, journal)
    host.hidden = {"blue"}
    changes.clear_up(host, journal)
    assert state(host)[0].functions[1].owner.value == "lost"
    assert journal.seen()[vf_address(PF, 1)] == "eth7 in blue"


def test_every_refusal_is_one_of_ours(tmp_path: Path) -> None:
    with pytest.raises(OpenfexError) as refused:
        changes.apply(FakeHost(FakeAdapter()), Journal(tmp_path), [wish(8), AdapterWish("x", (Selector(name="eth9"),))])
    assert "[too-many-functions]" in str(refused.value)
    assert "[no-such-pf]" in str(refused.value)
    assert not isinstance(refused.value, InputError)
