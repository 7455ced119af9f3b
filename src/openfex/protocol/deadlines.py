# SPDX-License-Identifier: Apache-2.0
"""Many timers, one a key: thousands of VSIs wait at once, and only the first of them is of interest."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """The keys that wait, and until when. Setting, cancelling and taking one cost O(log n); `first` O(1) mostly.

    A key that is set again or cancelled leaves its old entry in the heap; those are thrown out when they come to the
    top, or all at once when they are the most of it.
    """

    def __init__(self) -> None:
        self._when: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._when)

    def __contains__(self, key: K) -> bool:
        return key in self._when

    @property
    def entries(self) -> int:
        """How many the heap has, thrown out or not."""
        return len(self._heap)

    @property
    def first(self) -> float | None:
        """The first time at which a key is due, None if none waits."""
        while self._heap and self._when.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def set(self, key: K, when: float) -> None:
        """Have `key` wait until `when`, whatever it waited for before."""
        if self._when.get(key) == when:
            return
        self._when[key] = when
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, key))
        if len(self._heap) > 2 * len(self._when) + 16:
            self._heap = [entry for entry in self._heap if self._when.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def postpone(self, key: K, delay: float) -> None:
        """Have `key` wait `delay` longer, if it does wait."""
        if key in self._when:
            self.set(key, self._when[key] + delay)

    def cancel(self, key: K) -> None:
        """Have `key` wait no longer, if it does."""
        self._when.pop(key, None)

    def take(self, until: float) -> list[K]:
        """The keys that are due at `until` or before, in order; they wait no longer."""
        due = []
        while (first := self.first) is not None and first <= until:
            key = heapq.heappop(self._heap)[2]
            del self._when[key]
            due.append(key)
        return due
