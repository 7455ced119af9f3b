# SPDX-License-Identifier: Apache-2.0
"""The unit files of `fex host` and `fex bridge`: what they start can be started, and is ordered as guides say."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from pathlib import Path

import pytest

from openfex.cli.app import app
from openfex.cli.host import MOST_PATIENCE_S, PATIENCE_S

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
NEW_MOUNTS = re.compile("Protect(System|Home|Kernel.*|ControlGroups|Proc)|Private(Tmp|Devices)|.*Paths|.*Directory")
"""Options of systemd.exec(5) that give a service mounts of its own."""


def keys(name: str = "host") -> dict[str, list[str]]:
    found = defaultdict(list)
    for line in (PACKAGING / f"openfex-{name}.service").read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


@pytest.mark.parametrize(("name", "more"), [("host", {"json": True}), ("bridge", {})])
def test_what_it_starts_is_a_command_of_ours(name: str, more: dict[str, object]) -> None:
    (line,) = keys(name)["ExecStart"]
    program, *words = shlex.split(line)
    command, bound, _ = app.parse_args(words)
    assert Path(program).name == "fex"
    assert command.__name__ == name
    assert bound.arguments == {"file": keys(name)["ConditionPathExists"][0], **more}


@pytest.mark.parametrize("name", ["host", "bridge"])
def test_it_may_speak(name: str) -> None:
    assert "CAP_NET_RAW" in keys(name)["CapabilityBoundingSet"][0].split()
    assert "AF_PACKET" in keys(name)["RestrictAddressFamilies"][0].split()


def test_a_bridge_s_name_space_outlives_it() -> None:
    """It is a mount: in mounts of the service's own nobody else would see it, and it would end with it."""
    assert not [key for key in keys("bridge") if NEW_MOUNTS.fullmatch(key)]


def test_it_is_ready_before_networks_and_machines() -> None:
    (before,) = keys()["Before"]
    assert {"network-pre.target", "libvirtd.service", "kubelet.service"} <= set(before.split())
    assert keys()["Wants"] == ["network-pre.target"], "who is only before a target does not make it wait"
    assert keys()["Type"] == ["notify"]


def test_it_may_take_longer_than_devices_are_waited_for() -> None:
    assert PATIENCE_S < float(keys()["TimeoutStartSec"][0]) < MOST_PATIENCE_S


def test_it_may_write_where_it_has_to() -> None:
    assert keys()["StateDirectory"] == ["openfex"]
    assert keys()["ProtectKernelTunables"] == [], "it would make /sys read-only"
