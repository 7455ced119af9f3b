# SPDX-License-Identifier: Apache-2.0
"""PCI functions, over a sysfs in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from openfex.errors import KernelError, NotFoundError
from openfex.linux.pci import Pci, Sriov
from tests.unit.linux.trees import IGBVF, add_adapter, add_function, function_address, set_driver

PF = "0000:01:00.0"


def test_an_adapter_is_read_whole(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF, count=2, group=11)
    add_function(tmp_path, "0000:00:1f.0")
    pci = Pci(tmp_path)
    assert pci.carvable() == [PF]
    found = pci.function(PF)
    assert (found.vendor, found.device, found.kind, found.driver) == ("8086", "10c9", "020000", "igb")
    assert (found.numa_node, found.iommu_group, found.net, found.override) == (None, "", ("eno1",), "")
    functions = ((0, "0000:02:10.0"), (1, "0000:02:10.2"))
    assert found.sriov == Sriov(7, 2, 384, 2, "10ca", autoprobe=True, msix_pool=None, functions=functions)
    assert pci.net_value("eno1", "speed") == "1000"


def test_a_function_knows_its_adapter_driver_and_group(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF, count=3, group=11)
    address = function_address(PF, 2)
    found = Pci(tmp_path).function(address)
    assert (found.physfn, found.driver, found.device, found.iommu_group) == (PF, "igbvf", IGBVF[2:], "13")
    assert found.sriov is None
    assert Pci(tmp_path).group("13") == [(address, "igbvf")]
    assert Pci(tmp_path).group("99") == []


def test_functions_are_known_by_their_number_not_by_their_order(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF, total=63, count=12)
    sriov = Pci(tmp_path).function(PF).sriov
    assert sriov
    assert sriov.functions == tuple((index, function_address(PF, index)) for index in range(12))


def test_what_is_written_is_what_the_kernel_reads(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF, count=1)
    pci, vf = Pci(tmp_path), function_address(PF, 0)
    place = tmp_path / "bus/pci/devices"
    pci.set_count(PF, 5)
    pci.set_autoprobe(PF, False)
    pci.set_override(vf, "vfio-pci")
    pci.unbind(vf)
    pci.probe(vf)
    assert (place / PF / "sriov_numvfs").read_text() == "5"
    assert (place / PF / "sriov_drivers_autoprobe").read_text() == "0"
    assert (place / vf / "driver_override").read_text() == "vfio-pci"
    assert (tmp_path / "bus/pci/drivers/igbvf/unbind").read_text() == vf
    assert (tmp_path / "bus/pci/drivers_probe").read_text() == vf
    pci.set_override(vf, "")
    assert (place / vf / "driver_override").read_text() == "\n"


def test_what_has_no_driver_is_unbound_already(tmp_path: Path) -> None:
    add_function(tmp_path, PF)
    Pci(tmp_path).unbind(PF)


@pytest.mark.parametrize("address", ["0000:09:00.0", "../../etc", "eno1", ""])
def test_what_is_no_function_is_not_found(tmp_path: Path, address: str) -> None:
    add_adapter(tmp_path, PF)
    for act in (Pci(tmp_path).function, Pci(tmp_path).probe, Pci(tmp_path).unbind):
        with pytest.raises(NotFoundError) as refused:
            act(address)
        assert refused.value.code == "no-such-function"


def test_only_an_adapter_is_carved(tmp_path: Path) -> None:
    add_function(tmp_path, PF)
    with pytest.raises(NotFoundError, match="sriov_numvfs"):
        Pci(tmp_path).set_count(PF, 1)


def test_odd_numbers_are_a_coded_error(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF)
    (tmp_path / "bus/pci/devices" / PF / "sriov_totalvfs").write_text("many\n")
    with pytest.raises(KernelError) as refused:
        Pci(tmp_path).function(PF)
    assert refused.value.code == "odd-sysfs"


def test_a_machine_without_pci_has_none(tmp_path: Path) -> None:
    assert Pci(tmp_path).carvable() == []


def test_a_driver_that_comes_is_seen(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF, count=1)
    vf = function_address(PF, 0)
    set_driver(tmp_path, vf, "vfio-pci")
    assert Pci(tmp_path).function(vf).driver == "vfio-pci"


def test_errors_of_pcie_are_summed_by_the_kernel(tmp_path: Path) -> None:
    add_adapter(tmp_path, PF)
    assert Pci(tmp_path).function(PF).errors is None
    for kind, word, count in (("correctable", "COR", 3), ("nonfatal", "NONFATAL", 0), ("fatal", "FATAL", 2)):
        text = f"Undefined 0\nDLP {count}\nTOTAL_ERR_{word} {count}\n"
        (tmp_path / "bus/pci/devices" / PF / f"aer_dev_{kind}").write_text(text)
    assert Pci(tmp_path).function(PF).errors == (3, 0, 2)
