# SPDX-License-Identifier: Apache-2.0
"""The engine `reference` as a judge: it decides, learns and counts, and sends nothing. So do the test programs."""

from __future__ import annotations

from dataclasses import dataclass

from openfex.model.values import port_channel, port_link
from openfex.rules.decision import Decision
from openfex.rules.engine import Bridge, Extender
from openfex.rules.extender import decide_down, decide_up
from openfex.rules.head import read_head


@dataclass(slots=True)
class ReferenceExtender(Extender):
    """A port extender that only decides."""

    def decide(self, at: int, octets: bytes) -> Decision:
        """A frame at a function's port, or (channel 0) at an uplink."""
        if port_channel(at):
            head = read_head(octets)
            decision = decide_up(head, at, self.tables)
        else:
            head = self.head_from(port_link(at), octets)
            decision = decide_down(head, port_link(at), self.tables)
        self._count_in(decision, head)
        return decision


@dataclass(slots=True)
class ReferenceBridge(Bridge):
    """A controlling bridge that only decides, and learns."""

    def decide(self, at: int, octets: bytes, now_ns: int) -> Decision:
        """A frame at a link's port, at a time."""
        return self.judge(port_link(at), self.frame_from(port_link(at), octets), now_ns)
