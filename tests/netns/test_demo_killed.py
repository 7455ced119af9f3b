# SPDX-License-Identifier: Apache-2.0
"""The demo, killed in the middle: `fex lab down` removes what is left, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openfex.lab import lab
from openfex.model.values import ChannelKind
from openfex.proof.residue import links_here, residue
from openfex.proof.topology import LAB, documents
from tests.netns.policed import wait_until

pytestmark = pytest.mark.root
DEMO = [sys.executable, "-m", "openfex", "demo"]


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    yield
    lab.down(LAB)


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(
    ("number", "after"),
    [
        (signal.SIGKILL, "limit-refused"),
        pytest.param(signal.SIGKILL, "across-hosts", marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, "processes-killed", marks=pytest.mark.slow),
    ],
)
def test_p6_a_killed_demo_leaves_nothing_that_down_does_not_find(number: int, after: str) -> None:
    before = links_here()
    with subprocess.Popen(DEMO, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if after in line:
                break
        children = _children(demo.pid)
        os.kill(demo.pid, number)
    assert residue(LAB)
    outcome = subprocess.run(
        [sys.executable, "-m", "openfex", "lab", "down", LAB], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    assert residue(LAB) == []
    assert links_here() == before
    wait_until(lambda: not [pid for pid in children if _is_alive(pid)], "who waits for a word of the demo's ends, too")


def test_a_demo_takes_over_no_lab_that_is_not_its_own() -> None:
    text = documents(ChannelKind.VNTAG).replace("functions: 16", "functions: 8")
    lab.up(text)
    try:
        demo = subprocess.run([*DEMO, "carve"], capture_output=True, text=True, check=False)
        assert demo.returncode == 1
        assert "[lab-exists]" in demo.stderr
        assert lab.up(text).operations == ()
    finally:
        lab.down(LAB)


def _is_alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    try:
        with Path(f"/proc/{pid}/stat").open() as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_demo_that_is_told_to_stop_removes_everything_itself(number: int) -> None:
    with subprocess.Popen([*DEMO], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "vlan-isolation" in line:
                break
        demo.send_signal(number)
        _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 130
    assert "Traceback" not in errors
    assert residue(LAB) == []
