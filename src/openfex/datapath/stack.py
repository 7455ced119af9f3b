# SPDX-License-Identifier: Apache-2.0
"""How deep a program's stack gets. Pure.

The verifier tells the octets of each function, and checks, but does not tell, that the deepest chain of calls stays
within 512. So the chain is found here, in the code, as `check_max_stack_depth` does it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import cache

from openfex.errors import InternalError

_INSTRUCTION = struct.Struct("=BBhi")
_CALL, _PSEUDO_CALL = 0x85, 1
_LOAD, _PSEUDO_FUNCTION = 0x18, 4
_STEP = 32
"""What the kernel rounds a function's octets up to; with a compiler newer ones round to less."""


def deepest_stack(code: bytes, frames: Sequence[int]) -> int:
    """Octets of the deepest chain, from the octets of each function in the order of the code.

    A function that is handed to the kernel to be called (a loop's, a timer's) counts as called where it is named. Of a
    function with a loop the kernel tells 24 octets more than it checks, so the sum may be a step too large.
    """
    calls = list(_calls(code))
    starts = sorted({0, *(target for _, target in calls)})
    if len(starts) != len(frames):
        raise InternalError(f"{len(frames)} functions were told of, and the code has {len(starts)}")

    @cache
    def depth(function: int) -> int:
        end = starts[function + 1] if function + 1 < len(starts) else len(code)
        called = {starts.index(target) for at, target in calls if starts[function] <= at < end}
        return -(-max(frames[function], 1) // _STEP) * _STEP + max(map(depth, called), default=0)

    return depth(0)


def _calls(code: bytes) -> Iterator[tuple[int, int]]:
    """Where the code names a function, and which: both as numbers of instructions."""
    for at, (operation, registers, _, value) in enumerate(_INSTRUCTION.iter_unpack(code)):
        if (operation, registers >> 4) in ((_CALL, _PSEUDO_CALL), (_LOAD, _PSEUDO_FUNCTION)):
            yield at, at + 1 + value
