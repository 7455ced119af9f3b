# SPDX-License-Identifier: Apache-2.0
"""Storage functions of the NVMe controller that QEMU emulates, in a twin: one boot for all of these.

The project's own commands and code run in there; nvme-cli, of Debian's packages, is a second opinion.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openfex.errors import UnsupportedError
from openfex.machine import image, packages
from openfex.machine.twin import Done, Twin, twin
from openfex.proof.bed import Proof
from openfex.proof.storage import ADAPTER, DEVICES, in_twin
from openfex.proof.storage_claims import CLAIMS, FUNCTIONS

pytestmark = [pytest.mark.root, pytest.mark.slow]
PYTHON = (sys.executable, "-P")
CLI = image.CACHE / "nvme-cli"
CLI_PACKAGES = ("nvme-cli", "libnvme1", "libjson-c5")
FILE = "/mnt/storage.yaml"
DOCUMENT = """
kind: adapter
name: ssd0
spec:
  driver: nvme
  pfs: [{driver: nvme}]
  functions: 4
  settings: {all: {queues: 2, interrupts: 1}, "0": {namespaces: [2]}, "1": {namespaces: [3, 4]}, 2-3: {namespaces: []}}
"""
KILLED = """
import os, signal, sys
from openfex.adapter import nvme
from openfex.adapter.nvme_reading import observe
from openfex.model.storage import StorageSettings, StorageWish

address, step = sys.argv[1], int(sys.argv[2])
settings = tuple((number, number, StorageSettings(namespaces=(2 + number,))) for number in range(2))
wish = StorageWish("ssd0", (), 2, settings, own_queues=2)
place = nvme.Workplace()

def apply(place): return nvme.apply(place, address, wish)
def release(place): return nvme.release(place, address)

def killed(change, last):
    "Change in a process that ends by SIGKILL before one of its steps."
    seen = []
    def say(step):
        if len(seen) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        seen.append(step)
    child = os.fork()
    if not child:
        change(nvme.Workplace(say=say))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, f"it was not killed before step {last}"

before = observe(place.doors, address)
up = len(apply(place))
wanted = observe(place.doors, address)
down = len(release(place))
points = [(change, last) for change, count in ((apply, up), (release, down)) for last in range(0, count, step)]
for change, last in points:
    if change is release:
        apply(place)
    killed(change, last)
    apply(place)
    assert observe(place.doors, address) == wanted, f"killed before step {last} of {change.__name__}"
    release(place)
    assert observe(place.doors, address) == before, f"given back after step {last} of {change.__name__}"
print(len(points), "of", up + down)
"""
SESSION = """
import contextlib, io, json, sys
from openfex.adapter.nvme_reading import Doors, observe
from openfex.cli.app import run

for words in json.loads(sys.argv[2]):
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        if words == ["state"]:
            status = print(observe(Doors(), sys.argv[1])) or 0
        else:
            status = run(words)
    print(json.dumps([status, out.getvalue(), errors.getvalue()]))
"""
"""Commands of ours, one after another in one process: it starts slowly where every instruction is interpreted."""


@pytest.fixture(scope="module")
def machine() -> Iterator[Twin]:
    with twin(DEVICES) as running:
        yield running


@pytest.fixture(scope="module")
def address(machine: Twin) -> str:
    return machine.address(ADAPTER)


@pytest.fixture(scope="module")
def proofs(machine: Twin) -> dict[str, Proof]:
    return {one.name: one for one in in_twin(machine)}


def fex(machine: Twin, address: str, *commands: str) -> list[Done]:
    """Run commands of ours (`state` is what the adapter is); what they made is taken back first, if one was left."""
    (machine.shared / "storage.yaml").write_text(DOCUMENT)
    words = [one.split() for one in (f"release {address} --force", *commands)]
    script = [*PYTHON, "-c", SESSION, address, json.dumps(words)]
    return [Done(*json.loads(line)) for line in machine.run(script, 120, check=True).output.splitlines()][1:]


@pytest.mark.parametrize("name", [*CLAIMS, "on-the-media"])
def test_what_is_claimed_of_storage_functions_holds(proofs: dict[str, Proof], name: str) -> None:
    one = proofs[f"nvme-{name}"]
    assert one.ok, one.measured


def test_a_document_is_planned_applied_shown_and_given_back(machine: Twin, address: str) -> None:
    plan, apply = f"plan --json {FILE}", f"apply --json {FILE}"
    before, planned, still, done, again, shown, released, after = fex(
        machine, address, "state", plan, "state", apply, plan, "show storage --json", f"release {address}", "state"
    )
    assert json.loads(planned.output)["adapters"] == [address]
    assert before == still
    assert done.status == 0, done.errors
    assert json.loads(again.output)["steps"] == []
    primary, *functions = json.loads(shown.output)
    assert (primary["address"], primary["state"], primary["note"]) == (address, "4 of 4 carved", "ours")
    assert [(one["state"], one["queues"], one["interrupts"]) for one in functions] == [("online", 2, 1)] * 4
    assert [one["namespaces"] for one in functions] == [[2], [3, 4], [], []]
    assert [len(one["disks"]) for one in functions] == [1, 2, 0, 0]
    assert released.status == 0, released.errors
    assert after == before


def test_what_cannot_be_is_refused_with_its_line(machine: Twin, address: str) -> None:
    greedy = DOCUMENT.replace("queues: 2", "queues: 3").replace("namespaces: [3, 4]", "namespaces: [2, 9]")
    (machine.shared / "greedy.yaml").write_text(greedy)
    before, done, after = fex(machine, address, "state", "apply --json /mnt/greedy.yaml", "state")
    assert done.status == 1
    problems = {one["code"]: one for one in json.loads(done.output)["problems"]}
    assert problems.keys() == {"storage-overcommitted", "namespace-private", "no-such-namespace"}
    assert problems["storage-overcommitted"]["message"] == "4 functions need 12 queues, and there are 8 to share out"
    assert [problems[code]["line"] for code in ("storage-overcommitted", "no-such-namespace")] == [7, 8]
    assert after == before


def test_functions_of_others_are_adopted_or_left_alone(machine: Twin, address: str) -> None:
    carve = f"cd /sys/bus/pci/devices/{address}; echo 0 >sriov_drivers_autoprobe; echo 1 >sriov_numvfs"
    machine.run(["sh", "-ec", f"{carve}; echo 1 >sriov_drivers_autoprobe"], check=True)
    before, refused, adopted, done, released, after = fex(
        *(machine, address, "state", f"apply --json {FILE}", f"adopt {address}", f"apply {FILE}"),
        *(f"release {FILE}", "state"),
    )
    assert [one["code"] for one in json.loads(refused.output)["problems"]] == ["not-ours"]
    assert [one.status for one in (adopted, done, released)] == [0, 0, 0], (done.errors, released.errors)
    assert after == before
    machine.run(["sh", "-ec", f"echo 0 >/sys/bus/pci/devices/{address}/sriov_numvfs"], check=True)


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.long)])
def test_p6_killed_before_a_step_the_next_run_converges(machine: Twin, address: str, step: int) -> None:
    """By SIGKILL, up and down, every fifth step or each of them; the primary's own share changes, too."""
    done = machine.run([*PYTHON, "-c", KILLED, address, str(step)], 600)
    assert done.status == 0, done.errors
    points, steps = map(int, done.output.split(" of "))
    assert points >= steps // step


# A second opinion


@pytest.fixture(scope="module")
def nvme_cli() -> list[str]:
    """nvme-cli: Debian's packages, unpacked once and kept; nothing of them is installed."""
    try:
        if not CLI.is_dir():
            with image.locked():
                image.into_place(CLI, _unpack)
    except UnsupportedError as cause:
        if os.environ.get("FEX_ALLOW_SKIP") == "1":
            pytest.skip(cause.message)
        pytest.fail(f"no nvme-cli: {cause.message}; set FEX_ALLOW_SKIP=1 to skip such tests", pytrace=False)
    libraries = next(CLI.glob("usr/lib/*-linux-gnu"))
    return ["env", f"LD_LIBRARY_PATH={libraries}", str(CLI / "usr/sbin/nvme")]


def _unpack(folder: Path) -> None:
    packages.download(list(CLI_PACKAGES), folder)
    packages.unpack(folder, folder)


def test_nvme_cli_says_the_same(machine: Twin, address: str, nvme_cli: list[str]) -> None:
    (done,) = fex(machine, address, f"apply {FILE}")
    assert done.status == 0, done.errors
    name = machine.run(["ls", f"/sys/bus/pci/devices/{address}/nvme"], check=True).output.strip()

    def ask(*words: str) -> dict[str, object]:
        said: dict[str, object] = json.loads(machine.run([*nvme_cli, *words, "-o", "json"], check=True).output)
        return said

    listed = ask("list-secondary", f"/dev/{name}")["secondary-controllers"]
    assert isinstance(listed, list)
    fields = ("secondary-controller-state", "num-virtual-queues", "num-virtual-interrupts", "virtual-function-number")
    assert [tuple(one[field] for field in fields) for one in listed] == [
        (1, 2, 1, number + 1) for number in range(FUNCTIONS)
    ]
    shares = ask("primary-ctrl-caps", f"/dev/{name}")
    assert (shares["vqfrt"], shares["vqrfa"], shares["vqrfap"]) == (8, 8, 0)
    assert (shares["vifrt"], shares["virfa"], shares["virfap"]) == (8, 4, 0)
