# SPDX-License-Identifier: Apache-2.0
"""What is known of each PF driver beside what the kernel says of all: limits, what it lacks, what it wants.

`tried` is how it is known: seen with that driver, or only expected from its source. docs/design/adapters.md has the
table. Of a driver that is not here nothing is assumed: the kernel's own refusal is told when a change is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from openfex.model.functions import TagProtocol

DOT1Q_ONLY = frozenset({TagProtocol.DOT1Q})
BOTH = frozenset(TagProtocol)


@dataclass(frozen=True, slots=True)
class Quirks:
    """`lacks`: settings, as documents call them, that the driver has no operation for (EOPNOTSUPP)."""

    most: int | None = None
    """Functions that it ever makes, whatever the device says."""
    lacks: frozenset[str] = frozenset()
    protocols: frozenset[TagProtocol] = BOTH
    probe_for_mac: bool = False
    """A MAC set by the PF reaches a function's driver only when that is started again."""
    rate_step: int = 1
    """Rates are rounded to whole multiples of so many Mbit/s."""
    rate_needs_link: bool = False
    """It takes a rate only while the PF has carrier, and none above the link's speed."""
    mac_needs_up: bool = False
    """A function's driver gets its MAC by the PF's mailbox, which answers only while the PF is up."""
    hwmode: bool = True
    """Whether it can show and set IFLA_BRIDGE_MODE."""
    tried: bool = False


UNKNOWN = Quirks()

QUIRKS: dict[str, Quirks] = {
    "igb": Quirks(
        most=7,
        lacks=frozenset({"rate.min", "link", "rss-query"}),
        protocols=DOT1Q_ONLY,
        probe_for_mac=True,
        rate_needs_link=True,
        mac_needs_up=True,
        hwmode=False,
        tried=True,
    ),
    "ixgbe": Quirks(
        most=63, lacks=frozenset({"rate.min"}), protocols=DOT1Q_ONLY, probe_for_mac=True, rate_needs_link=True
    ),
    "i40e": Quirks(lacks=frozenset({"rate.min", "rss-query"}), protocols=DOT1Q_ONLY, rate_step=50),
    "ice": Quirks(most=256, lacks=frozenset({"rss-query"})),
    "mlx5_core": Quirks(lacks=frozenset({"rss-query"})),
    "bnxt_en": Quirks(lacks=frozenset({"rss-query"}), protocols=DOT1Q_ONLY),
}


def quirks_of(driver: str) -> Quirks:
    """What is known of a PF's driver."""
    return QUIRKS.get(driver, UNKNOWN)
