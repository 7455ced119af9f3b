# SPDX-License-Identifier: Apache-2.0
"""How long VDP waits for what (IEEE 802.1Q clause 41.5.5; wire.md 4.7)."""

from __future__ import annotations

from dataclasses import dataclass

from openfex.wire.timers import seconds

_MARGIN = 1.5


@dataclass(frozen=True, slots=True)
class VdpTimers:
    """Times in seconds, as both ends compute them from what EVB agreed on."""

    response_wait: float
    """How long a station waits for a response."""
    keep_alive: float
    """How often a station says that a VSI is still there."""
    expiry: float
    """How long a bridge keeps a VSI of which it hears nothing."""
    resource_wait: float
    """How long a bridge waits for its VSI manager's verdict."""

    @classmethod
    def of(cls, retries: int, rte: int, rwd: int, rka: int) -> VdpTimers:
        """From ECP's retries and timer exponent, and the exponents of resource wait and of keep-alive."""
        delivery = (1 + 2 * retries) * seconds(rte)
        return cls(
            response_wait=_MARGIN * (delivery + seconds(rwd)),
            keep_alive=seconds(rka),
            expiry=_MARGIN * (delivery + seconds(rka)),
            resource_wait=seconds(rwd),
        )
