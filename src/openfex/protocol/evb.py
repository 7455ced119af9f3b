# SPDX-License-Identifier: Apache-2.0
"""EVB: what station and bridge agree on over their LLDP agents (802.1Qbg; wire.md 4.1).

Nothing is remembered: what an end says follows from its settings and from what the other said last. So it does not
matter what was lost between, and ends that hear each other agree.

    reflective relay   the station asks (RRREQ); the bridge grants it if it can (RRCTR); the station says that it knows
                       (RRSTAT, "unknown" before it has heard a bridge)
    statuses           each repeats the octet of the other
    R, RTE, RWD, RKA   each says its own setting; in use is the greater one. ROL is set unless ours is greater.

An end that said the value in use instead of its own would hold the other to it for ever: lowered at one end it would
come back from there.
"""

from __future__ import annotations

from dataclasses import dataclass

from openfex.model.layout import Signalling
from openfex.protocol.ecp import EcpSettings
from openfex.protocol.vdp_timers import VdpTimers
from openfex.wire.evb import BridgeStatus, Evb, EvbMode, RelayStatus, StationStatus

_OPPOSITE = {EvbMode.STATION: EvbMode.BRIDGE, EvbMode.BRIDGE: EvbMode.STATION}


@dataclass(frozen=True, slots=True)
class EvbSettings:
    """What this end wants; exponents count doublings of 10 us."""

    role: EvbMode
    """Station or bridge: the others are no ends."""
    reflective_relay: bool = True
    """A station asks for it (RRREQ), a bridge can do it (RRCAP)."""
    retries: int = 3
    rte: int = 14
    """164 ms. With 8, which lldpad has, an end must answer within 2.6 ms."""
    rwd: int = 20
    rka: int = 20
    group_ids: bool = False

    @classmethod
    def of(cls, role: EvbMode, times: Signalling, *, relay: bool = False) -> EvbSettings:
        """Those of our agents. `relay`: frames come back by all uplinks; by VEPA alone EVB says so."""
        return cls(role, relay, rte=times.rte, rwd=times.rwd, rka=times.rka)


@dataclass(frozen=True, slots=True)
class EvbAgreement:
    """What is in use: reflective relay, and the greater of both ends' settings."""

    remote: bool
    """The other end was heard. If not, this is what we would have it be."""
    reflective_relay: bool
    """It is on now, at this link's bridge."""
    retries: int
    rte: int
    rwd: int
    rka: int
    group_ids: bool = False
    """Filters of VDP may name GroupIDs."""

    @property
    def ecp(self) -> EcpSettings:
        """How ECP sends again."""
        return EcpSettings(self.retries, self.rte)

    @property
    def timers(self) -> VdpTimers:
        """How long VDP waits."""
        return VdpTimers.of(self.retries, self.rte, self.rwd, self.rka)


@dataclass(frozen=True, slots=True)
class EvbNegotiation:
    """What to say, and what is agreed: None where both ends are stations, or bridges, or the other is neither."""

    says: Evb
    agreement: EvbAgreement | None


def negotiate(settings: EvbSettings, remote: Evb | None) -> EvbNegotiation:
    """From our settings and what the other end said last; None if nothing, or if it is gone."""
    if remote is None:
        return EvbNegotiation(_say(settings, None), _agree(settings, None))
    if _OPPOSITE.get(settings.role) != remote.mode:
        return EvbNegotiation(_say(settings, None), None)
    return EvbNegotiation(_say(settings, remote), _agree(settings, remote))


def _say(settings: EvbSettings, remote: Evb | None) -> Evb:
    bridge, station = _statuses(settings, remote)
    return Evb(
        mode=settings.role,
        bridge=bridge,
        station=station,
        retries=settings.retries,
        rte=settings.rte,
        rwd=settings.rwd,
        rka=settings.rka,
        rwd_remote=remote is not None and settings.rwd <= remote.rwd,
        rka_remote=remote is not None and settings.rka <= remote.rka,
    )


def _statuses(settings: EvbSettings, remote: Evb | None) -> tuple[BridgeStatus, StationStatus]:
    """Our own octet, and the other's as it was heard."""
    if settings.role is EvbMode.BRIDGE:
        station = remote.station if remote else StationStatus()
        rrctr = station.rrreq and settings.reflective_relay
        return BridgeStatus(settings.reflective_relay, rrctr, settings.group_ids), station
    if remote is None:
        rrstat = RelayStatus.UNKNOWN
    else:
        rrstat = RelayStatus.ON if remote.bridge.rrctr else RelayStatus.OFF
    own = StationStatus(settings.reflective_relay, rrstat, settings.group_ids)
    return remote.bridge if remote else BridgeStatus(), own


def _agree(settings: EvbSettings, remote: Evb | None) -> EvbAgreement:
    if remote is None:
        return EvbAgreement(False, False, settings.retries, settings.rte, settings.rwd, settings.rka)
    bridge, station = _statuses(settings, remote)
    return EvbAgreement(
        remote=True,
        reflective_relay=bridge.rrctr,
        retries=max(settings.retries, remote.retries),
        rte=max(settings.rte, remote.rte),
        rwd=max(settings.rwd, remote.rwd),
        rka=max(settings.rka, remote.rka),
        group_ids=bridge.bgid and station.sgid,
    )
