# SPDX-License-Identifier: Apache-2.0
"""Times as EVB, ECP and VDP carry them: exponents (IEEE 802.1Q clause 41; wire.md 4.1 and 4.7)."""

from __future__ import annotations

from openfex.wire.fields import require_width

_UNIT = 10e-6


def seconds(exponent: int) -> float:
    """10 us x 2^exponent, in seconds. Raises WireError for an exponent that is not in 0..31."""
    require_width("timer", "exponent", exponent, 5)
    return _UNIT * (1 << exponent)
