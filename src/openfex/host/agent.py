# SPDX-License-Identifier: Apache-2.0
"""The host's agent, without I/O: its functions are announced, its NICs associated, and the port extender told.

What the programs have at the start is right until the bridge has said otherwise (P5): a NIC whose function is up is
confirmed and not rebuilt, and lists stay until the bridge has told its own. A bridge whose agent is dead takes nothing
away: what was associated stays up and is asked for again now and then. What the bridge takes away is down at once (P3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from openfex.host.announcement import entries_of, vsiid_of
from openfex.host.told import BridgeTold
from openfex.model.layout import Binding, Host
from openfex.model.values import DEFAULT_CHANNEL, port_number
from openfex.plan.identity import vsi_type_of
from openfex.protocol.cdcp import CdcpStation, ChannelGiven, ChannelWithdrawn
from openfex.protocol.mirror import Applied, Synced, Told
from openfex.protocol.output import Log, Send, Transmit, earliest
from openfex.protocol.uplink import Agreed, Uplink, log_of
from openfex.protocol.vdp import Associated, Deassociated, LossReason, Lost, Refused, Vsi
from openfex.protocol.vdp_station import Station
from openfex.rules.compiler import function_of, owners_of, vepa_lists
from openfex.rules.tables import ExtenderTables
from openfex.wire.control import FunctionEntry, Key, Mark, function_key, numbers_of
from openfex.wire.vdp import Command, ManagerId
from openfex.wire.vsi import Filter, Vsiid

MANAGER = ManagerId.text("openfex")
"""Types of VSIs are made from the names of profiles (plan/identity.py)."""
ASK_AGAIN_S, ASK_SELDOM_S = 1.0, 30.0
"""After a bridge has not answered or has taken something away; after a no that is meant to stay."""
REST, LONGEST_REST_S = 2.0, 0.5
"""Behind a change of tables, so many times what writing it took: what comes meanwhile is one change."""


@dataclass(frozen=True, slots=True)
class WriteHost:
    """Make the port extender's tables be these, then call `written`.

    `channels`: by the number of each function that has an S-channel, its VID. A port extender's is the number itself.
    """

    tables: ExtenderTables
    channels: Mapping[int, int] = field(default_factory=dict)


Effect = Send | Log | WriteHost


def _by_vsi(bindings: Iterable[Binding]) -> dict[Vsiid, Binding]:
    return {vsiid_of(one): one for one in bindings}


class HostAgent:
    """One host. `ends` are its ends of uplinks, by link; `tables` what its programs have now.

    `channels`: of a real host, which has no programs, the VIDs that functions are in, by number.

    Others' bridges have no channel control: what is associated there by VDP, with the MAC and the VLANs that documents
    say, is up, and lists are made from that. Where such a bridge speaks no VDP either the uplink has no end: all is up.
    """

    def __init__(
        self,
        host: Host,
        bindings: Iterable[Binding],
        ends: Mapping[int, Uplink[Station]],
        tables: ExtenderTables | None = None,
        channels: Mapping[int, int] | None = None,
    ) -> None:
        self.host, self.ends = host, ends
        self.channels = dict(channels or {})
        self.bindings = _by_vsi(bindings)
        self.tables = tables or ExtenderTables()
        self.foreign = {one.host_link for one in host.uplinks if one.foreign}
        self.up = {key for key, one in self.bindings.items() if self._was_up(one.host_port)} | self._unasked()
        """The VSIs whose functions are up."""
        self._links = {link: BridgeTold() for link in ends}
        self._cut: set[int] = set()
        """Functions whose devices have no link."""
        self._again: dict[Vsiid, float] = {}
        self._writing: WriteHost | None = None
        self._heard: dict[int, Mark | None] = dict.fromkeys(ends)
        """Up to where bridges had told what the tables were made from last."""
        self._not_before = self._writes_since = 0.0
        self._told: dict[int, int] = {}
        """By link, the last change of our table that its bridge has not done yet."""
        self._is_stale = True

    def _was_up(self, port: int) -> bool:
        function = self.tables.functions.get(port)
        return function is not None and function.up

    def _unasked(self) -> set[Vsiid]:
        """The VSIs of NICs whose bridge speaks no VDP."""
        return {key for key, one in self.bindings.items() if one.uplink.host_link not in self.ends}

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
            asked = self._ask_channels(link, end, now)
            effects += self._take(link, [*asked, *end.start(now), *end.open_mirror(now)], now)
        return [*effects, *(self._settle(now) if self.foreign else [])]

    def _ask_channels(self, link: int, end: Uplink[Station], now: float) -> list[object]:
        """S-channels for all functions: those that there are, confirmed; the PF has the default one."""
        if not isinstance(end.cdcp, CdcpStation):
            return []
        numbers = [one.channel for one in self.host.functions if one.channel != DEFAULT_CHANNEL]
        there = [one for one in numbers if port_number(link, one) in self.tables.functions]
        end.cdcp.adopt({one: self._channel_now(one) for one in there})
        return end.ask(sorted(numbers), now)

    def bind(self, bindings: Iterable[Binding], now: float) -> list[Effect]:
        """Have the host's NICs be these from now on: who is new is asked for, who is no more is let go."""
        before, self.bindings = self.bindings, _by_vsi(bindings)
        effects: list[Effect] = []
        for key, one in before.items():
            if key not in self.bindings or self.bindings[key].uplink != one.uplink:
                self._again.pop(key, None)
                self._set_down(key)
                link = one.uplink.host_link
                if link in self.ends:
                    effects += self._take(link, self.ends[link].vdp.de_associate(key, now), now)
        self.up |= self._unasked()
        self._is_stale = self._is_stale or self.bindings != before
        for link, end in self.ends.items():
            entries = self._entries(link)
            if link not in self.foreign and entries != end.mirror.table:
                self._told[link], outputs = end.mirror.change_all(entries, now)
                effects += self._take(link, outputs, now)
            fresh = [key for key in self._bound_at(link) if self.bindings[key] != before.get(key)]
            if end.agreement:
                effects += self._take(link, end.vdp.associate_all(map(self._wish, fresh), now), now)
        return [*effects, *self._settle(now)]

    def _entries(self, link: int) -> dict[Key, bytes]:
        here = [one for one in self.bindings.values() if one.uplink.host_link == link]
        return entries_of(self.host, here, self._cut)

    def link(self, function: int, up: bool, now: float) -> list[Effect]:
        """The device of a function has a link from now on, or none: its bridge is told. No table is another for it."""
        (self._cut.discard if up else self._cut.add)(function)
        effects: list[Effect] = []
        key = function_key(function)
        for link, end in self.ends.items():
            told = end.mirror.table.get(key)
            entry = FunctionEntry.decode(told) if told else None
            if entry and entry.vsi:
                effects += self._take(link, end.mirror.put(key, replace(entry, up=up).encode(), now)[1], now)
        return effects

    def receive(self, link: int, octets: bytes, now: float) -> list[Effect]:
        """Take a frame of an uplink's own untagged channel."""
        return [*self._take(link, self.ends[link].receive(octets, now), now), *self._settle(now)]

    def wake(self, link: int, now: float) -> list[Effect]:
        """An uplink's device is there again: speak."""
        return self._take(link, self.ends[link].start(now), now)

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
        self.tables, self.channels = self._writing.tables, dict(self._writing.channels)
        self._writing = None
        self._not_before = now + min(REST * (now - self._writes_since), LONGEST_REST_S)
        return [*self._confirm(now), *self._settle(now)]

    def failed(self, now: float) -> list[Effect]:
        """The tables could not be written: they are tried again."""
        if self._writing is not None:
            self._writing, self._is_stale, self._not_before = None, True, now + ASK_AGAIN_S
        return []

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
                news = self._links[link].hear(key, value)
                self._is_stale = self._is_stale or self._links[link].is_known
                return [Log("veth", self._function(key), f"on link {link} its vEth is {news}")] if news else []
            case Applied(change):
                if change >= self._told.get(link, 0):
                    self._told.pop(link, None)
            case ChannelGiven() | ChannelWithdrawn():
                self._is_stale = True
                return [*log_of(link, output)]
            case Synced():
                self._links[link].is_known = self._is_stale = True
            case Agreed(_, agreement):
                log = Log("agreed" if agreement else "alone", f"link {link}", "EVB" if agreement else "nobody is there")
                return [log, *(self._ask_all(link, self._bound_at(link), now) if agreement else [])]
            case Associated(key):
                return self._gain(key, link)
            case Refused() | Lost() | Deassociated():
                return self._lose(output, now)
            case _:
                return [*log_of(link, output)]
        return []

    def _bound_at(self, link: int) -> list[Vsiid]:
        return [key for key, one in self.bindings.items() if one.uplink.host_link == link]

    def _name(self, key: Vsiid) -> str:
        return self.bindings[key].name if key in self.bindings else str(key)

    def _function(self, key: Key) -> str:
        """The name of the function that an entry is about."""
        [number] = numbers_of(key)
        return next((one.name for one in self.host.functions if one.channel == number), f"function {number}")

    def _wish(self, key: Vsiid) -> tuple[Vsi, Command]:
        return _vsi_of(key, self.bindings[key]), Command.ASSOCIATE

    def _gain(self, key: Vsiid, link: int) -> list[Effect]:
        self._again.pop(key, None)
        if key in self.bindings and key not in self.up:
            self.up.add(key)
            self._is_stale = True
        return [Log("associated", self._name(key), f"on link {link}")]

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
        wishes = {key: self._wish(key) for key in keys if key not in known}
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
        wish = self._compile()
        if wish == WriteHost(self.tables, self.channels):
            return self._confirm(now)
        self._writing, self._writes_since = wish, now
        return [wish]

    def _confirm(self, now: float) -> list[Effect]:
        """What the tables were made from is done: bridges may rely on it."""
        effects: list[Effect] = []
        for link, end in self.ends.items():
            effects += self._take(link, end.mirror.confirm(self._heard[link], now), now)
        return effects

    def _compile(self) -> WriteHost:
        tables = ExtenderTables()
        channels: dict[int, int] = {}
        bound = {one.host_port: one for key, one in self.bindings.items() if key in self.up}
        for uplink in self.host.uplinks:
            link, told = uplink.host_link, self._links.get(uplink.host_link, BridgeTold())
            tables.links[link] = uplink.kind
            if link in self.foreign:
                tables.lists |= vepa_lists(one for one in bound.values() if one.uplink == uplink)
            elif not told.is_known:
                tables.lists |= {key: one for key, one in self.tables.lists.items() if key[0] == link}
            else:
                tables.lists |= {(link, list_id): members for list_id, members in told.lists().items()}
            for function in self.host.functions:
                port = port_number(link, function.channel)
                channel = function.channel if link in self.foreign else self._channel_of(link, function.channel)
                if channel is None and not told.is_known and port in self.tables.functions:
                    channel = self._channel_now(function.channel)
                if channel is not None and (channel == function.channel or self.host.remote):
                    tables.functions[port] = function_of(bound.get(port), tables.lists)
                    if self.host.remote:
                        channels[function.channel] = channel
        tables.owners = owners_of(bound.values())
        return WriteHost(tables, channels)

    def _channel_now(self, number: int) -> int:
        """What a function that is there is in."""
        return self.channels.get(number, number)

    def _channel_of(self, link: int, number: int) -> int | None:
        """The channel of a function's vEth, if what the bridge says by CDCP and by channel control is the same."""
        told, cdcp = self._links[link].channel_of(number), self.ends[link].cdcp
        if not isinstance(cdcp, CdcpStation) or number not in cdcp.asked:
            return told
        return told if told == cdcp.given.get(number) else None


def _vsi_of(key: Vsiid, binding: Binding) -> Vsi:
    """What is asked for a NIC: its profile's type, its MAC, and a VLAN that the bridge chooses.

    Another's bridge knows none of our profiles: each VLAN is said.
    """
    type_, vlans = vsi_type_of(binding.profile.name), sorted(binding.profile.vlans) if binding.uplink.foreign else [0]
    return Vsi(key, MANAGER, type_.number, type_.version, tuple(Filter(vlan, binding.mac) for vlan in vlans))
