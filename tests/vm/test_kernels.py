# SPDX-License-Identifier: Apache-2.0
"""The programs, and the datapath with them, on Debian's own kernels: the oldest that is promised, and a newer one.

A guest boots the kernel and runs this clone as it is: its programs through that kernel's verifier, `tests/bpf`, and the
demo. Without KVM a kernel takes about eight minutes.
"""

from __future__ import annotations

import json
import os
import sys

import pytest

from openfex.errors import UnsupportedError
from openfex.machine.emulator import make_emulator
from openfex.machine.stock import STOCK, Stock, make_stock
from openfex.machine.twin import Done, Hardware, twin

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.long]
PYTHON = (sys.executable, "-P", "-m")
PYTEST = (*PYTHON, "pytest", "-q", "-p", "no:cacheprovider")
PROOFS = (
    *("carve", "limit-refused", "function-to-host", "tagged-on-wire", "same-host-through-bridge", "across-hosts"),
    *("vlan-isolation", "broadcast-exactly-once", "spoof-dropped", "vf-cannot-change-itself", "no-loop"),
    *("counters-add-up", "ports-by-signalling", "vm-cannot-signal", "restart-adopts"),
    *("processes-killed-frames-go-on", "clean-teardown"),
)
"""All but what is measured in bits or by keep-alive times, which say nothing where every instruction is interpreted."""
DEADLINE_S = 3600.0
COMMANDS = {
    "kernel": ("uname", "-r"),
    "programs": (*PYTHON, "openfex", "show", "programs", "--json"),
    "bpf": (*PYTEST, "-m", "not long", "--ignore", "tests/bpf/test_capture_cost.py", "tests/bpf"),
    "gso": (*PYTEST, "-m", "not long", "tests/netns/test_gso.py"),
    "demo": (*PYTHON, "openfex", "demo", "--json", *PROOFS),
    "demo-by-xdp": (*PYTHON, "openfex", "demo", "--json", "--attachment", "xdp", *PROOFS),
}


def what_lacks(stock: Stock) -> str:
    """Why a kernel cannot be booted here; empty if it can."""
    try:
        make_emulator()
        make_stock(stock)
    except UnsupportedError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module", params=STOCK, ids=[one.version for one in STOCK])
def done(request: pytest.FixtureRequest) -> dict[str, Done]:
    stock: Stock = request.param
    if lack := what_lacks(stock):
        if os.environ.get("FEX_ALLOW_SKIP") == "1":
            pytest.skip(lack)
        pytest.fail(f"{lack}; set FEX_ALLOW_SKIP=1 to skip such tests", pytrace=False)
    with twin(hardware=Hardware(stock)) as vm:
        found = {name: vm.run(argv, DEADLINE_S) for name, argv in COMMANDS.items()}
    assert found["kernel"].output.startswith(f"{stock.version}.")
    return found


def test_every_program_keeps_to_its_budget(done: dict[str, Done], capsys: pytest.CaptureFixture[str]) -> None:
    assert done["programs"].status == 0, done["programs"].errors
    rows = json.loads(done["programs"].output)
    with capsys.disabled():
        print(f"\nLinux {done['kernel'].output.strip()}")
        for row in rows:
            print("  {program:20}{instructions:6} instructions {steps:6} steps, stack {stack}".format_map(row))
    assert rows
    assert [row for row in rows if row["over"]] == []


@pytest.mark.parametrize("name", ["bpf", "gso"])
def test_the_tests_of_the_datapath_pass(done: dict[str, Done], name: str) -> None:
    assert done[name].status == 0, done[name].output
    print(done[name].output.splitlines()[-1])


@pytest.mark.parametrize("name", ["demo", "demo-by-xdp"])
def test_the_demo_holds(done: dict[str, Done], name: str) -> None:
    assert done[name].status == 0, done[name].errors
    proofs = json.loads(done[name].output)["proofs"]
    assert [one["name"] for one in proofs] == list(PROOFS)
    assert [one for one in proofs if not one["ok"]] == []
