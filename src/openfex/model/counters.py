# SPDX-License-Identifier: Apache-2.0
"""What is counted: frames and octets a port, and totals a node. Octets are without the channel's tag."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PortCounters:
    """Frames and octets that came in by a port, and that left by it."""

    in_frames: int = 0
    in_octets: int = 0
    out_frames: int = 0
    out_octets: int = 0

    def __add__(self, other: PortCounters) -> PortCounters:
        return PortCounters(
            self.in_frames + other.in_frames,
            self.in_octets + other.in_octets,
            self.out_frames + other.out_frames,
            self.out_octets + other.out_octets,
        )


@dataclass(slots=True)
class Totals:
    """Counts of a node as a whole; `replicated` are copies beyond the first of each frame."""

    replicated: int = 0
    learnt: int = 0
    moved: int = 0
    aged: int = 0
    not_learnt: int = 0
