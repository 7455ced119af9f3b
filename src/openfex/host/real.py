# SPDX-License-Identifier: Apache-2.0
"""A real host: its adapter is what documents say and what its agent has agreed on with the bridge at its cable.

The agent speaks over the PF's device. What it writes is a wish like those of documents: the port VLAN of each function
is its S-channel, its link is there as long as its port is up (P3). So there is one way to an adapter, with its journal,
its reading back and its repairs (adapter/keeper.py), and nobody undoes what another has done. All of it is one thread:
frames and deadlines have their turn while the keeper waits (`sleep`).

What functions are set to at the start is right until the bridge says otherwise (P5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from socket import socket

from openfex.adapter.host import Host as Machine
from openfex.adapter.keeper import Keeper
from openfex.errors import InternalError, NotFoundError, OpenfexError, UnsupportedError
from openfex.host.agent import HostAgent, WriteHost
from openfex.linux.agent_loop import AgentLoop
from openfex.linux.control_wire import ControlWire, settings_of
from openfex.linux.links import Link
from openfex.linux.netlink import Netlink
from openfex.model.adapters import RealAdapter
from openfex.model.functions import AdapterWish
from openfex.model.layout import Host, Layout, Uplink
from openfex.model.values import port_channel, port_number
from openfex.plan.schannels import FunctionPort, can_take_links, links_found, ports_found, wishes_for
from openfex.plan.watch import Told
from openfex.plan.wishes import joined, matches
from openfex.protocol.evb import EvbSettings
from openfex.protocol.output import Log
from openfex.protocol.patience import Patience
from openfex.protocol.uplink import station_end
from openfex.rules.tables import ExtenderTables, Function
from openfex.wire.evb import EvbMode

LOOK_AGAIN_S = 1.0
"""After the PF's device was not there, or could not be spoken on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a file asks for: wishes, if it is about adapters alone; or a network, and which host of it this is.

    Of such a host the wishes are what is said of its adapters beside.
    """

    wishes: Sequence[AdapterWish] = ()
    layout: Layout | None = None
    host: str = ""


@dataclass
class RealHost:
    """`read` says what is asked for now, and raises OpenfexError where that cannot be had."""

    machine: Machine
    read: Callable[[], Asked]
    tell: Callable[[Told], None]
    keeper: Keeper | None = None
    asked: Asked = field(default_factory=Asked)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._break)
        self._fault: InternalError | None = None
        self._woken: asyncio.Future[None] | None = None
        self._next = self.asked
        self._agents: AgentLoop | None = None
        self._tell_links: Callable[[RealAdapter], None] = lambda adapter: None
        """While there is an agent."""
        self._held = ExitStack()
        self._place: tuple[str, str] | None = None
        """Of which host and PF the next two are known: of another's functions they say nothing."""
        self._ports: dict[int, FunctionPort] | None = None
        self._has_links: bool | None = None
        self._index = 0
        self._failed = ""
        self._patience = Patience()
        self._begin_at = 0.0
        self._device = ""

    def close(self) -> None:
        """Say no more; functions stay as they are."""
        self._end()
        self._loop.close()

    def wishes(self) -> Sequence[AdapterWish]:
        """What the file asks of adapters now; what was agreed on stays. Raises OpenfexError."""
        self._next = self.read()
        return self._wishes(self._next)

    def _wishes(self, asked: Asked) -> Sequence[AdapterWish]:
        if asked.layout is None:
            return asked.wishes
        ports, has_links = (self._ports, self._has_links) if _place_of(asked) == self._place else (None, None)
        if ports is None:
            ports = ports_found(asked.layout.host(asked.host), self._adapter(asked))
        agreed = wishes_for(asked.layout, asked.host, ports, links=bool(has_links))
        return joined(asked.wishes, agreed)

    def _adapter(self, asked: Asked) -> RealAdapter | None:
        """The adapter at the host's cable, if it is there."""
        assert asked.layout is not None
        return _adapter_of(asked.layout, asked.host, self.machine.observe())

    # Speaking

    def begin(self) -> None:
        """Speak, by what the file asks for: called when adapters are so."""
        self.asked = self._next
        if (place := _place_of(self.asked)) != self._place:
            self._place, self._ports, self._has_links = place, None, None
        self._try()

    def see(self, adapters: Sequence[RealAdapter]) -> None:
        """Have the bridge know which functions have a link: called with what there is, whenever that may be another."""
        if self._agents is None or self.asked.layout is None:
            return
        if adapter := _adapter_of(self.asked.layout, self.asked.host, adapters):
            self._tell_links(adapter)

    def sleep(self, doors: Sequence[socket], duration_s: float | None) -> None:
        """Wait for one of the doors, and speak meanwhile."""
        if self.asked.layout is not None and self._is_over():
            self._try()
        if self._begin_at:
            left = max(self._begin_at - self._loop.time(), 0)
            duration_s = left if duration_s is None else min(duration_s, left)
        self._woken = woken = self._loop.create_future()
        timer = None if duration_s is None else self._loop.call_later(duration_s, self._wake)
        for door in doors:
            self._loop.add_reader(door, self._wake)
        try:
            self._loop.run_until_complete(woken)
        finally:
            for door in doors:
                self._loop.remove_reader(door)
            if timer:
                timer.cancel()
        if self._fault:
            raise self._fault

    def _wake(self) -> None:
        if self._woken and not self._woken.done():
            self._woken.set_result(None)

    def _break(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """A bug of ours: better no agent than one that is half there. What it wrote stays."""
        loop.default_exception_handler(context)
        self._fault = InternalError(str(context.get("exception") or context.get("message")))
        self._wake()

    def _is_over(self) -> bool:
        """Whether the device that is spoken on is another one by now, or it is time to try one again."""
        if self._agents is None:
            return bool(self._begin_at) and self._begin_at <= self._loop.time()
        with Netlink() as here:
            return self._index not in {link.index for link in here.links() if link.name == self._device}

    def _try(self) -> None:
        """Begin with the device that is there; if that cannot be, a little later."""
        self._end()
        self._begin_at = 0.0
        if self.asked.layout is None:
            return
        try:
            self._start(self.asked.layout, self.asked.layout.host(self.asked.host))
        except OpenfexError as error:
            self._end()
            self._begin_at = self._loop.time() + LOOK_AGAIN_S
            if self._failed != str(error):
                self._log(Log("failed", self.asked.host, str(error), error.code))
            self._failed = str(error)

    def _end(self) -> None:
        if self._agents:
            self._agents.close()
            self._agents = None
        self._held.close()

    def _start(self, layout: Layout, host: Host) -> None:
        assert self.keeper is not None
        adapter = self._adapter(self.asked)
        if adapter is None:
            raise NotFoundError(f"the adapter at {host.uplinks[0].device} is not here", code="no-such-pf")
        self._ports = ports_found(host, adapter)
        if self._has_links is None:
            self._has_links = can_take_links(adapter)
        self._become()  # what has no port yet has no link
        [uplink] = host.uplinks
        link = self._raise(uplink)
        wire = ControlWire(link.name)
        self._held.callback(wire.close)
        settings = settings_of(host.name, link.name, link.mac, EvbSettings.of(EvbMode.STATION, layout.signalling))
        end = station_end(settings, s_channels=True)
        tables, channels = _tables_of(uplink, self._ports)
        agent = HostAgent(host, layout.bindings_on(host.name), {uplink.host_link: end}, tables, channels)
        self._index, self._device, self._failed = link.index, link.name, ""
        self._agents = AgentLoop(self._loop)
        act = self._agents.add(agent, {uplink.host_link: wire}, partial(self._perform, agent))

        def tell(adapter: RealAdapter) -> None:
            now = self._loop.time()
            act([one for number, up in links_found(host, adapter).items() for one in agent.link(number, up, now)])

        self._tell_links = tell
        tell(adapter)

    def _raise(self, uplink: Uplink) -> Link:
        """The PF's device, which frames need up."""
        with Netlink() as here:
            link = here.link(uplink.device)
            if not link.up:
                here.set(link.name, up=True)
                self._log(Log("raised", link.name, "was down, and has to be up to be spoken on"))
            return link

    def _perform(self, agent: HostAgent, effect: object) -> Iterable[object]:
        if isinstance(effect, WriteHost):
            self._write(effect)
            return agent.written(self._loop.time())  # it took its time
        if isinstance(effect, Log):
            self._log(effect)
        return ()

    def _write(self, effect: WriteHost) -> None:
        """Have functions be what was agreed on. An adapter that turns out to have no links for them keeps theirs."""
        assert self.keeper is not None
        before = self._ports
        self._ports = _ports_of(effect)
        try:
            self._become()
        except BaseException:
            self._ports = before
            raise

    def _become(self) -> None:
        assert self.keeper is not None
        try:
            self.keeper.become(self._wishes(self.asked))
        except UnsupportedError as error:
            if not self._has_links:
                raise
            self._has_links = False
            self._log(Log("held", self.asked.host, f"functions keep their links: {error}", error.code))
            self.keeper.become(self._wishes(self.asked))

    def _log(self, log: Log) -> None:
        for one in self._patience.passing(log, self._loop.time()):
            self.tell(Told(one.event, one.about, one.words, {"code": one.code} if one.code else {}))


def _place_of(asked: Asked) -> tuple[str, str] | None:
    """The host that is to speak, and its PF."""
    return (asked.host, asked.layout.host(asked.host).uplinks[0].device) if asked.layout else None


def _adapter_of(layout: Layout, host: str, adapters: Iterable[RealAdapter]) -> RealAdapter | None:
    [wish, *_] = wishes_for(layout, host)
    return next((one for one in adapters if any(matches(pf, one) for pf in wish.pfs)), None)


def _tables_of(uplink: Uplink, ports: dict[int, FunctionPort]) -> tuple[ExtenderTables, dict[int, int]]:
    """What functions are set to, as the agent knows it."""
    there = {number: port for number, port in ports.items() if port.vid is not None}
    functions = {port_number(uplink.host_link, number): Function(port.up) for number, port in there.items()}
    tables = ExtenderTables({uplink.host_link: uplink.kind}, functions)
    return tables, {number: port.vid for number, port in there.items() if port.vid is not None}


def _ports_of(effect: WriteHost) -> dict[int, FunctionPort]:
    """The way back."""
    found = {port_channel(number): one.up for number, one in effect.tables.functions.items()}
    return {number: FunctionPort(effect.channels.get(number), up) for number, up in found.items()}
