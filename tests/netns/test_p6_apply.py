# SPDX-License-Identifier: Apache-2.0
"""P6: validate, read, plan, apply, read again: verified or put back; stopped at any line, the next run converges."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from openfex.errors import KernelError, VerificationError
from openfex.lab import lab, staffing
from openfex.lab.names import netns_of
from openfex.lab.workshop import Workshop
from openfex.linux import netns
from openfex.linux.netlink import Netlink
from openfex.plan.difference import Operation
from openfex.plan.objects import NicKey
from openfex.proof.residue import links_here, residue
from tests.netns.labs import own_work

pytestmark = pytest.mark.root
LAB = "test-apply"
CARVED = f"""
kind: network
name: {LAB}
spec: {{bridges: {{sw: {{ports: [up0]}}}}}}
---
kind: profile
name: web
spec: {{vlan: {{access: 10}}}}
---
kind: host
name: h1
spec: {{channel: vntag, uplinks: {{a: {{device: up-a, bridge: sw}}}}}}
---
kind: adapter
name: n1
spec: {{host: h1, model: bcm-8, functions: 2}}
"""
BOUND = (
    CARVED
    + """
---
kind: machine
name: m1
spec: {host: h1, nics: {eth0: {profile: web, address: 10.0.10.1/24}}}
---
kind: machine
name: own
spec: {host: h1, type: host, nics: {own0: {profile: web, address: 10.0.10.2/24}}}
"""
)
CRASH = """
import os, signal, sys
from openfex.lab import lab
from openfex.linux import ethtool, netns
from openfex.linux.libbpf_map import Map
from openfex.linux.libbpf_program import Program
from openfex.linux.rtnetlink import RouteSocket

left = int(sys.argv[1])

def counted(owner, name):
    real = getattr(owner, name)
    def call(*args, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)
    setattr(owner, name, call)

doors = (RouteSocket, "do"), (Map, "pin"), (Map, "put_many"), (Program, "pin"), (netns, "create"), (ethtool, "switch")
for owner, name in doors:
    counted(owner, name)
lab.up(sys.stdin.read())
print(1 << 20 if left > 1 << 19 else 0, left)
"""
FAR = 1 << 20


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    lab.down(LAB)
    yield
    lab.down(LAB)


def _crash_at(step: int, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CRASH, str(step)], input=text, text=True, capture_output=True, check=False
    )


def _steps(text: str) -> int:
    """How many times `up` changes something in the kernel."""
    outcome = _crash_at(FAR, text)
    assert outcome.returncode == 0, outcome.stderr
    return FAR - int(outcome.stdout.split()[1])


def _operations() -> list[str]:
    return [str(operation) for operation in lab.plan(BOUND).operations]


def _points(steps: int, most: int) -> list[int]:
    """Steps to stop at, spread evenly from the first to the last."""
    return sorted({1 + index * (steps - 1) // (most - 1) for index in range(min(most, steps))})


@pytest.mark.parametrize(
    "most", [pytest.param(20, marks=pytest.mark.slow), pytest.param(10_000, marks=pytest.mark.long)]
)
def test_p6_killed_anywhere_the_next_run_converges(most: int) -> None:
    steps = _steps(BOUND)
    lab.down(LAB)
    points = _points(steps, min(most, steps))
    assert len(points) >= 20
    for step in points:
        assert _crash_at(step, BOUND).returncode == -9
        lab.up(BOUND)
        assert _operations() == []
        lab.down(LAB)
        assert residue(LAB) == []


@pytest.mark.parametrize(
    "most", [pytest.param(10, marks=pytest.mark.slow), pytest.param(10_000, marks=pytest.mark.long)]
)
def test_p6_killed_while_binding_the_next_run_converges(most: int) -> None:
    lab.up(CARVED)
    steps = _steps(BOUND)
    points = _points(steps, min(most, steps))
    assert len(points) >= 10
    for step in points:
        lab.up(CARVED)
        assert _crash_at(step, BOUND).returncode == -9
        lab.up(BOUND)
        assert _operations() == []


def test_p6_up_twice_changes_nothing() -> None:
    assert len(lab.up(BOUND).operations) > 5
    assert lab.up(BOUND).operations == ()


@pytest.mark.parametrize("before", [None, CARVED], ids=["nothing before", "carved before"])
def test_p6_what_fails_is_put_back(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if before:
        lab.up(before)
    real = Workshop.perform
    total = len(own_work(lab.plan(BOUND).operations))
    for broken in range(total):
        count = iter(range(total))

        def perform(self: Workshop, operation: Operation, at: int = broken, count: Iterator[int] = count) -> None:
            if next(count, -1) == at:
                raise KernelError("no memory", 12)
            real(self, operation)

        with monkeypatch.context() as patch:
            patch.setattr(Workshop, "perform", perform)
            with pytest.raises(KernelError, match="no memory"):
                lab.up(BOUND)
        if before:
            assert lab.plan(before).operations == ()
        else:
            assert residue(LAB) == []


def test_p6_a_lab_whose_agents_are_not_done_in_time_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staffing, "READY_S", 0.0)
    with pytest.raises(VerificationError) as refused:
        lab.up(BOUND)
    assert refused.value.code == "agents-failed"
    assert residue(LAB) == []


def test_p6_what_reads_back_different_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    lab.up(CARVED)
    real = Workshop.perform

    def forget_nics(self: Workshop, operation: Operation) -> None:
        if not isinstance(operation.key, NicKey):
            real(self, operation)

    with monkeypatch.context() as patch:
        patch.setattr(Workshop, "perform", forget_nics)
        with pytest.raises(VerificationError, match="read back different"):
            lab.up(BOUND)
    assert lab.plan(CARVED).operations == ()


def test_p6_drift_is_found_and_repaired() -> None:
    lab.up(BOUND)
    host, machine = netns_of(LAB, "host", "h1"), netns_of(LAB, "machine", "m1")
    with Netlink(host) as netlink:
        netlink.detach("f0p0")
        netlink.delete("f0p1")
        netlink.set("up-a", mtu=1500)
    with Netlink(machine) as netlink:
        netlink.set("eth0", new_name="renamed", up=False)
    changed = set(_operations())
    assert {"change function n1/0", "make function n1/1", f"change datapath of {host}", "change wire h1.a"} <= changed
    lab.up(BOUND)
    assert _operations() == []


def test_p6_what_is_not_ours_is_never_touched() -> None:
    other = "fex-test-other"
    netns.delete(other)
    netns.create(other)
    try:
        with Netlink(other) as netlink:
            netlink.add_veth("theirs0", "theirs1", mtu=1500)
        here = links_here()
        lab.up(BOUND)
        lab.up(CARVED)
        lab.down(LAB)
        with Netlink(other) as netlink:
            assert {"theirs0", "theirs1"} <= {link.name for link in netlink.links()}
        assert links_here() == here
    finally:
        netns.delete(other)


def test_p6_taking_machines_away_frees_their_functions() -> None:
    lab.up(BOUND)
    lab.up(CARVED)
    assert lab.plan(CARVED).operations == ()
    with Netlink(netns_of(LAB, "host", "h1")) as netlink:
        ends = {link.alias: link for link in netlink.links() if link.alias.startswith("openfex:function:")}
    assert len(ends) == 2
    assert not any(link.up for link in ends.values())
