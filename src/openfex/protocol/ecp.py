# SPDX-License-Identifier: Apache-2.0
"""The Edge Control Protocol: one PDU at a time, acknowledged, sent again, never twice delivered (wire.md 4.4).

A link is one subtype on one uplink. It has two machines that know nothing of each other: one sends, with a single PDU
on the wire until that is acknowledged or given up; one receives, and acknowledges at once.

**When is a PDU the last one again?** The standard's answer is: when its sequence is. But sequences start at 1, and a
peer that was restarted after its first PDU begins with the number that was delivered last. To take its PDU for the old
one is to acknowledge a question and never to answer it. So here a PDU is the last one again only if it also has the
same payload, and comes while its sender can still be sending it again: within twice the time of all of its tries since
it was last heard. What a peer says that is restarted more quickly than that is, octet for octet, what it said a moment
ago: it is being done, and at worst its new self waits in vain for the response that its old self got, and asks again.
Our own agents avoid even that by beginning with another sequence each time (`first`), as receivers accept any.

Should a cable hold a PDU back longer than that, it is delivered twice; and a PDU that a cable delivers behind a later
one is new by the standard's rule too. What runs over ECP must not mind. VDP does not: to say a thing again changes
nothing, and what an old request has wrongly done ends with the next keep-alive or for want of one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from openfex.errors import RefusedError, WireError
from openfex.model.values import Mac
from openfex.protocol.ecp_tables import (
    RECEIVING,
    SENDING,
    ReceiveAction,
    ReceiveEvent,
    ReceiveState,
    SendAction,
    SendEvent,
    SendState,
)
from openfex.protocol.output import Transmit, earliest
from openfex.wire.ecp import Ecpdu, Operation
from openfex.wire.fields import require_width
from openfex.wire.timers import seconds

LAST_SEQUENCE = 0xFFFF
MOST_WAITING = 64
"""Payloads that a link keeps behind the one that is on the wire."""
PAUSE_S = 0.004
"""Between an ack and the next ECPDU of VDP.

lldpad acknowledges what it has got and reads it 2 ms later: an ECPDU that comes before that is read in its place.
"""


@dataclass(frozen=True, slots=True)
class EcpSettings:
    """How often, and after what time, an ECPDU is sent again; EVB agrees on both.

    lldpad's own RTE is 8, 2.56 ms: too short for a peer that is a process among others (wire.md 4.1).
    """

    retries: int = 3
    rte: int = 14

    def __post_init__(self) -> None:
        require_width("ECP", "retries", self.retries, 3)
        require_width("ECP", "rte", self.rte, 5)

    @property
    def timeout(self) -> float:
        """Seconds until an ECPDU without an ack is sent again."""
        return seconds(self.rte)

    @property
    def patience(self) -> float:
        """Seconds after which no ECPDU is sent again by a peer that has these settings too."""
        return 2 * (1 + self.retries) * self.timeout


@dataclass(frozen=True, slots=True)
class Delivered:
    """The peer has said this; it may end in padding."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The peer has this payload of ours."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The peer has acknowledged none of all tries to send this; it may have it all the same."""

    payload: bytes


EcpOutput = Transmit | Delivered | Acknowledged | GaveUp


@dataclass(slots=True)
class EcpCounters:
    """What IEEE8021-EVB-MIB's ECP table counts (wire.md 4.10)."""

    tx_frames: int = 0
    retries: int = 0
    failures: int = 0
    rx_frames: int = 0


class EcpLink:
    """One subtype on one uplink. `source` is the MAC address that it sends from, `first` its first sequence.

    `pause` is for how many seconds it sends nothing after an ack; it may be changed at any time.
    """

    def __init__(
        self, subtype: int, source: Mac, settings: EcpSettings = EcpSettings(), *, first: int = 1, pause: float = 0
    ) -> None:
        if not 1 <= first <= LAST_SEQUENCE:
            raise RefusedError(f"an ECP sequence is 1..{LAST_SEQUENCE}, not {first}", code="bad-sequence")
        self.subtype = subtype
        self.source = source
        self._settings = settings
        self._sent_at = 0.0
        self.counters = EcpCounters()
        self.pause = pause
        self._sending = SENDING.start
        self._waiting: deque[bytes] = deque()
        self._next = first
        self._pdu = Ecpdu(Operation.REQUEST, subtype, first)
        self._tries = 0
        self._deadline: float | None = None
        self._receiving = RECEIVING.start
        self._last = self._pdu
        self._last_heard = 0.0

    @property
    def settings(self) -> EcpSettings:
        """May be changed at any time. A wait that has begun does not end later by that, but may end earlier."""
        return self._settings

    @settings.setter
    def settings(self, settings: EcpSettings) -> None:
        self._settings = settings
        if self._deadline is not None and self._sending is SendState.ON_THE_WIRE:
            self._deadline = min(self._deadline, self._sent_at + settings.timeout)

    @property
    def deadline(self) -> float | None:
        """When it wants to be called; None if nothing of ours is on the wire, nor was a moment ago."""
        return self._deadline

    @property
    def is_idle(self) -> bool:
        """Whether what is sent now goes to the wire at once."""
        return self._sending is SendState.IDLE

    @property
    def is_full(self) -> bool:
        """Whether `send` refuses."""
        return len(self._waiting) >= MOST_WAITING

    def send(self, payload: bytes, now: float) -> list[EcpOutput]:
        """Send it, behind what waits already. Raises RefusedError "queue-full"."""
        if self.is_full:
            raise RefusedError(f"{MOST_WAITING} payloads wait for the peer's ack already", code="queue-full")
        self._waiting.append(payload)
        return self._step(SendEvent.OFFERED, now)

    def receive(self, pdu: Ecpdu, now: float) -> list[EcpOutput]:
        """Take an ECPDU; one of another version or subtype is as if it had not come."""
        if pdu.version != 1 or pdu.subtype != self.subtype:
            return []
        if pdu.operation is Operation.ACK:
            is_mine = pdu.sequence == self._pdu.sequence
            return self._step(SendEvent.ACKED, now) if is_mine else []
        self.counters.rx_frames += 1
        event = ReceiveEvent.AGAIN if self._is_last_again(pdu, now) else ReceiveEvent.NEW
        transition = RECEIVING.find(self._receiving, event)
        assert transition is not None
        self._receiving, self._last, self._last_heard = transition.next, pdu, now
        outputs: list[EcpOutput] = [Transmit(Ecpdu(Operation.ACK, self.subtype, pdu.sequence).frame(self.source))]
        return [*outputs, Delivered(pdu.payload)] if transition.action is ReceiveAction.DELIVER else outputs

    def expire(self, now: float) -> list[EcpOutput]:
        """Send again, or give up, or turn to what waits, once the deadline has come."""
        if self._deadline is None or now < self._deadline:
            return []
        if self._sending is SendState.PAUSING:
            return self._step(SendEvent.PAUSED, now)
        is_last = self._tries > self.settings.retries
        return self._step(SendEvent.EXHAUSTED if is_last else SendEvent.TIMEOUT, now)

    def _is_last_again(self, pdu: Ecpdu, now: float) -> bool:
        is_same = self._receiving is not ReceiveState.NOTHING_HEARD and pdu == self._last
        return is_same and now - self._last_heard <= self.settings.patience

    def _step(self, event: SendEvent, now: float) -> list[EcpOutput]:
        transition = SENDING.find(self._sending, event)
        if transition is None:
            return []
        self._sending = transition.next
        match transition.action:
            case SendAction.SEND:
                return self._begin(now)
            case SendAction.SEND_AGAIN:
                self.counters.retries += 1
                return self._transmit(now)
            case SendAction.FINISH:
                self._deadline = now + self.pause
                return [Acknowledged(self._pdu.payload), *([] if self.pause else self._step(SendEvent.PAUSED, now))]
            case SendAction.GIVE_UP:
                self.counters.failures += 1
                return [GaveUp(self._pdu.payload), *self._go_on(now)]
            case SendAction.GO_ON:
                return self._go_on(now)

    def _begin(self, now: float) -> list[EcpOutput]:
        self._pdu = Ecpdu(Operation.REQUEST, self.subtype, self._next, self._waiting.popleft())
        self._next = self._next % LAST_SEQUENCE + 1
        self._tries = 0
        return self._transmit(now)

    def _transmit(self, now: float) -> list[EcpOutput]:
        self._tries += 1
        self.counters.tx_frames += 1
        self._sent_at, self._deadline = now, now + self.settings.timeout
        return [Transmit(self._pdu.frame(self.source))]

    def _go_on(self, now: float) -> list[EcpOutput]:
        self._deadline = None
        return self._step(SendEvent.OFFERED, now) if self._waiting else []


class EcpUser(Protocol):
    """A machine that speaks one subtype: an EcpLink, or what has one."""

    @property
    def deadline(self) -> float | None:
        """When it wants to be called."""

    def receive(self, pdu: Ecpdu, now: float) -> Sequence[object]:
        """Take an ECPDU."""

    def expire(self, now: float) -> Sequence[object]:
        """Do what is due."""


class EcpPort:
    """All subtypes of one uplink: gives each frame to the machine that speaks its subtype.

    What is not ECP, of another version or of a subtype that nobody here speaks is dropped without an ack or a word,
    and counted in `ignored` (wire.md 4.4).
    """

    def __init__(self, users: Mapping[int, EcpUser]) -> None:
        self.users = dict(users)
        self.ignored = 0

    @property
    def deadline(self) -> float | None:
        """The first of the machines' deadlines."""
        return earliest(user.deadline for user in self.users.values())

    def receive(self, octets: bytes, now: float) -> list[object]:
        """Take a frame of the uplink's own untagged channel, any octets."""
        try:
            pdu = Ecpdu.decode_frame(octets)
        except WireError:
            self.ignored += 1
            return []
        user = self.users.get(pdu.subtype)
        if user is None or pdu.version != 1:
            self.ignored += 1
            return []
        return list(user.receive(pdu, now))

    def expire(self, now: float) -> list[object]:
        """Call each machine whose deadline has come."""
        due = [user for user in self.users.values() if user.deadline is not None and user.deadline <= now]
        return [output for user in due for output in user.expire(now)]
