# SPDX-License-Identifier: Apache-2.0
"""How much of what agents say is written: a peer can make them say more than anybody reads."""

from __future__ import annotations

from dataclasses import dataclass

from openfex.model.wording import many
from openfex.protocol.output import Log

LINES_A_SECOND, MOST_LINES = 20.0, 500.0
"""Of the log: what a peer can make an agent say, and how much of that at once."""


@dataclass
class Patience:
    """Lets so many lines pass, counts those that it does not, and says how many."""

    lines: float = MOST_LINES
    at: float = 0.0
    held_back: int = 0

    def passing(self, log: Log, now: float) -> tuple[Log, ...]:
        """What is written at this time of a line: nothing, or it, behind a line of how many were not."""
        if not self._lets_pass(now):
            return ()
        missing, self.held_back = self.held_back, 0
        return (Log("held-back", "log", f"{many(missing, 'line')} not written"), log) if missing else (log,)

    def _lets_pass(self, now: float) -> bool:
        self.lines = min(MOST_LINES, self.lines + (now - self.at) * LINES_A_SECOND)
        self.at = now
        if self.lines < 1:
            self.held_back += 1
            return False
        self.lines -= 1
        return True
