# SPDX-License-Identifier: Apache-2.0
"""A coded no about a real adapter: which, by whose wish, why, and what would make it a yes. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """`wish` is the document's name; `by` the number of its range of settings, None outside of them; `key` below."""

    code: str
    wish: str
    message: str
    remedy: str = ""
    by: int | None = None
    key: str = ""
