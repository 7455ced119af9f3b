# SPDX-License-Identifier: Apache-2.0
"""How much of what agents say is written: a peer can make them say more than anybody reads."""

from __future__ import annotations

from dataclasses import dataclass

LINES_A_SECOND, MOST_LINES = 20.0, 500.0
"""Of the log: what a peer can make an agent say, and how much of that at once."""


@dataclass
class Patience:
    """Lets so many lines pass, and counts those that it does not."""

    lines: float = MOST_LINES
    at: float = 0.0
    held_back: int = 0

    def lets_pass(self, now: float) -> bool:
        """Whether a line at this time is written."""
        self.lines = min(MOST_LINES, self.lines + (now - self.at) * LINES_A_SECOND)
        self.at = now
        if self.lines < 1:
            self.held_back += 1
            return False
        self.lines -= 1
        return True
