# SPDX-License-Identifier: Apache-2.0
"""Channel control: either end has a table, and the other end a copy of it (docs/design/signalling.md).

What changes is said once, in the order in which it changed, the last value of a key alone. ECP brings it in order and
once. Where that fails (the peer did not acknowledge, or one of us was restarted) the whole table is told anew: what is
not in it has gone, but nothing goes before it is complete. So to be told anew disturbs nobody. An agent that has heard
nothing yet asks for that.

"Acknowledged" means that the peer has the octets. That it has *done* what they say is `Applied`: a bridge sends copies
with a list's id only when the host has that list.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from openfex.errors import WireError
from openfex.protocol.ecp import Delivered, EcpLink, EcpOutput, GaveUp
from openfex.protocol.output import Transmit, earliest
from openfex.protocol.vdp_outbox import MOST_OCTETS
from openfex.wire.control import ControlPdu, Key, Kind, Mark, change_tlv
from openfex.wire.ecp import Ecpdu

LATE_S = 5.0
"""A PDU that is so late is none of before."""
AGAIN_S = 1.0
"""After a peer has acknowledged nothing, until it is told anew."""
MOST_ENTRIES = 1 << 14
MOST_UNDONE = 1 << 10
_HEAD = 48
"""Octets of a PDU before its changes, at most."""
_ANYBODY = 0
"""The session of a peer that is not known yet."""


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of the peer's table is so now; None: it is no more."""

    key: Key
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Synced:
    """The peer's table is complete; `is_new`: it is another agent than before, or the first."""

    is_new: bool


@dataclass(frozen=True, slots=True)
class Applied:
    """The peer has done all changes of our table up to that number, as `put` and `drop` give them."""

    change: int


@dataclass(frozen=True, slots=True)
class Unheard:
    """The peer acknowledges nothing."""


MirrorOutput = Transmit | Told | Synced | Applied | Unheard


class Mirror:
    """One end of channel control on an uplink. `link` is its ECP link of subtype 0x3FE, and no one else's.

    `session` tells this agent from the one before it: it is greater than all that were, and never 0. `most` bounds the
    entries of the peer, which are of these `kinds`; others are as if not said.
    """

    def __init__(
        self,
        link: EcpLink,
        session: int,
        *,
        kinds: Collection[Kind] = tuple(Kind),
        payload: int = MOST_OCTETS,
        most: int = MOST_ENTRIES,
    ) -> None:
        self.link = link
        self.malformed = 0
        self.refused = 0
        """Entries of the peer that were one too many."""
        self._speaker = _Speaker(session, payload - _HEAD)
        self._listener = _Listener(most, kinds)
        self._is_heard = True
        self._is_silent = True
        self._again_at: float | None = None
        self._ask_at: float | None = None

    @property
    def table(self) -> Mapping[Key, bytes]:
        """Ours, as the peer has it or will."""
        return self._speaker.table

    @property
    def copy(self) -> Mapping[Key, bytes]:
        """The peer's table, as far as it has told."""
        return self._listener.copy

    @property
    def is_synced(self) -> bool:
        """Whether the peer's table is complete."""
        return self._listener.is_synced

    @property
    def deadline(self) -> float | None:
        """When it wants to be called."""
        return earliest((self.link.deadline, self._again_at, self._ask_at))

    def meet(self) -> None:
        """Somebody else is at the other end: whatever session it has is new. What is known stays until it has told."""
        self._listener.session = None

    def listen(self, now: float) -> None:
        """Somebody is there who should tell; who has told an agent before us does not know that we have not heard it.

        Asked for soon, and again, by an end that has nothing to say itself; others ask with what they say first.
        """
        if self._is_silent and self._listener.session is None:
            self._ask_at = now + AGAIN_S

    def start(self, now: float) -> list[MirrorOutput]:
        """The table is complete, for now: from here on it is told. What is not in it the peer forgets."""
        self._is_silent, self._ask_at = False, None
        return self._pump(now)

    def put(self, key: Key, value: bytes, now: float) -> tuple[int, list[MirrorOutput]]:
        """Have an entry be so; the number of the change, and what goes out."""
        return self._speaker.change(key, value), self._pump(now)

    def drop(self, key: Key, now: float) -> tuple[int, list[MirrorOutput]]:
        """Have an entry be no more; the number of the change, and what goes out."""
        return self._speaker.change(key, None), self._pump(now)

    def change_all(self, table: Mapping[Key, bytes], now: float) -> tuple[int, list[MirrorOutput]]:
        """Have the table be just this; the number of the last change, and what goes out."""
        for key, value in table.items():
            self._speaker.change(key, value)
        for key in [key for key in self._speaker.table if key not in table]:
            self._speaker.change(key, None)
        return self._speaker.last_change, self._pump(now)

    @property
    def heard(self) -> Mark | None:
        """Up to where the peer has told, for `confirm`."""
        return self._listener.mark

    def confirm(self, mark: Mark | None, now: float) -> list[MirrorOutput]:
        """All that was told up to there has been done: the peer may know."""
        self._speaker.applied = mark
        return self._pump(now)

    def receive(self, pdu: Ecpdu, now: float) -> list[MirrorOutput]:
        """Take an ECPDU; what is not channel control's is passed over."""
        return [*self._take(self.link.receive(pdu, now), now), *self._pump(now)]

    def expire(self, now: float) -> list[MirrorOutput]:
        """Do what is due."""
        outputs = self._take(self.link.expire(now), now)
        if self._again_at is not None and now >= self._again_at:
            self._again_at = None
        if self._ask_at is not None and now >= self._ask_at:
            self._ask_at = None
            self.listen(now)
            outputs += self._ask(now)
        return [*outputs, *self._pump(now)]

    def _take(self, outputs: Iterable[EcpOutput], now: float) -> list[MirrorOutput]:
        given: list[MirrorOutput] = []
        for output in outputs:
            if isinstance(output, Transmit):
                given.append(output)
            elif isinstance(output, Delivered):
                given += self._read(output.payload, now)
            elif isinstance(output, GaveUp):
                self._speaker.begin_anew()
                self._again_at = now + AGAIN_S
                given += [Unheard()] if self._is_heard else []
                self._is_heard = False
        return given

    def _read(self, payload: bytes, now: float) -> list[MirrorOutput]:
        try:
            pdu = ControlPdu.decode(payload)
        except WireError:
            self.malformed += 1
            return []
        self._is_heard, self._again_at = True, None
        heard = self._listener.hear(pdu, now)
        if self._listener.session is not None:
            self._ask_at = None
        self.refused = self._listener.refused
        if pdu.again in {_ANYBODY, self._speaker.session}:
            self._speaker.begin_anew()
        self._speaker.again = self._listener.again
        change = self._speaker.done(pdu.applied) if pdu.applied else None
        return [*heard, *([Applied(change)] if change is not None else [])]

    def _pump(self, now: float) -> list[MirrorOutput]:
        if self._again_at is not None or not self.link.is_idle:
            return []
        if self._is_silent:
            if self._speaker.again is not None and self._ask_at is None:
                self._ask_at = now + AGAIN_S  # at once it would be answered at once, by another that only asks
            return []
        if not self._speaker.has_news:
            return []
        outputs = self.link.send(self._speaker.say(self._listener.session is None).encode(), now)
        return [output for output in outputs if isinstance(output, Transmit)]

    def _ask(self, now: float) -> list[MirrorOutput]:
        if not (self._is_silent and self.link.is_idle):
            return []
        self._speaker.again = self._speaker.again or _ANYBODY
        outputs = self.link.send(self._speaker.ask().encode(), now)
        return [output for output in outputs if isinstance(output, Transmit)]


class _Speaker:
    """Our table, and what the peer has not been told of it yet."""

    def __init__(self, session: int, room: int) -> None:
        self.session = session
        self.table: dict[Key, bytes] = {}
        self.last_change = 0
        self.applied: Mark | None = None
        self.again: int | None = None
        self._room = room
        self._number = 0
        self._unsaid: dict[Key, int] = {}
        """By key, the number of its last change; the oldest first."""
        self._said: deque[tuple[int, int]] = deque(maxlen=MOST_UNDONE)
        """The numbers of PDUs whose changes may not be done yet, and up to which change all was said by then."""
        self._is_new, self._is_telling_all = True, True
        self._told_applied: Mark | None = None
        self._done = 0

    @property
    def has_news(self) -> bool:
        """Whether there is anything to say."""
        is_fresh = self._is_new or self.again is not None or self.applied != self._told_applied
        return bool(self._unsaid) or is_fresh

    def change(self, key: Key, value: bytes | None) -> int:
        """Write it down; what is so already is no change."""
        if self.table.get(key) != value:
            if value is None:
                del self.table[key]
            else:
                self.table[key] = value
            self.last_change += 1
            self._unsaid.pop(key, None)
            self._unsaid[key] = self.last_change
        return self.last_change

    def begin_anew(self) -> None:
        """Tell all, as if nothing had been told; what is no more need not be mentioned."""
        self._unsaid = dict.fromkeys(self.table, self.last_change)
        self._said.clear()  # who confirms what is said now need not have had what was said before
        self._is_new, self._is_telling_all = True, True
        self._told_applied = None

    def say(self, is_deaf: bool) -> ControlPdu:
        """The next PDU, with as much as it has room for; `is_deaf`: nothing of the peer is known."""
        changes: list[tuple[Key, bytes | None]] = []
        room = self._room
        for key in self._unsaid:
            value = self.table.get(key)
            room -= len(change_tlv(key, value).encode())
            if room < 0:
                break
            changes.append((key, value))
        for key, _ in changes:
            del self._unsaid[key]
        is_whole = self._is_telling_all and not self._unsaid
        self._number += 1
        if not self._unsaid:
            self._said.append((self._number, self.last_change))
        elif not self._is_telling_all:
            self._said.append((self._number, next(iter(self._unsaid.values())) - 1))
        again = _ANYBODY if is_deaf and self._is_new else self.again
        mark = Mark(self.session, self._number)
        pdu = ControlPdu(mark, tuple(changes), self._is_new, is_whole, self.applied, again)
        self._is_new, self._is_telling_all = False, self._is_telling_all and not is_whole
        self._told_applied, self.again = self.applied, None
        return pdu

    def ask(self) -> ControlPdu:
        """A PDU that only asks to be told all."""
        self._number += 1
        again, self.again = self.again, None
        return ControlPdu(Mark(self.session, self._number), again=again)

    def done(self, mark: Mark) -> int | None:
        """The peer has done all up to there: up to which change that is, if it is news."""
        if mark.session != self.session:
            return None
        before = self._done
        while self._said and self._said[0][0] <= mark.number:
            self._done = self._said.popleft()[1]
        return self._done if self._done != before else None


class _Listener:
    """The copy of the peer's table."""

    def __init__(self, most: int, kinds: Collection[Kind]) -> None:
        self._kinds = kinds
        self.copy: dict[Key, bytes] = {}
        self.session: int | None = None
        self.refused = 0
        self.again: int | None = None
        """The session that is to tell all anew."""
        self.is_synced = False
        self._most = most
        self.mark: Mark | None = None
        """The last PDU that had something to do."""
        self._number = 0
        self._named: set[Key] | None = None
        """While all is told: what was named so far."""
        self._is_another = False
        self._heard_at = 0.0

    def hear(self, pdu: ControlPdu, now: float) -> list[MirrorOutput]:
        """Take a PDU. One of a session before is late, unless the last one has long been silent: clocks go back."""
        self.again = None
        is_same = pdu.mark.session == self.session
        is_other = pdu.is_new and not is_same and now - self._heard_at > LATE_S
        if not is_other and self.session and (pdu.mark.session, pdu.mark.number) <= (self.session, self._number):
            return []
        self._heard_at = now
        if not pdu.is_new and not (is_same and pdu.mark.number == self._number + 1):
            self.again = pdu.mark.session
            return []
        if pdu.is_new:
            self._named, self.is_synced = set(), False
            self._is_another = self._is_another or not is_same
        self.session, self._number = pdu.mark.session, pdu.mark.number
        if pdu.changes or pdu.is_whole:
            self.mark = pdu.mark
        outputs = [told for key, value in pdu.changes for told in self._write(key, value)]
        if pdu.is_whole and self._named is not None:
            missing = [key for key in self.copy if key not in self._named]
            outputs += [told for key in missing for told in self._write(key, None)]
            outputs.append(Synced(self._is_another))
            self._named, self._is_another, self.is_synced = None, False, True
        return outputs

    def _write(self, key: Key, value: bytes | None) -> list[MirrorOutput]:
        if key.kind not in self._kinds:
            return []
        if self._named is not None and value is not None:
            self._named.add(key)
        if self.copy.get(key) == value:
            return []
        if value is None:
            del self.copy[key]
        elif key not in self.copy and len(self.copy) >= self._most:
            self.refused += 1
            return []
        else:
            self.copy[key] = value
        return [Told(key, value)]
