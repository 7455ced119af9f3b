# SPDX-License-Identifier: Apache-2.0
"""What stations have announced and what they hold; and the same as a layout, which tables are made from. Pure.

A function has the channel that its host calls it by: nobody else is on that uplink; an S-channel's is the VID that CDCP
has given for that number. Its vEth is there as soon as it is announced, down and without a profile; it comes up when
the VSI that the function is bound to is associated.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from uuid import UUID

from openfex.errors import WireError
from openfex.model.layout import Adapter, Binding, Bridge, Function, Host, Layout, NetworkPort, Profile, Purpose, Uplink
from openfex.model.values import DEFAULT_CHANNEL, LAST_CHANNEL, ChannelKind, Mac
from openfex.protocol.cdcp import CdcpBridge
from openfex.wire.control import (
    FunctionEntry,
    HostEntry,
    Key,
    Kind,
    NicEntry,
    Reason,
    decode_addresses,
    function_key,
    numbers_of,
)
from openfex.wire.vdp import Command
from openfex.wire.vsi import Vsiid, VsiidFormat

HOST_LINK = 1


@dataclass(frozen=True, slots=True)
class Held:
    """A VSI that a station has been granted: its profile, and the MAC that its vEth has."""

    profile: Profile
    mac: Mac
    mode: Command = Command.ASSOCIATE
    """Only what is associated is up."""
    generation: int = 0
    """Of the binding, when it was granted."""

    @property
    def macs(self) -> frozenset[Mac]:
        """Its own address, and those that its profile lets it have."""
        return frozenset({self.mac, *self.profile.policy.source.macs})


@dataclass
class Station:
    """Who is at the other end of an uplink, as far as it has told."""

    link: int
    told: dict[Key, bytes] = field(default_factory=dict)
    host: HostEntry | None = None
    functions: dict[int, FunctionEntry] = field(default_factory=dict)
    """By number, which is the channel."""
    addresses: dict[int, frozenset[bytes]] = field(default_factory=dict)
    nics: dict[int, NicEntry] = field(default_factory=dict)
    bound: dict[Vsiid, int] = field(default_factory=dict)
    """By VSI, the function that says that it is bound to it, the last that said so."""
    held: dict[Vsiid, Held] = field(default_factory=dict)
    why: dict[int, Reason] = field(default_factory=dict)
    """By number of a function, what became last of the VSI that it is bound to, if that is why its vEth is down."""
    cdcp: CdcpBridge | None = None
    """Who gives its S-channels; None where nobody does."""
    malformed: int = 0
    """Entries that say nothing that can be."""
    is_silent: bool = False
    """A VSI of it has expired, and nothing was heard of it since: it is not waited for."""
    plain: str = ""
    """The name of a VEPA host that documents have here, if it is another's station: nobody numbers its VSIs but we, and
    generations of its own mean nothing."""
    is_fixed: bool = False
    """Nobody signals there: what it holds is what documents say, and not to be moved."""

    def __post_init__(self) -> None:
        if self.plain and self.host is None:
            self.hear(HostEntry.KEY, HostEntry(ChannelKind.VEPA, self.plain).encode())

    def can_number(self, vsi: Vsiid) -> bool:
        """Whether a VSI can be one of another's station: the nil UUID (RFC 9562, 5.9) is nobody's."""
        return vsi.format is VsiidFormat.UUID and any(vsi.octets)

    def admit(self, vsi: Vsiid) -> None:
        """Number a VSI of another's station, as if it had announced a function and bound it to that."""
        number = next((one for one in range(1, LAST_CHANNEL + 1) if one not in self.functions), 0)
        if number and vsi not in self.bound and self.can_number(vsi):
            entry = FunctionEntry(f"vsi{number}", True, UUID(bytes=vsi.octets))
            self.hear(function_key(number), entry.encode())

    def dismiss(self, vsi: Vsiid) -> None:
        """Take back its number, unless it is held."""
        if vsi in self.bound and vsi not in self.held:
            self.hear(function_key(self.bound[vsi]), None)

    def recall(self, told: Mapping[Key, bytes], why: Mapping[int, Reason]) -> None:
        """Take what it had told, and why vEths of its functions were down."""
        for key, value in told.items():
            self.hear(key, value)
        self.why |= why

    def let_go(self, vsi: Vsiid, *, is_expired: bool) -> bool:
        """It holds a VSI no more; whether it did."""
        self.is_silent |= is_expired
        self.explain(vsi, Reason.EXPIRED if is_expired else Reason.NO_ASSOCIATION)
        return self.held.pop(vsi, None) is not None

    def grant(self, vsi: Vsiid, held: Held) -> None:
        """It holds a VSI from now on."""
        self.held[vsi] = held
        self.explain(vsi, Reason.NO_ASSOCIATION)  # as long as that is only pre-associated

    def explain(self, vsi: Vsiid, reason: Reason) -> bool:
        """Say why the vEth of a VSI is down, as long as its function is bound to that; whether that is news."""
        number = self.bound.get(vsi)
        if number is None or self.why.get(number, Reason.NO_ASSOCIATION) is reason:
            return False
        self.why[number] = reason
        return True

    def hear(self, key: Key, value: bytes | None) -> None:
        """Take an entry of its table. One that cannot be is as if it were not there, and counted."""
        self.told.pop(key, None)
        try:
            self._write(key, value)
            if value is not None:
                self.told[key] = value
        except WireError:
            self.malformed += 1
            self._write(key, None)

    def _write(self, key: Key, value: bytes | None) -> None:
        if key.kind is Kind.HOST:
            self.host = None if value is None else HostEntry.decode(value)
        elif key.kind is Kind.FUNCTION:
            self._write_function(numbers_of(key)[0], value)
        elif key.kind is Kind.ADDRESSES:
            self.addresses.pop(numbers_of(key)[0], None)
            if value is not None:
                self.addresses[numbers_of(key)[0]] = decode_addresses(value)
        elif key.kind is Kind.NIC:
            self.nics.pop(numbers_of(key)[0], None)
            if value is not None:
                self.nics[numbers_of(key)[0]] = NicEntry.decode(value)

    def _write_function(self, number: int, value: bytes | None) -> None:
        older = self.functions.pop(number, None)
        why = self.why.pop(number, None)
        if older and older.vsi and self.bound.get(Vsiid.uuid(older.vsi)) == number:
            del self.bound[Vsiid.uuid(older.vsi)]
            self.bound |= {Vsiid.uuid(older.vsi): at for at, one in self.functions.items() if one.vsi == older.vsi}
        if value is not None:
            entry = self.functions[number] = FunctionEntry.decode(value)
            if entry.vsi:
                self.bound[Vsiid.uuid(entry.vsi)] = number
            if why and older and older.vsi == entry.vsi:
                self.why[number] = why

    @property
    def kind(self) -> ChannelKind | None:
        """How it tells channels apart; None if it has not told."""
        return self.host.channel if self.host else None

    def channel_of(self, number: int) -> int | None:
        """The channel that a function of that number has, or would have; None if none.

        What CDCP does not carry because its list is full has the number itself: nobody else has that as a VID.
        """
        kind = self.kind
        if kind is None or not DEFAULT_CHANNEL <= number < kind.first_channel + kind.channels:
            return None
        if self.cdcp is None or not kind.is_schannel or number == DEFAULT_CHANNEL:
            return number
        given = self.cdcp.given
        is_beyond = self.cdcp.is_full and number not in given.values()
        return given.get(number, number if is_beyond else None)

    def channels(self) -> dict[int, int]:
        """By number of the functions that have one, their channels."""
        found = {number: self.channel_of(number) for number in sorted(self.functions)}
        return {number: channel for number, channel in found.items() if channel is not None}

    def function_of(self, vsi: Vsiid) -> tuple[int, FunctionEntry] | None:
        """The function that a VSI is on, by its number, if it has a channel."""
        number = self.bound.get(vsi)
        has_channel = number is not None and self.channel_of(number) is not None
        return (number, self.functions[number]) if number is not None and has_channel else None


def choose_pin(bridge: Bridge, nic: NicEntry, profile: Profile, host: str = "") -> NetworkPort | None:
    """The network port of a vEth: the one asked for, else one that carries its VLANs, spread evenly.

    By VEPA the same for all of a `host`.
    """
    usable = [port for port in bridge.ports if not port.peer and port.profile.vlans & profile.vlans]
    asked = next((port for port in usable if port.name == nic.pin), None)
    if asked is not None:
        return asked
    return usable[zlib.crc32((host or nic.name).encode()) % len(usable)] if usable else None


def lay_out(bridge: Bridge, stations: Iterable[Station]) -> Layout:
    """The bridge's own view: its uplinks, their functions, and a binding for each VSI that is held on one of these."""
    hosts: list[Host] = []
    bindings: list[Binding] = []
    for station in stations:
        host = _host(bridge, station)
        if host is not None:
            hosts.append(host)
            bindings += _bindings(bridge, station, host)
    return Layout("", (bridge,), tuple(hosts), (), tuple(bindings), ())


def _host(bridge: Bridge, station: Station) -> Host | None:
    kind = station.kind
    if kind is None:
        return None
    name = f"link{station.link}"
    uplink = Uplink(name, bridge.fabric, "", bridge.name, kind, 0, HOST_LINK, station.link)
    functions = tuple(Function(name, number, at, Purpose.NIC, 0) for number, at in station.channels().items())
    return Host(name, kind, (uplink,), (Adapter(name, name, "", "", functions),))


def _bindings(bridge: Bridge, station: Station, host: Host) -> Iterator[Binding]:
    by_number = {function.index: function for function in host.functions}
    together = station.host.name if station.host and host.kind is ChannelKind.VEPA else ""
    for vsi, held in station.held.items():
        found = station.function_of(vsi)
        if found is None or held.mode is not Command.ASSOCIATE:
            continue
        number, entry = found
        nic = station.nics.get(number, NicEntry(entry.name))
        addresses = tuple(str(ip_address(one)) for one in sorted(station.addresses.get(number, ())))
        yield Binding(
            str(vsi),
            entry.generation,
            host.name,
            nic.name,
            by_number[number],
            held.profile,
            held.mac,
            addresses,
            0,
            host.uplinks[0],
            choose_pin(bridge, nic, held.profile, together),
        )
