# SPDX-License-Identifier: Apache-2.0
"""Whether a station may have what it asks for by VDP. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from openfex.bridge.register import Held, Station
from openfex.bridge.vsi_manager import VsiManager
from openfex.errors import RefusedError
from openfex.model.layout import Layout, Profile
from openfex.model.values import ChannelKind, Mac
from openfex.plan.identity import VsiType
from openfex.plan.vepa import find_split, refuse_profile
from openfex.protocol.vdp_bridge import Accept, Asked, Reject
from openfex.wire.vdp import ErrorCode
from openfex.wire.vsi import Filter, Vsiid


@dataclass(frozen=True, slots=True)
class Granted:
    """Yes: what its vEth is then, and what VDP answers."""

    held: Held
    verdict: Accept


@dataclass(frozen=True, slots=True)
class Refusal:
    """No: what VDP answers, and why, for the log; `code` is stable."""

    verdict: Reject
    code: str
    words: str


class Owners:
    """Whose MACs are, of what all stations of a bridge hold."""

    def __init__(self, stations: Iterable[Station]) -> None:
        self._owners: dict[Mac, set[tuple[int, Vsiid]]] = {}
        for station in stations:
            for key, held in station.held.items():
                self._add(station.link, key, held)

    def _add(self, link: int, key: Vsiid, held: Held) -> None:
        for mac in held.macs:
            self._owners.setdefault(mac, set()).add((link, key))

    def give(self, station: Station, key: Vsiid, held: Held) -> None:
        """Have a station hold a VSI, in place of what it has held of it."""
        older = station.held.get(key)
        for mac in older.macs if older else ():
            self._owners[mac].discard((station.link, key))
        station.held[key] = held
        self._add(station.link, key, held)

    def find_other(self, key: Vsiid, held: Held) -> tuple[Mac, Vsiid] | None:
        """An address of a VSI that is another's, and whose: its own, or one that its profile lets it have."""
        for mac in sorted(held.macs):
            for _, owner in self._owners.get(mac, ()):
                if owner != key:
                    return mac, owner
        return None


def judge(
    asked: Asked, station: Station, others: Iterable[Station], manager: VsiManager, owners: Owners
) -> Granted | Refusal | None:
    """The answer to a station; None as long as it has not said which function the VSI is on.

    `others`: the stations of the bridge's other uplinks. A VSI that is held by one of them comes here only with a
    higher generation, when it has moved (P7).
    """
    function = station.function_of(asked.key)
    if function is None and station.plain and not station.can_number(asked.key):
        words = f"its VSIID is {asked.key.format.name} {asked.key}, and not a UUID that is somebody's"
        return Refusal(Reject(ErrorCode.INVALID_FORMAT, hard=True), "vsiid-not-uuid", words)
    if function is None:
        return None
    profile = manager.find(VsiType(asked.vsi.type_id, asked.vsi.type_version))
    if profile is None:
        words = f"VSI type {asked.vsi.type_id:06x} version {asked.vsi.type_version} is no profile here"
        return Refusal(Reject(ErrorCode.OTHER, hard=True), "unknown-vsi-type", words)
    unfit = refuse_profile(profile) if station.kind is ChannelKind.VEPA else None
    if unfit is not None:
        return Refusal(Reject(ErrorCode.OTHER, hard=True), unfit.code, unfit.message)
    if profile.policy.source.guard and station.plain:
        words = f"profile {profile.name} is guarded, and VDP does not tell IP addresses"
        return Refusal(Reject(ErrorCode.OTHER, hard=True), "guard-needs-address", words)
    granted = _grant(asked, profile, 0 if station.plain else function[1].generation)
    if granted is None:
        words = f"its filters are not one MAC address in VLANs of profile {profile.name}"
        return Refusal(Reject(ErrorCode.INVALID_FILTER, keep=True), "bad-filter", words)
    for other in others:
        rival = other.held.get(asked.key)
        if rival is not None and (other.is_fixed or rival.generation >= granted.held.generation):
            words = f"link {other.link} has it by generation {rival.generation}, this is {granted.held.generation}"
            return Refusal(Reject(ErrorCode.OTHER, keep=True), "vsi-elsewhere", words)
    taken = owners.find_other(asked.key, granted.held) or _owned(asked.key, granted.held, manager)
    if taken is not None:
        words = f"{taken[0]} is VSI {taken[1]}'s"
        return Refusal(Reject(ErrorCode.INVALID_FILTER, keep=True), "mac-taken", words)
    return granted


def _owned(key: Vsiid, held: Held, manager: VsiManager) -> tuple[Mac, Vsiid] | None:
    """An address that is to be another VSI's, and whose, whether that is there now or not."""
    owners = ((mac, manager.owner(mac)) for mac in sorted(held.macs))
    return next(((mac, owner) for mac, owner in owners if owner not in {None, key} and owner is not None), None)


def take_up(
    asked: Asked, station: Station, others: Iterable[Station], manager: VsiManager, owners: Owners
) -> Granted | None:
    """Have a station hold a VSI as before, by what its profile is now: that may be in another VLAN."""
    filters = tuple(replace(one, vid=0) for one in asked.vsi.filters)
    wish = replace(asked, vsi=replace(asked.vsi, filters=filters))
    found = judge(wish, station, others, manager, owners)
    if not isinstance(found, Granted):
        return None
    owners.give(station, asked.key, found.held)
    return found


def _grant(asked: Asked, profile: Profile, generation: int) -> Granted | None:
    """One address, and VLANs that the profile has; where the bridge is to choose, its own or its lowest."""
    macs = {one.mac for one in asked.vsi.filters}
    mac = macs.pop() if len(macs) == 1 else None
    if mac is None or mac.is_multicast or not any(mac.octets):
        return None
    chosen = profile.vlan or min(profile.vlans)
    filters = tuple(replace(one, vid=one.vid or chosen) for one in asked.vsi.filters)
    if not all(_is_in(one, profile) for one in filters):
        return None
    return Granted(Held(profile, mac, asked.mode, generation), Accept(filters))


def _is_in(one: Filter, profile: Profile) -> bool:
    return one.group is None and one.vid in profile.vlans


def find_split_off(layout: Layout) -> list[tuple[int, Vsiid]]:
    """What has, after an edit, a VLAN by another network port than its neighbours on a VEPA uplink; by link."""
    return [(one.uplink.bridge_link, Vsiid.uuid(UUID(one.uuid))) for _, one, _ in find_split(layout)]


def check_ways(layout: Layout, fresh: Collection[Vsiid]) -> None:
    """Raise RefusedError if a fresh VSI had a VLAN by another network port than its neighbours on a VEPA uplink."""
    named = {str(one) for one in fresh}
    for other, binding, vlan in find_split(layout):
        if not named.isdisjoint({other.uuid, binding.uuid}):
            message = f"{binding.name} and {other.name} have VLAN {vlan} by different network ports"
            raise RefusedError(message, code="vepa-pins-differ")
