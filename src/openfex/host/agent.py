# SPDX-License-Identifier: Apache-2.0
"""The host's agent, without I/O: its functions are announced, its NICs associated, and the port extender told.

What the programs have at the start is right until the bridge has said otherwise (P5): a NIC whose function is up is
confirmed and not rebuilt, and lists stay until the bridge has told its own. A bridge whose agent is dead takes nothing
away: what was associated stays up and is asked for again now and then. What the bridge takes away is down at once (P3).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_interface
from uuid import UUID

from openfex.errors import WireError
from openfex.model.layout import Binding, Host
from openfex.model.values import port_number
from openfex.plan.identity import vsi_type_of
from openfex.protocol.mirror import Applied, Synced, Told
from openfex.protocol.output import Log, Send, Transmit, earliest
from openfex.protocol.uplink import Agreed, Uplink, log_of
from openfex.protocol.vdp import Associated, Deassociated, LossReason, Lost, Refused, Vsi
from openfex.protocol.vdp_station import Station
from openfex.rules.compiler import function_of, owners_of, vepa_lists
from openfex.rules.tables import ExtenderTables, Members
from openfex.wire.control import (
    FunctionEntry,
    HostEntry,
    Key,
    Kind,
    ListRow,
    Mark,
    NicEntry,
    VethEntry,
    encode_addresses,
    function_key,
    numbers_of,
)
from openfex.wire.vdp import Command, ManagerId
from openfex.wire.vsi import Filter, Vsiid

MANAGER = ManagerId.text("openfex")
"""Types of VSIs are made from the names of profiles (plan/identity.py)."""
ASK_AGAIN_S, ASK_SELDOM_S = 1.0, 30.0
"""After a bridge has not answered or has taken something away; after a no that is meant to stay."""
ROW_BITS = 64


@dataclass(frozen=True, slots=True)
class WriteHost:
    """Make the port extender's tables be these, then call `written`."""

    tables: ExtenderTables


Effect = Send | Log | WriteHost


@dataclass
class _Link:
    """What the bridge at an uplink has told; until it has told all, what the programs have counts."""

    is_known: bool = False
    channels: dict[int, int] = field(default_factory=dict)
    """By function, where it has a vEth."""
    rows: dict[tuple[int, int], ListRow] = field(default_factory=dict)
    malformed: int = 0

    def hear(self, key: Key, value: bytes | None) -> None:
        """Take an entry of its table; one that cannot be is as if it were not there, and counted."""
        numbers = numbers_of(key)
        try:
            if key.kind is Kind.VETH:
                self.channels.pop(numbers[0], None)
                if value is not None and (channel := VethEntry.decode(value).channel):
                    self.channels[numbers[0]] = channel
            elif key.kind is Kind.LIST:
                self.rows.pop((numbers[0], numbers[1]), None)
                if value is not None:
                    self.rows[numbers[0], numbers[1]] = ListRow.decode(value)
        except WireError:
            self.malformed += 1

    def lists(self) -> dict[int, Members]:
        """Its replication lists, by id."""
        found: dict[int, tuple[set[int], set[int]]] = {}
        for (list_id, row), bits in self.rows.items():
            tagged, untagged = found.setdefault(list_id, (set(), set()))
            tagged |= _channels(bits.tagged, row)
            untagged |= _channels(bits.untagged, row)
        return {one: Members(frozenset(tagged), frozenset(untagged)) for one, (tagged, untagged) in found.items()}


def _channels(bits: int, row: int) -> set[int]:
    return {row * ROW_BITS + bit for bit in range(ROW_BITS) if bits >> bit & 1}


class HostAgent:
    """One host. `ends` are its ends of uplinks, by link; `tables` what its programs have now.

    `foreign`: the links whose bridges are others'. They have no channel control: what is associated there by VDP, with
    the MAC and the VLANs that documents say, is up, and lists are made from that.
    """

    def __init__(
        self,
        host: Host,
        bindings: Iterable[Binding],
        ends: Mapping[int, Uplink[Station]],
        tables: ExtenderTables | None = None,
        foreign: Collection[int] = (),
    ) -> None:
        self.host, self.ends, self.foreign = host, ends, foreign
        self.bindings = {Vsiid.uuid(UUID(one.uuid)): one for one in bindings}
        self.tables = tables or ExtenderTables()
        self.up = {key for key, one in self.bindings.items() if self._was_up(one.host_port)}
        """The VSIs whose functions are up."""
        self._links = {link: _Link() for link in ends}
        self._again: dict[Vsiid, float] = {}
        self._writing: ExtenderTables | None = None
        self._heard: dict[int, Mark | None] = dict.fromkeys(ends)
        """Up to where bridges had told what the tables were made from last."""
        self._not_before = 0.0
        self._told: dict[int, int] = {}
        """By link, the last change of our table that its bridge has not done yet."""
        self._is_stale = True

    def _was_up(self, port: int) -> bool:
        function = self.tables.functions.get(port)
        return function is not None and function.up

    @property
    def deadline(self) -> float | None:
        """When it wants to be called."""
        retry = self._not_before if self._is_stale and self._writing is None else None
        return earliest((retry, *self._again.values(), *(end.deadline for end in self.ends.values())))

    @property
    def is_settled(self) -> bool:
        """Whether every NIC is up, by tables that are written, and bridges have done all that they were told."""
        is_written = self._writing is None and not self._is_stale
        return self.up == self.bindings.keys() and is_written and not self._told

    def start(self, now: float) -> list[Effect]:
        """Announce the functions, and speak."""
        effects: list[Effect] = []
        for link, end in self.ends.items():
            if link in self.foreign:
                effects += self._take(link, end.start(now), now)
                continue
            self._told[link] = end.mirror.change_all(self._entries(link), now)[0]
            effects += self._take(link, [*end.start(now), *end.open_mirror(now)], now)
        return [*effects, *(self._settle(now) if self.foreign else [])]

    def receive(self, link: int, octets: bytes, now: float) -> list[Effect]:
        """Take a frame of an uplink's own untagged channel."""
        return [*self._take(link, self.ends[link].receive(octets, now), now), *self._settle(now)]

    def expire(self, now: float) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        for link, end in self.ends.items():
            if end.deadline is not None and end.deadline <= now:
                effects += self._take(link, end.expire(now), now)
        again = {key for key, at in self._again.items() if at <= now}
        for key in again:
            del self._again[key]
        for link in self.ends if again else ():
            effects += self._ask_all(link, [key for key in self._bound_at(link) if key in again], now)
        return [*effects, *self._settle(now)]

    def written(self, now: float) -> list[Effect]:
        """The tables are what `WriteHost` asked for."""
        if self._writing is None:
            return []
        self.tables, self._writing = self._writing, None
        return [*self._confirm(now), *self._settle(now)]

    def failed(self, now: float) -> list[Effect]:
        """The tables could not be written: they are tried again."""
        if self._writing is not None:
            self._writing, self._is_stale, self._not_before = None, True, now + ASK_AGAIN_S
        return []

    def _entries(self, link: int) -> dict[Key, bytes]:
        """What the bridge at an uplink is told: who we are, our functions, and which VSIs they are bound to there."""
        entries = {HostEntry.KEY: HostEntry(self.host.kind, self.host.name).encode()}
        bound = {one.function.channel: one for one in self.bindings.values() if one.uplink.host_link == link}
        for function in self.host.functions:
            number, binding = function.channel, bound.get(function.channel)
            vsi, generation = (UUID(binding.uuid), binding.generation) if binding else (None, 0)
            entry = FunctionEntry(function.name, binding is not None, vsi, generation)
            entries[function_key(number)] = entry.encode()
            if binding:
                nic = NicEntry(binding.name, binding.pin.name if binding.pin else "")
                entries[function_key(number, Kind.NIC)] = nic.encode()
            if binding and binding.addresses:
                addresses = (ip_interface(one).ip.packed for one in binding.addresses)
                entries[function_key(number, Kind.ADDRESSES)] = encode_addresses(addresses)
        return entries

    def _take(self, link: int, outputs: Iterable[object], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for output in outputs:
            effects += self._hear(link, output, now)
        return effects

    def _hear(self, link: int, output: object, now: float) -> list[Effect]:
        match output:
            case Transmit(octets):
                return [Send(link, octets)]
            case Told(key, value):
                self._links[link].hear(key, value)
                self._is_stale = self._is_stale or self._links[link].is_known
            case Applied(change):
                if change >= self._told.get(link, 0):
                    self._told.pop(link, None)
            case Synced():
                self._links[link].is_known = self._is_stale = True
            case Agreed(_, agreement):
                log = Log("agreed" if agreement else "alone", f"link {link}", "EVB" if agreement else "nobody is there")
                return [log, *(self._ask_all(link, self._bound_at(link), now) if agreement else [])]
            case Associated(key):
                self.up.add(key)
                self._again.pop(key, None)
                self._is_stale = True
                return [Log("associated", self._name(key), f"on link {link}")]
            case Refused() | Lost() | Deassociated():
                return self._lose(output, now)
            case _:
                return [*log_of(link, output)]
        return []

    def _bound_at(self, link: int) -> list[Vsiid]:
        return [key for key, one in self.bindings.items() if one.uplink.host_link == link]

    def _name(self, key: Vsiid) -> str:
        return self.bindings[key].name if key in self.bindings else str(key)

    def _lose(self, output: Refused | Lost | Deassociated, now: float) -> list[Effect]:
        """A NIC that the bridge does not hold is down; one of which it says nothing is as it was."""
        key = output.key
        if isinstance(output, Deassociated):
            self._set_down(key)
            return [Log("de-associated", self._name(key), "as was wished")]
        if isinstance(output, Refused):
            if not output.kept:
                self._set_down(key)
            self._again[key] = now + (ASK_SELDOM_S if output.hard else ASK_AGAIN_S)
            return [Log("refused", self._name(key), f"the bridge says {output.error.name}", "vsi-refused")]
        if output.reason is LossReason.BY_BRIDGE:
            self._set_down(key)
        self._again[key] = now + ASK_AGAIN_S
        return [Log("lost", self._name(key), output.reason.value)]

    def _set_down(self, key: Vsiid) -> None:
        if key in self.up:
            self.up.discard(key)
            self._is_stale = True

    def _ask_all(self, link: int, keys: Iterable[Vsiid], now: float) -> list[Effect]:
        """Have the bridge at an uplink hold the VSIs of NICs, or confirm that it does; when somebody is there."""
        end = self.ends[link]
        if end.agreement is None:
            return []
        known = end.vdp.associations
        vsi_of = _explicit_vsi_of if link in self.foreign else _vsi_of
        wishes = {key: (vsi_of(key, self.bindings[key]), Command.ASSOCIATE) for key in keys if key not in known}
        adopted = [one for key, one in wishes.items() if key in self.up]
        fresh = [one for key, one in wishes.items() if key not in self.up]
        outputs = [*end.vdp.adopt_all(adopted, now), *end.vdp.associate_all(fresh, now)]
        return self._take(link, outputs, now)

    def _settle(self, now: float) -> list[Effect]:
        """Have the tables written, if they are to be others; one change after the other."""
        if self._writing is not None or not self._is_stale or now < self._not_before:
            return []
        self._is_stale = False
        self._heard = {link: end.mirror.heard for link, end in self.ends.items()}
        tables = self._compile()
        if tables == self.tables:
            return self._confirm(now)
        self._writing = tables
        return [WriteHost(tables)]

    def _confirm(self, now: float) -> list[Effect]:
        """What the tables were made from is done: bridges may rely on it."""
        effects: list[Effect] = []
        for link, end in self.ends.items():
            effects += self._take(link, end.mirror.confirm(self._heard[link], now), now)
        return effects

    def _compile(self) -> ExtenderTables:
        tables = ExtenderTables()
        bound = {one.host_port: one for key, one in self.bindings.items() if key in self.up}
        for uplink in self.host.uplinks:
            link, told = uplink.host_link, self._links.get(uplink.host_link, _Link())
            tables.links[link] = uplink.kind
            if link in self.foreign:
                tables.lists |= vepa_lists(one for one in bound.values() if one.uplink == uplink)
            elif not told.is_known:
                tables.lists |= {key: one for key, one in self.tables.lists.items() if key[0] == link}
            else:
                tables.lists |= {(link, list_id): members for list_id, members in told.lists().items()}
            for function in self.host.functions:
                port = port_number(link, function.channel)
                has_veth = link in self.foreign or told.channels.get(function.channel) == function.channel
                if has_veth or (not told.is_known and port in self.tables.functions):
                    tables.functions[port] = function_of(bound.get(port), tables.lists)
        tables.owners = owners_of(bound.values())
        return tables


def _explicit_vsi_of(key: Vsiid, binding: Binding) -> Vsi:
    """The same of another's bridge, which knows none of our profiles: each VLAN is said."""
    type_ = vsi_type_of(binding.profile.name)
    filters = tuple(Filter(vlan, binding.mac) for vlan in sorted(binding.profile.vlans))
    return Vsi(key, MANAGER, type_.number, type_.version, filters)


def _vsi_of(key: Vsiid, binding: Binding) -> Vsi:
    """What is asked for a NIC: its profile's type, its MAC, and a VLAN that the bridge chooses."""
    type_ = vsi_type_of(binding.profile.name)
    return Vsi(key, MANAGER, type_.number, type_.version, (Filter(0, binding.mac),))
