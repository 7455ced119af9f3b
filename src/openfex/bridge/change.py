# SPDX-License-Identifier: Apache-2.0
"""What a bridge's agent wishes and remembers, and a change of its tables that is under way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from openfex.bridge.judge import Granted
from openfex.bridge.register import Station
from openfex.protocol.output import Log, Send
from openfex.protocol.vdp_bridge import Asked
from openfex.rules.tables import BridgeTables
from openfex.wire.control import Key, Mark


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
    """Keep `memory` for the next agent, make the bridge's tables be these, then call `written`.

    Where only the memory is another one, `tables` are those that the agent has already, the same object.
    """

    tables: BridgeTables
    memory: Memory


Effect = Send | Log | WriteBridge


@dataclass(frozen=True, slots=True)
class Grant:
    """What a station will have once the tables are written and VDP has told it so."""

    link: int
    asked: Asked
    granted: Granted


@dataclass(frozen=True, slots=True)
class Dropped:
    """Rows of lists that a host has until it has done this change of our table."""

    rows: Mapping[Key, bytes]
    change: int


@dataclass
class Change:
    """From the tables that are to those that will be. `waits`: by link, the change of our table it must have done."""

    tables: BridgeTables
    memory: Memory
    entries: dict[int, dict[Key, bytes]]
    """What each station's table is afterwards."""
    grants: list[Grant]
    heard: dict[int, Mark | None]
    """Up to where stations had told what it is made of."""
    until: float
    waits: dict[int, int] = field(default_factory=dict)
    is_writing: bool = False
    not_before: float = 0.0

    @property
    def next_at(self) -> float | None:
        """When it goes on by itself; None while it is being written."""
        if self.is_writing:
            return None
        return self.until if self.waits else self.not_before


def stations_with(stations: Mapping[int, Station], grants: Iterable[Grant]) -> dict[int, Station]:
    """The stations as they are once these are answered."""
    held = {link: dict(one.held) for link, one in stations.items()}
    for one in grants:
        held[one.link][one.asked.key] = one.granted.held
    return {link: replace(one, held=held[link]) for link, one in stations.items()}
