# SPDX-License-Identifier: Apache-2.0
"""VDP at the station: many VSIs on one uplink, each a machine of its own (wire.md 4.8), packed into shared ECPDUs.

A VSI has one request on its way at most. A wish that comes meanwhile is remembered, the last one alone, and taken up
after the outcome of the one before was told; so no response is ever taken for the answer to another question. What the
station forgets without the bridge's word, the bridge forgets by its keep-alive expiry.

Every keep-alive that is due within an eighth of the interval goes with the first, so VSIs that were associated one
after another soon share ECPDUs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from openfex.errors import RefusedError, WireError
from openfex.protocol.deadlines import Deadlines
from openfex.protocol.ecp import Delivered, EcpLink, EcpOutput, GaveUp
from openfex.protocol.output import Transmit, earliest
from openfex.protocol.vdp import MODES, Associated, Association, Deassociated, LossReason, Lost, Refused, Vsi
from openfex.protocol.vdp_outbox import MOST_OCTETS, Outbox
from openfex.protocol.vdp_tables import STATION, StationAction, StationEvent, StationState
from openfex.protocol.vdp_timers import VdpTimers
from openfex.wire.ecp import Ecpdu
from openfex.wire.vdp import Command, ManagerId, Vdpdu, VsiTlv
from openfex.wire.vsi import Filter, Vsiid, fill_vids

_TOGETHER = 1 / 8


StationOutput = Transmit | Associated | Refused | Lost | Deassociated

_LOSSES = {
    StationEvent.UNANSWERED: LossReason.NO_RESPONSE,
    StationEvent.UNACKNOWLEDGED: LossReason.NO_ACK,
    StationEvent.MISMATCHED: LossReason.MISMATCH,
    StationEvent.DROPPED: LossReason.BY_BRIDGE,
}


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is wanted of a VSI: a mode, or its end."""

    vsi: Vsi
    command: Command


@dataclass(frozen=True, slots=True)
class _Held:
    wish: _Wish
    filters: tuple[Filter, ...]


@dataclass(slots=True)
class _Entry:
    """One VSI: what was asked last, what is held, what is wished for next."""

    asked: _Wish
    state: StationState = STATION.start
    held: _Held | None = None
    is_told: bool = False
    wishes: tuple[_Wish, ...] = ()
    """What waits for the outcome: a mode, its end, or its end and then a mode."""
    is_sent: bool = False
    """Whether its request has gone out, rather than waiting for the link."""
    octets: bytes = b""
    """The request's TLV, for it is the keep-alive too."""


class Station:
    """The VSIs of one uplink. `link` is its ECP link of subtype VDP, and no one else's."""

    def __init__(
        self, link: EcpLink, timers: VdpTimers, *, payload: int = MOST_OCTETS, group_ids: bool = False
    ) -> None:
        self.link = link
        self.timers = timers
        """May be changed at any time; a wait that has begun ends as it was begun."""
        self.group_ids = group_ids
        """Whether EVB has agreed on GroupIDs; without, no filter may have one."""
        self.malformed = 0
        self._outbox = Outbox(link, payload, most=1 << 20)
        self._entries: dict[Vsiid, _Entry] = {}
        self._responses: Deadlines[Vsiid] = Deadlines()
        self._keep_alives: Deadlines[Vsiid] = Deadlines()
        self._carried: tuple[Vsiid, ...] = ()
        """What the ECPDU on the wire is about."""
        self._actions: Mapping[StationAction, Callable[[_Cause], list[StationOutput]]] = {
            StationAction.REQUEST: self._request,
            StationAction.CONFIRM: self._send,
            StationAction.LEAVE: self._request,
            StationAction.REMEMBER: self._remember,
            StationAction.HOLD: self._hold,
            StationAction.REVERT: self._revert,
            StationAction.REFUSE: self._refuse,
            StationAction.WITHDRAW: self._withdraw,
            StationAction.LOSE: lambda cause: self._forget(cause, Lost(cause.key, _LOSSES[cause.event])),
            StationAction.FINISH: lambda cause: self._forget(cause, Deassociated(cause.key)),
            StationAction.FORGET: self._forget,
        }

    @property
    def deadline(self) -> float | None:
        """When it wants to be called."""
        return earliest((self.link.deadline, self._responses.first, self._keep_alives.first))

    @property
    def associations(self) -> dict[Vsiid, Association]:
        """What the bridge holds, as far as is known here."""
        leaving = (StationState.LEAVING, StationState.WITHDRAWING)
        held = {key: one.held for key, one in self._entries.items() if one.state not in leaving}
        return {key: Association(one.wish.command, one.filters) for key, one in held.items() if one}

    def state(self, key: Vsiid) -> StationState:
        """Where a VSI is in the table."""
        entry = self._entries.get(key)
        return entry.state if entry else STATION.start

    def associate(self, vsi: Vsi, mode: Command, now: float) -> list[StationOutput]:
        """Have the bridge hold the VSI in `mode`, one of MODES; other filters or another type replace what it holds.

        Raises RefusedError: "invalid-vsi", or "going-back" from Associate to Pre-Associate (wire.md 4.8).
        """
        self._check(vsi, mode)
        return self._wish(StationEvent.ASK, _Wish(vsi, mode), now)

    def associate_all(self, wishes: Iterable[tuple[Vsi, Command]], now: float) -> list[StationOutput]:
        """The same of many VSIs, which share ECPDUs from the first on. Raises as `associate`, then it asks for none."""
        asked = list(wishes)
        for vsi, mode in asked:
            self._check(vsi, mode)
        outputs = [one for vsi, mode in asked for one in self._step_to(StationEvent.ASK, _Wish(vsi, mode), now)]
        return [*outputs, *self._pump(now)]

    def pre_associate(self, vsi: Vsi, now: float, *, reserve: bool = False) -> list[StationOutput]:
        """Have the bridge know the VSI, and with `reserve` keep resources for it. Raises as `associate`."""
        return self.associate(vsi, Command.PRE_ASSOCIATE_RR if reserve else Command.PRE_ASSOCIATE, now)

    def de_associate(self, key: Vsiid, now: float) -> list[StationOutput]:
        """Have the bridge forget the VSI; one that is not known here is told as gone at once."""
        entry = self._entries.get(key)
        if entry is None:
            return [Deassociated(key)]
        vsi = entry.held.wish.vsi if entry.held else entry.asked.vsi
        return self._wish(StationEvent.LEAVE, _Wish(vsi, Command.DE_ASSOCIATE), now)

    def adopt(self, vsi: Vsi, mode: Command, now: float) -> list[StationOutput]:
        """Take up a VSI that the bridge held before this agent was restarted: it is confirmed at once, then told.

        Raises RefusedError "invalid-vsi". One that is known already stays as it is.
        """
        return self.adopt_all([(vsi, mode)], now)

    def adopt_all(self, held: Iterable[tuple[Vsi, Command]], now: float) -> list[StationOutput]:
        """The same of many VSIs, which share ECPDUs from the first on. Raises as `adopt`, and then takes up none."""
        fresh = [(vsi, mode) for vsi, mode in held if vsi.vsiid not in self._entries]
        for vsi, mode in fresh:
            self._check(vsi, mode)
        outputs: list[StationOutput] = []
        for vsi, mode in fresh:
            wish = _Wish(vsi, mode)
            self._entries[vsi.vsiid] = _Entry(wish, held=_Held(wish, vsi.filters), octets=vsi.request(mode).encode())
            outputs += self._step(vsi.vsiid, StationEvent.ADOPT, now)
        return [*outputs, *self._pump(now)]

    def receive(self, pdu: Ecpdu, now: float) -> list[StationOutput]:
        """Take an ECPDU of any subtype; what is not VDP's is passed over."""
        return [*self._take(self.link.receive(pdu, now), now), *self._pump(now)]

    def expire(self, now: float) -> list[StationOutput]:
        """Do what is due."""
        outputs = self._take(self.link.expire(now), now)
        for key in self._responses.take(now):
            outputs += self._step(key, StationEvent.UNANSWERED, now)
        first = self._keep_alives.first
        if first is not None and first <= now:
            for key in self._keep_alives.take(now + self.timers.keep_alive * _TOGETHER):
                outputs += self._step(key, StationEvent.DUE, now)
        return [*outputs, *self._pump(now)]

    def _check(self, vsi: Vsi, mode: Command) -> None:
        """Refuse what the bridge would refuse, and going back."""
        if mode not in MODES:
            raise RefusedError(f"{mode.name} is no mode of a VSI", code="invalid-vsi")
        try:
            tlv = vsi.request(mode)
            tlv.encode()
        except WireError as error:
            raise RefusedError(f"VSI {vsi.vsiid}: {error.message}", code="invalid-vsi") from error
        if fault := tlv.fault(self.group_ids):
            raise RefusedError(f"VSI {vsi.vsiid} cannot be asked for: {fault.name}", code="invalid-vsi")
        if mode is not Command.ASSOCIATE and self._target(vsi.vsiid) is Command.ASSOCIATE:
            message = f"VSI {vsi.vsiid} is associated: it cannot be pre-associated again"
            raise RefusedError(message, code="going-back", remedy="de-associate it first")

    def _target(self, key: Vsiid) -> Command | None:
        """The mode that a VSI will have if all goes well."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.wishes:
            return entry.wishes[-1].command
        is_leaving = entry.state in {StationState.LEAVING, StationState.WITHDRAWING}
        return None if is_leaving else entry.asked.command

    def _wish(self, event: StationEvent, wish: _Wish, now: float) -> list[StationOutput]:
        return [*self._step_to(event, wish, now), *self._pump(now)]

    def _step_to(self, event: StationEvent, wish: _Wish, now: float) -> list[StationOutput]:
        key = wish.vsi.vsiid
        self._entries.setdefault(key, _Entry(wish))
        return self._step(key, event, now, wish=wish)

    def _take(self, outputs: Iterable[EcpOutput], now: float) -> list[StationOutput]:
        """Read what the link has put out."""
        given: list[StationOutput] = []
        for output in outputs:
            if isinstance(output, Transmit):
                given.append(output)
            elif isinstance(output, Delivered):
                given += self._read(output.payload, now)
            elif isinstance(output, GaveUp):
                for key in self._carried:
                    if key in self._responses:
                        given += self._step(key, StationEvent.UNACKNOWLEDGED, now)
        return given

    def _read(self, payload: bytes, now: float) -> list[StationOutput]:
        try:
            pdu = Vdpdu.decode(payload)
        except WireError:
            self.malformed += 1
            return []
        outputs = []
        for tlv in pdu.vsis:
            entry = self._entries.get(tlv.vsiid)
            event = _classify(entry, pdu.manager, tlv) if entry else None
            if event:
                outputs += self._step(tlv.vsiid, event, now, tlv=tlv)
        return outputs

    def _step(
        self, key: Vsiid, event: StationEvent, now: float, *, tlv: VsiTlv | None = None, wish: _Wish | None = None
    ) -> list[StationOutput]:
        entry = self._entries[key]
        transition = STATION.find(entry.state, event)
        if transition is None:
            return []
        entry.state = transition.next
        outputs = self._actions[transition.action](_Cause(key, entry, event, now, tlv, wish))
        if entry.wishes and entry.state in {StationState.ABSENT, StationState.HELD}:
            outputs += self._take_up(key, entry, now)
        return outputs

    def _take_up(self, key: Vsiid, entry: _Entry, now: float) -> list[StationOutput]:
        """Turn to the wish that waited."""
        wish, *rest = entry.wishes
        entry.wishes = tuple(rest)
        self._entries[key] = entry
        event = StationEvent.LEAVE if wish.command is Command.DE_ASSOCIATE else StationEvent.ASK
        return self._step(key, event, now, wish=wish)

    def _request(self, cause: _Cause) -> list[StationOutput]:
        assert cause.wish is not None
        cause.entry.asked, cause.entry.is_told = cause.wish, False
        cause.entry.octets = cause.wish.vsi.request(cause.wish.command).encode()
        return self._send(cause)

    def _send(self, cause: _Cause) -> list[StationOutput]:
        self._keep_alives.cancel(cause.key)
        self._responses.cancel(cause.key)
        cause.entry.is_sent = False
        self._outbox.put(cause.entry.asked.vsi.manager, cause.key, cause.entry.octets)
        return []

    def _remember(self, cause: _Cause) -> list[StationOutput]:
        """The last wish counts, but a mode that is wished for behind the end comes behind the end."""
        assert cause.wish is not None
        entry = cause.entry
        if cause.event is StationEvent.LEAVE:
            entry.wishes = () if entry.state is StationState.LEAVING else (cause.wish,)
        else:
            ends = tuple(one for one in entry.wishes if one.command is Command.DE_ASSOCIATE)
            entry.wishes = (*ends, cause.wish)
        return []

    def _hold(self, cause: _Cause) -> list[StationOutput]:
        entry = cause.entry
        filters = fill_vids(entry.asked.vsi.filters, cause.tlv.filters) if cause.tlv else None
        assert filters is not None
        is_news = not entry.is_told or entry.held != _Held(entry.asked, filters)
        entry.held, entry.is_told = _Held(entry.asked, filters), True
        self._wait(cause)
        return [Associated(cause.key, entry.asked.command, filters)] if is_news else []

    def _revert(self, cause: _Cause) -> list[StationOutput]:
        entry = cause.entry
        assert entry.held is not None
        entry.asked, entry.is_told = entry.held.wish, True
        entry.octets = entry.asked.vsi.request(entry.asked.command).encode()
        self._wait(cause)
        return [_refusal(cause, kept=True)]

    def _wait(self, cause: _Cause) -> None:
        self._responses.cancel(cause.key)
        self._keep_alives.set(cause.key, cause.now + self.timers.keep_alive)

    def _refuse(self, cause: _Cause) -> list[StationOutput]:
        return self._forget(cause, _refusal(cause, kept=False))

    def _withdraw(self, cause: _Cause) -> list[StationOutput]:
        vsi = cause.entry.asked.vsi
        cause.entry.held = None
        leave = _Cause(cause.key, cause.entry, cause.event, cause.now, None, _Wish(vsi, Command.DE_ASSOCIATE))
        return [_refusal(cause, kept=False), *self._request(leave)]

    def _forget(self, cause: _Cause, told: StationOutput | None = None) -> list[StationOutput]:
        self._responses.cancel(cause.key)
        self._keep_alives.cancel(cause.key)
        self._outbox.discard(cause.key)
        cause.entry.held, cause.entry.is_told = None, False
        del self._entries[cause.key]
        return [told] if told else []

    def _pump(self, now: float) -> list[StationOutput]:
        """Send what waits, if the link is idle; what was sent waits for its response from now on."""
        sent = self._outbox.pump(now)
        if sent.keys:
            self._carried = tuple(sent.keys)
        for key in sent.keys:
            self._entries[key].is_sent = True
            self._responses.set(key, now + self.timers.response_wait)
        return [output for output in sent.outputs if isinstance(output, Transmit)]


@dataclass(frozen=True, slots=True)
class _Cause:
    """What an action is done for."""

    key: Vsiid
    entry: _Entry
    event: StationEvent
    now: float
    tlv: VsiTlv | None
    wish: _Wish | None


def _refusal(cause: _Cause, kept: bool) -> Refused:
    assert cause.tlv is not None
    return Refused(cause.key, cause.tlv.error, kept, cause.tlv.hard)


def _classify(entry: _Entry, manager: ManagerId, tlv: VsiTlv) -> StationEvent | None:
    """What a TLV from the bridge is to a VSI; None if nothing: a request, or a response that nobody waits for."""
    is_leaving = tlv.command is Command.DE_ASSOCIATE
    if not tlv.is_response:
        is_old = entry.state is StationState.REQUESTED and not entry.is_sent
        return StationEvent.DROPPED if is_leaving and not is_old else None
    if not entry.is_sent or entry.state is StationState.HELD:
        return None
    asked = entry.asked
    if tlv.error:
        is_kept = tlv.keep and tlv.command is asked.command is Command.ASSOCIATE and entry.held is not None
        return StationEvent.KEPT if is_kept else StationEvent.REFUSED
    if tlv.command is not asked.command:
        return StationEvent.DROPPED if is_leaving else StationEvent.MISMATCHED
    is_alike = asked.vsi.is_alike(Vsi.of(manager, tlv))
    is_met = is_leaving or fill_vids(asked.vsi.filters, tlv.filters) is not None
    return StationEvent.ACCEPTED if is_alike and is_met else StationEvent.MISMATCHED
