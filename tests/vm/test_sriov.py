# SPDX-License-Identifier: Apache-2.0
"""Real adapters, with our own code on a stock kernel: an igb that QEMU emulates is carved, set, given away and back.

What was set is asked of iproute2, not of ourselves. All scenarios run in one boot and one Python, which is slow to
start there; each must leave the adapters as it found them. The tests then look at what each was like.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.machine.emulated import Igb, Iommu, Nvme
from openfex.machine.twin import Twin, twin
from openfex.model.values import Mac
from tests.vm.rig import NETNS, ROOT, TAP

pytestmark = [pytest.mark.root, pytest.mark.slow]
DEVICES = (Iommu(), Igb("nic0", NETNS, TAP, Mac.parse("52:54:00:00:00:01")), Nvme("ssd0"))
SCRIPT = str(ROOT / "tests/vm/real_adapter.py")
DEADLINE_S = 600.0
WHOLE = """
    all: {spoof-check: false, trust: true, mac-pool: "52:54:00:00:10:00", link: auto}
    0-1: {vlan: 10, qos: 3, rate: {max: 200Mbit}}
    2: {vlan: 20, protocol: 802.1Q, spoof-check: true, trust: false}
    3: {driver: none}
    4: {driver: vfio-pci}
"""
CANNOT = {
    "{protocol: 802.1ad, vlan: 5}": "protocol-not-supported",
    "{link: down}": "attribute-not-supported",
    "{rate: {min: 50Mbit}}": "attribute-not-supported",
    "{rss-query: true}": "attribute-not-supported",
    "{rate: {max: 2Gbit}}": "rate-over-link",
}
"""Settings that igb has no operation for."""

Steps = list[tuple[str, dict[str, Any]]]
Played = dict[str, dict[str, Any]]


class Stage:
    """The scenarios for the twin's adapters."""

    def __init__(self, vm: Twin) -> None:
        self.vm = vm
        self.pf, self.netdev, self.ssd = vm.address("nic0"), vm.netdev("nic0"), vm.address("ssd0")
        self.folder = f"/sys/bus/pci/devices/{self.pf}"
        said = vm.run(["cat", f"{self.folder}/sriov_offset", f"{self.folder}/sriov_stride"], check=True).output
        self._base, self._step = map(int, said.split())

    def play(self, **scenarios: Steps) -> Played:
        file = self.vm.shared / "scenarios.json"
        file.write_text(json.dumps(scenarios))
        self.vm.run([sys.executable, SCRIPT, "/mnt/scenarios.json"], DEADLINE_S, check=True)
        found: Played = json.loads(file.with_suffix(".done").read_text())
        return found

    def text(self, functions: int | None, settings: str = " {}") -> str:
        count = "" if functions is None else f"  functions: {functions}\n"
        head = f'kind: adapter\nname: nic0\nspec:\n  driver: sriov\n  pfs: ["{self.pf}"]\n{count}'
        return f"{head}  settings:{settings}"

    def apply(self, functions: int | None, settings: str = " {}", **words: object) -> tuple[str, dict[str, Any]]:
        return "apply", {"text": self.text(functions, settings), **words}

    def on_pf(self, verb: str, **words: object) -> tuple[str, dict[str, Any]]:
        return verb, {"pf": self.pf, **words}

    def told(self) -> tuple[str, dict[str, Any]]:
        """What iproute2 says of the functions."""
        return "sh", {"script": f"ip -d -j link show {self.netdev}"}

    def carve(self, count: int, more: str = "") -> tuple[str, dict[str, Any]]:
        """By somebody else."""
        return "sh", {"script": f"echo {count} >{self.folder}/sriov_numvfs{more}"}

    def function(self, index: int) -> str:
        """The address of a function that will be there: QEMU's igb counts as its capability says."""
        routing = (int(self.pf[5:7], 16) << 8) + self._base + self._step * index
        return f"0000:{routing >> 8:02x}:{routing >> 3 & 31:02x}.{routing & 7}"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    netns.delete(NETNS)
    netns.create(NETNS)
    try:
        with Netlink(NETNS) as netlink:
            netlink.add_tap(TAP, 9216, vnet_hdr=False)
            netlink.set(TAP, up=True)
        with twin(DEVICES) as vm:
            there = Stage(vm)
            vm.run(["sh", "-ec", f"ip link set {there.netdev} up; ip netns add blue; ip netns add green"], check=True)
            yield there
    finally:
        netns.delete(NETNS)


@pytest.fixture(scope="module")
def played(stage: Stage) -> Played:
    pf, vlan = stage.pf, f"ip link set {stage.netdev} vf"
    pool = '\n    all: {mac-pool: "52:54:00:00:20:00"}'
    drivers = "; ".join(f"basename $(readlink {stage.folder}/virtfn{n}/driver || echo -)" for n in range(7))
    ssd = (
        f'kind: adapter\nname: ssd\nspec: {{driver: sriov, pfs: ["{stage.ssd}"], functions: 2, settings: {{all: KEY}}}}'
    )
    both = {"first": stage.function(0), "second": stage.function(1)}
    away = {"script": f"ip link set $(ls {stage.folder}/virtfn1/net) netns blue"}
    mine = "\n    0: {vlan: 10, trust: true}"
    killed = '\n    all: {mac-pool: "52:54:00:00:30:00"}\n    1: {vlan: 10, trust: true}'
    return stage.play(
        whole=[
            stage.apply(7, WHOLE), stage.told(), ("sh", {"script": drivers}), ("sh", {"script": "ip -j link"}),
            stage.on_pf("rows"), stage.apply(7, WHOLE), stage.on_pf("release"),
        ],
        refused=[stage.apply(8), *(stage.apply(2, f"\n    all: {settings}") for settings in CANNOT)],
        given=[stage.apply(2, pool), stage.on_pf("hand_out", **both), stage.on_pf("release")],
        home=[stage.apply(1), stage.on_pf("follow_home", function=both["first"]), stage.on_pf("release")],
        busy=[
            stage.apply(2), ("sh", away), stage.apply(3), stage.on_pf("release"),
            stage.apply(3, force=True), stage.told(), stage.on_pf("release"),
        ],
        adopted=[
            stage.carve(3, f"; {vlan} 2 vlan 99"), stage.on_pf("state"), stage.apply(None, mine),
            stage.on_pf("adopt"), stage.apply(None, mine), ("sh", {"script": f"{vlan} 1 trust on"}), stage.told(),
            stage.on_pf("release"), stage.told(), ("sh", {"script": f"{vlan} 1 trust off"}), stage.on_pf("state"),
            stage.carve(0),
        ],
        storage=[
            ("apply", {"text": ssd.replace("KEY", "{driver: none}")}), ("rows", {"pf": stage.ssd}),
            ("apply", {"text": ssd.replace("KEY", "{vlan: 5}")}), ("release", {"pf": stage.ssd}),
        ],
        killed=[stage.on_pf("kill", text=stage.text(2, killed), times=2, seed=pf.count(":"))],
    )  # fmt: skip


def done(played: Played, name: str) -> list[Any]:
    """What the steps of a scenario were like, when it left nothing."""
    assert played[name]["error"] == ""
    assert played[name]["clean"]
    found: list[Any] = played[name]["done"]
    return found


def functions(text: str) -> list[dict[str, Any]]:
    (row,) = json.loads(text)
    found: list[dict[str, Any]] = row["vfinfo_list"]
    return found


def test_seven_functions_with_all_they_were_asked_for_and_back(played: Played) -> None:
    applied, text, drivers, links, rows, again, released = done(played, "whole")
    assert "s" in applied
    assert "s" in again
    assert "s" in released
    told = functions(text)
    assert [one["address"] for one in told] == [f"52:54:00:00:10:{index:02x}" for index in range(7)]
    assert [one["vlan_list"][0].get("vlan", 0) for one in told] == [10, 10, 20, 0, 0, 0, 0]
    assert [one["vlan_list"][0].get("qos", 0) for one in told] == [3, 3, 0, 0, 0, 0, 0]
    assert [one["rate"]["max_tx"] for one in told] == [200, 200, 0, 0, 0, 0, 0]
    assert [one["spoofchk"] for one in told] == [False, False, True, False, False, False, False]
    assert [one["trust"] for one in told] == [True, True, False, True, True, True, True]
    assert drivers.split() == ["igbvf", "igbvf", "igbvf", "-", "vfio-pci", "igbvf", "igbvf"]
    macs = {one["address"] for one in json.loads(links)}
    assert {f"52:54:00:00:10:{index:02x}" for index in (0, 1, 2, 5, 6)} <= macs, "their drivers have them"
    assert [row["owner"] for row in rows] == ["host", "host", "host", "nobody", "vm", "host", "host"]


def test_what_igb_cannot_do_is_refused_before_anything_is_done(played: Played) -> None:
    eight, *others = done(played, "refused")
    assert eight["code"] == "too-many-functions"
    assert [one["code"] for one in others] == list(CANNOT.values())


def test_functions_are_given_away_and_come_back_as_they_were(played: Played) -> None:
    _, found, _ = done(played, "given")
    assert [(one["owner"], one["where"]) for one in found["given"]] == [("namespace", "eth0 in blue"), ("vm", None)]
    assert found["busy"]["code"] == "function-given"
    assert (found["late"], found["kept"]) == (False, True), "an older gift is nobody's business any more"
    assert found["back"] == [True, True]
    assert found["after"] == found["before"]


def test_a_function_whose_name_space_ends_comes_home(played: Played) -> None:
    _, found, _ = done(played, "home")
    assert found["came"]
    assert found["after"] == found["before"]


def test_a_count_is_not_changed_under_a_function_in_use(played: Played) -> None:
    _, _, refused, kept, forced, text, _ = done(played, "busy")
    assert (refused["code"], kept["code"]) == ("function-in-use", "function-in-use")
    assert "in name space blue" in refused["lines"][0]
    assert "s" in forced
    assert len(functions(text)) == 3


def test_what_others_have_carved_is_adopted_without_a_reset(played: Played) -> None:
    _, before, refused, adopted, applied, _, during, _, after, _, at_the_end, _ = done(played, "adopted")
    assert refused["code"] == "not-ours"
    assert "s" in adopted
    assert "s" in applied
    assert [one["vlan_list"][0].get("vlan") for one in functions(during)] == [10, None, 99]
    assert [one["trust"] for one in functions(after)] == [False, True, False], "what others have set stays"
    assert at_the_end == before


def test_storage_functions_are_carved_too(played: Played) -> None:
    applied, rows, refused, released = done(played, "storage")
    assert "s" in applied
    assert [row["index"] for row in rows] == [0, 1]
    assert refused["code"] == "not-a-nic"
    assert "s" in released


def test_whoever_is_killed_the_next_run_converges(played: Played) -> None:
    (found,) = done(played, "killed")
    assert found["wrong"] == []


def test_the_command_shows_them(stage: Stage) -> None:
    shown = stage.vm.run([sys.executable, "-m", "openfex", "show", "adapters", "--here", "--json"], check=True)
    rows = {row["address"]: row for row in json.loads(shown.output)}
    nic, ssd = rows[stage.pf], rows[stage.ssd]
    assert (nic["driver"], nic["limit"], nic["functions"], nic["managed"]) == ("igb", 7, 0, "-")
    assert (nic["link"], nic["speed"], nic["what"], ssd["what"]) == ("up", 1000, "network", "storage")


@pytest.mark.long
def test_whoever_is_killed_at_thirty_points_the_next_run_converges(stage: Stage) -> None:
    """Of 20 turns each second kills an apply and a release, the others an apply alone."""
    text = stage.text(3, '\n    all: {mac-pool: "52:54:00:00:30:00"}\n    1: {vlan: 10, trust: true}')
    played = stage.play(killed=[stage.on_pf("kill", text=text, times=20, seed=7)])
    (found,) = done(played, "killed")
    print(f"\napply {found['apply_s']:.1f} s, release {found['release_s']:.1f} s: {found['ends']}")
    assert len(found["ends"]) == 30
    assert found["ends"].count("killed") > 15
    assert found["wrong"] == []


@pytest.mark.long
def test_what_is_not_ours_outlives_whoever_is_killed(stage: Stage) -> None:
    text = stage.text(None, '\n    0: {mac: "52:54:00:00:40:00", vlan: 10, rate: {max: 100Mbit}}')
    played = stage.play(
        killed=[
            stage.carve(3, f"; ip link set {stage.netdev} vf 2 vlan 99; ip link set {stage.netdev} vf 2 trust on"),
            stage.on_pf("adopt"), stage.on_pf("kill", text=text, times=15, seed=1), stage.told(),
            stage.on_pf("release"), stage.carve(0),
        ]
    )  # fmt: skip
    _, _, found, told, _, _ = done(played, "killed")
    print(f"\napply {found['apply_s']:.1f} s: {found['ends']}")
    assert found["wrong"] == []
    assert (functions(told)[2]["vlan_list"][0]["vlan"], functions(told)[2]["trust"]) == (99, True)
