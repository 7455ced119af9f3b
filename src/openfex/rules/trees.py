# SPDX-License-Identifier: Apache-2.0
"""Trees of octets: which vector a key has. Nodes, runs and vectors that are equal are held once.

A reference is a leaf (bit 31) and the number of its vector, a run (bit 30) and its number, or the number of a node.
Each step of a walk takes at least one octet of the key. What is beside a run is a leaf: a run that fails ends the walk.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

LEAF, RUN = 1 << 31, 1 << 30
LONGEST_RUN = 16
Reach = tuple[int, int]
"""Keys as numbers, from the first to the last."""
Piece = tuple[int, int]
"""A key as a number, and the vector of all keys from there up to the next piece."""
Node = tuple[int, ...]
_start = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Run:
    """Octets that must come next in the key: `equal` if they do, else the leaf `other`."""

    octets: bytes
    equal: int
    other: int


def vector_of(leaf: int) -> int:
    """The number of a leaf's vector."""
    return leaf & ~LEAF


def join(reaches: Iterable[Reach]) -> list[Reach]:
    """The same keys in order, as few reaches as can be."""
    joined: list[Reach] = []
    for first, last in sorted(reaches):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined


def cut(base: int, reaches: Mapping[int, Iterable[Reach]], octets: int) -> list[Piece]:
    """All keys of so many octets in order, cut where their vector changes.

    The vector of a key has the bits of `base`, and those whose reaches the key is in.
    """
    changes = {0: base}
    for bit, own in reaches.items():
        for first, last in join(own):
            changes[first] = changes.get(first, 0) ^ 1 << bit
            changes[last + 1] = changes.get(last + 1, 0) ^ 1 << bit
    changes.pop(1 << 8 * octets, None)
    pieces = [(0, changes.pop(0))]
    for key, change in sorted(changes.items()):
        if change:
            pieces.append((key, pieces[-1][1] ^ change))
    return pieces


def _within(pieces: Sequence[Piece], start: int, stop: int) -> Sequence[Piece]:
    """The pieces that have keys from `start` up to `stop`."""
    return pieces[bisect_right(pieces, start, key=_start) - 1 : bisect_left(pieces, stop, key=_start)]


def _others(pieces: Sequence[Piece], base: int, end: int) -> tuple[int, int, int]:
    """The vector that keys have at an edge, at both if possible, and the first and last key of those between."""
    vector, last = pieces[0][1], pieces[-1][1]
    after, before = pieces[1][0], pieces[-1][0] - 1
    if vector == last:
        return vector, after, before
    at_start, at_end = (base ^ before).bit_length(), (after ^ (end - 1)).bit_length()
    return (last, base, before) if at_start < at_end else (vector, after, end - 1)


class Forest:
    """Where trees are made. `nodes`, `runs` and `vectors` are in the order of their numbers."""

    def __init__(self) -> None:
        self.nodes: dict[Node, int] = {}
        self.runs: dict[Run, int] = {}
        self.vectors: dict[int, int] = {}

    def leaf(self, vector: int) -> int:
        """The reference of a vector."""
        return LEAF | self.vectors.setdefault(vector, len(self.vectors))

    def tree(self, pieces: Sequence[Piece], octets: int, base: int = 0) -> int:
        """The reference of a tree for the keys from `base` on that differ in so many octets."""
        if len(pieces) == 1:
            return self.leaf(pieces[0][1])
        vector, first, last = _others(pieces, base, base + (1 << 8 * octets))
        alike = min(octets - ((first ^ last).bit_length() + 7) // 8, LONGEST_RUN)
        if not alike:
            return self._node(pieces, octets, base)
        left = 8 * (octets - alike)
        start = first >> left << left
        equal = self.tree(_within(pieces, start, start + (1 << left)), octets - alike, start)
        run = Run(((start - base) >> left).to_bytes(alike, "big"), equal, self.leaf(vector))
        return RUN | self.runs.setdefault(run, len(self.runs))

    def _node(self, pieces: Sequence[Piece], octets: int, base: int) -> int:
        size = 1 << 8 * (octets - 1)
        ends = [*map(_start, pieces[1:]), base + 256 * size]
        children: list[int] = []
        at = 0
        while len(children) < 256:
            start = base + len(children) * size
            while ends[at] <= start:
                at += 1
            if whole := (ends[at] - start) // size:
                children += [self.leaf(pieces[at][1])] * whole
            else:
                children.append(self.tree(_within(pieces, start, start + size), octets - 1, start))
        return self.nodes.setdefault(tuple(children), len(self.nodes))
