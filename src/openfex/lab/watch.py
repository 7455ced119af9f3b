# SPDX-License-Identifier: Apache-2.0
"""Who watches a lab's agents: the process that `fex lab up` starts. They live in a child of it.

When that ends, other than by being asked to, another one takes over after a pause, which grows while they do not live
long. To be asked to is SIGTERM, to either of the two. A watcher that is killed leaves agents that nobody watches;
`fex lab status` says so, and the next `fex lab up` has others.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import NoReturn

from openfex.errors import OpenfexError
from openfex.lab import staffing
from openfex.protocol.output import Log

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 30.0
LONG_LIFE_S = 10.0
"""Who has lived so long is followed as soon as the first was."""
_HEARD = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_ENDING = {signal.SIGTERM, signal.SIGINT}
Run = Callable[[int | None], None]
"""Be the agents, until asked to end; `ready` as for `duty.serve`."""


def watch(lab: str, run: Run, ready: int | None) -> None:
    """Have agents until they are asked to end. Raises RefusedError if a lab's are watched already."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    pause = FIRST_PAUSE_S
    with staffing.on_watch(lab) as lock:
        while True:
            began = time.monotonic()
            pid = os.fork()
            if not pid:
                os.close(lock.handle)
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                _be(run, ready)
            if ready is not None:
                os.close(ready)  # so that who waits there notices an end
                ready = None
            status = _await_end(pid)
            if not status:
                return
            pause = FIRST_PAUSE_S if time.monotonic() - began >= LONG_LIFE_S else min(pause * 2, LONGEST_PAUSE_S)
            _say(Log("ended", lab, f"its agents have ended by {_cause(status)}; others take over in {pause:g} s"))
            if signal.sigtimedwait(_ENDING, pause):
                return


def _be(run: Run, ready: int | None) -> NoReturn:
    """The child's life: it never returns to where it was forked."""
    status = 1
    try:
        run(ready)
        status = 0
    except OpenfexError as error:
        _say(Log("failed", "agents", str(error), error.code))
    except (SystemExit, KeyboardInterrupt):
        status = 0  # asked to end before it could hear that otherwise
    except BaseException:  # noqa: BLE001 -- whatever it is, it is said, and the process ends here
        _say(Log("failed", "agents", traceback.format_exc(), "internal"))
    finally:
        sys.stdout.flush()
        os._exit(status)


def _await_end(pid: int) -> int | None:
    """How the child has ended; None if we were asked to end, and it was, too."""
    is_ending = False
    while True:
        number = signal.sigwait(_HEARD)
        if number == signal.SIGCHLD:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                return None if is_ending else status
        else:
            is_ending = is_ending or number in _ENDING
            os.kill(pid, signal.SIGHUP if number == signal.SIGHUP else signal.SIGTERM)


def _cause(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return f"status {os.WEXITSTATUS(status)}"


def _say(log: Log) -> None:
    line = json.dumps({"time": time.time(), "node": "", **asdict(log)})
    print(f"{line}\n", end="", flush=True)  # in one: agents write there, too
