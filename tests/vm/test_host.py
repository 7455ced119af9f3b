# SPDX-License-Identifier: Apache-2.0
"""`fex host` on a stock kernel: ready when the functions of an emulated igb are there, and they stay whatever happens.

One day of it in one boot (host_day.py), with the capabilities that its service has; the tests look at what it was like.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.machine.emulated import Igb, Iommu
from openfex.machine.twin import twin
from openfex.model.values import Mac
from tests.vm.rig import NETNS, ROOT, TAP

pytestmark = [pytest.mark.root, pytest.mark.slow]
DEVICES = (Iommu(), Igb("nic0", NETNS, TAP, Mac.parse("52:54:00:00:00:01")))
SCRIPT = str(ROOT / "tests/vm/host_day.py")
SERVICE = ROOT / "packaging/openfex-host.service"
DEADLINE_S = 300.0
WANTED = [{"driver": "igbvf", "device": True, "vlan": 10, "mac": f"52:54:00:00:10:{index:02x}"} for index in range(3)]

Day = dict[str, Any]


@pytest.fixture(scope="module")
def day() -> Iterator[Day]:
    netns.delete(NETNS)
    netns.create(NETNS)
    try:
        with Netlink(NETNS) as netlink:
            netlink.add_tap(TAP, 9216, vnet_hdr=False)
            netlink.set(TAP, up=True)
        with twin(DEVICES) as vm:
            words = [sys.executable, SCRIPT, "/mnt", vm.address("nic0"), capabilities()]
            vm.run(words, DEADLINE_S, check=True)
            found = json.loads((vm.shared / "day.json").read_text())
        assert "error" not in found, found["error"]
        yield found["day"]
    finally:
        netns.delete(NETNS)


def capabilities() -> str:
    """Those that the service has and no others, as setpriv takes them."""
    line = next(line for line in SERVICE.read_text().splitlines() if line.startswith("CapabilityBoundingSet="))
    names = line.partition("=")[2].split()
    return ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in names)])


def of(lines: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == event]


def test_it_is_ready_when_the_functions_are_there_as_the_document_says(day: Day) -> None:
    assert day["ready"] == WANTED


def test_the_pf_which_was_down_is_raised_for_that(day: Day) -> None:
    assert day["start"][0] == "raised"
    assert day["start"][-2:] == ["applied", "ready"]


def test_functions_that_are_taken_away_behind_its_back_are_made_again(day: Day) -> None:
    assert day["reset"]["after"] == WANTED
    gone = [line for line in of(day["reset"]["lines"], "health") if line["is"] == ["removed"]]
    assert len(gone) == 3


def test_a_driver_that_is_taken_away_is_told_and_given_back(day: Day) -> None:
    assert day["unbound"]["after"] == WANTED
    assert ["no-driver"] in [line["is"] for line in of(day["unbound"]["lines"], "health")]


def test_an_attribute_that_is_changed_by_hand_is_set_again_without_a_blink(day: Day) -> None:
    assert day["vlan"]["after"] == WANTED
    (repaired,) = of(day["vlan"]["lines"], "repaired")
    assert len(repaired["steps"]) == 1
    assert "vlan 10" in repaired["steps"][0]


def test_a_second_one_is_refused(day: Day) -> None:
    said, status = day["second"]
    assert "[host-runs]" in said
    assert status == 1


def test_a_bad_file_is_told_and_the_end_leaves_all_as_it_is(day: Day) -> None:
    assert "many" in day["bad"]["what"]
    assert (day["status"], day["stays"]) == (0, True)


def test_a_second_start_takes_over_without_a_step(day: Day) -> None:
    assert day["adopted"]["steps"] == 0
    assert day["ready again"] == WANTED
    assert day["status again"] == 0
