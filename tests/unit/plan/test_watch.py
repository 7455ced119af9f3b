# SPDX-License-Identifier: Apache-2.0
"""What follows from how adapters are now: what is told, what is repaired and when, and what is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from openfex.model.adapters import RealAdapter, RealFunction
from openfex.model.functions import AdapterWish, FunctionDriver, Selector, Settings
from openfex.plan.functions import plan_functions
from openfex.plan.records import Gift, Record
from openfex.plan.watch import MOST_PAUSE_S, Verdict, Watch, decide, members_of, remembering
from openfex.testing.adapters import FakeAdapter, FakeHost

PF, OTHER = "0000:01:00.0", "0000:02:00.0"
WISH = AdapterWish("nic0", (Selector(address=PF),), 2)


def adapter(count: int = 2, address: str = PF) -> RealAdapter:
    pf = FakeAdapter(address, f"eno{address[6]}")
    host = FakeHost(pf)
    host.set_count(address, count)
    pf.late = pf.dark = 0
    return host.observe()[0]


def with_function(one: RealAdapter, index: int, **changes: object) -> RealAdapter:
    found = [replace(vf, **changes) if vf.index == index else vf for vf in one.functions]  # type: ignore[arg-type]
    return replace(one, functions=tuple(found))


def raised(function: RealFunction) -> dict[str, object]:
    assert function.net
    return {"net": replace(function.net, up=True, carrier=True)}


class Watched:
    """A watch over time: each look is decided about with what the one before left."""

    def __init__(self, wishes: Sequence[AdapterWish], *adapters: RealAdapter) -> None:
        self.wishes = wishes
        self.records = {one.address: Record(one.address, 1, count=0) for one in adapters}
        self.watch = Watch(members_of(wishes, adapters))

    def look(self, now: float, *adapters: RealAdapter) -> Verdict:
        records = remembering(self.records, adapters, self.watch.driven)
        plan = plan_functions(adapters, self.wishes, records)
        self.watch, verdict = decide(self.watch, adapters, self.wishes, plan, now)
        return verdict


def events(verdict: Verdict) -> list[tuple[str, str]]:
    return [(one.event, one.about) for one in verdict.told]


def test_what_is_as_asked_for_is_whole_and_needs_nothing() -> None:
    verdict = Watched([WISH], adapter()).look(0, adapter())
    assert verdict == Verdict((), (), None, "2 functions of 1 adapter as asked for", whole=True)


def test_an_adapter_without_its_functions_is_told_and_repaired() -> None:
    there = Watched([WISH], adapter())
    there.look(0, adapter())
    verdict = there.look(1, adapter(0))
    assert verdict.repair == (PF,)
    assert not verdict.whole
    removed = [one for one in verdict.told if one.event == "health"]
    assert [one.more["is"] for one in removed] == [["removed"], ["removed"]]
    assert events(verdict)[-1] == ("differs", PF)


def test_repairs_of_one_adapter_are_further_and_further_apart() -> None:
    there, moments = Watched([WISH], adapter()), []
    now: float | None = 0.0
    for _ in range(9):
        assert now is not None
        verdict = there.look(now, adapter(0))
        assert verdict.repair == (PF,)
        again = there.look(now, adapter(0))
        assert again.repair == ()
        moments.append((again.again_at or 0) - now)
        now = again.again_at
    assert moments == [1, 2, 4, 8, 16, 32, MOST_PAUSE_S, MOST_PAUSE_S, MOST_PAUSE_S]


def test_after_a_long_peace_it_is_repaired_at_once_again() -> None:
    there = Watched([WISH], adapter())
    there.look(0, adapter(0))
    there.look(1, adapter(0))
    assert there.look(2, adapter(0)).repair == ()
    there.look(500, adapter(0))
    assert there.look(500.5, adapter(0)).again_at == 501


@pytest.mark.parametrize("why", ["name space", "vfio", "up"])
def test_functions_in_use_are_spared_and_that_is_told_once(why: str) -> None:
    there, now = Watched([WISH], adapter()), adapter(3)
    function = now.functions[0]
    assert function.net
    uses: dict[str, dict[str, object]] = {
        "name space": {"net": replace(function.net, space="blue")},
        "vfio": {"driver": "vfio-pci", "net": None, "open": True},
        "up": raised(function),
    }
    used = uses[why]
    verdict = there.look(0, with_function(now, 0, **used))
    assert (verdict.repair, verdict.whole, verdict.again_at) == ((), False, None)
    assert [one.more["code"] for one in verdict.told if one.event == "held"] == ["function-in-use"]
    assert verdict.status.startswith("held: ")
    assert ("held", PF) not in events(there.look(1, with_function(now, 0, **used)))
    assert there.look(2, now).repair == (PF,), "when it is not used any more"


def test_attributes_are_set_again_although_the_device_is_up() -> None:
    wish = replace(WISH, settings=((0, 0, Settings(trust=True)),))
    up = raised(adapter().functions[0])
    assert Watched([wish], adapter()).look(0, with_function(adapter(), 0, **up)).repair == (PF,)


def bare(index: int = 1, **more: object) -> RealAdapter:
    return with_function(adapter(), index, driver="", net=None, **more)


def test_a_driver_that_is_taken_away_is_given_back_although_no_document_says_so() -> None:
    there = Watched([WISH], adapter())
    there.look(0, adapter())
    verdict = there.look(1, bare())
    assert verdict.repair == (PF,)
    assert [one.more["is"] for one in verdict.told if one.event == "health"] == [["no-driver"]]


def test_a_function_that_never_had_a_driver_is_no_difference() -> None:
    there = Watched([WISH], adapter())
    assert there.look(0, bare()).whole
    assert there.look(1, bare()).told == ()


def test_who_has_an_override_is_on_its_way_to_somebody() -> None:
    there = Watched([WISH], adapter())
    there.look(0, adapter())
    assert there.look(1, bare(override="vfio-pci")).repair == ()
    given = with_function(adapter(), 1, driver="vfio-pci", override="vfio-pci", net=None)
    assert there.look(2, given).whole
    assert there.look(3, bare()).repair == (), "its driver is not ours to give any more"


def test_a_gift_stays_with_its_holder() -> None:
    there = Watched([replace(WISH, settings=((1, 1, Settings(driver=FunctionDriver.DEVICE)),))], adapter())
    there.records[PF] = replace(there.records[PF], gifts={1: Gift(1, "vm", "", "", "", Settings())})
    given = with_function(adapter(), 1, driver="vfio-pci", override="vfio-pci", net=None)
    assert there.look(0, given).whole


def test_carrier_and_errors_are_told_when_they_change() -> None:
    there = Watched([WISH], adapter())
    assert adapter().net
    dark = replace(adapter(), net=replace(adapter().net, carrier=False))  # type: ignore[type-var]
    assert there.look(0, dark).told[0].more == {"was": ["good"], "is": ["no-carrier"]}
    assert there.look(1, dark).told == ()
    assert there.look(2, adapter()).told[0].more == {"was": ["no-carrier"], "is": ["good"]}
    (health, errors) = there.look(3, replace(adapter(), errors=(1, 2, 0))).told
    assert health.more["is"] == ["errors"]
    assert errors.more == {"corrected": 1, "nonfatal": 2, "fatal": 0}
    assert events(there.look(4, replace(adapter(), errors=(5, 2, 0)))) == [("errors", PF)]


def test_an_adapter_that_goes_keeps_the_others_of_its_wish_as_they_are() -> None:
    """The MACs of a pool are counted over all adapters of a wish: those of the second would become the first's."""
    wish = AdapterWish("both", (Selector(driver="igb"),), 2)
    there = Watched([wish], adapter(), adapter(address=OTHER))
    there.look(0, adapter(), adapter(address=OTHER))
    verdict = there.look(1, adapter(0, OTHER))
    assert verdict.repair == ()
    (held,) = (one for one in verdict.told if one.event == "held")
    assert (held.more["code"], held.more["adapters"]) == ("adapters-changed", [PF, OTHER])
    assert there.look(2, adapter(), adapter(0, OTHER)).repair == (OTHER,)


def test_another_wish_is_no_concern_of_one_whose_adapter_has_gone() -> None:
    wishes = [WISH, AdapterWish("nic1", (Selector(address=OTHER),), 2)]
    there = Watched(wishes, adapter(), adapter(address=OTHER))
    there.look(0, adapter(), adapter(address=OTHER))
    verdict = there.look(1, adapter(0, OTHER))
    assert verdict.repair == (OTHER,)
    assert [one.more["code"] for one in verdict.told if one.event == "held"] == ["no-such-pf"]
