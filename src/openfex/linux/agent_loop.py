# SPDX-License-Identifier: Apache-2.0
"""Door that agents live behind: their uplinks' frames in, their wishes out, their deadlines kept. It decides nothing.

One loop runs any number of agents in one thread. An agent is without I/O (`Agent`); what it wishes beside frames is its
owner's to do (`perform`), and done at once: control work takes milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

from openfex.errors import KernelError, OpenfexError
from openfex.linux.control_wire import ControlWire
from openfex.protocol.output import Log, Send


class Agent(Protocol):
    """A machine of uplinks."""

    @property
    def deadline(self) -> float | None:
        """When it wants to be called."""

    def start(self, now: float) -> Sequence[object]:
        """Begin."""

    def receive(self, link: int, octets: bytes, now: float) -> Sequence[object]:
        """Take a frame of an uplink."""

    def expire(self, now: float) -> Sequence[object]:
        """Do what is due."""

    def failed(self, now: float) -> Sequence[object]:
        """What it has wished for could not be done."""

    def wake(self, link: int, now: float) -> Sequence[object]:
        """The device of an uplink is there again."""


Perform = Callable[[object], Iterable[object]]
"""Do what an agent wishes; what it then wishes."""
Act = Callable[[Iterable[object]], None]
"""Do what an agent gives to a wish of its owner's."""


LOOK_AGAIN_S = 1.0
"""For a device that is gone."""
REST = 2.0
"""Behind something that was read, so many times what that took."""


class AgentLoop:
    """Runs agents until it is stopped. An uplink whose device is removed is taken up again when there is one."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """`loop`: where it runs; None: the one that this is called in."""
        self._loop = loop or asyncio.get_running_loop()
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._looks: dict[tuple[int, int], asyncio.TimerHandle] = {}
        self._rests: dict[int, asyncio.TimerHandle] = {}
        self._filenos: set[int] = set()
        self.on_change: Callable[[], None] = lambda: None
        """Called when an agent has done something."""
        self.unsent = 0
        """Frames that a device did not take: it is down, or full."""

    def now(self) -> float:
        """The time that agents go by."""
        return self._loop.time()

    def add(self, agent: Agent, wires: Mapping[int, ControlWire], perform: Perform) -> Act:
        """Start an agent; `wires` are its uplinks, by link."""
        for link in wires:
            self._listen(agent, link, wires, perform)
        act = partial(self._act, agent, wires, perform)
        act(agent.start(self.now()))
        return act

    def watch(self, fileno: int, act: Callable[[], None]) -> None:
        """Have something done whenever there is something to read there; then it rests for `REST` times what it took.

        What comes meanwhile is read at once. So who makes events without end has no more than a part of a core.
        """

        def ready() -> None:
            began = self.now()
            self._loop.remove_reader(fileno)
            act()
            self._rests[fileno] = self._loop.call_later(REST * (self.now() - began), self.watch, fileno, act)

        self._filenos.add(fileno)
        self._loop.add_reader(fileno, ready)

    def close(self) -> None:
        """Listen to nothing and wait for nothing any more."""
        for fileno in self._filenos:
            self._loop.remove_reader(fileno)
        for timer in [*self._timers.values(), *self._looks.values(), *self._rests.values()]:
            timer.cancel()

    def _listen(self, agent: Agent, link: int, wires: Mapping[int, ControlWire], perform: Perform) -> None:
        for fileno in wires[link].filenos():
            self._filenos.add(fileno)
            self._loop.add_reader(fileno, self._ready, agent, link, wires, perform)

    def _ready(self, agent: Agent, link: int, wires: Mapping[int, ControlWire], perform: Perform) -> None:
        wire = wires[link]
        try:
            frames = wire.receive()
        except KernelError as error:
            self._lose(agent, link, wires, perform, error.message)
            return
        for octets in frames:
            self._act(agent, wires, perform, agent.receive(link, octets, self.now()))
        if not frames and wire.is_gone:  # what there is to read is that
            self._lose(agent, link, wires, perform, "the device is not there any more")

    def _lose(self, agent: Agent, link: int, wires: Mapping[int, ControlWire], perform: Perform, words: str) -> None:
        wire = wires[link]
        for fileno in wire.filenos():
            self._filenos.discard(fileno)
            self._loop.remove_reader(fileno)
        wire.close()
        log = Log("link-lost", f"link {link}", f"{wire.device} is not heard any more: {words}", "device-gone")
        self._act(agent, wires, perform, [log])
        self._look_later(agent, link, wires, perform)

    def _look_later(self, agent: Agent, link: int, wires: Mapping[int, ControlWire], perform: Perform) -> None:
        look = self._loop.call_later(LOOK_AGAIN_S, self._look, agent, link, wires, perform)
        self._looks[id(agent), link] = look

    def _look(self, agent: Agent, link: int, wires: Mapping[int, ControlWire], perform: Perform) -> None:
        try:
            wires[link].open()
        except OpenfexError:
            self._look_later(agent, link, wires, perform)
            return
        self._listen(agent, link, wires, perform)
        log = Log("link-back", f"link {link}", f"{wires[link].device} is heard again")
        self._act(agent, wires, perform, [log, *agent.wake(link, self.now())])

    def _due(self, agent: Agent, wires: Mapping[int, ControlWire], perform: Perform) -> None:
        self._act(agent, wires, perform, agent.expire(self.now()))

    def _act(self, agent: Agent, wires: Mapping[int, ControlWire], perform: Perform, effects: Iterable[object]) -> None:
        """Do what an agent wishes, and keep its next deadline, whatever comes of it."""
        try:
            for effect in effects:
                self._do(agent, effect, wires, perform)
        finally:
            self._arm(agent, wires, perform)
        self.on_change()

    def _do(self, agent: Agent, effect: object, wires: Mapping[int, ControlWire], perform: Perform) -> None:
        if isinstance(effect, Send):
            try:
                wires[effect.link].send(effect.octets)
            except KernelError:
                self.unsent += 1  # as if the cable had lost it
            return
        try:
            further = perform(effect)
        except (OpenfexError, OSError) as error:
            if isinstance(effect, Log):
                return  # there is no room for what it says
            self._act(agent, wires, perform, [Log("failed", type(effect).__name__, str(error), _code_of(error))])
            further = agent.failed(self.now())
        self._act(agent, wires, perform, further)

    def _arm(self, agent: Agent, wires: Mapping[int, ControlWire], perform: Perform) -> None:
        if older := self._timers.pop(id(agent), None):
            older.cancel()
        if (deadline := agent.deadline) is not None:
            self._timers[id(agent)] = self._loop.call_at(deadline, self._due, agent, wires, perform)


def _code_of(error: OpenfexError | OSError) -> str:
    return error.code if isinstance(error, OpenfexError) else "kernel-refused"
