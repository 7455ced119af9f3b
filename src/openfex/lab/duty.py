# SPDX-License-Identifier: Apache-2.0
"""The process that a lab's agents live in: it reads documents, has agents go by them, and again when it is asked to.

To read anew is to be other agents in the same process: they take up what they find as after a restart, so there is no
second way to come to what documents say. They are made before those that are end; where that cannot be, these go on.
Who asks (by SIGHUP, or over the lab's socket) is told how it ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict

from openfex.errors import InternalError, OpenfexError
from openfex.lab import staffing
from openfex.lab.agents import Staff
from openfex.lab.staffing import Lock
from openfex.lab.workshop import Workshop
from openfex.linux.agent_loop import AgentLoop
from openfex.linux.notify import notify
from openfex.model.layout import Layout
from openfex.model.wording import many
from openfex.plan.objects import State
from openfex.protocol.output import Log
from openfex.protocol.patience import Patience

Load = Callable[[], tuple[str, Layout, Callable[[Workshop], State]]]
"""The documents as they are now: their digest, their layout, and what the kernel would hold by it."""
Tell = Callable[[bytes], None]
"""Who has asked: a line; nothing ends it."""


class Duty:
    """One process. `node`: it has the agent of this host or bridge alone."""

    def __init__(self, lab: str, load: Load, lock: Lock, node: str = "") -> None:
        self.lab, self.load, self.lock, self.node = lab, load, lock, node
        self._asking: list[Tell] = []
        self._again, self._ended = asyncio.Event(), asyncio.Event()
        self._staff: Staff | None = None
        self._fault: InternalError | None = None
        self._held = ExitStack()
        self._patience = Patience()

    async def serve(self, tell: Tell | None) -> None:
        """Be on duty until SIGTERM or SIGINT; then end, and change nothing. Raises OpenfexError if it cannot begin."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._again.set)
        loop.set_exception_handler(self._break)
        path = staffing.socket_file(self.lab, self.node)
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._hear, path)
        path.chmod(0o600)
        try:
            self._asking += [tell] if tell else []
            self._begin(self._enlist())
            self._notify("READY=1", self._status())
            while not self._ended.is_set():
                await self._again.wait()
                self._again.clear()
                if not self._ended.is_set():
                    self._begin_again()
        finally:
            server.close()
            self._held.close()
            self._notify("STOPPING=1", "STATUS=ended; what is up stays up")
        if self._fault:
            raise self._fault

    def _break(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """A bug of ours: better no agents than some that are half there. What they wrote goes on."""
        loop.default_exception_handler(context)
        self._fault = InternalError(str(context.get("exception") or context.get("message")))
        self._end()

    def _end(self) -> None:
        self._ended.set()
        self._again.set()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readline()
        if asked == staffing.NEIGHBOURS and self._staff:
            writer.write(json.dumps(self._staff.neighbours()).encode())
        if asked != staffing.RELOAD:
            writer.close()
            return

        def tell(line: bytes) -> None:
            if line:
                writer.write(line)
            else:
                writer.close()

        self._asking.append(tell)
        self._again.set()

    def _enlist(self) -> str:
        """Have agents who go by what documents say now, in place of those that are; the digest of that.

        Raises OpenfexError; then those that are go on.
        """
        digest, layout, want = self.load()
        with ExitStack() as held:
            workshop = held.enter_context(Workshop(self.lab))
            staff = Staff(layout, want(workshop), workshop, AgentLoop(), self._say)
            held.callback(staff.close)
            staff.enlist(self.node)
            self._held.close()
            self._held, self._staff = held.pop_all(), staff
        return digest

    def _begin(self, digest: str) -> None:
        assert self._staff
        self._staff.begin()
        self.lock.note(digest)
        self._staff.loop.on_change = self._look
        self._look()

    def _begin_again(self) -> None:
        """By what documents say now; where that cannot be, the agents that are go on."""
        self._notify(
            "RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reading the documents again"
        )
        try:
            digest = self._enlist()
        except OpenfexError as error:
            self._say("", Log("not-read", self.lab, str(error), error.code))
            self._finish()
            self._notify("READY=1", f"STATUS=as before: {error}")
            return
        self._begin(digest)
        self._notify("READY=1", self._status())

    def _status(self) -> str:
        uplinks = sum(len(one.ends) for one in self._staff.agents) if self._staff else 0
        return f"STATUS=speaks on {many(uplinks, 'uplink')}"

    def _notify(self, *lines: str) -> None:
        """Tell a service manager, if one has started this. That it does not listen ends nothing."""
        with suppress(OpenfexError):
            notify(lines)

    def _look(self) -> None:
        if self._staff and self._staff.is_settled and self._asking:
            self._tell(staffing.SETTLED)
            self._finish()

    def _finish(self) -> None:
        self._tell(b"")
        self._asking = []

    def _tell(self, line: bytes) -> None:
        """Tell those who have asked; who does not listen any more is not told again."""
        listening: list[Tell] = []
        for tell in self._asking:
            with suppress(OSError):
                tell(line)
                listening.append(tell)
        self._asking = listening

    def _say(self, node: str, log: Log) -> None:
        for one in self._patience.passing(log, time.monotonic()):
            print(f"{_line(node if one is log else '', one)}\n", end="", flush=True)  # in one: others write there, too
        if log.code:
            self._tell(f"{_line(node, log)}\n".encode())


def _line(node: str, log: Log) -> str:
    return json.dumps({"time": time.time(), "node": node, **asdict(log)})


def serve(lab: str, load: Load, ready: int | None, node: str = "") -> None:
    """Be the agents of a lab, or of one node, until SIGTERM or SIGINT; then end, and change nothing.

    `ready`: a file to which a line is written for each refusal, and one when all NICs are up; then it is closed.
    """
    if ready is not None:
        os.set_blocking(ready, False)  # who does not read what is told must not hold up the agents

    def tell(line: bytes) -> None:
        assert ready is not None
        if line:
            os.write(ready, line)
        else:
            os.close(ready)

    async def run(lock: Lock) -> None:
        await Duty(lab, load, lock, node).serve(None if ready is None else tell)

    with staffing.on_duty(lab, node) as lock:
        asyncio.run(run(lock))
