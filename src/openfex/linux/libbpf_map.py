# SPDX-License-Identifier: Apache-2.0
"""BPF maps from user space: one entry, many in a system call, or a stretch of an array.

A per-CPU map has one value a possible CPU, each rounded up to eight octets; here such an entry is their
concatenation, a *row*, and `row_size` is its length (of any other map it is the value's). Array keys are 32-bit
numbers in the machine's order.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path

from openfex.errors import InputError, KernelError
from openfex.linux.border import ENOTSUPP, crossing, refusal
from openfex.linux.libbpf_calls import Held, MapCreateOptions, check, library, map_info, open_pin

_BATCH_OCTETS = 4 << 20
_BLOCK = 64
"""Entries that are looked at together."""
_NO_BATCH = frozenset({errno.EINVAL, errno.EOPNOTSUPP, ENOTSUPP})
"""What kernels answer that have no batch operation for a kind of map."""


class MapType(IntEnum):
    """The kinds of map that matter here, by the kernel's numbers; there are others."""

    HASH = 1
    ARRAY = 2
    PERCPU_HASH = 5
    PERCPU_ARRAY = 6
    LRU_HASH = 9
    LRU_PERCPU_HASH = 10


_PER_CPU = frozenset({MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH, 21})
_ARRAYS = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})
_BATCHED = frozenset(MapType)
_ARRAY_OF_MAPS = 12
_MMAPABLE = 1 << 10
"""BPF_F_MMAPABLE: the rows of an array are memory that a process can look at."""


@functools.cache
def possible_cpus() -> int:
    """How many values an entry of a per-CPU map has: `cat /sys/devices/system/cpu/possible`."""
    return check(int(library().libbpf_num_possible_cpus()), "count CPUs")


def wait_for_programs() -> None:
    """Return when every program that runs now has ended, so that what it may have looked at can be used anew.

    The kernel promises that for the update of a map of maps (maybe_wait_bpf_programs, Linux 4.20).
    """
    inner = check(int(library().bpf_map_create(MapType.ARRAY, b"openfex_wait", 4, 4, 1, None)), "make a map")
    outer = -1
    try:
        options = MapCreateOptions(sz=ctypes.sizeof(MapCreateOptions), inner_map_fd=inner)
        made = library().bpf_map_create(_ARRAY_OF_MAPS, b"openfex_waits", 4, 4, 1, ctypes.byref(options))
        outer = check(int(made), "make a map of maps")
        key, value = struct.pack("=I", 0), struct.pack("=I", inner)
        check(int(library().bpf_map_update_elem(outer, key, value, 0)), "wait for running programs")
    finally:
        for one in (inner, outer):
            if one >= 0:
                os.close(one)


class Map(Held):
    """A map that is open."""

    def __init__(self, fd: int, name: str | None = None) -> None:
        """Take over `fd`; `name` is the map's whole name, of which the kernel keeps 15 octets."""
        super().__init__(fd)
        info = map_info(fd)
        self.name = info.name if name is None else name
        self.type = info.type
        self.id = info.id
        self.key_size = info.key_size
        self.value_size = info.value_size
        self.max_entries = info.max_entries
        self.per_cpu = info.type in _PER_CPU
        self.row_size = -(-info.value_size // 8) * 8 * possible_cpus() if self.per_cpu else info.value_size
        self._readable = bool(info.flags & _MMAPABLE) and not info.value_size % 8
        self._memory: mmap.mmap | None = None
        self._row = ctypes.create_string_buffer(max(self.row_size, 1))
        self._lib = library()

    @classmethod
    def pinned(cls, path: Path) -> Map:
        """A map by its pin: `bpftool map show pinned PATH`. Raises NotFoundError."""
        return cls(open_pin(path))

    @classmethod
    def by_id(cls, number: int) -> Map:
        """A map by its id: `bpftool map show id N`. Raises NotFoundError."""
        return cls(
            check(int(library().bpf_map_get_fd_by_id(number)), f"open map {number}", f"there is no map {number}")
        )

    def close(self) -> None:
        """Let go of it, and of its memory."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        super().close()

    def get(self, key: bytes) -> bytes | None:
        """The value, or row, of a key; None if it has none: `bpftool map lookup`."""
        result = int(self._lib.bpf_map_lookup_elem(self.fd, self._key(key), self._row))
        if result == -errno.ENOENT:
            return None
        check(result, f"look up in map {self.name}")
        return ctypes.string_at(self._row, self.row_size)

    def get_percpu(self, key: bytes) -> list[bytes] | None:
        """The value of a key on each possible CPU; None if it has none."""
        row = self.get(key)
        return None if row is None else self.split(row)

    def split(self, row: bytes) -> list[bytes]:
        """The values in a row, one a possible CPU."""
        if not self.per_cpu:
            raise InputError(f"map {self.name} has one value for all CPUs", code="not-per-cpu")
        step = -(-self.value_size // 8) * 8
        return [row[at : at + self.value_size] for at in range(0, len(row), step)]

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value, or row, of a key: `bpftool map update`."""
        self._check_value(value)
        check(int(self._lib.bpf_map_update_elem(self.fd, self._key(key), value, 0)), f"write to map {self.name}")

    def put_many(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        """Set many entries, in one system call where the kernel can; the same key twice: the later one stays."""
        if not entries:
            return
        for key, value in entries:
            self._key(key)
            self._check_value(value)
        if self.type in _BATCHED and self._put_batch(entries):
            return
        for key, value in entries:
            self.put(key, value)

    def delete(self, key: bytes) -> bool:
        """Remove a key; False if it was not there: `bpftool map delete`. Arrays refuse."""
        result = int(self._lib.bpf_map_delete_elem(self.fd, self._key(key)))
        if result == -errno.ENOENT:
            return False
        check(result, f"delete from map {self.name}")
        return True

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All entries, with rows where the map is per-CPU, many a system call: `bpftool map dump`.

        An entry that is put or deleted meanwhile may or may not be among them.
        """
        if self.type in _ARRAYS:
            yield from self._array_items()
        elif self.type in _BATCHED:
            yield from self._hash_items()
        else:
            for key in self._walk():
                value = self.get(key)
                if value is not None:
                    yield key, value

    def keys(self) -> Iterator[bytes]:
        """All keys."""
        if self.type in _ARRAYS:
            for number in range(self.max_entries):
                yield struct.pack("=I", number)
        elif self.type in _BATCHED:
            for key, _ in self._hash_items():
                yield key
        else:
            yield from self._walk()

    def range(self, first_key: int, count: int) -> bytes:
        """The rows of `count` consecutive entries of an array, one after the other, in one system call or none."""
        if self.type not in _ARRAYS:
            raise InputError(f"map {self.name} is no array", code="not-an-array")
        if first_key < 0 or count < 0 or first_key + count > self.max_entries:
            message = (
                f"map {self.name} has entries 0 to {self.max_entries - 1}, not {first_key} to {first_key + count - 1}"
            )
            raise InputError(message, code="not-in-array")
        if not count:
            return b""
        if self._readable:
            return self._look(first_key * self.row_size, count * self.row_size)
        return self._stretch(first_key, count)

    def _look(self, first: int, count: int) -> bytes:
        """Octets of a mapped array: no system call, which for a large array takes milliseconds."""
        if self._memory is None:
            with crossing(f"map the memory of map {self.name}"):
                self._memory = mmap.mmap(self.fd, self.max_entries * self.row_size, prot=mmap.PROT_READ)
        return self._memory[first : first + count]

    def used(self) -> Iterator[tuple[int, bytes]]:
        """The blocks of an array that are not all zeros: the number of the first entry, and the octets of its rows.

        Most of a large array is zeros, which so cost one comparison a block.
        """
        size = _BLOCK * self.row_size
        zeros, step = bytes(size), max(1, _BATCH_OCTETS // size) * _BLOCK
        for first in range(0, self.max_entries, step):
            rows = self.range(first, min(step, self.max_entries - first))
            for at in range(0, len(rows), size):
                if not rows.startswith(zeros, at):
                    yield first + at // self.row_size, rows[at : at + size]

    def _stretch(self, first: int, count: int) -> bytes:
        """The kernel reads on from the entry *after* the one it is given; none given means from the beginning."""
        values = ctypes.create_string_buffer(count * self.row_size)
        keys = ctypes.create_string_buffer(count * self.key_size)
        before = ctypes.c_uint32(first - 1)
        reached, done = ctypes.c_uint32(), ctypes.c_uint32(count)
        start = ctypes.byref(before) if first else None
        result = int(
            self._lib.bpf_map_lookup_batch(
                self.fd, start, ctypes.byref(reached), keys, values, ctypes.byref(done), None
            )
        )
        if result < 0 and result != -errno.ENOENT:  # ENOENT: the end of the array
            raise refusal(-result, f"read map {self.name}")
        if done.value != count:
            raise KernelError(f"map {self.name}: asked for {count} entries from {first} on, got {done.value}")
        return values.raw

    def _array_items(self) -> Iterator[tuple[bytes, bytes]]:
        step = max(1, _BATCH_OCTETS // self.row_size)
        for first in range(0, self.max_entries, step):
            count = min(step, self.max_entries - first)
            rows = self.range(first, count)
            for number in range(count):
                at = number * self.row_size
                yield struct.pack("=I", first + number), rows[at : at + self.row_size]

    def _hash_items(self) -> Iterator[tuple[bytes, bytes]]:
        """Bucket by bucket: the position is a bucket's number, and a whole bucket must fit (ENOSPC: ask for more)."""
        room = max(64, min(self.max_entries, _BATCH_OCTETS // (self.key_size + self.row_size)))
        position = ctypes.create_string_buffer(max(self.key_size, 4))
        started = False
        while True:
            keys = ctypes.create_string_buffer(room * self.key_size)
            values = ctypes.create_string_buffer(room * self.row_size)
            count = ctypes.c_uint32(room)
            result = int(
                self._lib.bpf_map_lookup_batch(
                    self.fd, position if started else None, position, keys, values, ctypes.byref(count), None
                )
            )
            if result == -errno.ENOSPC:
                room *= 2
                continue
            if result < 0 and result != -errno.ENOENT:
                raise refusal(-result, f"read map {self.name}")
            size = count.value
            yield from self._pairs(
                ctypes.string_at(keys, size * self.key_size), ctypes.string_at(values, size * self.row_size), size
            )
            if result == -errno.ENOENT:
                return
            started = True

    def _pairs(self, keys: bytes, values: bytes, count: int) -> Iterator[tuple[bytes, bytes]]:
        key_size, row_size = self.key_size, self.row_size
        for number in range(count):
            key = keys[number * key_size : (number + 1) * key_size]
            yield key, values[number * row_size : (number + 1) * row_size]

    def _walk(self) -> Iterator[bytes]:
        """Keys one by one, for kinds of map without batch operations."""
        key: bytes | None = None
        following = ctypes.create_string_buffer(self.key_size)
        while True:
            result = int(self._lib.bpf_map_get_next_key(self.fd, key, following))
            if result == -errno.ENOENT:
                return
            check(result, f"walk map {self.name}")
            key = following.raw
            yield key

    def _put_batch(self, entries: Sequence[tuple[bytes, bytes]]) -> bool:
        """True if done; False if this kernel has no batch update for this kind of map."""
        keys = b"".join(key for key, _ in entries)
        values = b"".join(value for _, value in entries)
        count = ctypes.c_uint32(len(entries))
        result = int(self._lib.bpf_map_update_batch(self.fd, keys, values, ctypes.byref(count), None))
        if -result in _NO_BATCH:
            return False
        check(result, f"write entry {count.value} of {len(entries)} to map {self.name}")
        return True

    def _key(self, key: bytes) -> bytes:
        if len(key) != self.key_size:
            message = f"a key of map {self.name} has {self.key_size} octets, not {len(key)}"
            raise InputError(message, code="bad-map-key")
        return key

    def _check_value(self, value: bytes) -> None:
        if len(value) != self.row_size:
            message = f"an entry of map {self.name} has {self.row_size} octets, not {len(value)}"
            raise InputError(message, code="bad-map-value")
