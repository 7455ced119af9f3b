# SPDX-License-Identifier: Apache-2.0
"""Quantities as people write them: whole numbers, VLAN lists, durations (`300s`), sizes (`1GiB`), rates (`1Gbit`)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from openfex.errors import InputError
from openfex.model.values import LAST_VLAN
from openfex.model.wording import shown

_DIGITS = re.compile(r"[0-9]{1,15}")
_RANGE = re.compile(r"([0-9]{1,15})(?:\s*-\s*([0-9]{1,15}))?")
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h)")
_MEMORY = re.compile(r"([0-9]{1,9})(MiB|GiB)")
_RATE = re.compile(r"([0-9]{1,15})(bit|kbit|Mbit|Gbit)")
_BURST = re.compile(r"([0-9]{1,9})(KiB|MiB)")
_MEBIBYTES = {"MiB": 1, "GiB": 1024}
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_BITS = {"bit": 1, "kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9}
_OCTETS = {"KiB": 1 << 10, "MiB": 1 << 20}
LONGEST_DURATION_S = 1_000_000
"""The longest ageing time that a bridge may have (IEEE 802.1Q, table 8-6)."""
LEAST_MEMORY_MIB = 128
"""Less than this Debian's kernel does not boot in."""
LEAST_RATE_KBIT, MOST_RATE_GBIT = 64, 400
"""What the arithmetic of a bucket (docs/design/policy.md) holds within a fraction of 2 %, for a super-frame, too."""
MOST_BURST_MIB = 256


def parse_whole(value: object) -> int | None:
    """A whole number from 0, also in quotes; None if it is none."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def parse_truth(value: object) -> bool:
    """`true` or `false`, also in quotes. Raises InputError."""
    found = {True: True, False: False, "true": True, "false": False}.get(value if isinstance(value, bool | str) else "")
    if found is None:
        raise InputError(f"{shown(value)} is not true or false", code="bad-value")
    return found


def parse_vlan(value: object) -> int:
    """A VLAN id, 1..4094. Raises InputError."""
    number = parse_whole(value)
    if number is None or not 1 <= number <= LAST_VLAN:
        raise InputError(f"{shown(value)} is not a VLAN id from 1 to {LAST_VLAN}", code="bad-vlan")
    return number


def _parse_range(part: object) -> range:
    match = _RANGE.fullmatch(part.strip()) if isinstance(part, str) else None
    if match is None:
        if isinstance(part, int) and not isinstance(part, bool):
            return range(parse_vlan(part), part + 1)
        raise InputError(f"{shown(part)} is not a VLAN id or a range like 20-30", code="bad-vlan")
    low, high = parse_vlan(match[1]), parse_vlan(match[2] or match[1])
    if high < low:
        raise InputError(f"the VLAN range {shown(part)} runs backwards", code="bad-vlan", remedy=f"write {high}-{low}")
    return range(low, high + 1)


def parse_vlans(value: object) -> frozenset[int]:
    """VLAN ids from `10`, `"10,20-30"`, `[10, "20-30"]` or `all`; each is said once. Raises InputError."""
    if value == "all":
        return frozenset(range(1, LAST_VLAN + 1))
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    if not parts:
        raise InputError("the list names no VLAN", code="bad-vlan", remedy='write for example [10, "20-30"], or all')
    vlans: set[int] = set()
    for part in parts:
        found = _parse_range(part)
        if twice := vlans.intersection(found):
            message = f"VLAN {format_vlans(twice)} is in the list more than once"
            remedy = f'the same without overlaps: "{format_vlans(vlans.union(*map(_parse_range, parts)))}"'
            raise InputError(message, code="overlapping-vlans", remedy=remedy)
        vlans.update(found)
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
        raise InputError(f"{shown(value)} is not a duration like 300s, 5m or 250ms", code="bad-duration")
    duration = int(match[1]) * _MILLISECONDS[match[2]]
    if duration > LONGEST_DURATION_S * 1000:
        raise InputError(f"{value} is longer than {LONGEST_DURATION_S}s", code="bad-duration")
    return duration


def parse_memory(value: object) -> int:
    """Mebibytes from `192MiB`, `1GiB`. Raises InputError."""
    match = _MEMORY.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise InputError(f"{shown(value)} is not an amount of memory like 192MiB or 1GiB", code="bad-memory")
    memory = int(match[1]) * _MEBIBYTES[match[2]]
    if memory < LEAST_MEMORY_MIB:
        raise InputError(f"{value} is less than {LEAST_MEMORY_MIB}MiB", code="bad-memory")
    return memory


def parse_rate(value: object) -> int:
    """Bits a second from `64kbit`, `100Mbit`, `1Gbit`. Raises InputError."""
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    limits = f"from {LEAST_RATE_KBIT}kbit to {MOST_RATE_GBIT}Gbit"
    if not match:
        remedy = f"write a whole number and kbit, Mbit or Gbit, {limits}"
        raise InputError(f"{shown(value)} is not a bit rate like 100Mbit or 1Gbit", code="bad-rate", remedy=remedy)
    rate = int(match[1]) * _BITS[match[2]]
    if not LEAST_RATE_KBIT * 10**3 <= rate <= MOST_RATE_GBIT * 10**9:
        raise InputError(f"{value} is out of range", code="bad-rate", remedy=f"write a rate {limits}")
    return rate


def format_rate(bits: int) -> str:
    """The shortest way to write a bit rate: `2500Mbit`, `1Gbit`."""
    unit = max((unit for unit, size in _BITS.items() if bits % size == 0), key=lambda unit: _BITS[unit])
    return f"{bits // _BITS[unit]}{unit}"


def parse_burst(value: object) -> int:
    """Octets from `64KiB`, `1MiB`. Raises InputError."""
    match = _BURST.fullmatch(value) if isinstance(value, str) else None
    burst = int(match[1]) * _OCTETS[match[2]] if match else 0
    if not 0 < burst <= MOST_BURST_MIB << 20:
        remedy = f"write a whole number and KiB or MiB, from 1KiB to {MOST_BURST_MIB}MiB"
        raise InputError(f"{shown(value)} is not a burst like 256KiB or 1MiB", code="bad-rate", remedy=remedy)
    return burst
