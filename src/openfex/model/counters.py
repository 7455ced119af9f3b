# SPDX-License-Identifier: Apache-2.0
"""What is counted: frames and octets a port, and totals a node. Octets are without the channel's tag."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from openfex.model.values import BROADCAST, Mac


@dataclass(slots=True)
class PortCounters:
    """Frames and octets that came in by a port, and that left by it; frames by who they are for."""

    in_unicast: int = 0
    in_multicast: int = 0
    in_broadcast: int = 0
    in_octets: int = 0
    out_unicast: int = 0
    out_multicast: int = 0
    out_broadcast: int = 0
    out_octets: int = 0

    @property
    def in_frames(self) -> int:
        """All frames that came in."""
        return self.in_unicast + self.in_multicast + self.in_broadcast

    @property
    def out_frames(self) -> int:
        """All frames that left."""
        return self.out_unicast + self.out_multicast + self.out_broadcast

    def __add__(self, other: PortCounters) -> PortCounters:
        return PortCounters(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def count_in(self, dst: Mac, octets: int) -> None:
        """A frame to `dst` came in."""
        name = f"in_{_cast(dst)}"
        setattr(self, name, getattr(self, name) + 1)
        self.in_octets += octets

    def count_out(self, dst: Mac, octets: int) -> None:
        """A frame to `dst` left."""
        name = f"out_{_cast(dst)}"
        setattr(self, name, getattr(self, name) + 1)
        self.out_octets += octets


def _cast(dst: Mac) -> str:
    if not dst.is_multicast:
        return "unicast"
    return "broadcast" if dst == BROADCAST else "multicast"


@dataclass(slots=True)
class Totals:
    """Counts of a node as a whole; `replicated` are copies beyond the first of each frame.

    `control`: signalling from uplinks, which is for the node's own agent and counted at no port.
    """

    replicated: int = 0
    learnt: int = 0
    moved: int = 0
    aged: int = 0
    not_learnt: int = 0
    control: int = 0
