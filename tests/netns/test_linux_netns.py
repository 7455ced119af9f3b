# SPDX-License-Identifier: Apache-2.0
"""Name spaces: what we make is what `ip netns` sees, and every thread comes back."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from openfex.errors import KernelError, NotFoundError
from openfex.linux import netns
from openfex.linux.libbpf import bpf_filesystem

pytestmark = pytest.mark.root
NAME = "fex-test-netns"


@pytest.fixture
def space() -> Iterator[str]:
    netns.delete(NAME)
    netns.create(NAME)
    yield NAME
    netns.delete(NAME)


def own() -> int:
    return Path("/proc/thread-self/ns/net").stat().st_ino


@pytest.mark.interop
def test_ip_netns_sees_it_and_its_loopback_is_up(space: str) -> None:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert space in listed.split()
    shown = subprocess.run(["ip", "-n", space, "link", "show", "lo"], capture_output=True, text=True, check=True).stdout
    assert "LOOPBACK,UP" in shown


@pytest.mark.interop
def test_what_ip_netns_made_is_found_and_deleted() -> None:
    netns.delete(NAME)
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    assert netns.exists(NAME)
    assert netns.names("fex-test-net") == [NAME]
    netns.delete(NAME)
    assert not netns.exists(NAME)
    assert NAME not in netns.names()


def test_a_second_one_of_the_same_name_is_refused(space: str) -> None:
    with pytest.raises(KernelError) as refused:
        netns.create(space)
    assert refused.value.code == "netns-exists"
    assert netns.exists(space)


def test_deleting_twice_is_nothing() -> None:
    netns.delete(NAME)
    netns.delete(NAME)


def test_a_file_that_a_crash_left_is_replaced() -> None:
    netns.delete(NAME)
    netns.path(NAME).touch()
    assert NAME in netns.names("fex-test-")
    assert not netns.exists(NAME)
    with pytest.raises(NotFoundError):
        netns.handle(NAME)
    netns.create(NAME)
    assert netns.exists(NAME)
    netns.delete(NAME)


def test_the_block_is_inside_and_the_thread_comes_back(space: str) -> None:
    before = own()
    with netns.entered(space):
        assert own() == netns.path(space).stat().st_ino != before
        with netns.entered(None):
            assert own() != before
    assert own() == before


def test_the_thread_comes_back_from_an_error(space: str) -> None:
    before = own()
    with pytest.raises(ZeroDivisionError), netns.entered(space):
        raise ZeroDivisionError
    assert own() == before


def test_other_threads_stay_where_they_are(space: str) -> None:
    home = own()
    found: list[int] = []
    entered = threading.Event()

    def look() -> None:
        assert entered.wait(5)
        found.append(own())

    watcher = threading.Thread(target=look)
    watcher.start()
    with netns.entered(space):
        entered.set()
        watcher.join()
    assert found == [home]


def test_a_missing_one_is_not_entered() -> None:
    with pytest.raises(NotFoundError) as missing, netns.entered("fex-test-missing"):
        pass
    assert missing.value.code == "netns-not-found"


def test_an_unnamed_one_has_a_loopback_and_no_name() -> None:
    before, names = own(), netns.names()
    with netns.unnamed():
        assert own() != before
        assert netns.names() == names
        assert "lo" in netns.run(None, ["ip", "-o", "link", "show", "up"], check=True).stdout
    assert own() == before


def test_a_command_runs_inside_and_its_output_is_text(space: str) -> None:
    done = netns.run(space, ["readlink", "/proc/self/ns/net"], check=True)
    assert done.stdout.strip() == f"net:[{netns.path(space).stat().st_ino}]"
    with pytest.raises(subprocess.CalledProcessError):
        netns.run(space, ["false"], check=True)
    with pytest.raises(KernelError):
        netns.run(space, ["/does/not/exist"])


def test_pinned_objects_stay_visible_inside(space: str) -> None:
    mark = bpf_filesystem() / "fex-test-mark"
    mark.mkdir(exist_ok=True)
    try:
        assert netns.run(space, ["ls", str(mark.parent)], check=True).stdout.split().count(mark.name) == 1
    finally:
        mark.rmdir()


def test_processes_are_found_while_they_live(space: str) -> None:
    assert netns.processes(space) == []
    child = netns.spawn(space, ["sleep", "60"])
    try:
        assert netns.processes(space) == [child.pid]
        assert os.getpid() not in netns.processes(space)
    finally:
        child.kill()
        child.wait()
    assert netns.processes(space) == []
    assert netns.processes("fex-test-missing") == []


def test_a_handle_keeps_a_name_space_that_lost_its_name(space: str) -> None:
    inode, fd = netns.path(space).stat().st_ino, netns.handle(space)
    try:
        netns.delete(space)
        with netns.entered_fd(fd):
            assert own() == inode
    finally:
        os.close(fd)
