# SPDX-License-Identifier: Apache-2.0
"""Every object that is built goes through this kernel's verifier, and its structs have the sizes that Python has."""

from __future__ import annotations

from pathlib import Path

import pytest

from openfex.datapath.node import check_sizes
from openfex.datapath.objects import object_path
from openfex.linux.libbpf import Object

pytestmark = pytest.mark.root

SOURCES = sorted(path.name.removesuffix(".bpf.c") for path in (Path(__file__).parents[2] / "bpf").glob("*.bpf.c"))
VERIFIER_LIMIT = 1_000_000
ROOM = 4
"""At least this many times the steps that a program takes now are still allowed: room to grow, and other kernels."""


@pytest.mark.parametrize("test", [False, True], ids=["wheel", "test"])
@pytest.mark.parametrize("name", SOURCES)
def test_the_verifier_takes_every_program(name: str, test: bool, capsys: pytest.CaptureFixture[str]) -> None:
    role, attachment = name.split("_", 1)
    with Object.load(object_path(role, attachment, test=test)) as loaded:
        assert loaded.programs
        check_sizes(loaded.maps)
        for program in loaded.programs.values():
            steps = program.verified_instructions
            with capsys.disabled():
                print(f"\n{name} {program.name}: {program.instructions} instructions, {steps} verified", end="")
            assert steps * ROOM < VERIFIER_LIMIT


def test_there_are_objects_of_every_role_and_attachment() -> None:
    assert {*SOURCES} >= {f"{role}_{attachment}" for role in ("extender", "bridge") for attachment in ("tc", "xdp")}
