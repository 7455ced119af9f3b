# SPDX-License-Identifier: Apache-2.0
"""The unit file of `fex host`: what it starts can be started, and it is ordered as the guide says."""

from __future__ import annotations

import shlex
from collections import defaultdict
from pathlib import Path

from openfex.cli.app import app
from openfex.cli.host import MOST_PATIENCE_S, PATIENCE_S

UNIT = Path(__file__).resolve().parents[2] / "packaging" / "openfex-host.service"


def keys() -> dict[str, list[str]]:
    found = defaultdict(list)
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


def test_what_it_starts_is_a_command_of_ours() -> None:
    (line,) = keys()["ExecStart"]
    program, *words = shlex.split(line)
    command, bound, _ = app.parse_args(words)
    assert Path(program).name == "fex"
    assert command.__name__ == "host"
    assert bound.arguments == {"file": keys()["ConditionPathExists"][0], "json": True}


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
