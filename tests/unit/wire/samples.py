# SPDX-License-Identifier: Apache-2.0
"""The sample frames, by name."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "data" / "wire"


def read_samples(name: str = "samples.hex") -> dict[str, bytes]:
    """Lines of `NAME HEX`; the rest is comment."""
    lines = (line.split() for line in (_FOLDER / name).read_text().splitlines() if line and not line.startswith("#"))
    return {name: bytes.fromhex(octets) for name, octets in lines}
