# SPDX-License-Identifier: Apache-2.0
"""What the doctor makes of a machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openfex.lab.view.doctor import ENOUGH_BACKLOG, TOOLS, check_kvm, examine, is_able
from openfex.linux.capability import Capabilities
from openfex.linux.facts import OFFLOADS, Facts

CAN = Capabilities(True, True, True, True, True, True, "1.1", ())
HEALTHY = Facts(
    can=CAN,
    release="6.1.0-9-amd64",
    largest_mtu=True,
    offloads=frozenset(OFFLOADS),
    bridge_filter=None,
    backlog=ENOUGH_BACKLOG,
    tools={name: f"/usr/bin/{name}" for name in TOOLS},
    objects="",
)


def test_a_healthy_machine_has_nothing_to_mend() -> None:
    checks = examine(HEALTHY)
    assert {one.state for one in checks} == {"good"}
    assert not any(one.lost or one.remedy for one in checks)
    assert is_able(checks)


@pytest.mark.parametrize(
    ("what", "facts"),
    [
        ("kernel", replace(HEALTHY, release="5.19.17")),
        ("root", replace(HEALTHY, can=replace(CAN, root=False))),
        ("name spaces", replace(HEALTHY, can=replace(CAN, netns=False))),
        ("libbpf", replace(HEALTHY, can=replace(CAN, libbpf=None))),
        ("BPF", replace(HEALTHY, can=replace(CAN, bpf=False))),
        ("BPF file system", replace(HEALTHY, can=replace(CAN, bpffs=False))),
        ("clsact", replace(HEALTHY, can=replace(CAN, clsact=False))),
        ("compiled programs", replace(HEALTHY, objects="no objects")),
    ],
)
def test_what_frames_need_is_bad_when_it_is_missing(what: str, facts: Facts) -> None:
    checks = examine(facts)
    assert [one.what for one in checks if one.state == "bad"] == [what]
    assert all(one.state == "bad" and one.lost and one.remedy for one in checks if one.what == what)
    assert not is_able(checks)


@pytest.mark.parametrize(
    ("what", "facts"),
    [
        ("TAP", replace(HEALTHY, can=replace(CAN, tap=False))),
        ("MTU", replace(HEALTHY, largest_mtu=False)),
        ("offloads", replace(HEALTHY, offloads=frozenset(OFFLOADS[1:]))),
        ("br_netfilter", replace(HEALTHY, bridge_filter="1")),
        ("backlog", replace(HEALTHY, backlog=1000)),
        ("tshark", replace(HEALTHY, tools={**HEALTHY.tools, "tshark": None})),
    ],
)
def test_what_single_things_need_is_limited_when_it_is_missing(what: str, facts: Facts) -> None:
    checks = examine(facts)
    assert [one.what for one in checks if one.state != "good"] == [what]
    assert all(one.state == "limited" and one.lost and one.remedy for one in checks if one.what == what)
    assert is_able(checks)


@pytest.mark.parametrize(("runs", "state"), [(True, "good"), (False, "limited"), (None, "good")])
def test_what_is_known_of_kvm(runs: bool | None, state: str) -> None:
    assert check_kvm(runs).state == state
