# SPDX-License-Identifier: Apache-2.0
"""What is planned for real adapters: the steps in their order, whom they disturb, and every refusal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.errors import RefusedError
from openfex.model.adapters import NetDevice, RealAdapter, RealFunction
from openfex.model.functions import (
    ALL_FUNCTIONS,
    AdapterWish,
    FunctionDriver,
    HwMode,
    LinkState,
    Selector,
    Settings,
    TagProtocol,
)
from openfex.model.quirks import QUIRKS, UNKNOWN, Quirks
from openfex.model.reader import of_spec, read_documents
from openfex.model.real import SriovSpec
from openfex.model.values import Mac
from openfex.plan.functions import FunctionPlan, plan_functions, refuse
from openfex.plan.records import Pending, Record, from_json, to_json
from openfex.plan.steps import Carve, SetAttributes, SetHwMode, change
from openfex.plan.wishes import place_of, wishes_of
from openfex.testing.adapters import CARVED, FakeAdapter, FakeHost

PF, OTHER = "0000:01:00.0", "0000:03:00.0"
MAC = Mac.parse("52:54:00:00:00:01")
EVERY = ALL_FUNCTIONS


def adapter(count: int = 0, address: str = PF, name: str = "eno1", **more: object) -> RealAdapter:
    """An igb with so many functions; `more` of its fields are otherwise."""
    host = FakeHost(FakeAdapter(address, name))
    if count:
        host.set_count(address, count)
    host.adapters[address].late = host.adapters[address].dark = 0
    (found,) = host.observe()
    return replace(found, **more)  # type: ignore[arg-type]


def with_function(pf: RealAdapter, index: int, **more: object) -> RealAdapter:
    functions = [replace(one, **more) if one.index == index else one for one in pf.functions]  # type: ignore[arg-type]
    return replace(pf, functions=tuple(functions))


def wish(functions: int | None, *settings: tuple[int, int, Settings], **more: object) -> AdapterWish:
    values = {"pfs": (Selector(name="eno1"),), **more}
    return AdapterWish("nic0", functions=functions, settings=settings, **values)  # type: ignore[arg-type]


def planned(pf: RealAdapter, asked: AdapterWish, *, ours: bool = True, force: bool = False) -> FunctionPlan:
    return plan_functions([pf], [asked], {pf.address: Record(pf.address)} if ours else {}, force=force)


def codes(plan: FunctionPlan) -> list[str]:
    return [one.code for one in plan.all_refusals]


def kinds(plan: FunctionPlan) -> list[str]:
    return [type(one).__name__ for one in plan.steps]


# Steps


def test_nothing_is_done_for_what_is_there() -> None:
    asked = wish(3, (*EVERY, Settings(spoof_check=True, vlan=0, link=LinkState.AUTO, driver=FunctionDriver.DEVICE)))
    assert planned(adapter(3), asked).steps == ()


def test_what_is_not_said_is_left_as_it_is() -> None:
    pf = with_function(adapter(2), 0, settings=replace(CARVED, vlan=30, qos=2, max_rate=100, trust=True))
    (step,) = planned(pf, wish(None, (0, 0, Settings(spoof_check=False)))).steps
    assert isinstance(step, SetAttributes)
    assert (step.old, step.new) == (Settings(spoof_check=True), Settings(spoof_check=False))


def test_vlan_qos_and_protocol_are_set_together_and_so_are_rates() -> None:
    old = replace(CARVED, vlan=30, qos=2, min_rate=10, max_rate=100)
    assert change(old, Settings(qos=5), UNKNOWN) == Settings(vlan=30, qos=5, protocol=TagProtocol.DOT1Q)
    assert change(old, Settings(max_rate=50), UNKNOWN) == Settings(min_rate=10, max_rate=50)
    assert change(old, Settings(vlan=0), UNKNOWN) == Settings(vlan=0, qos=0, protocol=TagProtocol.DOT1Q)
    assert change(old, Settings(protocol=TagProtocol.DOT1AD), UNKNOWN) == Settings(
        vlan=30, qos=2, protocol=TagProtocol.DOT1AD
    )


def test_the_protocol_of_no_vlan_is_no_difference() -> None:
    assert change(CARVED, Settings(protocol=TagProtocol.DOT1AD), UNKNOWN) == Settings()


def test_a_rate_that_was_rounded_is_as_asked_for() -> None:
    quirks = Quirks(rate_step=50)
    assert change(replace(CARVED, max_rate=100), Settings(max_rate=120), quirks) == Settings()
    assert change(replace(CARVED, max_rate=100), Settings(max_rate=150), quirks) != Settings()
    assert change(CARVED, Settings(max_rate=20), quirks) != Settings(), "0 is no limit, and no rounding"


def test_a_count_goes_through_none_and_says_whom_it_disturbs() -> None:
    plan = planned(adapter(2), wish(3))
    assert kinds(plan) == ["SetAutoprobe", "Carve", "SetAutoprobe", "Bind", "Bind", "Bind"]
    (carve,) = (step for step in plan.steps if isinstance(step, Carve))
    assert (carve.old, carve.new) == (2, 3)
    assert carve.disturbs == ("0000:02:10.0 (eno1v0)", "0000:02:10.2 (eno1v1)")


def test_no_functions_at_all_is_one_step() -> None:
    assert kinds(planned(adapter(2), wish(0))) == ["Carve"]


def test_without_autoprobe_functions_stay_without_driver() -> None:
    assert kinds(planned(adapter(0), wish(2, autoprobe=False))) == ["SetAutoprobe", "Carve"]


def test_a_driver_is_changed_by_way_of_none() -> None:
    plan = planned(adapter(2), wish(None, (1, 1, Settings(driver=FunctionDriver.VFIO))))
    assert kinds(plan) == ["Unbind", "Bind"]
    assert [one.disturbs for one in plan.steps] == [("0000:02:10.2 (eno1v1)",), ()]


def test_what_an_interrupted_run_would_have_left_is_what_is_wanted_of_the_next() -> None:
    pf = replace(with_function(adapter(2), 1, driver="", net=None), autoprobe=False)
    pending = Pending(True, {0: FunctionDriver.DEVICE, 1: FunctionDriver.DEVICE})
    plan = plan_functions([pf], [wish(2)], {PF: Record(PF, count=0, autoprobe=True, pending=pending)})
    assert kinds(plan) == ["SetAutoprobe", "Bind"]


def test_the_mode_of_the_embedded_switch_comes_first() -> None:
    plan = planned(adapter(1, driver="ixgbe", hwmode=HwMode.VEB), wish(2, hwmode=HwMode.VEPA))
    assert isinstance(plan.steps[0], SetHwMode)
    assert plan.steps[0].disturbs
    assert planned(adapter(1, driver="ixgbe", hwmode=HwMode.VEPA), wish(1, hwmode=HwMode.VEPA)).steps == ()


# Selectors and ranges


@pytest.mark.parametrize(
    "selector",
    [
        Selector(address=PF), Selector(name="eno1"), Selector(vendor="8086", device="10c9"), Selector(driver="igb"),
        Selector(address=PF, driver="igb"),
    ],
)  # fmt: skip
def test_a_pf_is_found_by_all_that_is_said(selector: Selector) -> None:
    assert planned(adapter(0), wish(1, pfs=(selector,))).jobs


@pytest.mark.parametrize(
    "selector", [Selector(), Selector(name="eno2"), Selector(address=PF, driver="ice"), Selector(vendor="15b3")]
)
def test_a_pf_that_is_not_there_is_refused(selector: Selector) -> None:
    assert codes(planned(adapter(0), wish(1, pfs=(selector,)))) == ["no-such-pf"]


def test_a_name_in_another_name_space_is_not_ours_to_know() -> None:
    pf = adapter(0)
    assert pf.net
    away = replace(pf, net=replace(pf.net, space="blue"))
    assert codes(planned(away, wish(1))) == ["no-such-pf"]


def test_later_ranges_win_key_by_key() -> None:
    asked = wish(3, (*EVERY, Settings(vlan=10, trust=True)), (1, 2, Settings(vlan=20)), (2, 2, Settings(trust=False)))
    (job,) = planned(adapter(0), asked).jobs
    found = [(one.settings.vlan, one.settings.trust) for _, one in sorted(job.asked.items())]
    assert found == [(10, True), (20, True), (20, False)]
    assert [one.by["vlan"] for _, one in sorted(job.asked.items())] == [0, 1, 1]


def test_a_range_behind_the_pf_leaves_the_others_alone() -> None:
    (job,) = planned(adapter(4), wish(None, (*EVERY, Settings(vlan=10)), numbers=(1, 2))).jobs
    assert sorted(job.asked) == [1, 2]


def test_a_pool_gives_each_function_of_each_pf_its_own_mac() -> None:
    pfs = [adapter(0), adapter(0, OTHER, "eno2")]
    asked = wish(2, (*EVERY, Settings(mac_pool=MAC)), pfs=(Selector(driver="igb"),))
    plan = plan_functions(pfs, [asked], {})
    macs = [str(one.settings.mac) for job in plan.jobs for _, one in sorted(job.asked.items())]
    assert macs == [f"52:54:00:00:00:0{last}" for last in (1, 2, 3, 4)]
    assert codes(plan) == []


# Refusals


def refused(pf: RealAdapter, asked: AdapterWish, *, ours: bool = True) -> list[str]:
    plan = planned(pf, asked, ours=ours)
    assert plan.steps == ()
    assert all(one.message and one.remedy for one in plan.all_refusals)
    return codes(plan)


ONE = {
    "802.1ad": (Settings(vlan=5, protocol=TagProtocol.DOT1AD), "protocol-not-supported"),
    "link": (Settings(link=LinkState.DOWN), "attribute-not-supported"),
    "rss": (Settings(rss_query=True), "attribute-not-supported"),
    "min": (Settings(min_rate=10), "attribute-not-supported"),
    "qos": (Settings(qos=3), "qos-without-vlan"),
    "too fast": (Settings(max_rate=2000), "rate-over-link"),
}


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("count", [0, 2], ids=["fresh", "carved"])
def test_what_igb_cannot_do_is_refused_once_a_range(name: str, count: int) -> None:
    settings, code = ONE[name]
    assert refused(adapter(count), wish(2, (*EVERY, settings))) == [code]


def test_more_than_the_adapter_has() -> None:
    assert refused(adapter(0), wish(8)) == ["too-many-functions"]
    assert refused(adapter(0, total=63), wish(8)) == ["too-many-functions"], "an igb's driver makes seven"
    assert refused(adapter(0, total=4, driver="new"), wish(5)) == ["too-many-functions"]


def test_settings_of_functions_that_are_not_carved() -> None:
    assert refused(adapter(2), wish(None, (2, 3, Settings(trust=True)))) == ["no-such-function"]
    assert codes(planned(adapter(0), wish(0, (*EVERY, Settings(trust=True))))) == []


def test_min_over_max_where_two_ranges_meet() -> None:
    asked = wish(1, (*EVERY, Settings(max_rate=100)), (0, 0, Settings(min_rate=200)))
    assert refused(adapter(0, driver="ice"), asked) == ["min-over-max"]


def test_rates_need_a_link_where_the_driver_says_so() -> None:
    pf = adapter(1)
    assert pf.net
    down = replace(pf, net=replace(pf.net, carrier=False), speed=None)
    assert refused(down, wish(None, (0, 0, Settings(max_rate=10)))) == ["rate-needs-link"]


def test_an_mac_does_not_reach_a_function_of_a_pf_that_is_down() -> None:
    pf = adapter(1)
    assert pf.net
    down = replace(pf, net=replace(pf.net, up=False, carrier=False))
    assert refused(down, wish(2, (*EVERY, Settings(mac_pool=MAC)))) == ["pf-down"]


def test_what_a_driver_does_not_show_it_does_not_have() -> None:
    pf = with_function(adapter(1, driver="new"), 0, settings=replace(CARVED, trust=None))
    assert refused(pf, wish(None, (0, 0, Settings(trust=True)))) == ["attribute-not-supported"]


def test_attributes_of_what_is_no_nic() -> None:
    pf = adapter(0, net=None, kind="010802", driver="nvme")
    asked = wish(2, (*EVERY, Settings(vlan=5)), pfs=(Selector(address=PF),))
    assert refused(pf, asked) == ["not-a-nic"]
    assert kinds(planned(pf, replace(asked, settings=()))) == ["SetAutoprobe", "Carve", "SetAutoprobe", "Bind", "Bind"]


def test_a_mode_that_the_driver_cannot_set() -> None:
    assert refused(adapter(0), wish(None, hwmode=HwMode.VEPA)) == ["no-hwmode"]


def test_a_pf_without_driver() -> None:
    assert refused(adapter(0, driver="", net=None), wish(1, pfs=(Selector(address=PF),))) == ["pf-without-driver"]


def test_what_others_have_carved() -> None:
    assert refused(adapter(2), wish(3), ours=False) == ["not-ours"]
    assert codes(planned(adapter(2), wish(2), ours=False)) == []
    assert codes(planned(adapter(0), wish(2), ours=False)) == []


def test_vfio_needs_a_group_of_its_own() -> None:
    asked = wish(None, (1, 1, Settings(driver=FunctionDriver.VFIO)))
    assert refused(with_function(adapter(2), 1, iommu_group=""), asked) == ["no-iommu"]
    shared = with_function(adapter(2), 1, company=("0000:02:10.0",))
    assert refused(shared, asked) == ["iommu-group-shared"]
    both = wish(None, (0, 1, Settings(driver=FunctionDriver.VFIO)))
    assert codes(planned(shared, both)) == []


IN_USE: dict[str, dict[str, object]] = {
    "elsewhere": {"net": NetDevice("blue", "eth0", 9, MAC, True, True)},
    "open": {"driver": "vfio-pci", "net": None, "open": True},
    "lost": {"net": None},
}


@pytest.mark.parametrize("name", IN_USE)
def test_what_is_in_use_is_not_taken_away_without_force(name: str) -> None:
    pf = with_function(adapter(3), 1, **IN_USE[name])
    for asked in (wish(4), wish(None, (1, 1, Settings(driver=FunctionDriver.NONE)))):
        assert refused(pf, asked) == ["function-in-use"]
        forced = planned(pf, asked, force=True)
        assert forced.steps
        assert [one.code for one in forced.forced] == ["function-in-use"]
    assert planned(pf, wish(None, (1, 1, Settings(trust=True)))).steps


def test_an_mac_is_not_set_by_starting_a_driver_anew_under_its_user() -> None:
    pf = with_function(adapter(2), 0, **IN_USE["elsewhere"])
    assert refused(pf, wish(None, (0, 0, Settings(mac=MAC)))) == ["function-in-use"]
    other = planned(replace(pf, driver="ice"), wish(None, (0, 0, Settings(mac=MAC))))
    assert kinds(other) == ["SetAttributes"]


def test_each_mac_is_that_of_one_function() -> None:
    assert refused_macs(wish(2, (*EVERY, Settings(mac=MAC)))) == ["duplicate-mac"]
    held = with_function(adapter(2), 1, settings=replace(CARVED, mac=MAC))
    assert codes(planned(held, wish(None, (0, 0, Settings(mac=MAC)), numbers=(0, 0)))) == ["duplicate-mac"]
    last = Settings(mac_pool=Mac(b"\x52" + b"\xff" * 5))
    assert refused_macs(wish(1, (*EVERY, last))) == []
    assert refused_macs(wish(2, (*EVERY, last))) == ["mac-pool-too-small"], "behind it come group addresses"


def refused_macs(asked: AdapterWish) -> list[str]:
    return codes(planned(adapter(0), asked))


def test_two_documents_do_not_ask_for_the_same() -> None:
    one, other = wish(2), replace(wish(3), name="nic1")
    assert sorted(codes(plan_functions([adapter(0)], [one, other], {}))) == ["asked-twice", "function-claimed-twice"]
    halves = [wish(4, numbers=(0, 1)), replace(wish(4, numbers=(2, 3)), name="nic1")]
    assert codes(plan_functions([adapter(0)], halves, {})) == []


def test_all_refusals_are_told_at_once() -> None:
    plan = planned(adapter(2), wish(8, (0, 9, Settings(qos=3, link=LinkState.UP)), hwmode=HwMode.VEB), ours=False)
    wanted = {"too-many-functions", "no-hwmode", "no-such-function", "attribute-not-supported", "qos-without-vlan"}
    assert set(codes(plan)) == {*wanted, "not-ours"}
    with pytest.raises(RefusedError) as all_at_once:
        refuse(plan)
    assert str(all_at_once.value).count("\n") == len(codes(plan)) - 1


# Records and documents


def test_a_record_comes_back_from_json() -> None:
    record = Record(
        PF, 7, adopted=True, count=3, autoprobe=False, hwmode=HwMode.VEPA,
        functions={1: replace(CARVED, mac=MAC, driver=FunctionDriver.VFIO, protocol=TagProtocol.DOT1AD)},
        purposes={0: "web"}, pending=Pending(True, {1: FunctionDriver.NONE}),
    )  # fmt: skip
    assert from_json(to_json(record)) == record


def test_documents_become_wishes_and_settings_know_their_lines() -> None:
    text = """
kind: adapter
name: nic0
spec:
  driver: sriov
  pfs: [eno1, "0000:03:00.0#2-3", {vendor: "8086", device: 1572, address: eno9}, "05:00.0"]
  functions: 4
  settings:
    all: {rate: {min: 1Gbit, max: 0}, link: auto}
    2: {mac: 52-54, vlan: 0}
"""
    (problem,) = read_documents(text).problems
    assert (problem.code, problem.path, problem.line) == ("bad-mac", "spec.settings.2.mac", 10)
    reading = read_documents(text.replace("52-54", '"52:54:00:00:00:01"'))
    ((_, spec),) = of_spec(reading, SriovSpec)
    first, second = wishes_of("nic0", spec)
    assert first.pfs == (
        Selector(name="eno1"), Selector(name="eno9", vendor="8086", device="1572"), Selector(address="0000:05:00.0"),
    )  # fmt: skip
    assert (second.pfs, second.numbers) == ((Selector(address=OTHER),), (2, 3))
    assert first.settings == second.settings
    assert first.settings[0] == (*ALL_FUNCTIONS, Settings(min_rate=1000, max_rate=0, link=LinkState.AUTO))
    assert first.settings[1] == (2, 2, Settings(mac=MAC, vlan=0))
    assert place_of(spec, 1, "vlan") == ("settings", "2", "vlan")
    assert place_of(spec, 0, "rate.min") == ("settings", "all", "rate", "min")
    assert place_of(spec, None, "pfs") == ("pfs",)


def test_the_drivers_table_is_the_page_s() -> None:
    from pathlib import Path

    page = (Path(__file__).resolve().parents[3] / "docs/design/adapters.md").read_text()
    for driver, quirks in QUIRKS.items():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| {driver} |"))
        assert ("tried" in row.split("|")[-2]) == quirks.tried
        assert quirks.most is None or f" {quirks.most} " in row


def test_a_function_in_the_host_is_in_nobody_s_way() -> None:
    function: RealFunction = adapter(1).functions[0]
    assert function.in_use == ""
