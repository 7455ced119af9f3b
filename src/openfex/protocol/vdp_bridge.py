# SPDX-License-Identifier: Apache-2.0
"""VDP at the bridge: the VSIs of one uplink, each a machine of its own (wire.md 4.9).

What a station asks for is put to the owner as `Asked`; the owner's verdict comes back with `answer`, at once or later.
Whatever the machine decides, the owner acts when it is told: `Associated` is the time to make a vEth, `Deassociated`
and `Expired` the time to take it away. A verdict that comes too late, or for a request that the station has replaced
since, changes nothing.

Whether this station may have this VSI, MAC or VID is the owner's to judge: the machine knows one uplink alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from openfex.errors import RefusedError, WireError
from openfex.protocol.deadlines import Deadlines
from openfex.protocol.ecp import Delivered, EcpLink, EcpOutput
from openfex.protocol.output import Transmit, earliest
from openfex.protocol.vdp import Associated, Association, Deassociated, Vsi
from openfex.protocol.vdp_outbox import MOST_OCTETS, Outbox
from openfex.protocol.vdp_tables import BRIDGE, BridgeAction, BridgeEvent, BridgeState
from openfex.protocol.vdp_timers import VdpTimers
from openfex.wire.ecp import Ecpdu
from openfex.wire.vdp import Command, ErrorCode, Hint, ManagerId, Vdpdu, VsiTlv
from openfex.wire.vsi import Filter, Vsiid, fill_vids

MOST_VSIS = 4094
"""How many VSIs an uplink can have: what channels there are."""


@dataclass(frozen=True, slots=True)
class Asked:
    """May this be? `held` is what the VSI has already, None for a new one; `number` tells the questions apart."""

    key: Vsiid
    number: int
    mode: Command
    vsi: Vsi
    held: Association | None


@dataclass(frozen=True, slots=True)
class Accept:
    """Yes, with these filters: those of the request, with a VID wherever the bridge was to choose one."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Reject:
    """No. `keep`: what is held already stays; `hard`: asking again will not help."""

    error: ErrorCode
    keep: bool = False
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Expired:
    """The station was silent for too long: the VSI is gone."""

    key: Vsiid


Verdict = Accept | Reject
BridgeOutput = Transmit | Asked | Associated | Deassociated | Expired

_NO_VERDICT = Reject(ErrorCode.NO_VSI_MANAGER)


@dataclass(frozen=True, slots=True)
class _Held:
    mode: Command
    vsi: Vsi
    """With the filters as granted, in the order in which the station has them."""
    response: bytes
    """The TLV that says so: it is the answer to each keep-alive, too."""

    @classmethod
    def of(cls, mode: Command, vsi: Vsi) -> _Held:
        return cls(mode, vsi, vsi.response(mode).encode())


@dataclass(slots=True)
class _Entry:
    """One VSI: what is being asked, and what is held."""

    state: BridgeState = BRIDGE.start
    asked: Asked | None = None
    held: _Held | None = None


class Bridge:
    """The VSIs of one uplink. `link` is its ECP link of subtype VDP, and no one else's; `most` bounds its VSIs."""

    def __init__(self, link: EcpLink, timers: VdpTimers, *, payload: int = MOST_OCTETS, most: int = MOST_VSIS) -> None:
        self.link = link
        self._timers = timers
        self.group_ids = False
        """Whether EVB has agreed on GroupIDs; without, a filter that has one is refused."""
        self.most = most
        self.malformed = 0
        self._outbox = Outbox(link, payload, most=2 * most + 16)
        self._entries: dict[Vsiid, _Entry] = {}
        self._deadlines: Deadlines[Vsiid] = Deadlines()
        self._number = 0
        self._actions: Mapping[BridgeAction, Callable[[_Entry, _Cause], list[BridgeOutput]]] = {
            BridgeAction.ASK: self._ask,
            BridgeAction.NOTHING: lambda *_: [],
            BridgeAction.RENEW: self._renew,
            BridgeAction.TAKE_UP: self._take_up,
            BridgeAction.GRANT: self._grant,
            BridgeAction.KEEP: self._keep,
            BridgeAction.REJECT: self._reject,
            BridgeAction.FREE: self._free,
            BridgeAction.DROP: self._drop,
        }

    @property
    def timers(self) -> VdpTimers:
        """May be changed at any time, and what is held has as much more time as the expiry is longer.

        For a bridge that was restarted adopts before EVB has agreed: the station keeps to what was agreed before.
        """
        return self._timers

    @timers.setter
    def timers(self, timers: VdpTimers) -> None:
        longer, self._timers = timers.expiry - self._timers.expiry, timers
        if longer > 0:
            for key, entry in self._entries.items():
                if entry.state is BridgeState.HELD:
                    self._deadlines.postpone(key, longer)

    @property
    def deadline(self) -> float | None:
        """When it wants to be called."""
        return earliest((self.link.deadline, self._deadlines.first))

    @property
    def associations(self) -> dict[Vsiid, Association]:
        """What is held, also while another mode of it is being asked."""
        held = ((key, one.held) for key, one in self._entries.items())
        return {key: Association(one.mode, one.vsi.filters) for key, one in held if one}

    def is_asking(self, asked: Asked) -> bool:
        """Whether a question still waits for its answer."""
        entry = self._entries.get(asked.key)
        return entry is not None and entry.asked is not None and entry.asked.number == asked.number

    @property
    def holdings(self) -> list[tuple[Vsi, Command]]:
        """What is held, with all that `adopt` takes."""
        return [(one.held.vsi, one.held.mode) for one in self._entries.values() if one.held]

    def state(self, key: Vsiid) -> BridgeState:
        """Where a VSI is in the table."""
        entry = self._entries.get(key)
        return entry.state if entry else BRIDGE.start

    def adopt(self, vsi: Vsi, mode: Command, now: float) -> list[BridgeOutput]:
        """Take up a VSI that was held before this agent was restarted: it has one whole keep-alive time (P5).

        One that is known already stays as it is.
        """
        event = _Cause(vsi.vsiid, BridgeEvent.ADOPT, now, held=_Held.of(mode, vsi))
        return self._step(event) if vsi.vsiid not in self._entries else []

    def answer(self, asked: Asked, verdict: Verdict, now: float) -> list[BridgeOutput]:
        """The owner's verdict on what it was asked; too late or out of date, it changes nothing.

        Raises RefusedError "verdict-mismatch" for filters that are not those that were asked for.
        """
        entry = self._entries.get(asked.key)
        if entry is None or entry.asked is None or entry.asked.number != asked.number:
            return []
        if isinstance(verdict, Accept):
            filters = fill_vids(asked.vsi.filters, verdict.filters)
            if filters is None:
                message = f"VSI {asked.key} asked for other filters than it is given"
                raise RefusedError(message, code="verdict-mismatch")
            event, verdict = BridgeEvent.ACCEPTED, Accept(filters)
        else:
            event = BridgeEvent.KEPT if verdict.keep and entry.held else BridgeEvent.REJECTED
        return [*self._step(_Cause(asked.key, event, now, verdict=verdict)), *self._pump(now)]

    def de_associate(self, key: Vsiid, now: float) -> list[BridgeOutput]:
        """Take a VSI away from its station, which is told; one that is not known is gone already."""
        if key not in self._entries:
            return []
        return [*self._step(_Cause(key, BridgeEvent.WITHDRAWN, now)), *self._pump(now)]

    def receive(self, pdu: Ecpdu, now: float) -> list[BridgeOutput]:
        """Take an ECPDU of any subtype; what is not VDP's is passed over."""
        return [*self._take(self.link.receive(pdu, now), now), *self._pump(now)]

    def expire(self, now: float) -> list[BridgeOutput]:
        """Do what is due."""
        outputs = self._take(self.link.expire(now), now)
        for key in self._deadlines.take(now):
            entry = self._entries[key]
            is_kept = entry.held is not None and entry.held.mode is Command.ASSOCIATE
            if entry.state is BridgeState.HELD:
                event = BridgeEvent.SILENT
            else:
                event = BridgeEvent.UNDECIDED_KEPT if is_kept else BridgeEvent.UNDECIDED
            outputs += self._step(_Cause(key, event, now, verdict=_NO_VERDICT))
        return [*outputs, *self._pump(now)]

    def _take(self, outputs: Iterable[EcpOutput], now: float) -> list[BridgeOutput]:
        given: list[BridgeOutput] = []
        for output in outputs:
            if isinstance(output, Transmit):
                given.append(output)
            elif isinstance(output, Delivered):
                given += self._read(output.payload, now)
        return given

    def _read(self, payload: bytes, now: float) -> list[BridgeOutput]:
        try:
            pdu = Vdpdu.decode(payload)
        except WireError:
            self.malformed += 1
            return []
        requests = (tlv for tlv in pdu.vsis if not tlv.is_response)
        return [output for tlv in requests for output in self._hear(pdu.manager, tlv, now)]

    def _hear(self, manager: ManagerId, tlv: VsiTlv, now: float) -> list[BridgeOutput]:
        vsi = Vsi.of(manager, tlv)
        entry = self._entries.get(tlv.vsiid)
        is_again = tlv.command is not Command.DE_ASSOCIATE and self._is_again(entry, tlv.command, vsi)
        event = BridgeEvent.AGAIN if is_again else BridgeEvent.LEFT
        cause = _Cause(tlv.vsiid, event, now, command=tlv.command, vsi=vsi)
        if is_again or tlv.command is Command.DE_ASSOCIATE:
            return self._step(cause)
        fault = tlv.fault(self.group_ids)
        if not fault and entry is None and len(self._entries) >= self.most:
            fault = ErrorCode.INSUFFICIENT_RESOURCES
        if not fault:
            return self._step(replace(cause, event=BridgeEvent.REQUESTED))
        if entry is not None and entry.state is BridgeState.HELD:
            return self._step(replace(cause, event=BridgeEvent.KEPT, verdict=Reject(fault)))
        self._say_no(vsi, tlv.command, Reject(fault), keep=entry is not None and entry.held is not None)
        return []

    def _is_again(self, entry: _Entry | None, mode: Command, vsi: Vsi) -> bool:
        """Whether a request is what is held or being asked already; a null VID in it is any (P5)."""
        if entry is None:
            return False
        if entry.asked is not None:
            return (entry.asked.mode, entry.asked.vsi) == (mode, vsi)
        held = entry.held
        if held is None or held.mode is not mode or not held.vsi.is_alike(vsi):
            return False
        return fill_vids(vsi.filters, held.vsi.filters) is not None

    def _step(self, cause: _Cause) -> list[BridgeOutput]:
        entry = self._entries.get(cause.key) or _Entry()
        transition = BRIDGE.find(entry.state, cause.event)
        if transition is None:
            return []
        entry.state = transition.next
        if transition.next is not BridgeState.ABSENT:
            self._entries[cause.key] = entry
        return self._actions[transition.action](entry, cause)

    def _ask(self, entry: _Entry, cause: _Cause) -> list[BridgeOutput]:
        assert cause.command is not None
        assert cause.vsi is not None
        self._number += 1
        association = Association(entry.held.mode, entry.held.vsi.filters) if entry.held else None
        entry.asked = Asked(cause.key, self._number, cause.command, cause.vsi, association)
        self._deadlines.set(cause.key, cause.now + self.timers.resource_wait)
        return [entry.asked]

    def _grant(self, entry: _Entry, cause: _Cause) -> list[BridgeOutput]:
        assert entry.asked is not None
        assert isinstance(cause.verdict, Accept)
        mode, vsi = entry.asked.mode, entry.asked.vsi
        entry.held = _Held.of(mode, replace(vsi, filters=cause.verdict.filters, hint=Hint.NONE))
        return [*self._confirm(entry, cause), Associated(cause.key, mode, cause.verdict.filters)]

    def _renew(self, entry: _Entry, cause: _Cause) -> list[BridgeOutput]:
        assert entry.held is not None
        assert cause.vsi is not None
        filled = fill_vids(cause.vsi.filters, entry.held.vsi.filters)
        assert filled is not None
        if filled != entry.held.vsi.filters:
            entry.held = _Held.of(entry.held.mode, replace(entry.held.vsi, filters=filled))
        return self._confirm(entry, cause)

    def _confirm(self, entry: _Entry, cause: _Cause) -> list[BridgeOutput]:
        """Respond with what is held, and wait for the next keep-alive."""
        assert entry.held is not None
        self._outbox.put(entry.held.vsi.manager, cause.key, entry.held.response)
        return self._wait(entry, cause)

    def _wait(self, entry: _Entry, cause: _Cause) -> list[BridgeOutput]:
        entry.asked = None
        self._deadlines.set(cause.key, cause.now + self.timers.expiry)
        return []

    def _take_up(self, entry: _Entry, cause: _Cause) -> list[BridgeOutput]:
        entry.held = cause.held
        return self._wait(entry, cause)

    def _keep(self, entry: _Entry, cause: _Cause) -> list[BridgeOutput]:
        self._refuse(entry, cause, keep=True)
        return self._wait(entry, cause)

    def _reject(self, entry: _Entry, cause: _Cause) -> list[BridgeOutput]:
        """The owner that has said no itself is told only of what it must undo."""
        self._refuse(entry, cause, keep=False)
        return self._forget(entry, cause, is_told=entry.held is not None or cause.event is BridgeEvent.UNDECIDED)

    def _refuse(self, entry: _Entry, cause: _Cause, keep: bool) -> None:
        """Say no to what came just now, or else to what was being asked."""
        assert isinstance(cause.verdict, Reject)
        if cause.vsi is not None and cause.command is not None:
            self._say_no(cause.vsi, cause.command, cause.verdict, keep)
        elif entry.asked is not None:
            self._say_no(entry.asked.vsi, entry.asked.mode, cause.verdict, keep)

    def _say_no(self, vsi: Vsi, command: Command, verdict: Reject, keep: bool) -> None:
        error = replace(vsi.response(command), keep=keep, hard=verdict.hard, error=verdict.error)
        self._outbox.put(vsi.manager, vsi.vsiid, error.encode())

    def _free(self, entry: _Entry, cause: _Cause) -> list[BridgeOutput]:
        assert cause.vsi is not None
        self._outbox.put(cause.vsi.manager, cause.key, cause.vsi.response(Command.DE_ASSOCIATE).encode())
        return self._forget(entry, cause, is_told=True)

    def _drop(self, entry: _Entry, cause: _Cause) -> list[BridgeOutput]:
        known = entry.held or entry.asked
        assert known is not None
        gone = replace(known.vsi, hint=Hint.NONE).request(Command.DE_ASSOCIATE)
        self._outbox.put(known.vsi.manager, cause.key, gone.encode())
        is_silent = cause.event is BridgeEvent.SILENT
        told = self._forget(entry, cause, is_told=not is_silent)
        return [Expired(cause.key)] if is_silent else told

    def _forget(self, entry: _Entry, cause: _Cause, is_told: bool) -> list[BridgeOutput]:
        self._deadlines.cancel(cause.key)
        entry.asked = entry.held = None
        was_known = self._entries.pop(cause.key, None) is not None
        return [Deassociated(cause.key)] if was_known and is_told else []

    def _pump(self, now: float) -> list[BridgeOutput]:
        outputs = self._outbox.pump(now).outputs
        return [output for output in outputs if isinstance(output, Transmit)]


@dataclass(frozen=True, slots=True)
class _Cause:
    """What happens to a VSI, and what came with it: a request's command and VSI, or a verdict, or what is adopted."""

    key: Vsiid
    event: BridgeEvent
    now: float
    command: Command | None = None
    vsi: Vsi | None = None
    verdict: Verdict | None = None
    held: _Held | None = None
