# SPDX-License-Identifier: Apache-2.0
"""Shapes as queues: an HTB class for the wire, one in it for each share, and in that one for each PCP.

So a program needs to know nothing of shares: it names the class of a frame's PCP (`FEX_QUEUE` in bpf/include/abi.h). A
PCP's class borrows from its share, and a share from the wire what others leave.
"""

from __future__ import annotations

from collections.abc import Sequence

from openfex.linux.queues import QueueClass
from openfex.model.shape import Shape, Share

_WIRE, _FIRST_SHARE, FIRST_PCP = 1, 2, 0x10
DEFAULT = FIRST_PCP
"""What has no PCP, and what others than our programs send."""
NO_SHAPE = Shape(0, frozenset())
"""A queue that is ours and not as it was made."""


def classes_of(shape: Shape | None) -> list[QueueClass]:
    """The classes of a shape by number, so parents first."""
    if shape is None:
        return []
    classes = [QueueClass(_WIRE, 0, shape.rate, shape.rate)]
    for number, share in enumerate(sorted(shape.shares, key=lambda one: min(one.pcps)), start=_FIRST_SHARE):
        each = max(1, share.minimum // len(share.pcps))
        classes.append(QueueClass(number, _WIRE, share.minimum, shape.rate))
        classes += [QueueClass(FIRST_PCP + pcp, number, each, shape.rate) for pcp in share.pcps]
    return sorted(classes, key=lambda one: one.number)


def read_shape(classes: Sequence[QueueClass]) -> Shape | None:
    """The shape that classes, by number, are; None without any. Those that no shape is are one that nobody asks for."""
    if not classes:
        return None
    pcps: dict[int, set[int]] = {}
    for one in classes:
        if one.number >= FIRST_PCP:
            pcps.setdefault(one.parent, set()).add(one.number - FIRST_PCP)
    shares = {Share(frozenset(pcps[one.number]), one.rate) for one in classes if one.number in pcps}
    shape = Shape(classes[0].rate, frozenset(shares))
    return shape if classes_of(shape) == list(classes) else NO_SHAPE
