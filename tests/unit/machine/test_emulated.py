# SPDX-License-Identifier: Apache-2.0
"""Emulated adapters as QEMU's arguments."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from openfex.errors import InputError
from openfex.machine.emulated import Igb, Iommu, Nvme, kernel_words, media, root_port, write_devices
from openfex.model.values import Mac

FOLDER = Path("/run/it")
NIC = Igb("nic0", "host", "wire0", Mac.parse("52:54:00:00:00:01"))
SSD = Nvme("ssd0")


def devices(argv: list[str]) -> list[dict[str, str]]:
    """What follows each `-device`, by key; its kind under the empty one."""
    found = []
    for word, value in pairwise(argv):
        if word == "-device":
            kind, *pairs = value.split(",")
            found.append({"": kind, **dict(pair.split("=", 1) for pair in pairs)})
    return found


def test_an_igb_is_behind_a_root_port_and_wired_to_an_open_tap() -> None:
    argv = write_devices([NIC], {"nic0": 7}, FOLDER)
    port, igb = devices(argv)
    assert (port[""], igb[""], igb["bus"]) == ("pcie-root-port", "igb", port["id"])
    assert argv[argv.index("-netdev") + 1] == f"tap,id={igb['netdev']},fd=7"
    assert (igb["mac"], igb["romfile"]) == ("52:54:00:00:00:01", "")


def test_without_a_mac_qemu_gives_one() -> None:
    assert "mac" not in devices(write_devices([Igb("nic0", None, "wire0")], {"nic0": 7}, FOLDER))[1]


def test_an_nvme_has_what_its_functions_can_be_given_and_keeps_some_for_itself() -> None:
    argv = write_devices([Nvme("ssd0", functions=3, queues=5)], {}, FOLDER)
    _, subsystem, nvme, namespace = devices(argv)
    assert (nvme["subsys"], nvme["sriov_max_vfs"]) == (subsystem["id"], "3")
    assert nvme["sriov_vq_flexible"] == nvme["sriov_vi_flexible"] == "15"
    assert int(nvme["max_ioqpairs"]) > 15 < int(nvme["msix_qsize"])
    drive = argv[argv.index("-drive") + 1]
    assert f"id={namespace['drive']}," in drive
    assert drive.endswith(f"file={FOLDER}/ssd0.raw")


def test_a_comma_in_a_path_does_not_end_an_option() -> None:
    argv = write_devices([SSD], {}, Path("/a,b"))
    assert argv[argv.index("-drive") + 1].endswith("file=/a,,b/ssd0.raw")
    assert media(Path("/a,b"), SSD) == {1: Path("/a,b/ssd0.raw")}


def test_private_namespaces_have_media_of_their_own_and_nobody_has_them() -> None:
    argv = write_devices([Nvme("ssd0", most=3, private=2)], {}, FOLDER)
    _, _, nvme, first, *private = devices(argv)
    assert (nvme["sriov_vq_flexible"], nvme["sriov_max_vq_per_vf"], nvme["sriov_max_vi_per_vf"]) == ("8", "3", "3")
    assert (first["nsid"], first["shared"]) == ("1", "on")
    assert [(one["nsid"], one["shared"], one["detached"]) for one in private] == [
        ("2", "off", "on"),
        ("3", "off", "on"),
    ]
    assert [path.name for path in media(FOLDER, Nvme("ssd0", private=2)).values()] == [
        "ssd0.raw",
        "ssd0-2.raw",
        "ssd0-3.raw",
    ]


def test_an_iommu_comes_before_all_that_it_remaps_and_the_kernel_is_told() -> None:
    argv = write_devices([NIC, Iommu(), SSD], {"nic0": 7}, FOLDER)
    assert devices(argv)[0][""] == "intel-iommu"
    assert kernel_words([NIC, Iommu()]) == ["intel_iommu=on"]
    assert kernel_words([NIC]) == []


def test_each_adapter_is_found_by_the_slot_of_its_root_port() -> None:
    both = (Iommu(), NIC, SSD)
    ports = {one["id"]: one["addr"] for one in devices(write_devices(both, {"nic0": 7}, FOLDER)) if "chassis" in one}
    assert ports == {"port-nic0": "0x10", "port-ssd0": "0x11"}
    assert [root_port(both, one) for one in ("nic0", "ssd0")] == ["0000:00:10.0", "0000:00:11.0"]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ([Nvme("a,b")], "bad-adapter-name"),
        ([Nvme("")], "bad-adapter-name"),
        ([Nvme("ä")], "bad-adapter-name"),
        ([Nvme("0a")], "bad-adapter-name"),
        ([Nvme("a"), Nvme("a")], "bad-adapter-name"),
        ([Nvme(f"n{number}") for number in range(16)], "too-many-adapters"),
    ],
)
def test_what_cannot_be_told_to_qemu_is_refused(wanted: list[Nvme], code: str) -> None:
    with pytest.raises(InputError) as refused:
        write_devices(wanted, {}, FOLDER)
    assert refused.value.code == code


def test_a_full_root_bus_is_told() -> None:
    argv = write_devices([Nvme(f"n{number}") for number in range(15)], {}, FOLDER)
    assert len({one["addr"] for one in devices(argv) if "chassis" in one}) == 15
