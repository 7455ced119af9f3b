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


Perform = Callable[[object, float], Iterable[object]]
"""Do what an agent wishes; what it then wishes."""
Act = Callable[[Iterable[object]], None]
"""Do what an agent gives to a wish of its owner's."""


class AgentLoop:
    """Runs agents until it is stopped."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """`loop`: where it runs; None: the one that this is called in."""
        self._loop = loop or asyncio.get_running_loop()
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._filenos: list[int] = []
        self.on_change: Callable[[], None] = lambda: None
        """Called when an agent has done something."""
        self.unsent = 0
        """Frames that a device did not take: it is down, or full."""

    def now(self) -> float:
        """The time that agents go by."""
        return self._loop.time()

    def add(self, agent: Agent, wires: Mapping[int, ControlWire], perform: Perform) -> Act:
        """Start an agent; `wires` are its uplinks, by link."""
        for link, wire in wires.items():
            for fileno in wire.filenos():
                self._filenos.append(fileno)
                self._loop.add_reader(fileno, self._ready, agent, link, wires, perform)
        act = partial(self._act, agent, wires, perform)
        act(agent.start(self.now()))
        return act

    def close(self) -> None:
        """Listen to nothing and wait for nothing any more."""
        for fileno in self._filenos:
            self._loop.remove_reader(fileno)
        for timer in self._timers.values():
            timer.cancel()

    def _ready(self, agent: Agent, link: int, wires: Mapping[int, ControlWire], perform: Perform) -> None:
        try:
            frames = wires[link].receive()
        except KernelError as error:
            for fileno in wires[link].filenos():
                self._loop.remove_reader(fileno)
            words = f"{wires[link].device} is not heard any more: {error.message}"
            self._act(agent, wires, perform, [Log("link-lost", f"link {link}", words, error.code)])
            return
        for octets in frames:
            self._act(agent, wires, perform, agent.receive(link, octets, self.now()))

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
            further = perform(effect, self.now())
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
