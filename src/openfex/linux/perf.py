# SPDX-License-Identifier: Apache-2.0
"""Door to the rings by which BPF programs hand records to a process (BPF_MAP_TYPE_PERF_EVENT_ARRAY), one a CPU."""

from __future__ import annotations

import ctypes
import mmap
import struct

from openfex.linux.border import refusal
from openfex.linux.libbpf_calls import check, library
from openfex.linux.libbpf_map import Map

_ATTRIBUTES = struct.Struct("=IIQQQQQII8x")
"""`struct perf_event_attr`, its oldest part: type, size, config, period, sample type, read format, flags, watermark."""
_SOFTWARE, _BPF_OUTPUT, _SAMPLE_RAW, _WATERMARK = 1, 10, 1 << 10, 1 << 14
_RECORD = struct.Struct("=IHHI")
"""`struct perf_event_header`, and the length of a raw sample."""
_SAMPLE = 9
_GO_ON = -2
_EVENT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class PerfRings:
    """The rings of a map. `fd` is readable when one of them is a quarter full; `drain` may be asked at any time."""

    def __init__(self, one: Map, pages: int) -> None:
        """Make rings of `pages` pages, a power of two. They go with this object, and with this process."""
        self._lib = library()
        self._records: list[bytes] = []
        self._take = _EVENT(self._on_event)  # held here: libbpf keeps its address
        watermark = pages * mmap.PAGESIZE // 4
        kind = (_SOFTWARE, _ATTRIBUTES.size, _BPF_OUTPUT, 1, _SAMPLE_RAW, 0, _WATERMARK, watermark, 0)
        take = ctypes.cast(self._take, ctypes.c_void_p)
        self._handle = self._lib.perf_buffer__new_raw(one.fd, pages, _ATTRIBUTES.pack(*kind), take, None, None)
        if not self._handle:
            raise refusal(ctypes.get_errno(), f"make rings of {pages} pages for map {one.name}")
        self.fd = int(self._lib.perf_buffer__epoll_fd(self._handle))

    def close(self) -> None:
        """Let the rings go, and what is in them."""
        if self._handle:
            self._lib.perf_buffer__free(self._handle)
            self._handle = None

    def drain(self) -> list[bytes]:
        """The records that are there: of one CPU after the other, each oldest first. Octets of padding may follow."""
        check(int(self._lib.perf_buffer__consume(self._handle)), "read records")
        records, self._records = self._records, []
        return records

    def _on_event(self, _context: object, _cpu: int, event: int) -> int:
        """One record, which libbpf has put into one piece. Nobody would hear of an error that was raised here."""
        kind, _misc, _size, length = _RECORD.unpack(ctypes.string_at(event, _RECORD.size))
        if kind == _SAMPLE:
            self._records.append(ctypes.string_at(event + _RECORD.size, length))
        return _GO_ON
