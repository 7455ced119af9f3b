# SPDX-License-Identifier: Apache-2.0
"""How programs get at the frames of a path, hop by hop, and why so. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from openfex.lab.view.sight import Row
from openfex.model.layout import AUTO, TC, XDP, Binding, Layout

_ASKED = "asked for"
_AUTO = "the wires of a lab carry super-frames (GSO), which XDP would have cut"
_QUEUED = "the uplink holds its frames to a rate, in a queue that XDP does not pass"
_TAP = "a TAP carries super-frames (GSO), and has no native XDP"
_NETWORK = "what leads to the network carries super-frames (GSO)"


@dataclass(frozen=True)
class Attached:
    """Where the programs are: at `tc` alone, or in `xdp` too; and why."""

    chosen: str
    why: str

    def row(self) -> Row:
        """As `--json` prints it."""
        return {"chosen": self.chosen, "why": self.why}


def at_uplink(binding: Binding) -> Attached:
    """At both ends of a binding's uplink."""
    if binding.uplink.attachment == AUTO:
        return Attached(TC, _QUEUED if binding.uplink.shape else _AUTO)
    return Attached(XDP if binding.uplink.is_xdp else TC, _ASKED)


def at_function(layout: Layout, binding: Binding) -> Attached:
    """At a binding's function: as at its uplink, if it can be."""
    found = at_uplink(binding)
    return Attached(TC, _TAP) if found.chosen == XDP and layout.is_tap(binding) else found


def at_network_port(binding: Binding) -> Attached:
    """At the network port that a binding is pinned to."""
    return Attached(TC, _AUTO if binding.uplink.attachment == AUTO else _NETWORK)
