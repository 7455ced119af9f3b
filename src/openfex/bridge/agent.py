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
from dataclasses import replace

from openfex.bridge.change import Change, Dropped, Effect, Grant, Memory, StationMemory, WriteBridge, stations_with
from openfex.bridge.judge import Owners, Refusal, check_ways, find_split_off, judge, take_up
from openfex.bridge.memory import memory_of
from openfex.bridge.register import Station, lay_out
from openfex.bridge.told import channels_of, entries_of, is_same, reasons_of
from openfex.bridge.vsi_manager import VsiManager
from openfex.errors import RefusedError
from openfex.model.layout import Bridge
from openfex.protocol.cdcp import ChannelGiven, ChannelWithdrawn
from openfex.protocol.mirror import Applied, Synced, Told
from openfex.protocol.output import Log, Send, Transmit, earliest
from openfex.protocol.uplink import Uplink, log_of
from openfex.protocol.vdp import Associated, Deassociated, Vsi
from openfex.protocol.vdp_bridge import Asked, Expired, Reject
from openfex.protocol.vdp_bridge import Bridge as VdpBridge
from openfex.rules.compiler import compile_bridge
from openfex.rules.tables import BridgeTables
from openfex.wire.control import Key, Kind, Mark, Reason, function_key, numbers_of
from openfex.wire.vdp import Command, ErrorCode, Vdpdu
from openfex.wire.vsi import Vsiid

PATIENCE_S = 2.0
"""How long hosts may take to have the lists that a change needs: longer than to be told once more."""
WRITE_AGAIN_S = 1.0
REST, LONGEST_REST_S = 2.0, 0.5
"""Behind a change, so many times what writing it took: what comes meanwhile is one change, however many ask."""


class BridgeAgent:
    """One bridge. `ends` are its ends of uplinks, by link; `tables` what its programs have now.

    `plain`: the names of VEPA hosts that are others' stations, by link. They have no channel control: what they ask for
    by VDP is all that they say, so a vEth is there from then on and as long as its VSI is.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- what it is, and what was before it
        self,
        bridge: Bridge,
        manager: VsiManager,
        ends: Mapping[int, Uplink[VdpBridge]],
        tables: BridgeTables | None = None,
        memory: Memory | None = None,
        plain: Mapping[int, str] | None = None,
    ) -> None:
        self.bridge, self.manager, self.ends = bridge, manager, ends
        self.tables = tables or BridgeTables()
        self.stations = {
            link: Station(link, cdcp=end.giver, plain=(plain or {}).get(link, "")) for link, end in ends.items()
        }
        self._asked: dict[tuple[int, Vsiid], Asked] = {}
        self._early: dict[tuple[int, Vsiid], Asked] = {}
        """What was asked before its station has said which function it is about."""
        self._dropped: dict[int, Dropped] = {}
        """Lists that a host was told to drop, and has not said that it did."""
        self._change: Change | None = None
        self._writes_since = 0.0
        self._rests_until: float | None = None
        self._is_stale = True
        self.memory: Memory = memory or {}
        """What another agent can take up from."""

    def stand_in(self, stations: Iterable[Station]) -> None:
        """Know stations at further uplinks, where nobody signals: they hold what they hold."""
        self.stations |= {one.link: replace(one, is_fixed=True) for one in stations}

    @property
    def deadline(self) -> float | None:
        """When it wants to be called."""
        change = self._change
        patience = change.next_at if change else self._rests_until
        return earliest((patience, *(end.deadline for end in self.ends.values())))

    def start(self, now: float) -> list[Effect]:
        """Take up what is remembered, and speak."""
        effects: list[Effect] = []
        owners = Owners(self.stations.values())
        for link, one in self.memory.items():
            if link in self.ends:
                self._remember(link, one, owners, now)
        for link, key in find_split_off(lay_out(self.bridge, self.stations.values())):
            effects += self._withdraw(link, key, now) if link in self.ends else []
        for link, end in self.ends.items():
            effects += self._take(link, [*end.start(now), *(end.open_mirror(now) if end.mirror.table else [])])
        return [*effects, *self._settle(now)]

    def receive(self, link: int, octets: bytes, now: float) -> list[Effect]:
        """Take a frame of an uplink's own untagged channel."""
        self.stations[link].is_silent = False
        return [*self._take(link, self.ends[link].receive(octets, now)), *self._settle(now)]

    def wake(self, link: int, now: float) -> list[Effect]:
        """An uplink's device is there again: speak."""
        return self._take(link, self.ends[link].start(now))

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
        self._rests_until = now + min(REST * (now - self._writes_since), LONGEST_REST_S)
        effects: list[Effect] = []
        for one in change.grants:
            effects += self._answer(one, now)
        return [*effects, *self._tell(change.entries, change.heard, now), *self._settle(now)]

    def _tell(
        self, entries: Mapping[int, Mapping[Key, bytes]], heard: Mapping[int, Mark | None], now: float
    ) -> list[Effect]:
        """Have each station's table be this, and say that what it had told is done."""
        effects: list[Effect] = []
        for link, table in entries.items():
            end = self.ends[link]
            gone = {key: row for key, row in end.mirror.table.items() if key.kind is Kind.LIST and key not in table}
            number, told = end.mirror.change_all(table, now)
            if gone:
                older = self._dropped[link].rows if link in self._dropped else {}
                self._dropped[link] = Dropped({**older, **gone}, number)
            effects += self._take(link, [*told, *end.mirror.confirm(heard[link], now), *end.open_mirror(now)])
        return effects

    def _known_lists(self) -> set[int]:
        """The ids of lists that hosts may have, whether they should or not."""
        told = [key for end in self.ends.values() for key in end.mirror.table if key.kind is Kind.LIST]
        return {numbers_of(key)[0] for key in [*told, *(key for one in self._dropped.values() for key in one.rows)]}

    def _confirm(self, now: float) -> list[Effect]:
        """All that stations have told is done: it is what it was."""
        effects: list[Effect] = []
        for link, end in self.ends.items():
            effects += self._take(link, end.mirror.confirm(end.mirror.heard, now))
        return effects

    def failed(self, now: float) -> list[Effect]:
        """The tables could not be written: they are tried again."""
        if self._change and self._change.is_writing:
            self._change.is_writing, self._change.waits = False, {}
            self._change.not_before = now + WRITE_AGAIN_S
        return []

    def _answer(self, one: Grant, now: float) -> list[Effect]:
        """Say yes. A station that has asked for something else meanwhile gets nothing by that."""
        outputs = self.ends[one.link].vdp.answer(one.asked, one.granted.verdict, now)
        effects = self._take(one.link, outputs)
        if not any(isinstance(output, Associated) for output in outputs):
            self._is_stale = True
            return effects
        self.stations[one.link].grant(one.asked.key, one.granted.held)
        words = f"on link {one.link}, profile {one.granted.held.profile.name}"
        return [*effects, Log(one.asked.mode.name.lower().replace("_", "-"), str(one.asked.key), words)]

    def _remember(self, link: int, memory: StationMemory, owners: Owners, now: float) -> None:
        station, end = self.stations[link], self.ends[link]
        station.recall(memory.told, reasons_of(memory.said))
        end.mirror.change_all(memory.said, now)
        if station.cdcp:
            station.cdcp.adopt(channels_of(memory.said))
        for octets in memory.held:
            pdu = Vdpdu.decode(octets)
            for tlv in pdu.vsis:
                self._take_up(link, Vsi.of(pdu.manager, tlv), tlv.command, owners, now)
        for vsi in [*station.bound] if station.plain else ():
            station.dismiss(vsi)

    def _take_up(self, link: int, vsi: Vsi, mode: Command, owners: Owners, now: float) -> None:
        station = self.stations[link]
        others = [one for one in self.stations.values() if one is not station]
        if found := take_up(Asked(vsi.vsiid, 0, mode, vsi, None), station, others, self.manager, owners):
            self.ends[link].vdp.adopt(replace(vsi, filters=found.verdict.filters), mode, now)

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
                if station.told.get(key) != value:
                    station.hear(key, value)
                    self._is_stale = self._is_stale or self.ends[link].mirror.is_synced  # else when it has told all
                    self._look_again(link, key)
            case Synced():
                self._forget_untold(link)
            case Asked(key):
                self._early.pop((link, key), None)
                self._asked[link, key] = output
            case Deassociated(key) | Expired(key):
                return self._end(link, key, is_expired=isinstance(output, Expired))
            case ChannelGiven() | ChannelWithdrawn():
                self._is_stale = True
                return [*log_of(link, output)]
            case Applied(change):
                self._applied(link, change)
            case _:
                return [*log_of(link, output)]
        return []

    def _look_again(self, link: int, told: Key) -> None:
        """A station has said something: what it asked too early may be about that."""
        if told.kind is Kind.FUNCTION:
            entry = self.stations[link].functions.get(numbers_of(told)[0])
            early = [(link, Vsiid.uuid(entry.vsi))] if entry and entry.vsi else []
        else:
            early = [one for one in self._early if one[0] == link] if told.kind is Kind.HOST else []
        self._asked |= {one: self._early.pop(one) for one in early if one in self._early}

    def _forget_untold(self, link: int) -> None:
        """What a complete table does not have is no more: it may be from before this agent."""
        station, copy = self.stations[link], self.ends[link].mirror.copy
        for key in [key for key in station.told if key not in copy]:
            station.hear(key, None)
        self._is_stale = True

    def _end(self, link: int, key: Vsiid, is_expired: bool) -> list[Effect]:
        self._asked.pop((link, key), None)
        self._early.pop((link, key), None)
        was_held = self.stations[link].let_go(key, is_expired=is_expired)
        self._dismiss(link, key)
        if not was_held:
            return []
        self._is_stale = True
        event, words = ("expired", "was silent") if is_expired else ("de-associated", "left")
        return [Log(event, str(key), f"on link {link}: its station {words}")]

    def _is_plain(self, link: int) -> bool:
        """Whether another's station is there, and no agent of ours."""
        return bool(self.stations[link].plain) and not self.ends[link].is_mirrored

    def _dismiss(self, link: int, key: Vsiid) -> None:
        """Forget the number that we have given to another's VSI, if it is not held."""
        station = self.stations[link]
        if station.plain and function_key(station.bound.get(key, 0)) not in self.ends[link].mirror.copy:
            station.dismiss(key)
            self._is_stale = True

    def _applied(self, link: int, change: int) -> None:
        if link in self._dropped and change >= self._dropped[link].change:
            del self._dropped[link]
        if self._change and change >= self._change.waits.get(link, 0):
            self._change.waits.pop(link, None)

    def _settle(self, now: float) -> list[Effect]:
        """Go on with the change that is under way, or begin one."""
        effects: list[Effect] = []
        if self._rests_until is not None and now >= self._rests_until:
            self._rests_until = None
        if self._change is None and self._rests_until is None:
            effects = self._release(now)
            grants, more = self._judge_all(now)
            effects += more
            effects += self._begin(grants, now) if grants or self._is_stale else self._confirm(now)
        change = self._change
        if change and change.next_at is not None and now >= change.next_at:
            late = sorted(change.waits)
            effects += [Log("host-late", f"link {link}", "has not said that it has its lists") for link in late]
            change.is_writing, self._writes_since = True, now
            effects.append(WriteBridge(change.tables, change.memory))
        return effects

    def _judge_all(self, now: float) -> tuple[list[Grant], list[Effect]]:
        """Judge what is asked: what is granted takes effect with the next change, one VSI once."""
        if not self._asked:
            return [], []
        grants: dict[Vsiid, Grant] = {}
        effects: list[Effect] = []
        stations = stations_with(self.stations, ())
        owners = Owners(stations.values())
        for (link, key), asked in [*self._asked.items()]:
            if not self.ends[link].vdp.is_asking(asked):
                del self._asked[link, key]  # the machine has answered for us, or was asked for something else
                self._dismiss(link, key)
                continue
            if self._is_plain(link):
                self.stations[link].admit(key)
            others = [one for at, one in stations.items() if at != link]
            if key in grants:
                continue
            del self._asked[link, key]
            found = judge(asked, stations[link], others, self.manager, owners)
            if found is None:
                self._early[link, key] = asked
                continue
            if isinstance(found, Refusal):
                effects += self._refuse(link, asked, found, now)
                continue
            if asked.mode is Command.ASSOCIATE:
                effects += self._withdraw_elsewhere(link, key, now)
            owners.give(stations[link], key, found.held)
            grants[key] = Grant(link, asked, found)
        return [*grants.values()], effects

    def _refuse(self, link: int, asked: Asked, refusal: Refusal, now: float) -> list[Effect]:
        log = Log("refused", str(asked.key), f"on link {link}: {refusal.words}", refusal.code)
        self._dismiss(link, asked.key)
        effects = [log, *self._take(link, self.ends[link].vdp.answer(asked, refusal.verdict, now))]
        self._is_stale |= self.stations[link].explain(asked.key, Reason.REFUSED)
        return effects

    def _release(self, now: float) -> list[Effect]:
        """A VSI that its host has taken off its function is let go; until the host has told all, it may yet say so."""
        effects: list[Effect] = []
        for link, end in self.ends.items():
            station = self.stations[link]
            if self._is_stale and end.mirror.is_synced:
                for key in [key for key in station.held if station.function_of(key) is None]:
                    effects += self._withdraw(link, key, now)
        return effects

    def _withdraw(self, link: int, key: Vsiid, now: float) -> list[Effect]:
        outputs = self.ends[link].vdp.de_associate(key, now)
        return [*self._take(link, outputs), *self._end(link, key, is_expired=False)]

    def _withdraw_elsewhere(self, link: int, key: Vsiid, now: float) -> list[Effect]:
        """A VSI that has moved here is nobody else's any more (P7)."""
        effects: list[Effect] = []
        for at, station in self.stations.items():
            if at != link and at in self.ends and key in station.held:
                effects += self._take(at, self.ends[at].vdp.de_associate(key, now))
                station.explain(key, Reason.WITHDRAWN)
        return effects

    def _begin(self, grants: list[Grant], now: float) -> list[Effect]:
        self._is_stale = False
        heard = {link: end.mirror.heard for link, end in self.ends.items()}
        try:
            layout = lay_out(self.bridge, stations_with(self.stations, grants).values())
            check_ways(layout, [one.asked.key for one in grants])
            tables = compile_bridge(layout, self.bridge.name, self.tables, self._known_lists())
        except RefusedError as error:
            return self._do_without(grants, error, now)
        speaking = {link: one for link, one in self.stations.items() if link in self.ends and one.kind}
        entries = {link: entries_of(layout, tables, one) for link, one in speaking.items()}
        said = {link: {**one.rows, **entries.get(link, {})} for link, one in self._dropped.items()}
        memory = memory_of(self.stations, self.ends, grants, {**entries, **said})
        if is_same(tables, self.tables):
            tables = self.tables
        if not grants and tables is self.tables and memory == self.memory:
            return self._tell(entries, heard, now)
        self._change = Change(tables, memory, entries, grants, heard, now + PATIENCE_S)
        effects: list[Effect] = []
        for link, table in entries.items():
            effects += self._tell_lists(link, table, now)
        return effects

    def _do_without(self, grants: list[Grant], error: RefusedError, now: float) -> list[Effect]:
        """There is no room for all of them: one is tried alone, and refused if it is that one. Others wait."""
        if not grants:
            return [Log("failed", self.bridge.name, str(error), error.code)]
        if len(grants) > 1:
            self._asked |= {(one.link, one.asked.key): one.asked for one in grants[1:]}
            return self._begin(grants[:1], now)
        refusal = Refusal(Reject(ErrorCode.INSUFFICIENT_RESOURCES, keep=True), error.code, error.message)
        self._is_stale = True
        return self._refuse(grants[0].link, grants[0].asked, refusal, now)

    def _tell_lists(self, link: int, table: Mapping[Key, bytes], now: float) -> list[Effect]:
        """Have a host know its new lists before anything is sent to them; its old ones it keeps until then."""
        mirror = self.ends[link].mirror
        lists = {key: value for key, value in table.items() if key.kind is Kind.LIST}
        fresh = {key: value for key, value in lists.items() if mirror.table.get(key) != value}
        if not fresh or not self.ends[link].is_complete or self._is_plain(link):
            return []  # nobody who could get what is sent to them
        assert self._change is not None
        number, outputs = mirror.change_all({**mirror.table, **fresh}, now)
        if not self.stations[link].is_silent:
            self._change.waits[link] = number
        return self._take(link, outputs)
