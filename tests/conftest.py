# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: the examples a property gets, what a marker asks of the machine, what is swept first."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from openfex.lab.lab import down, labs
from openfex.linux import netns

# `ci` always takes the same examples, so that a green run stays green; `dev` looks for new ones; `long` looks longer.
# No deadline anywhere: on a busy machine a time says nothing about the code.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.register_profile("long", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")

TEST_LAB = "test-"
DEMO_LAB = "demo"
TEST_SPACE = "fex-test-"
LOCK = "/run/lock/openfex-tests"
CAP_NET_ADMIN = 12
CAP_SYS_ADMIN = 21


def pytest_sessionstart(session: pytest.Session) -> None:
    """Once a run, before the first test; with pytest-xdist in the controlling process only."""
    if not hasattr(session.config, "workerinput"):
        sweep_leftovers()


def sweep_leftovers() -> None:
    """Remove what earlier, killed runs left in the kernel, so that no test meets it."""
    if what_root_lacks() or not is_alone():
        return
    for lab in labs():
        if lab.startswith(TEST_LAB) or lab == DEMO_LAB:
            down(lab)
    for name in netns.names(TEST_SPACE):
        netns.delete(name)


def is_alone() -> bool:
    """Whether no other test run is under way here, whose labs are not leftovers. Holds from now to this run's end."""
    try:
        lock = os.open(LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that change this machine's kernel share one xdist worker, so that `-n` runs them one after another."""
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.xdist_group("kernel"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked `root` fails where it cannot run: a skip nobody asked for would look like a pass."""
    if item.get_closest_marker("root") and (lack := what_root_lacks()):
        if os.environ.get("FEX_ALLOW_SKIP") == "1":
            pytest.skip(lack)
        pytest.fail(f"{lack}; set FEX_ALLOW_SKIP=1 to skip such tests", pytrace=False)


def what_root_lacks() -> str:
    """Why tests that touch the kernel cannot run here; empty if they can."""
    if os.geteuid() != 0:
        return "this test needs root"
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    held = int(found[1], 16) if found else 0
    if not (held >> CAP_NET_ADMIN & 1 and held >> CAP_SYS_ADMIN & 1):
        return "this test needs the capabilities CAP_NET_ADMIN and CAP_SYS_ADMIN, which this root does not have"
    return ""
