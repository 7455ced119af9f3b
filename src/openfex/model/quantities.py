# SPDX-License-Identifier: Apache-2.0
"""Quantities as people write them: VLAN lists (`10, 20-30`), durations (`300s`)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from openfex.errors import InputError
from openfex.model.values import LAST_VLAN

_DURATION = re.compile(r"(\d+)(ms|s|m|h)")
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def parse_vlan(value: object) -> int:
    """A VLAN id, 1..4094. Raises InputError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LAST_VLAN:
        raise InputError(f"{value!r} is not a VLAN id from 1 to {LAST_VLAN}", code="bad-vlan")
    return value


def _parse_range(text: str) -> range:
    first, _, last = text.partition("-")
    if not first.strip().isdigit() or (last and not last.strip().isdigit()):
        raise InputError(f"{text!r} is not a VLAN id or a range like 20-30", code="bad-vlan")
    low = parse_vlan(int(first))
    high = parse_vlan(int(last)) if last else low
    if high < low:
        raise InputError(f"the VLAN range {text!r} runs backwards", code="bad-vlan")
    return range(low, high + 1)


def parse_vlans(value: object) -> frozenset[int]:
    """VLAN ids from `10`, `"10,20-30"`, `[10, "20-30"]` or `all`. Raises InputError."""
    if value == "all":
        return frozenset(range(1, LAST_VLAN + 1))
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    vlans: set[int] = set()
    for part in parts:
        vlans.update(_parse_range(part.strip()) if isinstance(part, str) else [parse_vlan(part)])
    return frozenset(vlans)


def format_vlans(vlans: Iterable[int]) -> str:
    """The shortest way to write a set of VLANs: `10,20-30`."""
    runs: list[list[int]] = []
    for vlan in sorted(vlans):
        if runs and vlan == runs[-1][1] + 1:
            runs[-1][1] = vlan
        else:
            runs.append([vlan, vlan])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def parse_duration(value: object) -> int:
    """Milliseconds from `250ms`, `300s`, `5m`, `1h`. Raises InputError."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not match or not int(match[1]):
        raise InputError(f"{value!r} is not a duration like 300s, 5m or 250ms", code="bad-duration")
    return int(match[1]) * _MILLISECONDS[match[2]]
