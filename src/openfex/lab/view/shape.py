# SPDX-License-Identifier: Apache-2.0
"""What an uplink carries, as rows and in words. Pure."""

from __future__ import annotations

from openfex.lab.view.sight import Row
from openfex.model.quantities import format_rate, format_vlans
from openfex.model.shape import Shape, Share


def _in_order(shape: Shape) -> list[Share]:
    return sorted(shape.shares, key=lambda one: min(one.pcps))


def shape_row(shape: Shape | None) -> Row | None:
    """As `--json` prints it, in bits a second; None for an uplink that carries what it can."""
    if shape is None:
        return None
    shares = [{"pcp": sorted(one.pcps), "minimum": one.minimum * 8} for one in _in_order(shape)]
    return {"rate": shape.rate * 8, "shares": shares}


def shape_lines(shape: Shape | None) -> list[str]:
    """For people."""
    if shape is None:
        return []
    shares = [f"PCP {format_vlans(one.pcps)} at least {format_rate(one.minimum * 8)}" for one in _in_order(shape)]
    return [f"uplink: {format_rate(shape.rate * 8)}, of which {', '.join(shares)}"]
