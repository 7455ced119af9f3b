# SPDX-License-Identifier: Apache-2.0
"""What a bridge has told a host in channel control. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from openfex.errors import WireError
from openfex.rules.tables import Members
from openfex.wire.control import Key, Kind, ListRow, Reason, VethEntry, numbers_of

ROW_BITS = 64
_NO_VETH = VethEntry(0, reason=Reason.NO_ASSOCIATION)


@dataclass
class BridgeTold:
    """What the bridge at an uplink has told; until it has told all, what the programs have counts."""

    is_known: bool = False
    veths: dict[int, VethEntry] = field(default_factory=dict)
    """By function, where it has a vEth."""
    rows: dict[tuple[int, int], ListRow] = field(default_factory=dict)
    malformed: int = 0

    def hear(self, key: Key, value: bytes | None) -> str:
        """Take an entry of its table; what is news of a vEth in words, if that is not that it has come up.

        An entry that cannot be is as if it were not there, and counted.
        """
        number = numbers_of(key)[0]
        before = self.veths.get(number, _NO_VETH)
        self._write(key, value)
        after = self.veths.get(number, _NO_VETH)
        is_usual = after.up and before.reason in {Reason.NONE, Reason.NO_ASSOCIATION}
        return "" if is_usual or str(after) == str(before) else str(after)

    def _write(self, key: Key, value: bytes | None) -> None:
        numbers = numbers_of(key)
        try:
            if key.kind is Kind.VETH:
                self.veths.pop(numbers[0], None)
                if value is not None and (veth := VethEntry.decode(value)).channel:
                    self.veths[numbers[0]] = veth
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

    def channel_of(self, function: int) -> int | None:
        """The channel of a function's vEth; None if it has none."""
        return self.veths[function].channel if function in self.veths else None


def _channels(bits: int, row: int) -> set[int]:
    return {row * ROW_BITS + bit for bit in range(ROW_BITS) if bits >> bit & 1}
