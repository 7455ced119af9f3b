# SPDX-License-Identifier: Apache-2.0
"""What machines put out for the wire; what they tell their owner is defined beside each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send this frame, octets from the destination address on, by the uplink's own untagged channel."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """An agent's wish: send this frame on one of its uplinks."""

    link: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Log:
    """A line of an agent's log: a word for what happened, what it is about, and the same in words."""

    event: str
    about: str
    words: str
    code: str = ""


def earliest(deadlines: Iterable[float | None]) -> float | None:
    """The first of some deadlines, None if there is none."""
    return min((one for one in deadlines if one is not None), default=None)
