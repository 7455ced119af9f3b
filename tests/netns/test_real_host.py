# SPDX-License-Identifier: Apache-2.0
"""`fex host` and `fex bridge` at the ends of one cable, by one file: ports, S-channels and links of functions.

The adapter is none (testing/adapters.py), its PF's device is one end of a pair of veths; what a real one does with port
VLANs and links is tried in the twin (tests/vm/test_real_nic.py).
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openfex.lab import lab
from openfex.lab.view.look import look
from openfex.lab.view.ports import port_rows
from openfex.model.functions import LinkState
from tests.netns.daemons import Daemon, running
from tests.netns.policed import wait_until
from tests.netns.real_host import LINKS, adapter_in
from tests.netns.test_real_bridge import ADAPTER, BRIDGE, TEXT, UP, bridge, cables, states

__all__ = ["cables"]
pytestmark = pytest.mark.root
WITH_LINKS, WITHOUT = "ice", "igb"
"""Drivers: the first can take the link from a function."""
FILE = TEXT.replace("schannel,", "schannel-q,").replace("device: eno1", f"device: {ADAPTER}")
SETTINGS = "{all: {trust: true}, '1': {rate: {max: 100Mbit}}}"
SRIOV = f"{{host: h1, driver: sriov, pfs: [{ADAPTER}], functions: 3, settings: {SETTINGS}}}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "network.yaml"
    path.write_text(FILE)
    return path


@contextmanager
def host(file: Path, folder: Path, driver: str = WITH_LINKS) -> Iterator[Daemon]:
    folder.mkdir(exist_ok=True)
    with running(folder, "tests.netns.real_host", str(file), "h1", str(folder), ADAPTER, driver) as daemon:
        daemon.told("READY=1")
        yield daemon


def vlans(folder: Path) -> list[int | None]:
    return [one.settings.vlan for one in adapter_in(folder).functions]


def links(folder: Path) -> list[LinkState | None]:
    return [one.settings.link for one in adapter_in(folder).functions]


ON, OFF, AUTO = LinkState.UP, LinkState.DOWN, LinkState.AUTO


def test_functions_have_links_when_their_ports_are_up_and_no_others_do(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "h1"
    with host(file, folder) as daemon:
        daemon.until("ready")
        wait_until(lambda: links(folder) == [OFF, OFF, OFF], "nobody is there yet")
        with bridge(file, tmp_path):
            daemon.until("associated", 2)
            wait_until(lambda: states() == UP, "both ports are up")
            wait_until(lambda: links(folder) == [ON, ON, OFF], "so are both functions, and no other")
            assert vlans(folder) == [2, 3, 4]
    macs = [one.settings.mac for one in adapter_in(folder).functions]
    assert {str(one) for one in macs[:2]} == {str(one.mac) for one in lab.layout_of(BRIDGE).bindings}


def noted() -> set[object]:
    """The NICs of which their host says that they have no link."""
    return {row["nic"] for row in port_rows(look(lab.layout_of(BRIDGE))) if "no link at its host" in str(row["note"])}


def test_functions_that_nobody_has_set_up_are_noted_at_their_veths(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "h1"
    with bridge(file, tmp_path), host(file, folder) as daemon:
        daemon.until("associated", 2)
        wait_until(lambda: noted() == UP.keys(), "the bridge hears that both are down")
        assert states() == UP, "which takes no vEth down"
        (folder / LINKS).touch()
        file.write_text(FILE.replace("functions: 3", "functions: many"))
        daemon.process.send_signal(signal.SIGHUP)  # it looks, and takes nothing from such a file
        daemon.until("refused")
        wait_until(lambda: noted() == set(), "the bridge hears that both are up")


def test_p3_what_the_bridge_takes_away_has_no_link(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "h1"
    with bridge(file, tmp_path) as switch, host(file, folder) as daemon:
        daemon.until("associated", 2)
        wait_until(lambda: links(folder) == [ON, ON, OFF], "both are up")
        file.write_text(FILE.replace("name: web", "name: gone").replace("profile: web", "profile: gone"))
        switch.process.send_signal(signal.SIGHUP)
        switch.told("READY=1")
        daemon.until("refused", 2)
        wait_until(lambda: links(folder) == [OFF, OFF, OFF], "the bridge knows no such profile any more")


def test_p5_it_is_killed_and_the_next_changes_nothing(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "h1"
    with bridge(file, tmp_path) as switch:
        with host(file, folder) as daemon:
            daemon.until("associated", 2)
            wait_until(lambda: links(folder) == [ON, ON, OFF], "both are up")
            before = adapter_in(folder)
            daemon.end(signal.SIGKILL)
        assert adapter_in(folder) == before
        with host(file, folder) as again:
            lines = again.until("associated", 2)
            assert adapter_in(folder) == before
            assert {line["steps"] for line in lines if line["event"] == "applied"} == {0}
            assert again.end() == 0
        assert adapter_in(folder) == before, "ending changes nothing"
        switch.until("expired", 2)


@pytest.mark.parametrize("driver", [WITHOUT, "unknown"])
def test_without_links_of_functions_the_bridge_alone_holds_them_back(file: Path, tmp_path: Path, driver: str) -> None:
    folder = tmp_path / "h1"
    with bridge(file, tmp_path), host(file, folder, driver) as daemon:
        daemon.until("associated", 2)
        wait_until(lambda: states() == UP, "both ports are up")
        assert links(folder) == [AUTO, AUTO, AUTO]
        assert vlans(folder) == [2, 3, 4]


def test_what_its_adapter_is_asked_for_beside_stays_when_ports_come_up(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "h1"
    file.write_text(FILE.replace('{host: h1, model: "82576", functions: 3}', SRIOV))
    with bridge(file, tmp_path), host(file, folder) as daemon:
        daemon.until("associated", 2)
        wait_until(lambda: links(folder) == [ON, ON, OFF], "both are up")
        functions = [one.settings for one in adapter_in(folder).functions]
        assert [(one.trust, one.max_rate, one.vlan) for one in functions] == [
            (True, 0, 2),
            (True, 100, 3),
            (True, 0, 4),
        ]


def test_sighup_takes_another_machine_in_and_a_bad_file_changes_nothing(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "h1"
    with bridge(file, tmp_path), host(file, folder) as daemon:
        daemon.until("associated", 2)
        wait_until(lambda: links(folder) == [ON, ON, OFF], "both are up")
        file.write_text(FILE.replace("functions: 3", "functions: many"))
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.until("refused")[-1]["code"]
        assert links(folder) == [ON, ON, OFF]
        file.write_text(f"{FILE}---\nkind: machine\nname: vm3\nspec: {{host: h1, nics: {{eth0: {{profile: web}}}}}}\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("associated", 3)
        wait_until(lambda: links(folder) == [ON, ON, ON], "the third is, too")
        assert lab.drift(BRIDGE).operations == ()
