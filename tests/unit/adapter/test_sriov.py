# SPDX-License-Identifier: Apache-2.0
"""The inventory of real adapters, over a sysfs in a folder and network devices that are told."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from openfex.adapter.journal import Journal
from openfex.adapter.sriov import KernelHost
from openfex.adapter.view import adapter_rows, function_rows, plan_view
from openfex.errors import UnsupportedError
from openfex.linux.functions import VfInfo
from openfex.model.adapters import FunctionCounters, NetDevice, Owner
from openfex.model.functions import ALL_FUNCTIONS, AdapterWish, FunctionDriver, HwMode, Selector, Settings
from openfex.model.values import Mac
from openfex.plan.functions import plan_functions
from openfex.plan.records import Gift, Record
from openfex.testing.adapters import CARVED
from tests.unit.linux.trees import add_adapter, add_function, function_address, set_driver, set_group

PF = "0000:01:00.0"
MAC = Mac.parse("52:54:00:00:00:01")


class ToldNets:
    """Network devices as a test says."""

    def __init__(self, devices: Mapping[str, NetDevice], held: Mapping[str, int] | None = None, total: int = 64):
        self._devices, self._held, self._total = devices, held or {}, total

    def devices(self) -> Mapping[str, NetDevice]:
        return self._devices

    def functions(self, device: NetDevice) -> list[VfInfo]:
        return [VfInfo(index, CARVED, FunctionCounters(rx_packets=index)) for index in range(self._total)]

    def hwmode(self, device: NetDevice) -> HwMode | None:
        return HwMode.VEB

    def holders(self) -> Mapping[str, int]:
        return self._held


def net(name: str, index: int = 2, space: str = "") -> NetDevice:
    return NetDevice(space, name, index, MAC, up=True, carrier=True)


def test_an_adapter_is_put_together_from_all_that_is_told(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF, count=4, group=30)
    first, second, third, fourth = (function_address(PF, index) for index in range(4))
    set_driver(tmp_path, third, "vfio-pci")
    devices = {PF: net("eno1"), first: net("eth1", 3), second: net("wan", 9, "blue")}
    (found,) = KernelHost(tmp_path, ToldNets(devices, {"32": 4711})).observe()
    assert (found.name, found.speed, found.hwmode, found.count, found.total) == ("eno1", 1000, HwMode.VEB, 4, 7)
    owners = [one.owner for one in found.functions]
    assert owners == [Owner.HOST, Owner.NAMESPACE, Owner.VM, Owner.LOST]
    assert [bool(one.in_use) for one in found.functions] == [False, True, True, True]
    assert [one.address for one in found.functions] == [first, second, third, fourth]
    assert found.functions[3].counters.rx_packets == 3
    assert found.functions[2].bound is FunctionDriver.VFIO


def test_an_adapter_that_is_no_nic_has_functions_without_attributes(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF, count=1)
    for address in (PF, function_address(PF, 0)):
        (tmp_path / "bus/pci/devices" / address / "class").write_text("0x010802\n")
    set_driver(tmp_path, function_address(PF, 0), "nvme")
    (found,) = KernelHost(tmp_path, ToldNets({})).observe()
    assert (found.what, found.net, found.functions[0].settings, found.functions[0].owner) == (
        "storage", None, Settings(), Owner.HOST,
    )  # fmt: skip
    with pytest.raises(UnsupportedError) as refused:
        KernelHost(tmp_path, ToldNets({})).set_attributes(PF, 0, Settings(vlan=5))
    assert refused.value.code == "not-a-nic"


def test_who_shares_an_iommu_group_is_company_unless_it_may_stay(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF, count=1, group=30)
    for address, driver in (("0000:05:00.0", "e1000e"), ("0000:06:00.0", "pcieport"), ("0000:07:00.0", "vfio-pci")):
        add_function(tmp_path, address)
        set_driver(tmp_path, address, driver)
        set_group(tmp_path, address, "30")
    (found,) = KernelHost(tmp_path, ToldNets({})).observe()
    assert found.functions[0].company == ("0000:05:00.0",)


def test_a_function_that_goes_meanwhile_is_left_out(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF, count=2)
    gone = tmp_path / "bus/pci/devices" / function_address(PF, 1)
    gone.rename(tmp_path / "gone")
    (found,) = KernelHost(tmp_path, ToldNets({PF: net("eno1")})).observe(PF)
    assert [one.index for one in found.functions] == [0]


def test_rows_say_what_is_not_as_usual(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF, count=2)
    host = KernelHost(tmp_path, ToldNets({PF: net("eno1"), function_address(PF, 0): net("eth0", 3, "blue")}))
    found = host.observe()
    record = Record(PF, 4, count=0, gifts={0: Gift(4, "blue", "blue", "eth0")}, purposes={1: "web"})
    first, second = function_rows(found, {PF: record}, {function_address(PF, 1): "eth7 in green"})
    assert (first["where"], first["note"]) == ("eth0 in blue", "given to blue, generation 4")
    assert (second["owner"], second["note"], second["purpose"]) == ("lost", "last seen as eth7 in green", "web")
    assert (second["mac"], second["link_state"], second["rss_query"]) == ("00:00:00:00:00:00", "auto", None)
    (row,) = adapter_rows(found, {PF: record})
    assert (row["managed"], row["limit"], row["generation"]) == ("ours", 7, 4)
    (row,) = adapter_rows(found, {})
    assert row["managed"] == "by others"


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF, count=2)
    (tmp_path / "bus/pci/devices" / function_address(PF, 1)).rename(tmp_path / "gone")
    for kind in ("correctable", "nonfatal", "fatal"):
        (tmp_path / "bus/pci/devices" / function_address(PF, 0) / f"aer_dev_{kind}").write_text("TOTAL 4\n")
    dark = NetDevice("", "eno1", 2, MAC, up=True, carrier=False)
    (found,) = KernelHost(tmp_path, ToldNets({PF: dark})).observe()
    assert found.health == ("no carrier", "1 functions missing")
    assert found.functions[0].health == ("lost", "4 PCIe errors", "4 fatal PCIe errors")
    (row,) = function_rows([found], {}, {})
    assert row["errors"] == {"corrected": 4, "nonfatal": 4, "fatal": 4}


def test_a_driver_that_is_not_there_is_loaded_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_adapter(tmp_path, PF, count=1)
    loaded: list[str] = []
    monkeypatch.setattr("openfex.adapter.sriov.load", loaded.append)
    host, function = KernelHost(tmp_path, ToldNets({})), function_address(PF, 0)
    host.set_override(function, "vfio-pci")
    host.set_override(function, "igbvf")
    host.set_override(function, "")
    assert loaded == ["vfio-pci"]


def test_a_record_is_on_the_disk_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr("os.fsync", lambda handle: done.append("flush"))
    rename = Path.replace

    def noted(self: Path, target: Path) -> Path:
        done.append("rename")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    Journal(tmp_path).write(Record(PF, 1, adopted=True))
    assert done == ["flush", "rename", "flush"], "the file, its name, the folder"


@pytest.mark.slow  # to make so many files
def test_sixteen_adapters_of_sixty_four_functions_are_read_and_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    devices: dict[str, NetDevice] = {}
    for number in range(16):
        pf = f"0000:{0x10 + number * 4:02x}:00.0"
        add_adapter(tmp_path, pf, name=f"nic{number}", total=64, count=64, group=1000 * (number + 1))
        set_driver(tmp_path, pf, "ice")
        devices[pf] = net(f"nic{number}", number + 2)
        devices |= {function_address(pf, index): net(f"v{number}n{index}", 100) for index in range(64)}
    settings = ((*ALL_FUNCTIONS, Settings(vlan=10, trust=True, mac_pool=MAC)), (3, 60, Settings(vlan=20, max_rate=100)))
    wish = AdapterWish("all", (Selector(driver="ice"),), 64, settings=settings)
    records = {pf: Record(pf, adopted=True) for pf in devices}
    begun = time.perf_counter()
    adapters = KernelHost(tmp_path, ToldNets(devices)).observe()
    read = time.perf_counter()
    plan = plan_functions(adapters, [wish], records)
    planned = time.perf_counter()
    assert plan.all_refusals == ()
    assert len(plan.steps) == 16 * 64
    assert plan_view(plan)["steps"]
    with capsys.disabled():
        print(f"\n16 adapters x 64 functions: read in {read - begun:.3f} s, planned in {planned - read:.3f} s")
