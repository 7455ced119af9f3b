# SPDX-License-Identifier: Apache-2.0
"""What every codec of this room asks of its numbers and of the octets it reads."""

from __future__ import annotations

from openfex.errors import WireError


def require_width(owner: str, name: str, value: int, bits: int) -> None:
    """Refuse a `value` that does not fit `bits` bits; the message names the field and its range."""
    if not 0 <= value < 1 << bits:
        raise WireError(f"{owner} {name} is {value}, not in 0..{(1 << bits) - 1}", code="field-out-of-range")


def require_octets(place: str, octets: bytes, length: int) -> None:
    """Refuse octets that end before `length` of them; `place` says where they then end."""
    if len(octets) < length:
        raise WireError(f"octets end {place}: {len(octets)} of {length}", code="truncated-frame")


def require_start(owner: str, octets: bytes, length: int, *ethertypes: int) -> int:
    """Give the ethertype at the start of a tag of `length` octets, or refuse what is short or starts otherwise."""
    require_octets(f"inside {owner}", octets, length)
    found = int.from_bytes(octets[:2], "big")
    if found not in ethertypes:
        wanted = " or ".join(f"0x{ethertype:04x}" for ethertype in ethertypes)
        raise WireError(f"{owner} starts with ethertype {wanted}, not 0x{found:04x}", code="wrong-ethertype")
    return found
