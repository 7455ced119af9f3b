# SPDX-License-Identifier: Apache-2.0
"""Where a device is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A device in a name space."""

    netns: str
    device: str

    def __str__(self) -> str:
        return f"{self.netns}:{self.device}"
