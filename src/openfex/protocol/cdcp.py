# SPDX-License-Identifier: Apache-2.0
"""S-channels: the station asks for them, the bridge gives each a VID (802.1Qbg CDCP; wire.md 4.3).

    station says   (1, 1), then each SCID that it wants: with its SVID, or 0 as long as it has none
    bridge says    (1, 1), then each SCID that it was asked for: with its SVID, or 0 if there is none for it

What an end says is all that holds, so nothing has to arrive in order or at all, as long as something does. The SVID
is the bridge's to choose: one that a station names is not listened to. A channel that was given stays as it is until
nobody asks for it, whatever comes and goes beside it. That a bridge says 0 for "refused" is our choice; one that leaves
the SCID out is understood too, as one that has not answered yet.

An end that hears nothing changes nothing: silence is for LLDP's and VDP's clocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from openfex.errors import InputError
from openfex.model.values import DEFAULT_CHANNEL, LAST_VLAN
from openfex.wire.cdcp import DEFAULT, Cdcp, CdcpRole, SChannel

MOST_GIVEN = Cdcp.MOST_CHANNELS - 1
"""Channels that CDCP can give on a link, the default channel not among them."""
_FIRST = DEFAULT_CHANNEL + 1


@dataclass(frozen=True, slots=True)
class ChannelGiven:
    """There is this S-channel now."""

    scid: int
    svid: int


@dataclass(frozen=True, slots=True)
class ChannelWithdrawn:
    """There is this S-channel no longer. One that gets another SVID is withdrawn, then given."""

    scid: int
    svid: int


@dataclass(frozen=True, slots=True)
class ChannelsRefused:
    """There is no S-channel for these: no SVID left, no room in CDCP's list, or no SCID that can be."""

    scids: tuple[int, ...]


CdcpOutput = ChannelGiven | ChannelWithdrawn | ChannelsRefused


@dataclass(frozen=True, slots=True)
class SvidPool:
    """The SVIDs `low` to `high` that a bridge may give on a link; none if low is above high. Raises InputError."""

    low: int = _FIRST
    high: int = LAST_VLAN

    def __post_init__(self) -> None:
        if self.low < _FIRST or self.high > LAST_VLAN:
            raise InputError(f"SVIDs {self.low} to {self.high} are not in {_FIRST} to {LAST_VLAN}")

    @property
    def size(self) -> int:
        """How many there are."""
        return max(self.high - self.low + 1, 0)

    def choose(self, scid: int, taken: set[int]) -> int | None:
        """One that is free: for an SCID always the same if it can be, so that what comes back comes back unchanged."""
        ring = self.size
        turns = (self.low + (scid - _FIRST + step) % ring for step in range(ring))
        return next((svid for svid in turns if svid not in taken), None)


class CdcpStation:
    """The end that asks."""

    def __init__(self, given: Mapping[int, int] | None = None) -> None:
        """`given`: see `adopt`."""
        self.adopt(given or {})
        self._refused: tuple[int, ...] = ()

    @property
    def given(self) -> dict[int, int]:
        """SCID: SVID of what there is, without the default channel."""
        return dict(self._given)

    @property
    def asked(self) -> frozenset[int]:
        """The SCIDs that have a place in the list."""
        return frozenset(self._wanted)

    @property
    def says(self) -> Cdcp:
        """What to tell the bridge."""
        return Cdcp(CdcpRole.STATION, (DEFAULT, *(SChannel(scid, self._given.get(scid, 0)) for scid in self._wanted)))

    def adopt(self, given: Mapping[int, int]) -> None:
        """This is what there was before a restart; it is asked for until `ask` says otherwise."""
        self._given = dict(given)
        self._wanted = tuple(self._given)

    def ask(self, scids: Iterable[int]) -> list[CdcpOutput]:
        """Want these and no others. What has a place in the list keeps it; what finds none is refused."""
        asked = _channels_of(scids)
        kept = [scid for scid in self._wanted if scid in asked]
        new = [scid for scid in asked if scid not in kept and _is_possible(scid)]
        self._wanted = tuple([*kept, *new][:MOST_GIVEN])
        self._refused = tuple(scid for scid in self._refused if scid in self._wanted)
        outputs = self._have({scid: svid for scid, svid in self._given.items() if scid in self._wanted})
        return [*outputs, *_refuse(tuple(scid for scid in asked if scid not in self._wanted))]

    def receive(self, remote: Cdcp | None) -> list[CdcpOutput]:
        """Take what the bridge says; what is for SCIDs that are not wanted, or no SVID, is ignored."""
        if remote is None or remote.role is not CdcpRole.BRIDGE:
            return []
        offered: dict[int, int] = {}
        for scid, svid in remote.channels:
            if svid == 0 or (_is_possible(svid) and svid not in offered.values()):
                offered.setdefault(scid, svid)
        outputs = self._have({scid: offered[scid] for scid in self._wanted if offered.get(scid)})
        refused = tuple(scid for scid in self._wanted if offered.get(scid) == 0)
        outputs += _refuse(tuple(scid for scid in refused if scid not in self._refused))
        self._refused = refused
        return outputs

    def _have(self, given: dict[int, int]) -> list[CdcpOutput]:
        outputs = _differences(self._given, given)
        self._given = given
        return outputs


class CdcpBridge:
    """The end that gives."""

    def __init__(self, pool: SvidPool, given: Mapping[int, int] | None = None) -> None:
        """`given`: see `adopt`."""
        self._pool = pool
        self.adopt(given or {})
        self._refused: tuple[int, ...] = ()

    @property
    def given(self) -> dict[int, int]:
        """SCID: SVID of what there is, without the default channel."""
        return dict(self._given)

    @property
    def is_full(self) -> bool:
        """Whether the station asks for as many as a list has room for: it may have more, of which CDCP cannot tell."""
        return len(self._given) + len(self._refused) >= MOST_GIVEN

    def adopt(self, given: Mapping[int, int]) -> None:
        """This (SCID: SVID, 166 at most) is what there was before a restart; it stays while it is asked for."""
        self._given = dict(given)

    @property
    def says(self) -> Cdcp:
        """What to tell the station. Raises WireError if more was given before a restart than a list has room for."""
        given = (SChannel(scid, svid) for scid, svid in self._given.items())
        refused = [SChannel(scid, 0) for scid in self._refused][: MOST_GIVEN - len(self._given)]
        capacity = min(self._pool.size, MOST_GIVEN) + 1
        return Cdcp(CdcpRole.BRIDGE, (DEFAULT, *given, *refused), capacity)

    def receive(self, remote: Cdcp | None) -> list[CdcpOutput]:
        """Take what the station asks for: withdraw first, then give as far as there is something to give."""
        if remote is None or remote.role is not CdcpRole.STATION:
            return []
        asked = _channels_of(scid for scid, _ in remote.channels)
        given = {scid: svid for scid, svid in self._given.items() if scid in asked}
        for scid in asked:
            if scid not in given and _is_possible(scid) and len(given) < MOST_GIVEN:
                svid = self._pool.choose(scid, set(given.values()))
                if svid is not None:
                    given[scid] = svid
        refused = tuple(scid for scid in asked if scid not in given)
        outputs = _differences(self._given, given)
        outputs += _refuse(tuple(scid for scid in refused if scid not in self._refused))
        self._given, self._refused = given, refused
        return outputs


def _channels_of(scids: Iterable[int]) -> tuple[int, ...]:
    """Each once, in order; the default channel need not be asked for."""
    return tuple(dict.fromkeys(scid for scid in scids if scid != DEFAULT_CHANNEL))


def _is_possible(number: int) -> bool:
    """Whether an SCID or SVID can be that of a channel with tags."""
    return _FIRST <= number <= LAST_VLAN


def _differences(old: Mapping[int, int], new: Mapping[int, int]) -> list[CdcpOutput]:
    withdrawn = [ChannelWithdrawn(scid, svid) for scid, svid in old.items() if new.get(scid) != svid]
    return [*withdrawn, *(ChannelGiven(scid, svid) for scid, svid in new.items() if old.get(scid) != svid)]


def _refuse(scids: tuple[int, ...]) -> list[CdcpOutput]:
    return [ChannelsRefused(scids)] if scids else []
