# SPDX-License-Identifier: Apache-2.0
"""The inputs that are kept of a target: a line of hexadecimal digits each, the shortest first."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "fuzz"


def read_corpus(target: str) -> list[bytes]:
    """The inputs; a line may also be empty or a comment."""
    path = FOLDER / f"{target}.hex"
    lines = path.read_text().splitlines() if path.exists() else []
    return [bytes.fromhex(line) for line in lines if line and not line.startswith("#")]


def write_corpus(target: str, inputs: Iterable[bytes]) -> None:
    """Keep these."""
    lines = sorted({one.hex() for one in inputs if one}, key=lambda line: (len(line), line))
    (FOLDER / f"{target}.hex").write_text("".join(f"{line}\n" for line in lines))
