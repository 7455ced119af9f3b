# SPDX-License-Identifier: Apache-2.0
"""A real virtual machine on functions that are TAPs: one boot for all of these."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from openfex.errors import RefusedError
from openfex.lab import lab
from openfex.lab.lab import layout_of
from openfex.lab.names import netns_of
from openfex.lab.view.inventory import machine_rows
from openfex.lab.view.look import look
from openfex.lab.view.plan import status_rows
from openfex.linux import netns
from openfex.linux.packet import PacketCapture, PacketSocket
from openfex.linux.vnet import NEEDS_CHECKSUM
from openfex.machine.command_line import SESSIONS
from openfex.machine.qemu import Process, find_all, stop
from openfex.plan.objects import FunctionKey, GuestKey
from openfex.proof import vm_on_vf
from openfex.proof.guest_traffic import call_guest, serve_echo, watching, whole
from openfex.proof.kernel_bed import KernelBed
from openfex.proof.residue import links_here, residue
from openfex.proof.vm_on_vf import Trial
from tests.vm.labs import GUEST, LAB, NETWORK

pytestmark = [pytest.mark.root, pytest.mark.slow]
DEADLINE_S = 10.0
TEXT = NETWORK + GUEST
HOST = netns_of(LAB, "host", "h1")


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    before = links_here()
    layout = lab.up(TEXT).layout
    try:
        yield Trial(replace(layout, bindings=tuple(one for one in layout.bindings if one.profile.name != "jumbo")))
    finally:
        lab.down(LAB)
    assert residue(LAB) == []
    assert links_here() == before


def process() -> Process:
    """The only QEMU of the lab."""
    (found,) = find_all(netns_of(LAB, "machine", ""))
    return found


def uptime_s(trial: Trial) -> float:
    return float(trial.ask("cat", "/proc/uptime").output.split()[0])


def fex(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "openfex", *argv], capture_output=True, text=True, check=False)


def test_p10_tcp_both_ways_with_super_frames_whole(trial: Trial) -> None:
    ok, measured = vm_on_vf.tcp(trial)
    assert ok, measured


def test_p10_checksums_are_left_to_be_done_and_come_out_right(trial: Trial) -> None:
    """Of both directions: what the guest sends, and what it is handed, carries no checksum of its own."""
    vm = trial.binding("vm1")
    serve_echo(LAB, "vm1")
    with watching(trial.layout, vm) as passed:
        call_guest(trial.space("vm2"), trial.address("vm1"), os.urandom(100_000))
    for headers in (passed.sent_by(vm.mac), passed.sent_to(vm.mac)):
        assert any(header.flags & NEEDS_CHECKSUM for header in headers)
        assert whole(headers)


def test_p2_another_vlan_is_not_reached(trial: Trial) -> None:
    ok, measured = vm_on_vf.isolation(trial)
    assert ok, measured


def test_p2_a_forged_source_is_dropped_and_counted(trial: Trial) -> None:
    ok, measured = vm_on_vf.forgery(trial)
    assert ok, measured


def test_the_mtu_of_the_documents_holds_on_both_sides(trial: Trial) -> None:
    """A large packet goes in one frame, and the guest's NICs are those that the documents name so."""
    assert [trial.ask("cat", f"/sys/class/net/{nic}/mtu").output for nic in ("eth0", "eth1")] == [b"9000\n", b"1500\n"]
    with PacketSocket("eth1", netns=trial.space("vm2")) as door:
        answer = trial.ask("ping", "-c", "1", "-s", "8972", "10.0.30.2")
        capture = PacketCapture({"it": door})
        assert capture.collect(lambda seen: any(len(octets) == 9014 for octets in seen["it"]), DEADLINE_S)
    assert answer.status == 0


def test_p4_frames_of_a_guest_add_up(trial: Trial) -> None:
    assert trial.reaches("vm2")
    with KernelBed(replace(trial.layout, bindings=())) as bed:
        for name, node in bed.counts().items():
            came, went = node.balance
            assert came == went, name


def test_a_command_s_output_errors_and_status_are_those_of_the_command(trial: Trial) -> None:
    done = fex("lab", "exec", "--lab", LAB, "vm1", "sh", "-c", "echo it\\'s; echo no >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "it's\n", "no\n")
    assert fex("lab", "exec", "--lab", LAB, "vm1", "nonsense").returncode == 127
    octets = trial.ask("sh", "-c", "cat /bin/busybox").output
    assert octets[:4] == b"\x7fELF"
    assert len(octets) == int(trial.ask("stat", "-c", "%s", "/bin/busybox").output)


def test_commands_run_side_by_side_up_to_a_number(trial: Trial) -> None:
    command = [sys.executable, "-m", "openfex", "lab", "exec", "--lab", LAB, "vm1", "sh", "-c"]
    callers = []
    try:
        for number in range(SESSIONS):
            caller = subprocess.Popen([*command, f"echo {number}; sleep 1000"], stdout=subprocess.PIPE, text=True)
            callers.append(caller)
            assert caller.stdout is not None
            assert caller.stdout.readline() == f"{number}\n"
        with pytest.raises(RefusedError) as refused:
            trial.ask("true")
        assert refused.value.code == "guest-busy"
    finally:
        for caller in callers:
            caller.kill()
            caller.communicate()
    assert trial.ask("sh", "-c", "while pidof sleep; do sleep 0.1; done").status == 0, "they ended with their callers"


def test_it_is_shown(trial: Trial) -> None:
    rows = {str(row["name"]): row for row in machine_rows(look(layout_of(LAB)))}
    assert (rows["vm1"]["type"], rows["vm1"]["state"], rows["vm1"]["namespace"]) == ("qemu", "running", HOST)
    assert rows["vm2"]["state"] == "there"


def test_up_leaves_it_alone(trial: Trial) -> None:
    before = process().pid
    assert lab.up(TEXT).operations == ()
    assert process().pid == before


def test_p5_after_a_reset_the_same_guest_is_on_the_same_port(trial: Trial) -> None:
    before, bindings, up_s = process().pid, layout_of(LAB).bindings, uptime_s(trial)
    ok, measured = vm_on_vf.reboot(trial)
    assert ok, measured
    assert uptime_s(trial) < up_s
    assert process().pid == before
    assert layout_of(LAB).bindings == bindings
    assert lab.plan(TEXT).operations == ()
    serve_echo(LAB, "vm1")
    call_guest(trial.space("vm2"), trial.address("vm1"), os.urandom(100_000))


def test_p6_a_killed_qemu_is_started_anew(trial: Trial) -> None:
    before = process().pid
    stop(before)
    report = lab.plan(TEXT)
    states = {(row["kind"], row["name"]): row["missing"] for row in status_rows(report.layout, report.operations)}
    assert states["machine", "vm1"] == ["make guest vm1"]
    assert [one.key for one in lab.up(TEXT).operations] == [GuestKey(HOST, "vm1")]
    assert process().pid != before
    assert trial.reaches("vm2")


def test_p6_a_tap_that_was_removed_is_made_and_opened_again(trial: Trial) -> None:
    function = trial.binding("vm1").function
    assert netns.run(HOST, ["ip", "link", "delete", function.pf_device]).returncode == 0
    keys = [one.key for one in lab.up(TEXT).operations]
    assert FunctionKey(HOST, function.name) in keys
    assert GuestKey(HOST, "vm1") in keys
    assert trial.reaches("vm2")


def test_what_documents_change_of_a_guest_is_changed(trial: Trial) -> None:
    text = TEXT.replace("type: qemu", "type: qemu\n  memory: 256MiB")
    done = lab.up(text).operations
    assert [(one.verb, one.key) for one in done] == [(verb, GuestKey(HOST, "vm1")) for verb in ("remove", "make")]
    assert int(trial.ask("sh", "-c", "grep MemTotal /proc/meminfo").output.split()[1]) > 200_000


def test_on_another_host_it_is_the_same_port(trial: Trial) -> None:
    """Not alive: it is ended here and boots there. What was learnt of it is not in the way."""
    uuid, mac = trial.binding("vm1").uuid, trial.binding("vm1").mac
    report = lab.migrate(LAB, "vm1", "h2")
    binding = next(one for one in report.layout.bindings if one.name == "vm1/eth1")
    assert (binding.uuid, binding.mac, binding.function.adapter) == (uuid, mac, "h2-taps")
    assert process().netns == netns_of(LAB, "host", "h2")
    assert trial.reaches("vm2")
