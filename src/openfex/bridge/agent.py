# SPDX-License-Identifier: Apache-2.0
"""The bridge's agent, without I/O: what stations say becomes tables, and what is in the tables is said to them.

Tables change in steps, so that no copy of a flood is lost: hosts are told of new lists and say that they have them;
then the bridge's tables are written; then stations get their answers, and old lists go. What comes meanwhile waits for
the next change, so many requests are one. A host that does not answer is not waited for for ever (`PATIENCE_S`).

What the agent knows is octets as stations said them (`memory`), so another one can take up from there (P5): each
association then has one whole keep-alive time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from openfex.bridge.judge import Granted, Refusal, judge
from openfex.bridge.register import Station, lay_out
from openfex.bridge.vsi_manager import VsiManager
from openfex.model.layout import Bridge, Layout
from openfex.model.values import port_number
from openfex.protocol.mirror import Applied, Synced, Told
from openfex.protocol.output import Log, Send, Transmit, earliest
from openfex.protocol.uplink import Uplink, log_of
from openfex.protocol.vdp import Deassociated, Vsi
from openfex.protocol.vdp_bridge import Accept, Asked, Expired
from openfex.protocol.vdp_bridge import Bridge as VdpBridge
from openfex.rules.compiler import compile_bridge, compile_extender
from openfex.rules.tables import BridgeTables, Members
from openfex.wire.control import Key, Kind, ListRow, Mark, VethEntry, function_key, list_key
from openfex.wire.vdp import Command, Vdpdu
from openfex.wire.vsi import Vsiid

PATIENCE_S = 1.0
"""How long hosts may take to have the lists that a change needs."""
ROW_BITS = 64


@dataclass(frozen=True, slots=True)
class StationMemory:
    """What is known of a station, as octets: entries of its table, of ours, and a VDPDU for each VSI that it holds."""

    told: Mapping[Key, bytes]
    said: Mapping[Key, bytes]
    held: tuple[bytes, ...]


Memory = Mapping[int, StationMemory]
"""By link."""


@dataclass(frozen=True, slots=True)
class WriteBridge:
    """Keep `memory` for the next agent, make the bridge's tables be these, then call `written`."""

    tables: BridgeTables
    memory: Memory


Effect = Send | Log | WriteBridge


@dataclass
class _Change:
    """From the tables that are to those that will be. `waits`: by link, the change of our table it must have done."""

    tables: BridgeTables
    memory: Memory
    entries: dict[int, dict[Key, bytes]]
    """What each station's table is afterwards."""
    answers: list[tuple[int, Asked, Accept]]
    heard: dict[int, Mark | None]
    """Up to where stations had told what it is made of."""
    until: float
    waits: dict[int, int] = field(default_factory=dict)
    is_writing: bool = False


class BridgeAgent:
    """One bridge. `ends` are its ends of uplinks, by link; `tables` what its programs have now."""

    def __init__(
        self,
        bridge: Bridge,
        manager: VsiManager,
        ends: Mapping[int, Uplink[VdpBridge]],
        tables: BridgeTables | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.bridge, self.manager, self.ends = bridge, manager, ends
        self.tables = tables or BridgeTables()
        self.stations = {link: Station(link) for link in ends}
        self._asked: dict[tuple[int, Vsiid], Asked] = {}
        self._change: _Change | None = None
        self._is_stale = True
        self.memory: Memory = memory or {}
        """What another agent can take up from."""

    @property
    def deadline(self) -> float | None:
        """When it wants to be called."""
        change = self._change
        patience = change.until if change and not change.is_writing else None
        return earliest((patience, *(end.deadline for end in self.ends.values())))

    def _memory(
        self, answers: Iterable[tuple[int, Asked, Accept]], entries: Mapping[int, Mapping[Key, bytes]]
    ) -> Memory:
        """What another agent needs to take up from here, once these answers are given and these entries told."""
        held = {link: {vsi.vsiid: (vsi, mode) for vsi, mode in end.vdp.holdings} for link, end in self.ends.items()}
        for link, asked, verdict in answers:
            held[link][asked.key] = (replace(asked.vsi, filters=verdict.filters), asked.mode)
        return {
            link: StationMemory(
                dict(station.told),
                entries.get(link, {}),
                tuple(Vdpdu(vsi.manager, (vsi.request(mode),)).encode() for vsi, mode in held[link].values()),
            )
            for link, station in self.stations.items()
        }

    def start(self, now: float) -> list[Effect]:
        """Take up what is remembered, and speak."""
        effects: list[Effect] = []
        for link, one in self.memory.items():
            if link in self.ends:
                self._remember(link, one, now)
        for link, end in self.ends.items():
            effects += self._take(link, [*end.start(now), *(end.open_mirror(now) if end.mirror.table else [])])
        return [*effects, *self._settle(now)]

    def receive(self, link: int, octets: bytes, now: float) -> list[Effect]:
        """Take a frame of an uplink's own untagged channel."""
        return [*self._take(link, self.ends[link].receive(octets, now)), *self._settle(now)]

    def expire(self, now: float) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        for link, end in self.ends.items():
            if end.deadline is not None and end.deadline <= now:
                effects += self._take(link, end.expire(now))
        return [*effects, *self._settle(now)]

    def written(self, now: float) -> list[Effect]:
        """The tables are what `WriteBridge` asked for: say so to everybody whom it concerns."""
        change, self._change = self._change, None
        if change is None:
            return []
        self.tables, self.memory = change.tables, change.memory
        effects: list[Effect] = []
        for link, asked, verdict in change.answers:
            outputs = self.ends[link].vdp.answer(asked, verdict, now)
            effects += self._take(link, outputs)
            words = f"on link {link}, profile {self._profile_of(link, asked)}"
            effects.append(Log(asked.mode.name.lower().replace("_", "-"), str(asked.key), words))
        return [*effects, *self._tell(change.entries, change.heard, now), *self._settle(now)]

    def _tell(
        self, entries: Mapping[int, Mapping[Key, bytes]], heard: Mapping[int, Mark | None], now: float
    ) -> list[Effect]:
        """Have each station's table be this, and say that what it had told is done."""
        effects: list[Effect] = []
        for link, table in entries.items():
            end = self.ends[link]
            told, confirmed = end.mirror.change_all(table, now)[1], end.mirror.confirm(heard[link], now)
            effects += self._take(link, [*told, *confirmed, *end.open_mirror(now)])
        return effects

    def _profile_of(self, link: int, asked: Asked) -> str:
        held = self.stations[link].held.get(asked.key)
        return held.profile.name if held else "none"

    def _remember(self, link: int, memory: StationMemory, now: float) -> None:
        station, end = self.stations[link], self.ends[link]
        for key, value in memory.told.items():
            station.hear(key, value)
        end.mirror.change_all(memory.said, now)
        for octets in memory.held:
            pdu = Vdpdu.decode(octets)
            for tlv in pdu.vsis:
                self._take_up(station, end, Vsi.of(pdu.manager, tlv), tlv.command, now)

    def _take_up(self, station: Station, end: Uplink[VdpBridge], vsi: Vsi, mode: Command, now: float) -> None:
        """Hold a VSI as before, by what its profile is now: that may be in another VLAN."""
        wish = replace(vsi, filters=tuple(replace(one, vid=0) for one in vsi.filters))
        found = judge(Asked(vsi.vsiid, 0, mode, wish, None), station, (), self.manager)
        if isinstance(found, Granted):
            station.held[vsi.vsiid] = found.held
            end.vdp.adopt(replace(vsi, filters=found.verdict.filters), mode, now)

    def _take(self, link: int, outputs: Iterable[object]) -> list[Effect]:
        effects: list[Effect] = []
        for output in outputs:
            effects += self._hear(link, output)
        return effects

    def _hear(self, link: int, output: object) -> list[Effect]:
        station = self.stations[link]
        match output:
            case Transmit(octets):
                return [Send(link, octets)]
            case Told(key, value):
                station.hear(key, value)
                self._is_stale = True
            case Synced():
                self._forget_untold(link)
            case Asked(key):
                self._asked[link, key] = output
            case Deassociated(key) | Expired(key):
                return self._end(link, key, is_expired=isinstance(output, Expired))
            case Applied(change):
                self._applied(link, change)
            case _:
                return [*log_of(link, output)]
        return []

    def _forget_untold(self, link: int) -> None:
        """What a complete table does not have is no more: it may be from before this agent."""
        station, copy = self.stations[link], self.ends[link].mirror.copy
        for key in [key for key in station.told if key not in copy]:
            station.hear(key, None)
        self._is_stale = True

    def _end(self, link: int, key: Vsiid, is_expired: bool) -> list[Effect]:
        self._asked.pop((link, key), None)
        if self.stations[link].held.pop(key, None) is None:
            return []
        self._is_stale = True
        event, words = ("expired", "was silent") if is_expired else ("de-associated", "left")
        return [Log(event, str(key), f"on link {link}: its station {words}")]

    def _applied(self, link: int, change: int) -> None:
        if self._change and change >= self._change.waits.get(link, 0):
            self._change.waits.pop(link, None)

    def _settle(self, now: float) -> list[Effect]:
        """Go on with the change that is under way, or begin one."""
        effects: list[Effect] = []
        if self._change is None:
            effects = self._release(now)
            answers, more = self._judge_all(now)
            effects += more
            if answers or self._is_stale:
                effects += self._begin(answers, now)
        change = self._change
        if change and not change.is_writing and (not change.waits or now >= change.until):
            late = sorted(change.waits)
            effects += [Log("host-late", f"link {link}", "has not said that it has its lists") for link in late]
            change.is_writing = True
            effects.append(WriteBridge(change.tables, change.memory))
        return effects

    def _judge_all(self, now: float) -> tuple[list[tuple[int, Asked, Accept]], list[Effect]]:
        answers: list[tuple[int, Asked, Accept]] = []
        effects: list[Effect] = []
        for (link, key), asked in [*self._asked.items()]:
            others = [one for at, one in self.stations.items() if at != link]
            found = judge(asked, self.stations[link], others, self.manager)
            if found is None:
                continue
            del self._asked[link, key]
            if isinstance(found, Refusal):
                effects.append(Log("refused", str(key), f"on link {link}: {found.words}", found.code))
                effects += self._take(link, self.ends[link].vdp.answer(asked, found.verdict, now))
                continue
            effects += self._withdraw_elsewhere(link, key, now)
            self.stations[link].held[key] = found.held
            answers.append((link, asked, found.verdict))
        return answers, effects

    def _release(self, now: float) -> list[Effect]:
        """A VSI that its host has taken off its function is let go; until the host has told all, it may yet say so."""
        effects: list[Effect] = []
        for link, station in self.stations.items():
            end = self.ends[link]
            if self._is_stale and end.mirror.is_synced:
                for key in [key for key in station.held if station.function_of(key) is None]:
                    effects += self._take(link, end.vdp.de_associate(key, now))
        return effects

    def _withdraw_elsewhere(self, link: int, key: Vsiid, now: float) -> list[Effect]:
        """A VSI that has moved here is nobody else's any more (P7)."""
        effects: list[Effect] = []
        for at, station in self.stations.items():
            if at != link and key in station.held:
                effects += self._take(at, self.ends[at].vdp.de_associate(key, now))
        return effects

    def _begin(self, answers: list[tuple[int, Asked, Accept]], now: float) -> list[Effect]:
        self._is_stale = False
        heard = {link: end.mirror.heard for link, end in self.ends.items()}
        layout = lay_out(self.bridge, self.stations.values())
        tables = compile_bridge(layout, self.bridge.name, self.tables)
        entries = {link: self._entries(layout, tables, link) for link in self.ends if self.stations[link].kind}
        memory = self._memory(answers, entries)
        if not answers and _is_same(tables, self.tables) and memory == self.memory:
            return self._tell(entries, heard, now)
        self._change = _Change(tables, memory, entries, answers, heard, now + PATIENCE_S)
        effects: list[Effect] = []
        for link, table in entries.items():
            effects += self._tell_lists(link, table, now)
        return effects

    def _tell_lists(self, link: int, table: Mapping[Key, bytes], now: float) -> list[Effect]:
        """Have a host know its new lists before anything is sent to them; its old ones it keeps until then."""
        mirror = self.ends[link].mirror
        lists = {key: value for key, value in table.items() if key.kind is Kind.LIST}
        fresh = {key: value for key, value in lists.items() if mirror.table.get(key) != value}
        if not fresh or not self.ends[link].is_complete:
            return []  # nobody who could get what is sent to them
        assert self._change is not None
        number, outputs = mirror.change_all({**mirror.table, **fresh}, now)
        self._change.waits[link] = number
        return self._take(link, outputs)

    def _entries(self, layout: Layout, tables: BridgeTables, link: int) -> dict[Key, bytes]:
        """What a station is told: its vEths, and the lists of its uplink."""
        host = layout.host(f"link{link}")
        entries: dict[Key, bytes] = {}
        for function in host.functions:
            port = tables.ports.get(port_number(link, function.channel))
            entry = VethEntry(function.channel, port is not None and port.up)
            entries[function_key(function.channel, Kind.VETH)] = entry.encode()
        lists = compile_extender(layout, host, {self.bridge.name: tables}).lists
        for (_, list_id), members in lists.items():
            entries |= _list_rows(list_id, members)
        return entries


def _is_same(one: BridgeTables, other: BridgeTables) -> bool:
    """Whether two tables say the same, but for what the programs have learnt."""
    names = ("links", "profiles", "ports", "veths", "floods", "ageing_ns")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _list_rows(list_id: int, members: Members) -> dict[Key, bytes]:
    """A list as entries; one without members has one row of nobody, so that it is known."""
    rows: dict[int, list[int]] = {}
    for which, channels in enumerate((members.tagged, members.untagged)):
        for channel in channels:
            rows.setdefault(channel // ROW_BITS, [0, 0])[which] |= 1 << channel % ROW_BITS
    return {list_key(list_id, row): ListRow(*bits).encode() for row, bits in (rows or {0: [0, 0]}).items()}
