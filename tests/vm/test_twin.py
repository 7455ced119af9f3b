# SPDX-License-Identifier: Apache-2.0
"""Adapters that QEMU emulates, in a twin: one boot for all of these. What they show is in docs/reference/adapters.md.

Listeners hear until their last frame, which was sent after all others: so what they have not heard did not come.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.linux.sysctl import sysctl
from openfex.machine.emulated import Igb, Iommu, Nvme
from openfex.machine.stock import NEWEST
from openfex.machine.twin import Hardware, twin
from openfex.model.values import Mac
from openfex.wire.ethernet import Frame
from openfex.wire.vlan import VlanTag
from tests.vm.rig import BROADCAST, DEADLINE_S, NETNS, NOBODY, OUTSIDE, ROOT, TAP, Rig

pytestmark = [pytest.mark.root, pytest.mark.slow]
V100, V200, V5 = VlanTag(100), VlanTag(200), VlanTag(5)
QOS = 5
MACS = {f"vf{number}": Mac.parse(f"52:54:00:00:01:{number:02x}") for number in range(3)}
DEVICES = (Iommu(), Igb("nic0", NETNS, TAP, Mac.parse("52:54:00:00:00:01")), Nvme("ssd0"))
REGISTERS = Hardware(append="iomem=relaxed")
"""Lets a test write to a register of a device that has a driver."""
CARVE = """
cd /sys/class/net/$PF/device
ip link set $PF name pf && ip link set pf up
echo 0 >sriov_drivers_autoprobe
echo 7 >sriov_numvfs
ip link set pf vf 0 mac 52:54:00:00:01:00 && ip link set pf vf 0 vlan 100
ip link set pf vf 1 mac 52:54:00:00:01:01 && ip link set pf vf 1 vlan 200 qos 5
ip link set pf vf 2 mac 52:54:00:00:01:02 && ip link set pf vf 2 vlan 200
echo 1 >sriov_drivers_autoprobe
for number in 0 1 2; do
	basename "$(readlink virtfn$number)" >/sys/bus/pci/drivers/igbvf/bind
	ip link set "$(ls virtfn$number/net)" name vf$number
	ip link set vf$number up
done
"""
READY = """
from openfex.linux.netlink import Netlink
print(Netlink().wait_ready(["pf", "vf0", "vf1", "vf2"], 30))
"""


@pytest.fixture(scope="module")
def bare() -> Iterator[Rig]:
    """As it has booted: nothing carved."""
    netns.delete(NETNS)
    netns.create(NETNS)
    sysctl(NETNS, "net.ipv6.conf.default.disable_ipv6", 1)
    with Netlink(NETNS) as netlink:
        netlink.add_tap(TAP, 9216, vnet_hdr=False)
        netlink.set(TAP, up=True)
    try:
        with twin(DEVICES, REGISTERS) as vm:
            rig = Rig(vm, {**MACS, "pf": Mac.parse("52:54:00:00:00:01")})
            rig.sh("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
            yield rig
    finally:
        netns.delete(NETNS)


@pytest.fixture(scope="module")
def rig(bare: Rig) -> Rig:
    """Carved: 7 functions, of which 3 have a driver, a MAC and a port VLAN."""
    bare.sh(f"PF={bare.vm.netdev('nic0')}; {CARVE}")
    assert bare.python(READY).strip() == "[]"
    return bare


def last(rig: Rig, *names: str) -> dict[str, Frame]:
    """From outside, what reaches each device for certain."""
    tags = {"pf": (), "vf0": (V100,), "vf1": (V200,), "vf2": (V200,)}
    return {name: rig.frame("last", OUTSIDE, name, *tags[name]) for name in names}


def test_it_boots_on_another_kernel_with_this_file_system(bare: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nthe twin booted in {bare.vm.boot_s:.1f} s")
    assert bare.sh("uname -r").startswith(f"{NEWEST.version}.")
    assert bare.sh("pwd").strip() == str(Path.cwd())
    assert bare.python("import openfex; print(openfex.__file__)").strip() == str(ROOT / "src/openfex/__init__.py")


def test_what_it_writes_stays_in_it_but_for_one_folder(bare: Rig) -> None:
    bare.sh("echo it >/openfex-twin-was-here && echo shared >/mnt/given")
    assert not Path("/openfex-twin-was-here").exists()
    assert (bare.vm.shared / "given").read_text() == "shared\n"
    (bare.vm.shared / "taken").write_text("here too")
    assert bare.sh("cat /mnt/taken") == "here too"


def test_a_command_gives_its_status_and_both_of_its_outputs(bare: Rig) -> None:
    done = bare.vm.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.status, done.output, done.errors) == (3, "out\n", "err\n")


def test_a_driver_that_comes_while_the_pf_is_down_gives_a_random_mac(bare: Rig) -> None:
    """Before the others: they have it up."""
    folder = f"/sys/class/net/{bare.vm.netdev('nic0')}/device"
    bare.sh(f"echo 1 >{folder}/sriov_numvfs")
    assert bare.sh(f"cat {folder}/virtfn0/net/*/addr_assign_type") == "1\n", "NET_ADDR_RANDOM"
    bare.sh(f"echo 0 >{folder}/sriov_numvfs")


def test_seven_functions_are_carved_and_not_eight(rig: Rig) -> None:
    rig.sh("test $(cat /sys/class/net/pf/device/sriov_totalvfs) = 7")
    script = "import os\nf = os.open('/sys/class/net/pf/device/sriov_numvfs', os.O_WRONLY)\nos.write(f, b'%d')"
    too_many = rig.vm.run([sys.executable, "-c", script % 8])
    assert "OSError: [Errno 34]" in too_many.errors, "ERANGE"
    assert "OSError: [Errno 16]" in rig.vm.run([sys.executable, "-c", script % 3]).errors, (
        "EBUSY: first 0, then another"
    )
    assert rig.sh("ls -d /sys/class/net/pf/device/virtfn* | wc -l").strip() == "7"
    rows = {one["ifname"]: one["address"] for one in json.loads(rig.sh("ip -j link"))}
    assert {name: rows[name] for name in MACS} == {name: str(mac) for name, mac in MACS.items()}


def test_without_automatic_drivers_a_function_takes_none_by_hand_either(rig: Rig) -> None:
    rig.sh("echo 0 >/sys/class/net/pf/device/sriov_drivers_autoprobe")
    bind = "basename $(readlink /sys/class/net/pf/device/virtfn3) >/sys/bus/pci/drivers/igbvf/bind"
    assert rig.vm.run(["sh", "-c", bind]).status != 0
    rig.sh(f"echo 1 >/sys/class/net/pf/device/sriov_drivers_autoprobe; {bind}")
    rig.sh("basename $(readlink /sys/class/net/pf/device/virtfn3) >/sys/bus/pci/drivers/igbvf/unbind")


def test_every_function_is_an_iommu_group_of_its_own(rig: Rig) -> None:
    groups = rig.sh(
        "for f in /sys/class/net/pf/device /sys/class/net/pf/device/virtfn*; do ls $f/iommu_group/devices; done"
    )
    assert len(groups.split()) == len(set(groups.split())) == 8


@pytest.mark.parametrize(
    ("words", "read_back"),
    [
        ("mac 52:54:00:00:01:03", {"address": "52:54:00:00:01:03"}),
        ("vlan 300 qos 5", {"vlan_list": [{"vlan": 300, "qos": 5}]}),
        ("vlan 4095", {"vlan_list": [{"vlan": 4095}]}),
        ("vlan 0", {"vlan_list": [{}]}),
        ("max_tx_rate 1000", {"rate": {"max_tx": 1000, "min_tx": 0}}),
        ("max_tx_rate 0", {"rate": {"max_tx": 0, "min_tx": 0}}),
        ("spoofchk off", {"spoofchk": False}),
        ("spoofchk on", {"spoofchk": True}),
        ("trust on", {"trust": True}),
        ("trust off", {"trust": False}),
    ],
)
def test_what_igb_takes_it_reads_back(rig: Rig, words: str, read_back: dict[str, object]) -> None:
    rig.sh(f"ip link set pf vf 3 {words}")
    (row,) = json.loads(rig.sh("ip -d -j link show pf"))
    assert {name: row["vfinfo_list"][3][name] for name in read_back} == read_back


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("vf 3 mac 01:00:5e:00:00:01", "Invalid argument"),
        ("vf 7 vlan 5", "Invalid argument"),
        ("vf 3 vlan 300 proto 802.1ad", "Protocol not supported"),
        ("vf 3 max_tx_rate 1001", "Invalid argument"),  # more than the link has
        ("vf 3 min_tx_rate 50", "Invalid argument"),
        ("vf 3 state disable", "Operation not supported"),
        ("vf 3 state auto", "Operation not supported"),
        ("vf 3 query_rss on", "Operation not supported"),
        ("vf 3 node_guid 00:11:22:33:44:55:66:77", "Operation not supported"),
        ("mtu 9217", "mtu greater than device maximum"),
    ],
)
def test_what_igb_refuses(rig: Rig, words: str, said: str) -> None:
    done = rig.vm.run(["sh", "-c", f"ip link set pf {words}"])
    assert done.status != 0
    assert said in done.errors


@pytest.mark.parametrize("mode", ["vepa", "veb"])
def test_igb_has_no_mode_of_its_embedded_switch(rig: Rig, mode: str) -> None:
    done = rig.vm.run(["bridge", "link", "set", "dev", "pf", "hwmode", mode])
    assert (done.status != 0, "Operation not supported" in done.errors) == (True, True)


def test_a_function_sends_in_its_port_vlan_and_the_pf_untagged(rig: Rig) -> None:
    sent = [(name, rig.frame(name, name, OUTSIDE)) for name in ("vf0", "vf1", "pf")]
    _, wire = rig.inside(sent, {}, ("pf", rig.frame("last", "pf", OUTSIDE)))
    assert wire == [("pf", ()), ("vf0", (V100,)), ("vf1", (VlanTag(200, pcp=QOS),))]


def test_what_a_function_tags_itself_is_tagged_twice(rig: Rig) -> None:
    tags = {"neighbour": V200, "other": V5, "own": V100, "priority": VlanTag(0, pcp=7)}
    sent = [("vf0", rig.frame(name, "vf0", OUTSIDE, tag)) for name, tag in tags.items()]
    _, wire = rig.inside(sent, {}, ("pf", rig.frame("last", "pf", OUTSIDE)))
    assert wire == [(name, (V100, tag)) for name, tag in tags.items()]


def test_a_broadcast_in_a_vlan_reaches_its_functions_alone(rig: Rig) -> None:
    sent = [rig.frame(str(tag.vid), OUTSIDE, BROADCAST, tag) for tag in (V100, V200, VlanTag(300))]
    heard = rig.outside([*sent, rig.frame("none", OUTSIDE, BROADCAST)], last(rig, "pf", "vf0", "vf1", "vf2"))
    assert heard == {"pf": [("none", ())], "vf0": [("100", ())], "vf1": [("200", ())], "vf2": [("200", ())]}


def test_only_the_outer_tag_is_taken_off(rig: Rig) -> None:
    heard = rig.outside([rig.frame("it", OUTSIDE, BROADCAST, V100, V5)], last(rig, "vf0"))
    assert heard == {"vf0": [("it", (V5,))]}


def test_a_unicast_needs_the_functions_mac_and_its_vlan(rig: Rig) -> None:
    """What has the MAC of a function and not its VLAN, or a MAC that nobody has, goes to the PF."""
    sent = [rig.frame(str(tag.vid), OUTSIDE, "vf0", tag) for tag in (V100, V200)]
    sent += [rig.frame("unknown", OUTSIDE, NOBODY, V100), rig.frame("none", OUTSIDE, "vf0")]
    heard = rig.outside(sent, last(rig, "pf", "vf0", "vf1"))
    assert heard == {"pf": [("200", (V200,)), ("none", ()), ("unknown", (V100,))], "vf0": [("100", ())], "vf1": []}


def test_while_the_pf_is_promiscuous_what_is_unknown_goes_to_the_functions_of_the_vlan(rig: Rig) -> None:
    rig.sh("ip link set pf promisc on")
    try:
        heard = rig.outside([rig.frame("it", OUTSIDE, NOBODY, V100)], last(rig, "pf", "vf0", "vf1"))
    finally:
        rig.sh("ip link set pf promisc off")
    assert heard == {"pf": [], "vf0": [("it", ())], "vf1": []}


def test_functions_of_different_vlans_do_not_reach_each_other_and_neither_does_the_bridge_hear(rig: Rig) -> None:
    """The adapter looks at the MAC alone to decide that a frame stays inside, and then drops it for its VLAN."""
    sent = [("vf0", rig.frame("0 to 1", "vf0", "vf1")), ("vf1", rig.frame("1 to 0", "vf1", "vf0"))]
    sent += [("vf0", rig.frame("0 to pf", "vf0", "pf")), ("pf", rig.frame("pf to 0", "pf", "vf0"))]
    heard, wire = rig.inside(sent, last(rig, "pf", "vf0", "vf1"), ("vf0", rig.frame("last", "vf0", OUTSIDE)))
    assert heard == {"pf": [], "vf0": [], "vf1": []}
    assert wire == []


def test_functions_of_one_vlan_are_switched_inside_and_the_bridge_does_not_hear(rig: Rig) -> None:
    heard, wire = rig.inside(
        [("vf1", rig.frame("1 to 2", "vf1", "vf2"))],
        last(rig, "vf1", "vf2"),
        ("vf0", rig.frame("last", "vf0", OUTSIDE)),
    )
    assert heard == {"vf1": [], "vf2": [("1 to 2", ())]}
    assert wire == []


def test_a_broadcast_leaves_and_is_also_switched_inside_even_back_to_its_sender(rig: Rig) -> None:
    sent = [("vf0", rig.frame("0", "vf0", BROADCAST)), ("vf1", rig.frame("1", "vf1", BROADCAST))]
    ends = last(rig, "pf", "vf0", "vf1", "vf2")
    heard, wire = rig.inside(sent, ends, ("pf", rig.frame("last", "pf", OUTSIDE)))
    assert wire == [("0", (V100,)), ("1", (VlanTag(200, pcp=QOS),))]
    assert heard == {"pf": [], "vf0": [("0", ())], "vf1": [("1", ())], "vf2": [("1", ())]}


def test_spoof_check_is_on_and_lets_a_forged_source_pass(rig: Rig) -> None:
    (row,) = json.loads(rig.sh("ip -d -j link show pf"))
    assert row["vfinfo_list"][0]["spoofchk"] is True
    forged = [("vf0", rig.frame("forged", NOBODY, OUTSIDE)), ("vf0", rig.frame("neighbour", "vf1", OUTSIDE))]
    _, wire = rig.inside(forged, {}, ("vf0", rig.frame("last", "vf0", OUTSIDE)))
    assert wire == [("forged", (V100,)), ("neighbour", (V100,))]


LOOPBACK = """
import mmap, os, struct
fd = os.open("/sys/class/net/pf/device/resource0", os.O_RDWR | os.O_SYNC)
with mmap.mmap(fd, 0x20000) as registers, memoryview(registers).cast("I") as words:
    at, bit = 0x3500 // 4, 1 << 31
    before = words[at]
    words[at] = (before | bit) if ON else before & ~bit
    print(bool(before & bit))
"""
"""DTXSWC, and in it Loopback_en: 82576 datasheet, 8.14.3."""


def test_without_its_loopback_every_frame_goes_out_and_the_bridge_can_send_it_back(rig: Rig) -> None:
    assert rig.python(LOOPBACK.replace("ON", "False")).strip() == "True"
    try:
        sent = [("vf0", rig.frame("0 to 1", "vf0", "vf1")), ("vf1", rig.frame("1 to 2", "vf1", "vf2"))]
        sent += [("vf0", rig.frame("all", "vf0", BROADCAST))]
        heard, wire = rig.inside(sent, last(rig, "vf0", "vf1", "vf2"), ("pf", rig.frame("last", "pf", OUTSIDE)))
        assert wire == [("0 to 1", (V100,)), ("1 to 2", (VlanTag(200, pcp=QOS),)), ("all", (V100,))]
        assert heard == {"vf0": [], "vf1": [], "vf2": []}
        back = rig.outside([rig.frame("0 to 1", "vf0", "vf1", V200)], last(rig, "vf1", "vf2"))
        assert back == {"vf1": [("0 to 1", ())], "vf2": []}
    finally:
        assert rig.python(LOOPBACK.replace("ON", "True")).strip() == "False"


def test_functions_of_nvme_are_carved(bare: Rig) -> None:
    folder = f"/sys/bus/pci/devices/{bare.vm.address('ssd0')}"
    bare.sh(f"test $(cat {folder}/sriov_totalvfs) = 4; echo 2 >{folder}/sriov_numvfs")
    try:
        assert bare.sh(f"cat {folder}/class {folder}/virtfn*/class").split() == ["0x010802"] * 3
        assert bare.sh(f"cat {folder}/nvme/nvme*/state") == "live\n"
        bare.sh("until [ $(dmesg | grep -c 'nvme.*Device not ready') = 2 ]; do sleep 0.1; done", DEADLINE_S)
        assert bare.vm.run(["ls", f"{folder}/virtfn0/nvme"]).status != 0
    finally:
        bare.sh(f"echo 0 >{folder}/sriov_numvfs")


def test_functions_of_nvme_are_online_once_they_have_queues_and_interrupts(bare: Rig) -> None:
    folder = f"/sys/bus/pci/devices/{bare.vm.address('ssd0')}"
    device = bare.sh(f"ls {folder}/nvme").strip()
    script = f"{sys.executable} {ROOT}/tests/vm/secondaries.py"
    offline = [f"{number} 0 0 0" for number in (1, 2, 3, 4)]
    assert bare.sh(f"{script} take {device}").splitlines() == offline
    bare.sh(f"echo 1 >{folder}/nvme/nvme0/reset_controller")
    bare.sh(f"echo 0 >{folder}/sriov_drivers_autoprobe; echo 2 >{folder}/sriov_numvfs")
    assert bare.sh(f"{script} give {device}").splitlines() == ["1 1 2 2", "2 1 2 2", *offline[2:]]
    bare.sh(f"echo 1 >{folder}/sriov_drivers_autoprobe")
    for number in (0, 1):
        bare.sh(f"basename $(readlink {folder}/virtfn{number}) >/sys/bus/pci/drivers/nvme/bind")
    states = f"cat {folder}/virtfn0/nvme/*/state {folder}/virtfn1/nvme/*/state"
    bare.sh(f'until [ "$({states} | sort -u)" = live ]; do sleep 0.1; done', DEADLINE_S)


XDP = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int drop_tagged(struct xdp_md *context)
{
	unsigned char *data = (void *)(long)context->data;
	if (data + 14 > (unsigned char *)(long)context->data_end)
		return XDP_PASS;
	return data[12] == 0x81 && data[13] == 0 ? XDP_DROP : XDP_PASS;
}
char _license[] SEC("license") = "GPL";
"""


def test_xdp_on_the_pf_sees_tags_only_without_their_offload(rig: Rig) -> None:
    """Last of all: it resets the adapter."""
    (rig.vm.shared / "it.c").write_text(XDP)
    source, built = (str(rig.vm.shared / name) for name in ("it.c", "it.o"))
    include = f"-I/usr/include/{subprocess.check_output(['clang', '-print-multiarch'], text=True).strip()}"
    subprocess.run(["clang", "-O2", "-g", "-target", "bpf", include, "-c", source, "-o", built], check=True)
    rig.python(LOOPBACK.replace("ON", "False"))
    rig.sh("ip link set dev pf xdpdrv obj /mnt/it.o sec xdp")
    (row,) = json.loads(rig.sh("ip -d -j link show pf"))
    assert row["xdp"]["mode"] == 1, "native"
    tagged = [rig.frame("it", OUTSIDE, "pf", V100)]
    for words, passed in (("rxvlan on", [("it", (V100,))]), ("rxvlan off", [])):
        rig.sh(f"ethtool -K pf {words}")
        assert rig.python(READY).strip() == "[]"
        assert rig.outside(tagged, last(rig, "pf")) == {"pf": passed}, words
    assert rig.python(LOOPBACK.replace("ON", "True")).strip() == "True", "the reset has switched it on again"
    done = rig.vm.run(["ip", "link", "set", "dev", "vf0", "xdpdrv", "obj", "/mnt/it.o", "sec", "xdp"])
    assert "does not support XDP in native mode" in done.errors
    offloads = rig.sh("ethtool -k vf0").splitlines()
    assert {"rx-vlan-offload: on [fixed]", "tx-vlan-offload: on [fixed]"} <= set(offloads)
