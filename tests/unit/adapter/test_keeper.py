# SPDX-License-Identifier: Apache-2.0
"""Keeping adapters over time, on a machine that keeps the kernel's rules: a day of it is a list of what happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openfex.adapter import changes, giving
from openfex.adapter.journal import Journal
from openfex.adapter.keeper import Keeper, Woken
from openfex.errors import InputError, RefusedError, VerificationError
from openfex.model.functions import AdapterWish, Selector, Settings
from openfex.model.values import Mac
from openfex.plan.records import Record
from openfex.plan.watch import Told
from openfex.testing.adapters import FakeAdapter, FakeHost

PF = "0000:01:00.0"
WISH = AdapterWish("nic0", (Selector(address=PF),), 2)
END, RELOAD, EVENT = Woken(end=True), Woken(reload=True), Woken()

Happening = Callable[[], Woken]


@pytest.fixture(autouse=True)
def without_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)


@dataclass
class Day:
    """A door: each wait is the next happening, and takes a second; after the last one it is asked to end."""

    happenings: list[Happening] = field(default_factory=list)
    clock: float = 0.0
    told: list[Told] = field(default_factory=list)
    notified: list[tuple[str, ...]] = field(default_factory=list)
    waited: list[float | None] = field(default_factory=list)

    def now(self) -> float:
        return self.clock

    def wait(self, until: float | None) -> Woken:
        self.waited.append(until)
        self.clock += 1
        return self.happenings.pop(0)() if self.happenings else END

    def notify(self, *lines: str) -> None:
        self.notified.append(lines)

    def tell(self, told: Told) -> None:
        self.told.append(told)

    @property
    def ready(self) -> int:
        return sum("READY=1" in lines for lines in self.notified)

    def of(self, event: str) -> list[Told]:
        return [one for one in self.told if one.event == event]


@dataclass
class Scene:
    host: FakeHost
    journal: Journal
    day: Day
    wishes: Sequence[AdapterWish] = (WISH,)

    @property
    def pf(self) -> FakeAdapter:
        return self.host.adapters[PF]

    def read(self) -> Sequence[AdapterWish]:
        if not self.wishes:
            raise InputError("a bad file", code="bad-document")
        return self.wishes

    def keep(self, *happenings: Happening, once: bool = False) -> Day:
        self.day = Day(list(happenings))
        Keeper(self.host, self.journal, self.day, self.read).keep(once=once, patience_s=5)
        return self.day


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(FakeHost(FakeAdapter()), Journal(tmp_path), Day())


def reset(scene: Scene) -> Happening:
    """Its driver starts anew: the kernel takes the functions away."""

    def happen() -> Woken:
        scene.pf.numvfs, scene.pf.functions, scene.pf.late = 0, [], 0
        return EVENT

    return happen


def test_it_is_ready_when_the_functions_are_there_and_not_before(scene: Scene) -> None:
    there: list[int] = []
    notify = Day.notify

    class Looking(Day):
        def notify(self, *lines: str) -> None:
            there.extend(len(scene.host.observe()[0].functions) for line in lines if line == "READY=1")
            notify(self, *lines)

    day = Looking()
    Keeper(scene.host, scene.journal, day, scene.read).keep(once=True, patience_s=5)
    assert (there, day.ready, day.waited) == ([2], 1, [])


def test_a_second_start_takes_over_without_a_step_and_the_end_changes_nothing(scene: Scene) -> None:
    scene.keep()
    before = list(scene.host.changes)
    day = scene.keep()
    assert day.ready == 1
    assert scene.host.changes == before
    assert [one.event for one in day.told] == ["applied", "ready", "ended"]
    assert day.notified[-1][0] == "STOPPING=1"
    assert scene.pf.numvfs == 2


def test_an_adapter_that_is_late_is_waited_for(scene: Scene) -> None:
    (pf,) = scene.host.adapters.values()
    scene.host.adapters = {}

    def comes() -> Woken:
        scene.host.adapters[PF] = pf
        return EVENT

    day = scene.keep(lambda: EVENT, comes)
    assert day.ready == 1
    assert [one.words for one in day.of("waiting")] == [f"no PF here is {PF}"] * 2


def test_a_pf_that_is_down_is_raised_where_its_functions_need_it(scene: Scene) -> None:
    settings = ((0, 1, Settings(mac_pool=Mac.parse("52:54:00:00:10:00"))),)
    scene.wishes = [AdapterWish("nic0", (Selector(address=PF),), 2, settings=settings)]
    scene.pf.up = False
    day = scene.keep(lambda: EVENT)
    assert scene.host.changes[0] == "set_up eno1"
    assert [one.event for one in day.told] == ["raised", "waiting", *["done"] * 7, "applied", "ready", "ended"]


def test_a_pf_that_is_down_stays_so_where_nothing_needs_it(scene: Scene) -> None:
    scene.pf.up = False
    assert scene.keep().ready == 1
    assert not scene.pf.up


def test_the_file_can_be_mended_while_it_waits(scene: Scene) -> None:
    def unreadable() -> Woken:
        scene.wishes = []
        return RELOAD

    def mended() -> Woken:
        scene.wishes = [WISH]
        return RELOAD

    scene.wishes = [AdapterWish("nic0", (Selector(address="0000:09:00.0"),), 2)]
    day = scene.keep(unreadable, mended)
    assert [one.words for one in day.of("waiting")] == ["no PF here is 0000:09:00.0"] * 2
    assert len(day.of("refused")) == 1
    assert day.ready == 1


def test_one_that_never_comes_is_an_error_and_it_is_not_ready(scene: Scene) -> None:
    scene.host.adapters = {}
    with pytest.raises(RefusedError) as refused:
        scene.keep(*[lambda: EVENT] * 10)
    assert refused.value.code == "no-such-pf"
    assert (scene.day.ready, scene.day.clock) == (0, 5)


def test_what_time_does_not_mend_is_refused_at_once(scene: Scene) -> None:
    scene.wishes = [AdapterWish("nic0", (Selector(address=PF),), 8)]
    with pytest.raises(RefusedError) as refused:
        scene.keep()
    assert (refused.value.code, scene.day.waited, scene.day.ready) == ("too-many-functions", [], 0)


def test_who_undoes_it_before_it_is_ready_keeps_it_from_being_ready(scene: Scene) -> None:
    class Undone(FakeHost):
        def observe(self, address: str = "") -> tuple:  # type: ignore[type-arg]
            found = super().observe(address)
            if not address and self.adapters[PF].numvfs:
                reset(scene)()
            return found

    scene.host = Undone(FakeAdapter())
    with pytest.raises(VerificationError) as failed:
        scene.keep(*[lambda: EVENT] * 10)
    assert failed.value.code == "host-not-ready"
    assert scene.day.ready == 0


def test_functions_that_a_reset_took_are_made_again(scene: Scene) -> None:
    scene.wishes = [AdapterWish("nic0", (Selector(address=PF),), 2, settings=((0, 1, Settings(vlan=7)),))]
    day = scene.keep(reset(scene))
    assert [one.about for one in day.of("repaired")] == [PF]
    assert [one.settings.vlan for one in scene.pf.functions] == [7, 7]
    assert day.ready == 1
    assert changes.plan(scene.host, scene.journal, scene.wishes).steps == ()


def test_a_driver_that_was_taken_away_is_told_and_given_back(scene: Scene) -> None:
    def unbound() -> Woken:
        scene.host.unbind(scene.pf.functions[1].address)
        return EVENT

    day = scene.keep(unbound)
    assert [one.driver for one in scene.pf.functions] == ["igbvf", "igbvf"]
    gone, back = day.of("health")
    assert (gone.more["is"], back.more["is"]) == (["no-driver"], ["good"])
    (record,) = scene.journal.read().values()
    assert record.pending is None


def test_a_gift_that_a_reset_has_ended_is_told(scene: Scene) -> None:
    def given_and_reset() -> Woken:
        giving.give(scene.host, scene.journal, scene.pf.functions[1].address, giving.Wanted("blue"))
        return reset(scene)()

    day = scene.keep(given_and_reset)
    assert [(one.about, one.more) for one in day.of("gift-lost")] == [(PF, {"function": 1, "to": "blue"})]
    assert scene.journal.read()[PF].gifts == {}


def test_a_repair_that_fails_is_told_put_back_and_tried_again_later(scene: Scene) -> None:
    def broken() -> Woken:
        scene.host.refuses = lambda change: change == f"set_count {PF} 2"
        return reset(scene)()

    def mended() -> Woken:
        scene.host.refuses = lambda change: False
        return EVENT

    day = scene.keep(broken, mended)
    (failed,) = day.of("failed")
    assert failed.more["code"] == "kernel-refused"
    assert day.waited == [None, 2.0, None]
    assert scene.pf.numvfs == 2


def test_a_repair_that_takes_long_and_fails_lets_signals_be_heard_before_the_next(scene: Scene) -> None:
    def slow(change: str) -> bool:
        scene.day.clock += 10 if change == f"set_count {PF} 2" else 0
        return change == f"set_count {PF} 2"

    def broken() -> Woken:
        scene.host.refuses = slow
        return reset(scene)()

    day = scene.keep(broken)
    assert len(day.of("failed")) == 1
    assert day.waited == [None, 12.0]
    assert [one.event for one in day.told][-1] == "ended"


def test_an_adapter_that_cannot_be_read_ends_nothing(scene: Scene) -> None:
    observe = scene.host.observe

    def odd() -> Woken:
        def fails(address: str = "") -> tuple:  # type: ignore[type-arg]
            scene.host.observe = observe  # type: ignore[method-assign]
            raise VerificationError("sriov_numvfs holds 'x'", code="odd-sysfs")

        scene.host.observe = fails  # type: ignore[method-assign]
        return EVENT

    day = scene.keep(odd)
    assert [one.more["code"] for one in day.of("failed")] == ["odd-sysfs"]
    assert day.waited == [None, 2.0]


def test_the_file_is_read_again(scene: Scene) -> None:
    def edited() -> Woken:
        scene.wishes = [AdapterWish("nic0", (Selector(address=PF),), 3)]
        return RELOAD

    day = scene.keep(edited, reset(scene))
    assert scene.pf.numvfs == 3
    assert len(day.of("repaired")) == 1


@pytest.mark.parametrize("bad", ["unreadable", "refused"])
def test_a_bad_file_is_told_and_the_old_wish_stays(bad: str, scene: Scene) -> None:
    def edited() -> Woken:
        scene.wishes = [] if bad == "unreadable" else [AdapterWish("nic0", (Selector(address=PF),), 8)]
        return RELOAD

    day = scene.keep(edited, reset(scene))
    assert [one.more["code"] for one in day.of("refused")] == [
        "bad-document" if bad == "unreadable" else "too-many-functions"
    ]
    assert scene.pf.numvfs == 2


def test_one_at_a_time(scene: Scene) -> None:
    with scene.journal.watched(), pytest.raises(RefusedError) as refused:
        scene.keep()
    assert refused.value.code == "host-runs"
    assert scene.host.changes == []


def test_asked_to_end_while_it_waits_it_is_never_ready(scene: Scene) -> None:
    scene.host.adapters = {}
    assert scene.keep().ready == 0


def test_what_the_kernel_tells_of_pcie_errors_is_told(scene: Scene) -> None:
    recovery = Told("recovery", PF, "recovery from a PCIe error: BEGIN_RECOVERY")
    assert scene.keep(lambda: Woken(told=(recovery,))).of("recovery") == [recovery]


def test_a_record_is_left_as_it_was_where_nothing_was_to_be_done(scene: Scene) -> None:
    scene.keep()
    before: dict[str, Record] = scene.journal.read()
    scene.keep(lambda: EVENT)
    assert scene.journal.read() == before
