# SPDX-License-Identifier: Apache-2.0
"""Booting: what does not, what is killed meanwhile, what is left."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openfex.errors import VerificationError
from openfex.lab import guests, lab
from openfex.lab.names import netns_of
from openfex.machine.qemu import find_all, stop
from openfex.proof.residue import links_here, residue
from tests.vm.labs import GUEST, LAB, NETWORK

pytestmark = [pytest.mark.root, pytest.mark.slow]
DEADLINE_S = 30.0
PREFIX = netns_of(LAB, "machine", "")


def test_p6_a_guest_that_never_says_that_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests, "READY_S", 0.1)
    with pytest.raises(VerificationError, match="did not say within") as error:
        lab.up(NETWORK + GUEST)
    assert error.value.code == "guest-not-ready"
    assert residue(LAB) == []


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    before = links_here()
    yield
    lab.down(LAB)
    assert residue(LAB) == []
    assert links_here() == before


def test_p6_a_guest_that_does_not_boot_is_taken_away_again(tmp_path: Path) -> None:
    """An empty first file system: the kernel finds nothing to start, says so, and begins anew, for ever."""
    image = tmp_path / "empty"
    image.write_bytes(b"")
    with pytest.raises(VerificationError) as error:
        lab.up(NETWORK + GUEST.replace("type: qemu", f"type: qemu\n  image: {image}"))
    assert error.value.code == "guest-not-ready"
    assert "Kernel panic" in error.value.message
    assert residue(LAB) == []


def test_p6_a_guest_that_ends_while_it_boots_is_not_waited_for() -> None:
    def say(done: int, total: int, what: object) -> None:
        if "boots" in str(what):
            for one in find_all(PREFIX):
                stop(one.pid)

    with pytest.raises(VerificationError) as error:
        lab.up(NETWORK + GUEST, progress=say)
    assert error.value.code == "guest-not-ready"
    assert "ended while it booted" in error.value.message


def test_p6_a_run_that_is_killed_while_a_guest_boots_is_taken_up_by_the_next() -> None:
    up = subprocess.Popen([sys.executable, "-m", "openfex", "lab", "up", "-"], stdin=subprocess.PIPE, text=True)
    assert up.stdin is not None
    up.stdin.write(NETWORK + GUEST)
    up.stdin.close()
    end = time.monotonic() + DEADLINE_S
    while not (len(booting := find_all(PREFIX)) == 1 and all(nic.device for nic in booting[0].spec.nics)):
        assert time.monotonic() < end, "no QEMU was started"
    up.kill()
    up.wait()
    lab.up(NETWORK + GUEST)
    (running,) = find_all(PREFIX)
    assert running.pid == booting[0].pid, "what booted was left alone"
    assert guests.ask(LAB, "vm1", "true").status == 0


def test_a_guest_without_its_lab_is_found_and_ended() -> None:
    """The name spaces are gone, by whoever's hand; the QEMU goes on in one that has no name."""
    lab.up(NETWORK + GUEST)
    subprocess.run(["ip", "netns", "delete", netns_of(LAB, "host", "h1")], check=True)
    assert [one.netns for one in find_all(PREFIX)] == [""]
    assert "guest vm1" in lab.down(LAB)
    assert find_all(PREFIX) == []
