# SPDX-License-Identifier: Apache-2.0
"""What tests/vm/test_sriov.py runs inside the twin: one Python for all of it, which takes many seconds to start there.

`python real_adapter.py FILE` does what FILE says, `{scenario: [[verb, words], ...]}`, and writes beside it what each
was like. The verbs are the functions below. A scenario must leave the adapters as they were.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openfex.adapter import changes, giving
from openfex.adapter.journal import Journal
from openfex.adapter.sriov import KernelHost
from openfex.adapter.view import function_rows
from openfex.cli.failure import lines_of
from openfex.errors import OpenfexError
from openfex.model.functions import AdapterWish
from openfex.model.reader import of_spec, read_documents
from openfex.model.real import SriovSpec
from openfex.plan.wishes import wishes_of

HOST, JOURNAL = KernelHost(), Journal()


def wishes(text: str) -> list[AdapterWish]:
    return [
        one for document, spec in of_spec(read_documents(text), SriovSpec) for one in wishes_of(document.name, spec)
    ]


def told(act: Callable[[], object]) -> dict[str, Any]:
    """How long it took, or why it was not."""
    begun = time.monotonic()
    try:
        act()
    except OpenfexError as error:
        return {"code": error.code, "lines": lines_of(error)}
    return {"s": round(time.monotonic() - begun, 2)}


def apply(text: str, force: bool = False) -> dict[str, Any]:
    return told(lambda: changes.apply(HOST, JOURNAL, wishes(text), force=force))


def release(pf: str, force: bool = False) -> dict[str, Any]:
    return told(lambda: changes.release(HOST, JOURNAL, [pf], force=force))


def adopt(pf: str) -> dict[str, Any]:
    return told(lambda: changes.adopt(HOST, JOURNAL, pf))


def rows(pf: str) -> list[dict[str, Any]]:
    return function_rows(HOST.observe(pf), JOURNAL.read(), JOURNAL.seen())


def state(pf: str) -> dict[str, Any]:
    """All that a change may change, without what only its way there does: counters, names and numbers of devices."""
    (adapter,) = HOST.observe(pf)
    functions = [
        (one.index, one.address, one.driver, one.override, str(one.settings), one.net.space if one.net else None)
        for one in adapter.functions
    ]
    return {"count": adapter.count, "autoprobe": adapter.autoprobe, "functions": functions}


def hand_out(pf: str, first: str, second: str) -> dict[str, Any]:
    """Two functions to a name space and to a virtual machine, and back; what each step was like."""
    before = state(pf)
    gift = giving.give(HOST, JOURNAL, first, giving.Wanted("blue", "eth0"))
    other = giving.give(HOST, JOURNAL, second, giving.Wanted("vm"))
    given = rows(pf)
    busy = told(lambda: giving.give(HOST, JOURNAL, first, giving.Wanted("vm")))
    late = giving.take_back(HOST, JOURNAL, first, generation=gift.generation - 1)
    kept = rows(pf)
    back = [giving.take_back(HOST, JOURNAL, one) is not None for one in (first, second)]
    return {
        "before": before, "given": given, "busy": busy, "late": late is not None, "kept": kept == given,
        "back": back, "after": state(pf), "generations": [gift.generation, other.generation],
    }  # fmt: skip


def follow_home(pf: str, function: str) -> dict[str, Any]:
    """Its name space ends while it is in there: the kernel sends its device home, under whatever name."""
    before = state(pf)
    giving.give(HOST, JOURNAL, function, giving.Wanted("green", "it"))
    os.system("ip netns del green")  # noqa: S605 -- words of our own
    came = HOST.wait(lambda: any(one["address"] == function and one["owner"] == "host" for one in rows(pf)), 20)
    giving.take_back(HOST, JOURNAL, function)
    return {"before": before, "came": came, "after": state(pf)}


def _killed(act: Callable[[], object], delay_s: float) -> str:
    """Do it in a process of its own, which is killed after a while; whether it had ended by then."""
    pid = os.fork()
    if not pid:
        try:
            act()
        except OpenfexError as error:
            print(error, file=sys.stderr)
            os._exit(1)
        finally:
            os._exit(0)
    time.sleep(delay_s)  # the moment is the point of it
    os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return "killed" if os.WIFSIGNALED(status) else f"ended with {os.WEXITSTATUS(status)}"


def kill(pf: str, text: str, times: int, seed: int) -> dict[str, Any]:
    """Apply and release, each killed at random moments; the next one has to converge, and the last give all back."""
    chance = random.Random(seed)
    before = state(pf)
    begun = time.monotonic()
    changes.apply(HOST, JOURNAL, wishes(text))
    apply_s, wanted = time.monotonic() - begun, state(pf)
    begun = time.monotonic()
    changes.release(HOST, JOURNAL, [pf]) if not _adopted(pf) else None
    release_s = time.monotonic() - begun if not _adopted(pf) else apply_s
    ends, wrong = [], []
    for turn in range(times):
        ends.append(_killed(lambda: changes.apply(HOST, JOURNAL, wishes(text)), chance.uniform(0, apply_s)))
        if turn % 2:
            changes.apply(HOST, JOURNAL, wishes(text))
            if state(pf) != wanted:
                wrong.append([turn, "applied", state(pf)])
            ends.append(_killed(lambda: changes.release(HOST, JOURNAL, [pf]), chance.uniform(0, release_s)))
        if pf in JOURNAL.read():
            changes.release(HOST, JOURNAL, [pf])
        if state(pf) != before or JOURNAL.read():
            wrong.append([turn, "released", state(pf)])
        if before["count"]:
            changes.adopt(HOST, JOURNAL, pf)
    return {"ends": ends, "wrong": wrong, "before": before, "apply_s": apply_s, "release_s": release_s}


def _adopted(pf: str) -> bool:
    record = JOURNAL.read().get(pf)
    return record is not None and record.adopted


def sh(script: str) -> str:
    """What a script prints; it must not fail."""
    return subprocess.run(["sh", "-ec", script], check=True, capture_output=True, text=True).stdout


VERBS: dict[str, Callable[..., object]] = {
    one.__name__: one for one in (apply, release, adopt, rows, state, hand_out, follow_home, kill, sh)
}


def whole() -> dict[str, Any]:
    return {one.address: state(one.address) for one in HOST.observe()}


def play(steps: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """What each step of a scenario was like, and whether all is as before then."""
    done, error, clean = [], "", False
    try:
        before = whole()
        for verb, words in steps:
            done.append(VERBS[verb](**words))
        clean = whole() == before and not JOURNAL.read()
    except Exception:  # noqa: BLE001 -- it is told, and fails one scenario
        error = traceback.format_exc()
    return {"done": done, "error": error, "clean": clean}


if __name__ == "__main__":
    asked = Path(sys.argv[1])
    found = {name: play(steps) for name, steps in json.loads(asked.read_text()).items()}
    asked.with_suffix(".done").write_text(json.dumps(found))
